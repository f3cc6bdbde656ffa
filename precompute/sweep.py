"""The highest links of many cells at once, gene by gene: what a one-layer model can be asked without being run.

A logit of the first layer is ``Q0.K0 + x wq.K0 + y Q0.wk + x y wq.wk`` with x and y the counts of gene and peak. The
first term is the same in every cell. So the cells are taken together: for some genes of a chromosome the first term is
one matrix product with all of its peaks, and each cell picks its open peaks out of it. Per cell that costs a gather and
the choice, not a product; see ``make bench ONLY=export``.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse
from threadpoolctl import ThreadpoolController

from bi2scope.data.attention import WEIGHTED_PER_ROW, CellAttention, score_of, softmax_denominator
from bi2scope.data.multiome import Multiome
from bi2scope.model.checkpoint import Trained
from bi2scope.precompute.sweep_kernel import sweep_genes

_GENES_AT_ONCE = 64
"""Genes of one product: their rows of a large chromosome take some megabytes."""

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


def can_sweep(trained: Trained) -> bool:
    """Whether the attention of a model is that of its factors: one layer, no limit on the distance, no random links."""
    config = trained.model_config
    return config.layers == 1 and config.max_distance is None and config.attention != "random"


@dataclass(frozen=True)
class _Factors:
    """One head's factors as the kernel takes them, and chromosomes as runs of genes and of peaks."""

    query: Floats  # (n_genes, d)
    key: Floats  # (n_peaks, d)
    query_by_peak_count: Floats  # (n_genes,) Q0 . wk
    key_by_gene_count: Floats  # (n_peaks,) wq . K0
    both: float  # wq . wk


class Sweep:
    """Choose the links of some cells of a data set, all at once.

    Parameters
    ----------
    trained
        A model of one layer (:func:`can_sweep`).
    multiome
        Cells over the model's features (:meth:`Trained.align`).
    k_max
        Links kept per gene: the highest by logit, of those with a logit above 0, ties in genome order.
    threads
        Threads that share the genes.
    """

    def __init__(self, trained: Trained, multiome: Multiome, k_max: int, threads: int = 1) -> None:
        self.multiome, self.k_max, self.threads = multiome, k_max, threads
        self.log1p = trained.model_config.counts == "log1p"
        layout = trained.network.layout
        codes = np.arange(layout.n_chromosomes + 1)
        self.gene_bounds = np.searchsorted(layout.gene_chromosome, codes)
        self.peak_bounds = np.searchsorted(layout.peak_chromosome, codes)
        self.gene_chromosome, self.peak_chromosome = layout.gene_chromosome, layout.peak_chromosome
        self.factors = [_of_head(trained, head) for head in range(trained.model_config.heads)]

    def attend(self, first: int, stop: int) -> Iterator[list[list[CellAttention]]]:
        """Attention ``[layer][head]`` of each of the cells ``first`` to ``stop``, in order.

        All of them are worked out before the first is given; memory grows with their number.
        """
        rna, atac = (counts[first:stop] for counts in (self.multiome.rna, self.multiome.atac))
        open_start, open_stop = _runs(atac, self.peak_chromosome, len(self.peak_bounds) - 1)
        heads = [self._links(factors, rna, atac, open_start, open_stop) for factors in self.factors]
        for cell in range(stop - first):
            yield [[self._cell(cell, rna, atac, open_start, found) for found in heads]]

    def _links(
        self, factors: _Factors, rna: sparse.csr_matrix, atac: sparse.csr_matrix, start: Ints, stop: Ints
    ) -> tuple[npt.NDArray[Any], ...]:
        """Places, logits, links kept and logits above 0 of every row (a gene of a cell), as the kernel fills them."""
        shape = (rna.nnz, max(self.k_max, WEIGHTED_PER_ROW))
        widest = int((stop - start).max(initial=0))
        chosen = (
            np.zeros(shape, np.uint16 if widest < 2**16 else np.int32),
            np.zeros(shape, np.float32),
            np.zeros(rna.nnz, np.int32),
            np.zeros(rna.nnz, np.int32),
        )
        genes = _by_gene(rna, self._scaled(rna.data))
        count = self._scaled(atac.data)
        peaks = (
            (atac.indices - self.peak_bounds[self.peak_chromosome[atac.indices]]).astype(np.int32),
            factors.key_by_gene_count[atac.indices] + count * np.float32(factors.both),
            count,
        )
        query = (factors.query, factors.query_by_peak_count)

        def share(task: tuple[int, int, int]) -> None:
            chromosome, low, high = task
            key = factors.key[self.peak_bounds[chromosome] : self.peak_bounds[chromosome + 1]]
            sweep_genes(((low, high), *genes), query, key, (start[chromosome], stop[chromosome]), peaks, chosen)

        with ThreadpoolController().limit(limits=1, user_api="blas"), ThreadPoolExecutor(self.threads) as pool:
            list(pool.map(share, self._tasks()))
        return chosen

    def _tasks(self) -> list[tuple[int, int, int]]:
        """Chromosome, first and last gene of each product."""
        return [
            (chromosome, low, min(low + _GENES_AT_ONCE, int(self.gene_bounds[chromosome + 1])))
            for chromosome in range(len(self.gene_bounds) - 1)
            for low in range(int(self.gene_bounds[chromosome]), int(self.gene_bounds[chromosome + 1]), _GENES_AT_ONCE)
        ]

    def _cell(
        self,
        cell: int,
        rna: sparse.csr_matrix,
        atac: sparse.csr_matrix,
        open_start: Ints,
        found: tuple[npt.NDArray[Any], ...],
    ) -> CellAttention:
        """One cell's rows, ragged: the kept links alone."""
        rows = slice(rna.indptr[cell], rna.indptr[cell + 1])
        place, logit, n_kept, n_above = (part[rows] for part in found)
        gene, own = rna.indices[rows], atac.indices[atac.indptr[cell] : atac.indptr[cell + 1]]
        chromosome = self.gene_chromosome[gene]
        kept = np.arange(place.shape[1]) < np.minimum(n_kept, self.k_max)[:, None]
        begin = (open_start[:, cell] - atac.indptr[cell])[chromosome]
        n_here = np.bincount(self.peak_chromosome[own], minlength=len(self.peak_bounds) - 1)[chromosome]
        top = np.where(np.arange(WEIGHTED_PER_ROW) < n_kept[:, None], score_of(logit[:, :WEIGHTED_PER_ROW]), 0.0)
        return CellAttention(
            gene=gene.astype(np.int32),
            row_start=np.concatenate(([0], np.cumsum(kept.sum(axis=1)))).astype(np.int64),
            peak=own[(begin[:, None] + place)[kept]].astype(np.int32),
            logit=logit[kept],
            n_above=n_above,
            denominator=softmax_denominator(top, n_here, len(own) - n_here),
        )

    def _scaled(self, count: npt.NDArray[Any]) -> Floats:
        """Counts as the network reads them, float32."""
        count = count.astype(np.float32)
        return np.log1p(count) if self.log1p else count


def needs_negative_logits(multiome: Multiome, cell: int) -> bool:
    """Whether a cell has so few open peaks off some chromosome that a softmax may take in scores below 0.5.

    The sweep keeps no logit below 0; such cells are attended one by one.
    """
    own = multiome.atac.indices[multiome.atac.indptr[cell] : multiome.atac.indptr[cell + 1]]
    return len(own) - int(np.bincount(multiome.peak_chromosome[own]).max(initial=0)) < WEIGHTED_PER_ROW


def _of_head(trained: Trained, head: int) -> _Factors:
    factors, heads = trained.factors, trained.model_config.heads
    query, key, wq, wk = (
        np.ascontiguousarray(np.split(part.detach().numpy(), heads, axis=-1)[head], dtype=np.float32)
        for part in (factors.query, factors.key, factors.query_per_count, factors.key_per_count)
    )
    return _Factors(query, key, query @ wk, key @ wq, float(wq @ wk))


def _runs(atac: sparse.csr_matrix, chromosome: Ints, n_chromosomes: int) -> tuple[Ints, Ints]:
    """``(n_chromosomes, n_cells)`` start and stop of each cell's open peaks of each chromosome."""
    n_cells = atac.shape[0]
    cell = np.repeat(np.arange(n_cells), np.diff(atac.indptr))
    size = np.bincount(cell * n_chromosomes + chromosome[atac.indices], minlength=n_cells * n_chromosomes)
    size = size.reshape(n_cells, n_chromosomes)
    stop = atac.indptr[:-1, None] + np.cumsum(size, axis=1)
    return np.ascontiguousarray((stop - size).T, dtype=np.int64), np.ascontiguousarray(stop.T, dtype=np.int64)


def _by_gene(rna: sparse.csr_matrix, count: Floats) -> tuple[Ints, Ints, Floats, Ints]:
    """Offsets by gene into cells, counts and rows (places in the matrix), the cells ascending."""
    row = np.argsort(rna.indices, kind="stable")
    cell = np.repeat(np.arange(rna.shape[0]), np.diff(rna.indptr))
    offset = np.concatenate(([0], np.cumsum(np.bincount(rna.indices, minlength=rna.shape[1]))))
    return offset.astype(np.int64), cell[row], count[row], row
