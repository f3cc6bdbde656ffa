"""The highest links of many cells at once, gene by gene: what a one-layer model can be asked without being run.

A logit of the first layer is ``Q0.K0 + x wq.K0 + y Q0.wk + x y wq.wk`` with x and y the counts of gene and peak. The
first term is the same in every cell. So the cells are taken together: for some genes of a chromosome the first term is
one matrix product with all of its peaks, and each cell picks its open peaks out of it. Per cell that costs a gather and
the choice, and of the product the less the more cells there are; see ``make bench ONLY=export``.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from queue import SimpleQueue
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy import sparse
from threadpoolctl import ThreadpoolController

from bi2scope.data.attention import WEIGHTED_PER_ROW, CellAttention
from bi2scope.data.multiome import Multiome
from bi2scope.model.checkpoint import Trained
from bi2scope.precompute.sweep_kernel import sweep_genes
from bi2scope.precompute.sweep_rows import gather_links, lay_peaks

_GENES_AT_ONCE = 128
"""Genes of one product: their rows of a large chromosome take some megabytes."""

_LINK_BYTES = 480 << 20
"""Memory for the links of the cells of one batch: 860 PBMC cells at 50 links per gene and one head."""

_CELLS_AHEAD = 8
"""Cells, for each thread, whose links are put together before they are asked for."""

Ints = npt.NDArray[np.integer[Any]]
Floats = npt.NDArray[np.float32]
Array = npt.NDArray[Any]


def can_sweep(trained: Trained) -> bool:
    """Whether the attention of a model is that of its factors: one layer, no limit on the distance, no random links."""
    config = trained.model_config
    return config.layers == 1 and config.max_distance is None and config.attention != "random"


@dataclass(frozen=True)
class _Factors:
    """One head's factors as the kernel takes them."""

    query: Floats  # (n_genes, d)
    keys: tuple[Floats, ...]  # by chromosome, (d, n_peaks of it): as a product reads them fastest
    query_by_peak_count: Floats  # (n_genes,) Q0 . wk
    key_by_gene_count: Floats  # (n_peaks,) wq . K0
    both: np.float32  # wq . wk


@dataclass(frozen=True)
class _Counts:
    """Counts of some cells: views into those of all."""

    start: Ints  # (n_cells + 1,) offsets of the cells
    index: Ints  # (nnz,) genes or peaks
    count: Array  # (nnz,)

    @classmethod
    def of(cls, counts: sparse.csr_matrix, first: int, stop: int) -> _Counts:
        begin, end = counts.indptr[first], counts.indptr[stop]
        return cls(counts.indptr[first : stop + 1] - begin, counts.indices[begin:end], counts.data[begin:end])

    def of_cell(self, cell: int) -> slice:
        return slice(int(self.start[cell]), int(self.start[cell + 1]))


@dataclass(frozen=True)
class _Batch:
    """Some cells, as the kernel takes them whatever the head."""

    rna: _Counts
    atac: _Counts
    open_start: Ints  # (n_chromosomes, n_cells) where each cell's open peaks of each chromosome begin
    open_stop: Ints
    genes: tuple[Array, ...]  # by gene: offsets (n_genes + 1,) into cells and counts, the cells ascending
    row: Ints  # (nnz,) where each count of the cells is among those
    peak_count: Floats  # (nnz,) counts as the network reads them

    @property
    def few_elsewhere(self) -> npt.NDArray[np.bool_]:
        """Cells with so few open peaks off some chromosome that a softmax may take in scores below 0.5."""
        n_open = self.open_stop - self.open_start
        few: npt.NDArray[np.bool_] = n_open.sum(axis=0) - n_open.max(axis=0) < WEIGHTED_PER_ROW
        return few


@dataclass(frozen=True)
class _Chosen:
    """Room for the links of a batch, one head, gene by gene: used again for the next."""

    place: Ints  # (n_rows, places)
    logit: Floats  # (n_rows, places)
    n_above: npt.NDArray[np.int32]  # (n_rows,)

    @classmethod
    def room(cls, n_rows: int, places: int, place: np.dtype[Any]) -> _Chosen:
        shape = (n_rows, places)
        return cls(np.empty(shape, place), np.empty(shape, np.float32), np.empty(n_rows, np.int32))


class Sweep:
    """Choose the links of cells of a data set, many at once.

    Parameters
    ----------
    trained
        A model of one layer (:func:`can_sweep`).
    multiome
        Cells over the model's features (:meth:`Trained.align`).
    k_max
        Links kept per gene: the highest by logit, of those with a logit above 0, ties in genome order.
    threads
        Threads that share the genes, and then the cells.
    """

    def __init__(self, trained: Trained, multiome: Multiome, k_max: int, threads: int = 1) -> None:
        self._multiome, self._k_max, self._threads = multiome, k_max, threads
        self._log1p = trained.model_config.counts == "log1p"
        layout = trained.network.layout
        codes = np.arange(layout.n_chromosomes + 1)
        self._gene_bounds = np.searchsorted(layout.gene_chromosome, codes)
        self._peak_bounds = np.searchsorted(layout.peak_chromosome, codes)
        self._gene_chromosome, self._peak_chromosome = layout.gene_chromosome, layout.peak_chromosome
        self._factors = [_of_head(trained, head, self._peak_bounds) for head in range(trained.model_config.heads)]
        largest = int(np.diff(self._peak_bounds).max(initial=0))
        self._place_type = place_type(largest)
        place = np.arange(len(layout.peak_chromosome)) - self._peak_bounds[layout.peak_chromosome]
        self._peak_place = place.astype(self._place_type)
        self._static: SimpleQueue[Floats] = SimpleQueue()  # room for the products, one for each thread
        for _ in range(threads):
            self._static.put(np.empty(_GENES_AT_ONCE * largest, np.float32))

    def attend(self, cells: range) -> Iterator[list[list[CellAttention]] | None]:
        """Attention ``[layer][head]`` of each of the cells, one after another; arrays of its own.

        None for a cell with so few open peaks off some chromosome that its softmax may take in scores below 0.5, which
        the sweep does not keep. Memory does not grow with the cells: those of a batch are worked out before the first
        of them is given, and the batch is as large as some hundred megabytes of links.
        """
        batches, start = list(self._batches(cells)), self._multiome.rna.indptr
        n_rows = max((int(start[stop] - start[first]) for first, stop in batches), default=0)
        room = [_Chosen.room(n_rows, self._places, self._place_type) for _ in self._factors]
        with ThreadPoolExecutor(self._threads) as pool:
            for first, stop in batches:
                batch = self._batch(first, stop)
                with ThreadpoolController().limit(limits=1, user_api="blas"):
                    for factors, chosen in zip(self._factors, room, strict=True):
                        self._choose(pool, factors, batch, chosen)
                yield from self._cells(pool, batch, room)

    @property
    def _places(self) -> int:
        """Links of a row that are chosen: those kept, and those that the softmax takes."""
        return max(self._k_max, WEIGHTED_PER_ROW)

    def _batches(self, cells: range) -> Iterator[tuple[int, int]]:
        """First and last of the cells that are taken together: one, or as many as there is memory for."""
        row_bytes = len(self._factors) * self._places * (self._place_type.itemsize + np.dtype(np.float32).itemsize)
        start, first = self._multiome.rna.indptr, cells.start
        while first < cells.stop:
            stop = int(np.searchsorted(start, start[first] + _LINK_BYTES // row_bytes, side="right")) - 1
            stop = min(max(stop, first + 1), cells.stop)
            yield first, stop
            first = stop

    def _batch(self, first: int, stop: int) -> _Batch:
        rna, atac = (_Counts.of(counts, first, stop) for counts in (self._multiome.rna, self._multiome.atac))
        open_start, open_stop = _runs(atac, self._peak_chromosome, len(self._peak_bounds) - 1)
        genes, row = _by_gene(rna, self._scaled(rna.count), len(self._gene_chromosome))
        return _Batch(rna, atac, open_start, open_stop, genes, row, self._scaled(atac.count))

    def _choose(self, pool: ThreadPoolExecutor, factors: _Factors, batch: _Batch, chosen: _Chosen) -> None:
        """Fill the rows (a gene of a cell) with the places, logits and numbers of their links."""
        place, per_gene_count = np.empty_like(batch.atac.index, self._place_type), np.empty_like(batch.peak_count)
        lay_peaks(
            batch.atac.index, batch.peak_count, self._peak_place, factors.key_by_gene_count, factors.both,
            place, per_gene_count,
        )  # fmt: skip
        peaks = (place, per_gene_count, batch.peak_count)
        query, rows = (factors.query, factors.query_by_peak_count), (chosen.place, chosen.logit, chosen.n_above)

        def share(task: tuple[int, int, int]) -> None:
            chromosome, low, high = task
            keys = factors.keys[chromosome]
            cells = (batch.open_start[chromosome], batch.open_stop[chromosome])
            static = self._static.get()
            product = static[: (high - low) * keys.shape[1]].reshape(high - low, -1)
            try:
                sweep_genes(((low, high), *batch.genes), query, keys, cells, peaks, rows, product)
            finally:
                self._static.put(static)  # another thread may wait for it

        list(pool.map(share, self._tasks()))

    def _tasks(self) -> list[tuple[int, int, int]]:
        """Chromosome, first and last gene of each product: the same whatever the cells, and so are the bits."""
        return [
            (chromosome, low, min(low + _GENES_AT_ONCE, int(self._gene_bounds[chromosome + 1])))
            for chromosome in range(len(self._gene_bounds) - 1)
            for low in range(int(self._gene_bounds[chromosome]), int(self._gene_bounds[chromosome + 1]), _GENES_AT_ONCE)
        ]

    def _cells(
        self, pool: ThreadPoolExecutor, batch: _Batch, room: list[_Chosen]
    ) -> Iterator[list[list[CellAttention]] | None]:
        """The cells of a batch, some of them ahead of the one that is asked for."""
        few, n_cells, ahead = batch.few_elsewhere, len(batch.rna.start) - 1, _CELLS_AHEAD * self._threads

        def heads(cell: int) -> list[list[CellAttention]] | None:
            return None if few[cell] else [[self._cell(batch, cell, chosen) for chosen in room]]

        for begin in range(0, n_cells, ahead):
            yield from list(pool.map(heads, range(begin, min(begin + ahead, n_cells))))

    def _cell(self, batch: _Batch, cell: int, chosen: _Chosen) -> CellAttention:
        """One cell's rows, ragged: the kept links alone."""
        own_genes, own_peaks = batch.rna.of_cell(cell), batch.atac.of_cell(cell)
        gene, own, row = batch.rna.index[own_genes], batch.atac.index[own_peaks], batch.row[own_genes]
        chromosome = self._gene_chromosome[gene]
        n_above = chosen.n_above[row]
        row_start = np.concatenate(([0], np.cumsum(np.minimum(n_above, self._k_max)))).astype(np.int64)
        peak, logit = np.empty(row_start[-1], np.int32), np.empty(row_start[-1], np.float32)
        top = np.empty((len(row), WEIGHTED_PER_ROW), np.float32)
        first, found = (
            (batch.open_start[:, cell] - own_peaks.start)[chromosome],
            (chosen.place, chosen.logit, chosen.n_above),
        )
        gather_links(row, first, own, found, (row_start, peak, logit), top)
        return CellAttention(
            gene=gene.astype(np.int32),
            row_start=row_start,
            peak=peak,
            logit=logit,
            n_above=n_above,
            denominator=_denominator(top),
        )

    def _scaled(self, count: Array) -> Floats:
        """Counts as the network reads them, float32."""
        count = count.astype(np.float32)
        return np.log1p(count, out=count) if self._log1p else count


def place_type(largest: int) -> np.dtype[Any]:
    """Type of a place among the peaks of a chromosome, of which the largest has so many."""
    return np.dtype(np.uint16 if largest <= 1 << 16 else np.int32)


def _of_head(trained: Trained, head: int, peak_bounds: Ints) -> _Factors:
    factors, heads = trained.factors, trained.model_config.heads
    query, key, wq, wk = (
        np.ascontiguousarray(np.split(part.detach().numpy(), heads, axis=-1)[head], dtype=np.float32)
        for part in (factors.query, factors.key, factors.query_per_count, factors.key_per_count)
    )
    keys = tuple(np.ascontiguousarray(key[low:high].T) for low, high in pairwise(peak_bounds))
    return _Factors(query, keys, query @ wk, key @ wq, np.float32(wq @ wk))


def _denominator(top: Floats) -> Floats:
    """``(n_rows,)`` denominators of the pruned softmax of rows, from ``(n_rows, 10)`` highest logits.

    What :func:`bi2scope.data.attention.softmax_denominator` gives where pads of score 0.5, the score of a logit of 0,
    fill every place that a higher one leaves: in every cell but the few that a sweep leaves to the model. By torch,
    which takes many exponentials at once.
    """
    score = torch.sigmoid(torch.from_numpy(top)).double()
    denominator: Floats = score.exp_().sum(1).float().numpy()
    return denominator


def _runs(atac: _Counts, chromosome: Ints, n_chromosomes: int) -> tuple[Ints, Ints]:
    """``(n_chromosomes, n_cells)`` start and stop of each cell's open peaks of each chromosome."""
    n_cells = len(atac.start) - 1
    size = np.empty((n_cells, n_chromosomes), np.int64)
    for cell in range(n_cells):
        size[cell] = np.bincount(chromosome[atac.index[atac.of_cell(cell)]], minlength=n_chromosomes)
    stop = atac.start[:-1, None] + np.cumsum(size, axis=1)
    return np.ascontiguousarray((stop - size).T, dtype=np.int64), np.ascontiguousarray(stop.T, dtype=np.int64)


def _by_gene(rna: _Counts, count: Floats, n_genes: int) -> tuple[tuple[Array, ...], Ints]:
    """Offsets by gene into cells and counts, the cells ascending; and where each count went."""
    row = np.arange(len(count), dtype=np.int32)
    turned = sparse.csr_matrix((row, rna.index, rna.start), (len(rna.start) - 1, n_genes)).tocsc()
    went = np.empty_like(row)
    went[turned.data] = row
    return (turned.indptr.astype(np.int64), turned.indices, count[turned.data]), went
