"""ID embeddings that start from the data: a truncated SVD of the training counts.

A departure from the paper, whose embeddings start at random. Features that are seen together in the training cells
start close to one another, so that the mean over a cell's genes or peaks tells its type from the first step on.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from scipy import sparse
from scipy.sparse.linalg import LinearOperator, svds

from bi2scope.model.baseline import log_normalised
from bi2scope.model.network import Bi2Former

_SOFTENING = 0.1
"""Added to the standard deviations that features are divided by, so that rare features do not take over."""

Floats = npt.NDArray[np.float64]


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
        loadings = feature_loadings(counts, embedding.embedding_dim, rng)
        embedding.weight[:, : loadings.shape[1]] = torch.from_numpy(loadings).to(embedding.weight.dtype)


def feature_loadings(counts: sparse.csr_matrix, width: int, rng: np.random.Generator) -> Floats:
    """``(n_features, <= width)`` loadings times singular values, of root mean square 1 over all.

    The counts are log-normalised and standardised feature by feature; the matrix stays sparse, its centre apart.
    """
    values = log_normalised(counts).astype(np.float64)
    mean = np.asarray(values.mean(axis=0)).ravel()
    square = np.asarray(values.multiply(values).mean(axis=0)).ravel()
    scale = 1 / (np.sqrt(np.maximum(square - mean**2, 0)) + _SOFTENING)
    rank = min(width, min(values.shape) - 1)
    if rank < 1:
        return np.zeros((values.shape[1], 0))
    operator = LinearOperator(
        values.shape,
        matvec=lambda x: values @ (scale * x.ravel()) - (mean * scale) @ x.ravel(),
        rmatvec=lambda y: scale * (values.T @ y.ravel() - mean * y.sum()),
        dtype=np.float64,
    )
    _, singular, right = svds(operator, k=rank, v0=rng.standard_normal(min(values.shape)))
    order = np.argsort(-singular)
    loadings: Floats = right[order].T * singular[order]
    # The sign of a singular vector is arbitrary: the largest entry is made positive, so that runs agree.
    loadings *= np.sign(loadings[np.abs(loadings).argmax(axis=0), np.arange(rank)])
    size = np.sqrt(np.mean(loadings**2))
    return np.asarray(loadings / size if size > 0 else loadings, dtype=np.float64)
