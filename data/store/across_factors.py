"""One gene, or one peak, across the cells of a type, from the model's factors and the counts alone.

A logit is ``Q.K + x wq.K + y (Q.wk + x wq.wk)`` with x and y the counts of gene and peak
(:mod:`bi2scope.data.factors`). ``Q.K`` is the same in all cells: of a gene it is worked out once for all peaks of its
chromosome; each cell then picks its open peaks out of that row. Of a peak, the genes come first: from its own logit and
from the last kept link of a row it shows in which cells a gene may be linked to it, and only there it is ranked among
the cell's open peaks.

Sums are made in another order than where the links were chosen. So a logit whose exact value lies within float32
rounding of the middle between two half-precision numbers may come out as the neighbour of the stored one, and links
whose logits agree to float32 rounding may trade ranks, at rank k_max and at the floor their place in the store, too.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from bi2scope.data.attention import Ints
from bi2scope.data.factors import Recompute
from bi2scope.data.store.across import Asked, Found, logits_below
from bi2scope.data.store.halves import to_bits
from bi2scope.data.store.transposed import MOST_ENTRIES, Entries, StoredTransposed, runs_within

_GENES_AT_ONCE = 128
"""Genes of one product: their rows of a large chromosome take some megabytes."""

_SMALL_PRODUCT = 1 << 18
"""Multiplications up to which OpenBLAS makes a product without threads of its own."""

_WORTH_A_THREAD = 1 << 21
"""Logits to work out that are worth a second thread."""

Singles = npt.NDArray[np.float32]
Columns = tuple[npt.NDArray[Any], ...]


class FactorLinks:
    """Links across the cells of a type, worked out.

    Parameters
    ----------
    recompute
        The factors, and where genes and peaks lie.
    counts
        The counts turned round.
    """

    def __init__(self, recompute: Recompute, counts: StoredTransposed) -> None:
        self._recompute, self._counts = recompute, counts

    def of_gene(self, gene: int, code: int, cells: Ints, head: int, asked: Asked) -> Found:
        """The links of a gene in some cells of a type, given as ascending positions there; by cell and by rank.

        Raises
        ------
        ValueError, OSError
            If the file is damaged.
        """
        place = _Place(self._recompute, self._counts, (int(self._recompute.gene_chromosome[gene]), code), head)
        entries = self._counts.genes(code, gene, gene + 1)
        there = place.asked_for(cells)[entries.position]
        present = entries.position[there].astype(np.int64)
        count = place.scaled(entries.count[there]).astype(np.float32)
        own = gene - place.genes.start
        row = place.static(np.asarray([own]))[0], place.by_gene_count, place.by_peak_count[own], place.both
        parts = [
            _highest(row, (cells_of, count[run]), open_peaks, asked)
            for run, cells_of, open_peaks in place.open_peaks(present)
        ]
        cell, peak, rank, logit = _columns(parts)
        return Found.of(present, (cell, peak + place.peaks.start, rank, to_bits(logit)), asked)

    def of_peak(self, peak: int, code: int, cells: Ints, head: int, asked: Asked, last: Ints | None) -> Found:
        """The links to a peak in some cells of a type, given as ascending positions there; by cell and by gene.

        Parameters
        ----------
        last
            Of every row of the type the last link that the store keeps (:mod:`bi2scope.data.store.gene_index`);
            ``None`` when links beyond those are asked for.

        Raises
        ------
        ValueError, OSError
            If the file is damaged.
        """
        place = _Place(self._recompute, self._counts, (int(self._recompute.peak_chromosome[peak]), code), head)
        present: list[Ints] = [np.zeros(0, dtype=np.int64)]
        parts: list[Columns] = []
        for _, cells_of, open_peaks in place.open_peaks(cells):
            question = _PeakInCells(place, peak - place.peaks.start, cells_of, open_peaks)
            present.append(cells_of[question.present])
            parts += question.links(asked, last)
        cell, gene, rank, logit = _columns(parts)
        narrow = np.uint16 if len(self._counts.order.of_type(code)) <= 1 << 16 else np.int64
        order = np.argsort(cell.astype(narrow), kind="stable")  # of 16 bits, without comparing them
        columns = cell[order], gene[order] + place.genes.start, rank[order], to_bits(logit[order])
        return Found.of(np.concatenate(present), columns, asked)


class _Place:
    """One head on one chromosome, in the cells of one type.

    Attributes
    ----------
    genes, peaks
        Those of the chromosome.
    by_gene_count, by_peak_count, both
        What each peak adds to a logit per count of the gene, each gene per count of the peak, and both counts together.
    """

    def __init__(self, recompute: Recompute, counts: StoredTransposed, place: tuple[int, int], head: int) -> None:
        self._recompute, self._counts, (self._chromosome, self._code) = recompute, counts, place
        self.genes, self.peaks = (
            slice(*np.searchsorted(codes, [self._chromosome, self._chromosome + 1]).tolist())
            for codes in (recompute.gene_chromosome, recompute.peak_chromosome)
        )
        factors, part = recompute.factors, recompute.factors.part(head)
        wq, wk = factors.query_per_count[part], factors.key_per_count[part]
        self._query, self._key = factors.query[self.genes, part], factors.key[self.peaks, part]
        self.by_gene_count, self.by_peak_count = _products(self._key, wq), _products(self._query, wk)
        self.both = np.float32(wq @ wk)

    def static(self, genes: Ints) -> Singles:
        """``(n_genes, n_peaks)`` logits of some of the genes without counts; -inf beyond the largest distance."""
        static = _logits(self._query[genes], self._key)
        window = self._recompute.window
        if window is not None:
            peaks = np.arange(self.peaks.start, self.peaks.stop)
            static[~window.near(self.genes.start + genes[:, None], peaks)] = -np.inf
        return static

    def static_of_peak(self, peak: int) -> Singles:
        """``(n_genes,)`` logits of one of the peaks without counts."""
        static = _products(self._query, self._key[peak])
        window = self._recompute.window
        if window is not None:
            genes = np.arange(self.genes.start, self.genes.stop)
            static[~window.near(genes, self.peaks.start + peak)] = -np.inf
        return static

    def scaled(self, count: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Counts as the model reads them, float32; raw ones of a byte stay as they are."""
        factors = self._recompute.factors
        if count.dtype.kind == "f":
            return factors.scaled(count)
        if factors.counts == "raw" and count.itemsize == 1:
            return count
        highest = int(count.max(initial=0))
        return np.take(factors.scaled(np.arange(highest + 1, dtype=np.float32)), count)

    def asked_for(self, cells: Ints) -> npt.NDArray[np.bool_]:
        """Mask of cells of the type."""
        mask = np.zeros(len(self._counts.order.of_type(self._code)), dtype=bool)
        mask[cells] = True
        return mask

    def open_peaks(self, cells: Ints) -> Iterator[tuple[slice, Ints, Entries]]:
        """Runs of some ascending cells, and the open peaks from their first to their last one, counts scaled."""
        bounds = self._counts.open_bounds(self._chromosome, self._code)
        offset = np.append(bounds[cells], bounds[cells[-1:] + 1])
        for low, high in runs_within(offset, MOST_ENTRIES):
            own = cells[low:high]
            read = self._counts.open_peaks(bounds[own[0] : own[-1] + 2], self.peaks.stop - self.peaks.start)
            yield slice(low, high), own, Entries(read.start, read.position, self.scaled(read.count))

    def gene_rows(self) -> Iterator[tuple[slice, int, Entries]]:
        """Runs of the genes, the first row of each in the type, and their cells, counts scaled."""
        genes = self.genes.start, self.genes.stop
        for low, high in self._counts.gene_runs(self._code, genes, MOST_ENTRIES):
            read = self._counts.genes(self._code, low, high)
            row = self._counts.first_row(self._code, low) - self._counts.first_row(self._code, 0)
            run = slice(low - self.genes.start, high - self.genes.start)
            yield run, row, Entries(read.start, read.position, self.scaled(read.count))


def _logits(query: Singles, key: Singles) -> Singles:
    """``(n_genes, n_peaks)`` products, by blocks that the BLAS library leaves to the thread that asks.

    Its own threads, once they were used, wait for more with their processors busy, for longer than all of this takes.
    """
    (n_genes, dim), n_peaks = query.shape, len(key)
    logits = np.empty((n_genes, n_peaks), np.float32)
    width = max(1, _SMALL_PRODUCT // max(n_genes * dim, 1))
    whole = n_peaks - n_peaks % width
    blocks = key[:whole].reshape(-1, width, dim).transpose(0, 2, 1)
    np.matmul(query, blocks, out=logits[:, :whole].reshape(n_genes, -1, width).transpose(1, 0, 2))
    np.matmul(query, key[whole:].T, out=logits[:, whole:])
    return logits


def _products(rows: Singles, one: Singles) -> Singles:
    """``(n_rows,)`` products with one row, without that library."""
    products: Singles = np.einsum("ij,j->i", rows, one)
    return products


def _highest(row: tuple[Any, ...], cells: tuple[Ints, Singles], open_peaks: Entries, asked: Asked) -> Columns:
    """Cell, peak of the chromosome, rank and logit of the highest links of a gene.

    Parameters
    ----------
    row
        What the kernel takes of the gene.
    cells
        Ascending positions in the type, and the gene's counts there.
    open_peaks
        From the first of the cells to the last one.
    asked
        Which links.
    """
    from bi2scope.data.store.across_kernel import highest_of_gene

    number, count = cells
    start, stop = (open_peaks.start[number - number[0] + i] for i in (0, 1))
    longest = np.minimum(stop - start, asked.top)
    first = np.concatenate([[0], np.cumsum(longest)])
    peak, logit = np.empty(first[-1], open_peaks.position.dtype), np.empty(first[-1], np.float32)
    n_found = np.zeros(len(number), dtype=np.int64)

    def share(low: int, high: int) -> None:
        of_cells = low, high, start, stop, count
        peaks = open_peaks.position, open_peaks.count
        highest_of_gene(row, of_cells, peaks, asked.logit, asked.top, (first, peak, logit, n_found))

    _in_halves(share, stop - start)
    rank = 1 + np.arange(first[-1]) - np.repeat(first[:-1], longest)
    kept = rank <= np.repeat(n_found, longest)
    return np.repeat(number, longest)[kept], peak[kept].astype(np.int64), rank[kept], logit[kept]


class _PeakInCells:
    """One peak in some cells of a type, whose open peaks are in memory.

    Attributes
    ----------
    present
        Which of the cells have it, by their place among them.
    """

    def __init__(self, place: _Place, peak: int, cells: Ints, open_peaks: Entries) -> None:
        self._place, self._peak, self._cells, self._open = place, peak, cells, open_peaks
        at = np.flatnonzero(open_peaks.position == peak)
        holder = np.searchsorted(open_peaks.start, at, side="right") - 1 + cells[0]
        known = place.asked_for(cells)[holder]
        self._at, holder = at[known], holder[known]
        self.present: Ints = np.searchsorted(cells, holder)
        self._spread = np.float32(np.ptp(open_peaks.count) if len(open_peaks.count) else 0)

    @functools.cached_property
    def _bits(self) -> tuple[npt.NDArray[np.uint64], Ints]:
        """Open peaks of the cells that have the peak."""
        from bi2scope.data.store.across_kernel import open_bits

        number, start = self._cells[self.present] - self._cells[0], self._open.start
        n_peaks = self._place.peaks.stop - self._place.peaks.start
        bits, place = open_bits(start[number], start[number + 1], self._open.position, n_peaks)
        return bits, place

    def links(self, asked: Asked, last: Ints | None) -> Iterator[Columns]:
        """Cell, gene of the chromosome, rank and logit of the links to the peak, gene by gene."""
        for run, first_row, rows in self._place.gene_rows():
            lowest = np.zeros(len(rows.position), np.float32)
            if last is not None:
                lowest = logits_below(last[first_row : first_row + len(rows.position)])
            of_cells = self._rows(run, rows, lowest, asked)
            genes = np.flatnonzero(np.diff(of_cells.start))
            groups = [genes[low : low + _GENES_AT_ONCE] for low in range(0, len(genes), _GENES_AT_ONCE)]
            rank = functools.partial(self._ranked, run.start, self._bits, of_cells)
            yield from _each(rank, groups, int(of_cells.start[-1]) * (len(self._open.position) // len(self._cells)))

    def _rows(self, run: slice, rows: Entries, lowest: Singles, asked: Asked) -> Entries:
        """Rows in which the peak may be linked, gene by gene: the number of the cell and the gene's count."""
        from bi2scope.data.store.across_kernel import rows_of_peak

        if len(lowest) != len(rows.position):
            raise ValueError("the last links are not those of all rows")
        place, holders = self._place, self._cells[self.present]
        number = np.full(len(place.asked_for(holders)), -1, dtype=np.int64)
        number[holders] = np.arange(len(holders))
        cell, count = np.empty(len(lowest) + 1, np.int64), np.empty(len(lowest) + 1, np.float32)
        start = np.empty(len(rows.start), np.int64)
        genes = place.static_of_peak(self._peak)[run], place.by_peak_count[run], rows.start, rows.position, rows.count
        peak_count = self._open.count[self._at].astype(np.float32)
        peak = place.by_gene_count[self._peak], place.both
        rows_of_peak(peak, (*genes, lowest), (number, peak_count), asked.logit, (cell, count, start))
        return Entries(start, cell[: start[-1]], count[: start[-1]])

    def _ranked(
        self, first_gene: int, bits: tuple[npt.NDArray[np.uint64], Ints], rows: Entries, genes: Ints
    ) -> Columns:
        """The rows of some genes, with the peak's rank and logit."""
        from bi2scope.data.store.across_kernel import ranks_of_peak

        place, own = self._place, slice(int(rows.start[genes[0]]), int(rows.start[genes[-1] + 1]))
        static = place.static(genes + first_gene)
        start = np.append(rows.start[genes], own.stop) - own.start
        rank, logit = np.empty(own.stop - own.start, np.int64), np.empty(own.stop - own.start, np.float32)
        per_count, (cell, count) = place.by_peak_count[genes + first_gene], (rows.position[own], rows.count[own])

        of_genes = static, per_count, start, cell, count
        peak = self._peak, place.by_gene_count, place.both
        of_cells, peaks = (self._at, *bits), (self._open.count, self._spread)
        ranks_of_peak(of_genes, peak, of_cells, peaks, (rank, logit))
        above = logit > 0
        gene = np.repeat(genes + first_gene, np.diff(start))
        return self._cells[self.present[cell]][above], gene[above], rank[above], logit[above]


def _in_halves(share: Callable[[int, int], None], work: Ints) -> None:
    """Share items out to two threads where it is worth it; ``work`` are the logits of each."""
    total = np.cumsum(work)
    if not len(total) or total[-1] < _WORTH_A_THREAD or (os.cpu_count() or 1) < 2:
        share(0, len(total))
        return
    middle = int(np.searchsorted(total, total[-1] // 2))
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(share, 0, middle)
        share(middle, len(total))
        other.result()


def _each(task: Callable[[Ints], Columns], groups: Sequence[Ints], work: int) -> Iterator[Columns]:
    """A task for each of some groups, by two threads where it is worth it; ``work`` are the logits of all."""
    if len(groups) < 2 or work < _WORTH_A_THREAD or (os.cpu_count() or 1) < 2:
        yield from map(task, groups)
        return
    with ThreadPoolExecutor(2) as pool:
        yield from pool.map(task, groups)


def _columns(parts: list[Columns]) -> Columns:
    """Columns of several parts one after the other, the first three whole numbers, the last single precision."""
    none = (*(np.zeros(0, dtype=np.int64) for _ in range(3)), np.zeros(0, dtype=np.float32))
    return tuple(np.concatenate(column) for column in zip(none, *parts, strict=True))
