"""What a network starts from, of the training counts: ID embeddings, queries and keys.

Departures from the paper, whose parameters all start at random.

- ``embedding_init="svd"``: each modality's ID embeddings are the loadings of a truncated SVD of its counts. Features
  that are seen together in the training cells start close to one another, so that the mean over a cell's genes or peaks
  tells its type from the first step on.
- ``embedding_init="joint"``: those of genes and peaks are the two sides of a truncated SVD of their covariance over the
  training cells (partial least squares). Genes start close to one another as above, and close to the peaks that are
  open in the cells that express them.
- ``attention_init="aligned"``: queries and keys of the first layer start as one orthonormal map of the ID embeddings,
  scaled so that the logits of pairs drawn at random have standard deviation 1. A logit is then the covariance of gene
  and peak, as far as the embeddings hold it, and the scores are not all 1 (a sigmoid near 1 gives no gradient).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy import sparse
from scipy.sparse.linalg import LinearOperator, svds
from torch import nn

from bi2scope.model.baseline import log_normalised
from bi2scope.model.network import Bi2Former

_SOFTENING = 0.1
"""Added to the standard deviations that features are divided by, so that rare features do not take over."""

Floats = npt.NDArray[np.float64]


_DRAWN = 2_000
"""Genes and peaks drawn to measure the spread of the logits."""


def start_from_counts(
    network: Bi2Former, rna: sparse.csr_matrix, atac: sparse.csr_matrix, rng: np.random.Generator
) -> None:
    """Start a network as its configuration says; parameters that are to start at random stay.

    Parameters
    ----------
    network
        Its ``embedding_init`` and ``attention_init`` say what starts from the counts.
    rna, atac
        Counts of the training cells, ``(n_cells, n_genes)`` and ``(n_cells, n_peaks)``.
    rng
        Source of the start vectors and maps.
    """
    if network.config.embedding_init == "svd":
        start_from_svd(network, rna, atac, rng)
    elif network.config.embedding_init == "joint":
        start_jointly(network, rna, atac, rng)
    if network.config.attention_init == "aligned":
        align_attention(network, rng)


@torch.no_grad()
def start_from_svd(
    network: Bi2Former, rna: sparse.csr_matrix, atac: sparse.csr_matrix, rng: np.random.Generator
) -> None:
    """Set the ID embeddings of a network to the loadings of its genes and peaks.

    Parameters
    ----------
    network
        Columns past the rank of the counts keep their random start.
    rna, atac
        Counts of the training cells, ``(n_cells, n_genes)`` and ``(n_cells, n_peaks)``.
    rng
        Source of the start vectors.
    """
    for embedding, counts in ((network.rna_idembedding, rna), (network.atac_idembedding, atac)):
        _set(embedding, feature_loadings(counts, embedding.embedding_dim, rng))


@torch.no_grad()
def start_jointly(
    network: Bi2Former, rna: sparse.csr_matrix, atac: sparse.csr_matrix, rng: np.random.Generator
) -> None:
    """Set the ID embeddings of a network to what its genes and peaks share; parameters as of :func:`start_from_svd`."""
    loadings = joint_loadings(rna, atac, network.config.id_dim, rng)
    for embedding, values in zip((network.rna_idembedding, network.atac_idembedding), loadings, strict=True):
        _set(embedding, values)


def _set(embedding: nn.Embedding, loadings: Floats) -> None:
    embedding.weight[:, : loadings.shape[1]] = torch.from_numpy(loadings).to(embedding.weight.dtype)


@torch.no_grad()
def align_attention(network: Bi2Former, rng: np.random.Generator) -> None:
    """Start the first layer's queries and keys as one map of the ID embeddings, its logits with standard deviation 1.

    Each head has an orthonormal map of its own. The columns of count, chromosome and attributes start at 0.
    """
    layer, width, heads = network.layers[0], network.config.id_dim, network.config.heads
    each = network.config.hidden // heads
    gene, peak = (
        embedding.weight[torch.from_numpy(rng.integers(0, len(embedding.weight), _DRAWN))]
        for embedding in (network.rna_idembedding, network.atac_idembedding)
    )
    for linear in (layer.rna_query, layer.atac_key):
        linear.weight.zero_()
        linear.bias.zero_()
    for head in range(heads):
        shared = torch.from_numpy(_orthonormal(each, width, rng)).to(gene.dtype)  # (d, id_dim)
        spread = float(((gene @ shared.T) @ (peak @ shared.T).T).std())
        if spread > 0:
            shared /= spread**0.5
        for linear in (layer.rna_query, layer.atac_key):
            linear.weight[head * each : (head + 1) * each, :width] = shared


def _orthonormal(rows: int, columns: int, rng: np.random.Generator) -> Floats:
    """``(rows, columns)`` with orthonormal columns, or rows if these are fewer."""
    drawn = rng.standard_normal((max(rows, columns), min(rows, columns)))
    basis: Floats = np.linalg.qr(drawn)[0]
    return basis if rows >= columns else basis.T


def feature_loadings(counts: sparse.csr_matrix, width: int, rng: np.random.Generator) -> Floats:
    """``(n_features, <= width)`` loadings times singular values, of root mean square 1 over all.

    The counts are log-normalised and standardised feature by feature; the matrix stays sparse, its centre apart.
    """
    x = _Standardised.of(counts)
    rank = min(width, min(counts.shape) - 1)
    if rank < 1:
        return np.zeros((counts.shape[1], 0))
    operator = LinearOperator(counts.shape, matvec=x.times, rmatvec=x.transposed_times, dtype=np.float64)
    _, singular, right = svds(operator, k=rank, v0=rng.standard_normal(min(counts.shape)))
    order = np.argsort(-singular)
    loadings: Floats = right[order].T * singular[order]
    # The sign of a singular vector is arbitrary: the largest entry is made positive, so that runs agree.
    loadings *= _signs(loadings)
    return _of_size_one(loadings)


def joint_loadings(
    rna: sparse.csr_matrix, atac: sparse.csr_matrix, width: int, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """``(n_genes, <= width)`` and ``(n_peaks, <= width)`` whose products are the covariance of genes and peaks.

    With ``X' Y = U S V'`` for the counts, log-normalised and standardised feature by feature, they are ``U sqrt(S)``
    and ``V sqrt(S)``, each of root mean square 1 over all. The covariance itself is never made.
    """
    x, y = _Standardised.of(rna), _Standardised.of(atac)
    shape = (rna.shape[1], atac.shape[1])
    rank = min(width, min(shape) - 1, rna.shape[0] - 2)  # centred: of n cells, n - 1 directions are left
    if rank < 1:
        return np.zeros((shape[0], 0)), np.zeros((shape[1], 0))
    operator = LinearOperator(
        shape,
        matvec=lambda v: x.transposed_times(y.times(v)),
        rmatvec=lambda u: y.transposed_times(x.times(u)),
        dtype=np.float64,
    )
    left, singular, right = svds(operator, k=rank, v0=rng.standard_normal(min(shape)))
    order = np.argsort(-singular)
    genes, peaks = left[:, order], right[order].T
    share = _signs(genes) * np.sqrt(singular[order])
    return _of_size_one(genes * share), _of_size_one(peaks * share)


@dataclass(frozen=True)
class _Standardised:
    """Counts log-normalised and standardised feature by feature, as an operator: the matrix stays sparse."""

    values: sparse.csr_matrix
    mean: Floats
    scale: Floats

    @classmethod
    def of(cls, counts: sparse.csr_matrix) -> _Standardised:
        values = log_normalised(counts).astype(np.float64)
        mean = np.asarray(values.mean(axis=0)).ravel()
        square = np.asarray(values.multiply(values).mean(axis=0)).ravel()
        return cls(values, mean, 1 / (np.sqrt(np.maximum(square - mean**2, 0)) + _SOFTENING))

    def times(self, x: Floats) -> Floats:
        """``(n_cells,)`` the matrix times a vector over features."""
        scaled = self.scale * x.ravel()
        product: Floats = self.values @ scaled - self.mean @ scaled
        return product

    def transposed_times(self, y: Floats) -> Floats:
        """``(n_features,)`` its transpose times a vector over cells."""
        product: Floats = self.scale * (self.values.T @ y.ravel() - self.mean * y.sum())
        return product


def _signs(vectors: Floats) -> Floats:
    """``(rank,)`` signs of the entries largest in size of each column."""
    signs: Floats = np.sign(vectors[np.abs(vectors).argmax(axis=0), np.arange(vectors.shape[1])])
    return signs


def _of_size_one(loadings: Floats) -> Floats:
    size = np.sqrt(np.mean(loadings**2))
    return np.asarray(loadings / size if size > 0 else loadings, dtype=np.float64)
