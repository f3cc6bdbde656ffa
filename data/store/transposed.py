"""The counts turned round, for questions across cells: RNA by gene within each cell type, ATAC by chromosome.

Beside the links they are small. Cells of one type stand side by side: the *place* of a cell is its position in the
order of (cell type, cell). A worked case: the types of three cells are b, a, b; so their places are 1, 0 and 2. The
open peaks of cell 2 on the chromosome c are entries ``offset[c, 2]`` to ``offset[c, 3]``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import numpy.typing as npt

from bi2scope.data.attention import Ints
from bi2scope.data.multiome import Multiome
from bi2scope.data.store import schema
from bi2scope.data.store.growing import GrowingArray
from bi2scope.data.store.tables import COMPRESSED, LARGEST_CHUNK, write_array

if TYPE_CHECKING:
    from scipy import sparse

GENE_CHUNK, PEAK_CHUNK = 1 << 14, LARGEST_CHUNK
"""Entries of a chunk: one gene of a type reaches over one or two, a type's cells on a chromosome over many."""

MOST_ENTRIES = 1 << 23
"""Counts that are in memory at a time where they are looked through."""

_BLOCK = 1 << 22

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class CellOrder:
    """Cells in order of (cell type, cell).

    Attributes
    ----------
    cell
        ``(n_cells,)`` cell of each place.
    type_start
        ``(n_types + 1,)`` first place of each type.
    """

    cell: Ints
    type_start: Ints

    @classmethod
    def of(cls, type_codes: Ints, n_types: int) -> CellOrder:
        """The order of cells with those types.

        Raises
        ------
        ValueError
            If a cell has no type.
        """
        codes = np.asarray(type_codes, dtype=np.int64)
        if len(codes) and not 0 <= int(codes.min()) <= int(codes.max()) < n_types:
            raise ValueError("a cell has no type")
        per_type = np.bincount(codes, minlength=n_types)
        return cls(np.argsort(codes, kind="stable"), np.concatenate([[0], np.cumsum(per_type)]))

    def of_type(self, code: int) -> Ints:
        """The cells of a type, ascending."""
        cells: Ints = self.cell[self.type_start[code] : self.type_start[code + 1]]
        return cells


def write_transposed(file: h5py.File, multiome: Multiome) -> None:
    """Write both; besides the counts, those of one chromosome are in memory at a time."""
    order = CellOrder.of(multiome.cells["cell_type"].cat.codes.to_numpy(), len(multiome.cell_types))
    n_chromosomes = len(multiome.chromosomes)
    rna = _Pieces(multiome.rna, multiome.gene_chromosome, n_chromosomes)
    _write_rna(file.create_group(schema.ACROSS_RNA), rna, order)
    atac = _Pieces(multiome.atac, multiome.peak_chromosome, n_chromosomes)
    _write_atac(file.create_group(schema.ACROSS_ATAC), atac, order)


class _Pieces:
    """Counts, to be taken chromosome by chromosome."""

    def __init__(self, counts: sparse.csr_matrix, chromosome: Ints, n_chromosomes: int) -> None:
        self._counts = counts
        self.bounds: Ints = np.searchsorted(chromosome, np.arange(n_chromosomes + 1))
        self._start = np.empty((counts.shape[0], n_chromosomes + 1), dtype=np.int64)
        for cell, first in enumerate(counts.indptr[:-1]):
            own = counts.indices[first : counts.indptr[cell + 1]]
            self._start[cell] = first + np.searchsorted(own, self.bounds)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The smallest type that holds every count exactly."""
        return schema.count_dtype(self._counts.data[at : at + _BLOCK] for at in range(0, self._counts.nnz, _BLOCK))

    def of(self, cells: Ints, chromosome: int) -> tuple[Array, Array, Ints]:
        """Positions on the chromosome and counts of some cells, one after the other, and the number of each."""
        start, stop = self._start[cells, chromosome], self._start[cells, chromosome + 1]
        runs = [slice(*run) for run in zip(start.tolist(), stop.tolist(), strict=True)]
        none = np.zeros(0, dtype=np.int64)
        indices = np.concatenate([none, *(self._counts.indices[run] for run in runs)])
        return indices - self.bounds[chromosome], _joined(self._counts.data, runs), stop - start


def _joined(values: Array, runs: list[slice]) -> Array:
    return np.concatenate([values[:0], *(values[run] for run in runs)])


def _write_rna(group: h5py.Group, rna: _Pieces, order: CellOrder) -> None:
    from scipy import sparse

    n_types, n_genes = len(order.type_start) - 1, int(rna.bounds[-1])
    largest = int(np.diff(order.type_start).max(initial=0))
    cell = GrowingArray(group, "cell", schema.position_dtype(largest), GENE_CHUNK)
    count = GrowingArray(group, "count", rna.dtype, GENE_CHUNK)
    per_gene = np.zeros((n_types, n_genes), dtype=np.int64)
    for code in range(n_types):
        cells = order.of_type(code)
        for chromosome, (low, high) in enumerate(zip(rna.bounds[:-1], rna.bounds[1:], strict=True)):
            gene, counts, sizes = rna.of(cells, chromosome)
            shape, start = (len(cells), int(high - low)), np.concatenate([[0], np.cumsum(sizes)])
            by_gene = sparse.csr_matrix((counts, gene, start), shape=shape).tocsc()
            per_gene[code, low:high] = np.diff(by_gene.indptr)
            cell.append(by_gene.indices)
            count.append(by_gene.data)
    cell.flush()
    count.flush()
    offset = np.concatenate([[0], np.cumsum(per_gene)])
    starts = np.arange(n_types)[:, None] * n_genes + np.arange(n_genes + 1)
    _write_rows(group, offset[starts])


def _write_atac(group: h5py.Group, atac: _Pieces, order: CellOrder) -> None:
    largest = int(np.diff(atac.bounds).max(initial=0))
    peak = GrowingArray(group, "peak", schema.position_dtype(largest), PEAK_CHUNK)
    count = GrowingArray(group, "count", atac.dtype, PEAK_CHUNK)
    offset = np.zeros((len(atac.bounds) - 1, len(order.cell) + 1), dtype=np.int64)
    total = 0
    for chromosome in range(len(offset)):
        positions, counts, sizes = atac.of(order.cell, chromosome)
        offset[chromosome] = total + np.concatenate([[0], np.cumsum(sizes)])
        total = int(offset[chromosome, -1])
        peak.append(positions)
        count.append(counts)
    peak.flush()
    count.flush()
    _write_rows(group, offset)


def _write_rows(group: h5py.Group, offset: Ints) -> None:
    """Offsets, a chunk no more than one row."""
    if not offset.size:
        write_array(group, schema.OFFSET, offset.astype("<i8"))
        return
    chunks = (1, min(offset.shape[1], LARGEST_CHUNK))
    group.create_dataset(schema.OFFSET, data=offset.astype("<i8"), chunks=chunks, **COMPRESSED)


@dataclass(frozen=True)
class Entries:
    """Counts of a run of genes of a type, or of cells on a chromosome.

    Attributes
    ----------
    start
        ``(n + 1,)`` entries of each gene, or cell, from the first one's on.
    position
        Of the cell within its type, or of the peak on its chromosome.
    count
        Above 0.
    """

    start: Ints
    position: Ints
    count: Array


class StoredTransposed:
    """The counts turned round, as they lie in a store.

    Parameters
    ----------
    file
        The store, or the group that holds them.
    order
        Of its cells.
    peak_chromosome
        ``(n_peaks,)`` codes, non-decreasing.

    Attributes
    ----------
    peak_bounds
        ``(n_chromosomes + 1,)`` first peak of each chromosome.

    Raises
    ------
    ValueError
        If there are fewer chromosomes than those of the peaks.
    """

    def __init__(self, file: h5py.Group, order: CellOrder, peak_chromosome: Ints) -> None:
        self.order = order
        self._rna, self._atac = file[schema.ACROSS_RNA], file[schema.ACROSS_ATAC]
        n_chromosomes = len(self._atac[schema.OFFSET])
        self.peak_bounds: Ints = np.searchsorted(peak_chromosome, np.arange(n_chromosomes + 1))
        if self.peak_bounds[-1] != len(peak_chromosome):
            raise ValueError("it is of fewer chromosomes than the peaks")

    def first_row(self, code: int, gene: int) -> int:
        """Rows, a gene of a cell, of the whole store before those of a gene in a type."""
        return int(self._rna[schema.OFFSET][code, gene])

    def genes(self, code: int, first: int, stop: int) -> Entries:
        """The cells of a type that express some genes, gene by gene.

        Raises
        ------
        ValueError, OSError
            If the file is damaged there.
        """
        n_cells = len(self.order.of_type(code))
        return _entries(self._rna, "cell", self._rna[schema.OFFSET][code, first : stop + 1], n_cells)

    def gene_runs(self, code: int, genes: tuple[int, int], most: int) -> Iterator[tuple[int, int]]:
        """Runs of a run of genes with at most ``most`` entries each; a single gene may have more."""
        offset = self._rna[schema.OFFSET][code, genes[0] : genes[1] + 1]
        yield from ((genes[0] + low, genes[0] + high) for low, high in runs_within(offset, most))

    def open_bounds(self, chromosome: int, code: int) -> Ints:
        """``(n_cells + 1,)`` entries of each cell of a type on a chromosome."""
        first, stop = self.order.type_start[code : code + 2]
        bounds: Ints = self._atac[schema.OFFSET][chromosome, first : stop + 1]
        return bounds

    def open_peaks(self, bounds: Ints, n_peaks: int) -> Entries:
        """Open peaks of a run of cells, cell by cell.

        Parameters
        ----------
        bounds
            Of :meth:`open_bounds`, those of the run.
        n_peaks
            Peaks of the chromosome.

        Raises
        ------
        ValueError, OSError
            If the file is damaged there.
        """
        return _entries(self._atac, "peak", bounds, n_peaks)

    def holders(self, chromosome: int, code: int, peak: int, n_peaks: int) -> Ints:
        """Cells of a type, as ascending positions there, in which a peak of a chromosome of ``n_peaks`` is open."""
        bounds = self.open_bounds(chromosome, code)
        found = [np.zeros(0, dtype=np.int64)]
        for low, high in runs_within(bounds, MOST_ENTRIES):
            read = self.open_peaks(bounds[low : high + 1], n_peaks)
            at = np.flatnonzero(read.position == peak)
            found.append(low + np.searchsorted(read.start, at, side="right") - 1)
        return np.concatenate(found)


def runs_within(offset: Ints, most: int) -> Iterator[tuple[int, int]]:
    """Runs of items with at most ``most`` entries each; a single item may have more."""
    start, n_items = 0, len(offset) - 1
    while start < n_items:
        fits = int(np.searchsorted(offset, offset[start] + most, side="right")) - 1
        stop = min(max(fits, start + 1), n_items)
        yield start, stop
        start = stop


def _entries(group: h5py.Group, key: str, offset: Ints, limit: int) -> Entries:
    """Entries between the offsets, fit to be looked up without further care: what they point to is there."""
    if not len(offset) or (np.diff(offset) < 0).any() or offset[0] < 0 or offset[-1] > len(group[key]):
        raise ValueError(f"{group.name}: its offsets do not ascend")
    own = slice(int(offset[0]), int(offset[-1]))
    position, count = group[key][own], group["count"][own]
    if len(position) and int(position.max()) >= limit:
        raise ValueError(f"{group.name}: a position is not below {limit}")
    if not (count > 0).all():
        raise ValueError(f"{group.name}: a count is not above zero")
    return Entries(offset - offset[0], position, count)
