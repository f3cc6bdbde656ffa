"""What a store keeps of the links by gene, for questions across the cells of a type.

Of a layer whose attention the factors give: the last kept link of each row that was cut short, so that it need not be
found again which rows a peak is linked in. Of any other layer: all links once more, gene by gene. A *row* is a gene of
a cell; those of a type stand in the order of :class:`bi2scope.data.store.transposed.StoredTransposed`, by gene and
then by cell.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import h5py
import numpy as np
import numpy.typing as npt

from bi2scope.data.attention import FLOOR, Ints
from bi2scope.data.store import halves, schema
from bi2scope.data.store.across import Asked, Found
from bi2scope.data.store.growing import GrowingArray
from bi2scope.data.store.links import RankedLinks, StoredLinks
from bi2scope.data.store.regulatory import TypeCells
from bi2scope.data.store.tables import write_array
from bi2scope.data.store.transposed import MOST_ENTRIES, StoredTransposed, runs_within

INDEX_CHUNK = 1 << 15

WAITING_LINKS = 1 << 24
"""Links that are in memory at a time, unless one chromosome has more."""

Bits = npt.NDArray[np.uint16]


def write_last(group: h5py.Group, links: StoredLinks, of: TypeCells) -> None:
    """Write the bits of the last kept link of each row that has as many as any; 0 for the others.

    Parameters
    ----------
    group
        Where the array is made.
    links
        Those of the layer and head.
    of
        The cells of the type.
    """
    last = np.zeros(of.rna.nnz, dtype=np.uint16)
    for cell, rows in zip(of.cells, _rows(of), strict=True):
        one = links.ranked(int(cell))
        ends = (one.rank == one.n_links[one.row]) & (one.n_above > one.n_links)[one.row]
        last[rows][one.row[ends]] = one.bits[ends]
    write_array(group, schema.LAST, last[_by_gene(of)])


def _rows(of: TypeCells) -> Iterator[slice]:
    """Rows of each cell, cell by cell."""
    return (slice(*run) for run in zip(of.rna.indptr[:-1].tolist(), of.rna.indptr[1:].tolist(), strict=True))


def _by_gene(of: TypeCells) -> Ints:
    """Rows by gene and then by cell, of rows by cell and then by gene."""
    return np.argsort(of.rna.indices, kind="stable")


def write_index(group: h5py.Group, links: StoredLinks, of: TypeCells, peak_chromosome: Ints) -> None:
    """Write the links of a type gene by gene; those of some chromosomes are in memory at a time.

    Parameters
    ----------
    group
        Where the arrays are made.
    links
        Those of the layer and head.
    of
        The cells of the type.
    peak_chromosome
        ``(n_peaks,)`` codes, non-decreasing.
    """
    n_links = _write_row_lengths(group, links, of)
    bounds = np.searchsorted(peak_chromosome, np.arange(int(peak_chromosome.max(initial=0)) + 2))
    dtype = schema.position_dtype(int(np.diff(bounds).max(initial=0)))
    peak, step = (
        GrowingArray(group, key, kind, INDEX_CHUNK) for key, kind in (("peak", dtype), ("step", np.dtype("<u2")))
    )
    first_peak = bounds[peak_chromosome]
    for runs in chromosome_passes(of.gene_chromosome, int(n_links.sum())):
        filled = _Filling(of, n_links, (runs[0][0], runs[-1][1]), dtype)
        for cell, rows in zip(of.cells, _rows(of), strict=True):
            filled.add(links.ranked(int(cell)), of.rna.indices[rows], first_peak)
        peak.append(filled.peak)
        step.append(filled.step)
    peak.flush()
    step.flush()


def _write_row_lengths(group: h5py.Group, links: StoredLinks, of: TypeCells) -> Ints:
    """Write the links of every row and whether it was cut short; the links of every row, by cell."""
    n_links, cut = np.zeros(of.rna.nnz, dtype=np.int64), np.zeros(of.rna.nnz, dtype=np.uint8)
    for cell, rows in zip(of.cells, _rows(of), strict=True):
        one = links.ranked(int(cell), 0)
        n_links[rows], cut[rows] = one.n_links, one.n_above > one.n_links
    order = _by_gene(of)
    write_array(group, "n_links", n_links[order].astype(schema.INDEX_ARRAYS["n_links"]))
    write_array(group, "cut", cut[order])
    per_gene = np.bincount(of.rna.indices, n_links, of.rna.shape[1]).astype(np.int64)
    write_array(group, schema.OFFSET, np.concatenate([[0], np.cumsum(per_gene)]).astype("<i8"))
    return n_links


def chromosome_passes(chromosome: Ints, n_links: int) -> Iterator[list[tuple[int, int]]]:
    """Runs of genes by chromosome, in groups that one pass over the cells takes.

    Parameters
    ----------
    chromosome
        ``(n_genes,)`` codes, non-decreasing.
    n_links
        Links of all chromosomes together.
    """
    starts = np.flatnonzero(np.diff(chromosome, prepend=-1))
    runs = list(zip(starts.tolist(), [*starts[1:].tolist(), len(chromosome)], strict=True))
    per_pass = max(1, int(len(runs) * WAITING_LINKS / max(n_links, 1)))
    group: list[tuple[int, int]] = []
    for run in runs:
        if len(group) == per_pass:
            yield group
            group = []
        group.append(run)
    if group:
        yield group


class _Filling:
    """Links of a run of genes while they are put in place: by gene, then by rank, then by cell.

    A cell has one link of a gene and rank at most. So there is a next free place for each gene and rank, and cells are
    taken in their order.
    """

    def __init__(self, of: TypeCells, n_links: Ints, genes: tuple[int, int], dtype: np.dtype[np.unsignedinteger]):
        self._genes = genes
        inside = (of.rna.indices >= genes[0]) & (of.rna.indices < genes[1]) & (n_links > 0)
        gene, length = of.rna.indices[inside] - genes[0], n_links[inside]
        depth = np.zeros(genes[1] - genes[0], dtype=np.int64)
        np.maximum.at(depth, gene, length)
        self._first = np.concatenate([[0], np.cumsum(depth)])  # (n_genes + 1,) of a gene's ranks
        # rows of a gene that are as long as a rank or longer: ends are counted, then added up from the last rank on
        ends = np.bincount(self._first[gene] + length - 1, minlength=int(self._first[-1]) + 1)
        longer = np.cumsum(ends[::-1])[::-1]
        per_rank = longer[:-1] - longer[np.repeat(self._first[1:], depth)]
        self._free = np.cumsum(per_rank) - per_rank
        self.peak = np.zeros(int(per_rank.sum()), dtype=dtype)
        self.step = np.zeros(int(per_rank.sum()), dtype=np.uint16)

    def add(self, one: RankedLinks, own_genes: Ints, first_peak: Ints) -> None:
        """Put the links of the next cell in place."""
        gene = own_genes[one.row].astype(np.int64) - self._genes[0]
        step = _steps(one)
        inside = (gene >= 0) & (gene < self._genes[1] - self._genes[0])
        gene, peak = gene[inside], one.peak[inside]
        at = self._first[gene] + one.rank[inside] - 1
        place = self._free[at]
        self._free[at] += 1
        self.peak[place] = peak - first_peak[peak]
        self.step[place] = step[inside]


def _steps(one: RankedLinks) -> Bits:
    """By how much the bits of each link are lower than those of the rank before; those of rank 1 themselves."""
    bits = np.zeros((len(one.n_links), int(one.n_links.max(initial=0)) + 1), dtype=np.uint16)
    bits[one.row, one.rank] = one.bits
    above: Bits = bits[one.row, one.rank - 1]
    return np.where(one.rank == 1, one.bits, above - one.bits)


class StoredIndex:
    """The links of one cell type in one layer and head, by gene.

    Parameters
    ----------
    group
        Its HDF5 group.
    counts
        The counts turned round.
    code
        The type.
    floor
        What the scores of all links exceed.
    """

    def __init__(self, group: h5py.Group, counts: StoredTransposed, code: int, floor: float) -> None:
        self._group, self._counts, self._code, self._floor = group, counts, code, floor

    def of_gene(self, gene: int, peaks: slice, cells: Ints, asked: Asked) -> Found:
        """The links of a gene in some cells of the type, given as ascending positions there; by cell and by rank.

        Parameters
        ----------
        peaks
            Those of the gene's chromosome.

        Raises
        ------
        ValueError, OSError
            If the file is damaged.
        """
        read = self._genes(gene, gene + 1, peaks)
        there = np.arange(int(read.n_links.max(initial=0)))[:, None] < read.n_links  # (depth, n_rows)
        peak, bits = np.zeros(there.shape, dtype=np.int64), np.zeros(there.shape, dtype=np.uint16)
        peak[there], bits[there] = read.peak, read.step
        bits = np.subtract.accumulate(bits, axis=0)
        last = np.zeros(len(read.n_links), dtype=np.uint16)
        linked = np.flatnonzero(read.n_links)
        last[linked] = bits[read.n_links[linked] - 1, linked]
        chosen = np.isin(read.cell, cells)
        row, place = np.nonzero(there.T & chosen[:, None])
        columns = read.cell[row], peak[place, row] + peaks.start, place + 1, bits[place, row]
        return Found.of(read.cell[chosen], columns, asked, self._truncated(read, chosen, last, asked))

    def of_peak(self, peak: int, places: tuple[slice, slice], present: Ints, asked: Asked) -> Found:
        """The links to a peak in some cells of the type; by cell and by gene.

        Parameters
        ----------
        places
            Genes, and peaks, of its chromosome.
        present
            Cells in which it is open, as ascending positions in the type.

        Raises
        ------
        ValueError, OSError
            If the file is damaged.
        """
        from bi2scope.data.store.across_kernel import find_in_index

        genes, peaks = places
        parts: list[tuple[Ints, ...]] = [(*(np.zeros(0, dtype=np.int64),) * 3, np.zeros(0, dtype=np.uint16))]
        truncated = False
        for low, high in self._runs(genes):
            read = self._genes(low, high, peaks)
            rank = np.zeros(len(read.cell), dtype=np.int64)
            bits, last = (np.zeros(len(read.cell), dtype=np.uint16) for _ in range(2))
            rows, links = (read.start, read.n_links), (read.peak, read.step)
            find_in_index(peak - peaks.start, rows, links, (rank, bits, last))
            chosen = np.isin(read.cell, present)
            truncated = truncated or self._truncated(read, chosen, last, asked)
            row = np.flatnonzero(chosen & (rank > 0))
            gene = low + np.searchsorted(read.start, row, side="right") - 1
            parts.append((read.cell[row], gene, rank[row], bits[row]))
        cell, gene, rank, bits = (np.concatenate(column) for column in zip(*parts, strict=True))
        order = np.argsort(cell, kind="stable")
        return Found.of(present, (cell[order], gene[order], rank[order], bits[order]), asked, truncated)

    def _runs(self, genes: slice) -> Iterator[tuple[int, int]]:
        offset = self._group[schema.OFFSET][genes.start : genes.stop + 1]
        yield from ((genes.start + low, genes.start + high) for low, high in runs_within(offset, MOST_ENTRIES))

    def _genes(self, low: int, high: int, peaks: slice) -> _GeneRows:
        """Rows and links of a run of genes, fit to be looked up without further care."""
        rows = self._counts.genes(self._code, low, high)
        first = self._counts.first_row(self._code, low) - self._counts.first_row(self._code, 0)
        own = slice(first, first + len(rows.position))
        n_links, cut = self._group["n_links"][own].astype(np.int64), self._group["cut"][own]
        offset = self._group[schema.OFFSET][low : high + 1]
        total = np.concatenate([[0], np.cumsum(n_links)])
        if len(n_links) != len(rows.position) or not np.array_equal(total[rows.start], offset - offset[0]):
            raise ValueError("the links of its rows do not add up to those of its genes")
        links = slice(int(offset[0]), int(offset[-1]))
        peak, step = self._group["peak"][links], self._group["step"][links]
        if len(peak) != total[-1] or len(step) != total[-1] or int(peak.max(initial=0)) >= peaks.stop - peaks.start:
            raise ValueError("its links are not as many as its rows have, or point beyond the chromosome")
        return _GeneRows(rows.start, rows.position.astype(np.int64), n_links, cut, peak, step)

    def _truncated(self, rows: _GeneRows, chosen: npt.NDArray[np.bool_], last: Bits, asked: Asked) -> bool:
        """As :meth:`bi2scope.data.attention.CellAttention.cut_off`, of some rows, by the bits of their last links."""
        if self._floor > FLOOR and asked.lowest < halves.lowest_above(self._floor):
            return True
        shortened = chosen & (rows.cut > 0) & (rows.n_links < asked.top)
        return bool((shortened & ((last >= asked.lowest) | (rows.n_links == 0))).any())


@dataclass(frozen=True)
class _GeneRows:
    """Rows and links of a run of genes.

    Attributes
    ----------
    start
        ``(n_genes + 1,)`` first row of each gene.
    cell, n_links, cut
        ``(n_rows,)`` position in the type, links, and whether there were more.
    peak, step
        ``(n_links,)`` of all links: gene by gene, by rank and then by cell.
    """

    start: Ints
    cell: Ints
    n_links: Ints
    cut: Ints
    peak: Ints
    step: Bits
