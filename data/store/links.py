"""Links and counts as they lie in the file: read one cell, or the highest ranks of one cell for a sum.

Everything here is immutable after it was made: what is kept in memory are the offsets, some bytes a cell and array.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import h5py
import numpy as np
import numpy.typing as npt

from bi2scope.data.attention import FLOOR, AttentionKind, CellAttention, Floats, Ints
from bi2scope.data.store import halves, schema
from bi2scope.data.store.chunks import PackedArray

if TYPE_CHECKING:
    from bi2scope.data.store.direct import DirectLinks
    from bi2scope.data.store.parts import JoinedArray


class StoredCounts:
    """Rows of a CSR matrix that anndata wrote, read a cell or a run of cells at a time.

    Parameters
    ----------
    group
        The HDF5 group with ``data``, ``indices`` and ``indptr``.

    Attributes
    ----------
    indptr
        ``(n_cells + 1,)`` where each cell starts.
    packed
        The columns of all cells, one cell after the other.
    """

    def __init__(self, group: h5py.Group) -> None:
        self.indptr: npt.NDArray[np.int64] = group["indptr"][:].astype(np.int64)
        self._indices = group["indices"]
        self._data = group["data"]
        self.packed = PackedArray(self._indices)

    def indices(self, start: int, stop: int) -> Ints:
        """Columns of the non-zero counts of cells ``start`` to ``stop``, one after the other."""
        indices: Ints = self._indices[self.indptr[start] : self.indptr[stop]]
        return indices

    def own(self, cell: int) -> Ints:
        """``(n,)`` int32 columns of the non-zero counts of one cell."""
        return self.indices(cell, cell + 1).astype(np.int32, copy=False)

    def data(self, cell: int) -> Floats:
        """The non-zero counts of one cell."""
        data: Floats = self._data[self.indptr[cell] : self.indptr[cell + 1]]
        return data


class StoredCell(NamedTuple):
    """What lies in the file of one cell's links, as far as it was asked for.

    Attributes
    ----------
    planes
        ``(2, n_stored)`` peaks, as positions among the cell's own, and steps of the logit's bits, rank by rank.
    n_links, n_above, denominator
        ``(n_rows,)`` of all rows; see :class:`bi2scope.data.attention.CellAttention`.
    own_peaks
        ``(n_own,)`` peaks that the cell has a count of.
    """

    planes: Ints
    n_links: Ints
    n_above: Ints
    denominator: Floats
    own_peaks: Ints


@dataclass(frozen=True, slots=True)
class RankedLinks:
    """Links of one cell, all of rank 1, then all of rank 2, and so on, as far as they were asked for.

    Attributes
    ----------
    peak
        ``(n_links,)`` position in the data set.
    bits
        ``(n_links,)`` uint16 bits of the logit (:mod:`bi2scope.data.store.halves`).
    rank, row
        ``(n_links,)`` rank in the row, from 1, and row among the cell's genes.
    n_links, n_above, denominator
        ``(n_rows,)``; see :class:`bi2scope.data.attention.CellAttention`.
    kind
        By which rule the links weigh.
    """

    peak: Ints
    bits: Ints
    rank: Ints
    row: Ints
    n_links: Ints
    n_above: Ints
    denominator: Floats
    kind: AttentionKind

    def where(self, mask: npt.NDArray[np.bool_]) -> RankedLinks:
        """The links under a mask."""
        return RankedLinks(
            self.peak[mask], self.bits[mask], self.rank[mask], self.row[mask],
            self.n_links, self.n_above, self.denominator, self.kind,
        )  # fmt: skip


class StoredLinks:
    """The links of one layer and head.

    Parameters
    ----------
    group
        The HDF5 group of the layer and head, or what :func:`bi2scope.data.store.parts.joined_links` makes of several.
    rna, atac
        Counts whose rows give the cells' own genes and peaks, which the links point into.
    kind
        By which rule the links weigh.
    floor
        What their scores exceed.
    """

    def __init__(
        self, group: h5py.Group, rna: StoredCounts, atac: StoredCounts, kind: AttentionKind, floor: float = FLOOR
    ) -> None:
        self.n_links: npt.NDArray[np.int64] = group[schema.N_LINKS][:]
        self.depth: npt.NDArray[np.int64] = group[schema.DEPTH][:].astype(np.int64)
        self._link, self._row = (_packed(group[key]) for key in (schema.LINK, schema.ROW))
        self._rna, self._atac, self.kind = rna, atac, kind
        self.floor = floor

    def cell(self, cell: int, top_k: int | None = None) -> CellAttention:
        """The kept links of one cell, or those up to a rank; only these are read.

        Raises
        ------
        ValueError
            If the parts of the cell disagree.
        """
        from bi2scope.data.store import decoding

        stored, depth = self.stored(cell, top_k)
        stored = stored._replace(n_links=np.minimum(stored.n_links, depth).astype(stored.n_links.dtype, copy=False))
        row_start, peak, logit, sound = decoding.by_row(stored, depth, halves.logits())
        if not sound:
            raise ValueError("a link points beyond its own peaks")
        return CellAttention(
            gene=self._rna.own(cell),
            row_start=row_start,
            peak=peak,
            logit=logit,
            n_above=stored.n_above,
            denominator=stored.denominator,
            kind=self.kind,
            floor=self.floor,
        )

    def stored(self, cell: int, top_k: int | None = None) -> tuple[StoredCell, int]:
        """The links of one cell up to a rank as they lie in the file, and the highest rank among them.

        Only those are read. The numbers of the links add up; peaks may be anything in a damaged file.

        Raises
        ------
        ValueError
            If the parts of the cell disagree.
        """
        n_links, n_above, denominator = self._rows(cell)
        depth = int(self.depth[cell]) if top_k is None else min(int(self.depth[cell]), top_k)
        whole = depth == self.depth[cell]
        n_stored = int(self.n_links[cell]) if whole else int(np.minimum(n_links, depth).sum(dtype=np.int64))
        planes = self._link.columns(0, n_stored, cell) if n_stored else np.zeros((2, 0), dtype=np.uint16)
        if planes.shape != (2, n_stored):
            raise ValueError("it has fewer links than its rows say")
        return StoredCell(planes, n_links, n_above, denominator, self._atac.own(cell)), depth

    def probe(self, cell: int) -> None:
        """Read the links of one cell, all of them, without anything that takes time to load.

        Raises
        ------
        OSError, RuntimeError, ValueError
            If they cannot be read, or disagree.
        """
        self._rows(cell)
        if self.n_links[cell]:
            self._link.by_hdf5(0, int(self.n_links[cell]), cell)

    def ranked(self, cell: int, top_k: int | None = None) -> RankedLinks:
        """The links of one cell up to a rank, rank by rank; only those are read."""
        n_links, n_above, denominator = self._rows(cell)
        depth = int(self.depth[cell]) if top_k is None else min(int(self.depth[cell]), top_k)
        peak, bits = (plane.ravel() for plane in self._matrices(cell, n_links, depth))
        per_rank = np.cumsum(np.bincount(n_links, minlength=depth + 1)[::-1])[::-1][1 : depth + 1]
        rank = np.repeat(np.arange(1, depth + 1, dtype=np.int32), per_rank)
        row = np.tile(np.arange(len(n_links), dtype=np.int32), depth)
        if len(rank) < len(peak):  # not every row is that long
            kept = (np.arange(depth)[:, None] < n_links).ravel()
            peak, bits, row = peak[kept], bits[kept], row[kept]
        return RankedLinks(self._atac.own(cell)[peak], bits, rank, row, n_links, n_above, denominator, self.kind)

    @functools.cached_property
    def direct(self) -> DirectLinks | None:
        """Where all cells lie in the file, found once for sums over many; None where only HDF5 can tell."""
        from bi2scope.data.store.direct import DirectLinks

        if not (isinstance(self._link, PackedArray) and isinstance(self._row, PackedArray)):
            return None
        rna, atac = self._rna.indptr, self._atac.indptr
        numbers = {"n_links": self.n_links, "depth": self.depth, "n_rows": np.diff(rna), "own_start": atac}
        return DirectLinks.of((self._link, self._row, self._atac.packed), numbers)

    @property
    def largest(self) -> tuple[int, int]:
        """Rows and own peaks of the largest cells, as far as there is room for rows."""
        n_rows, n_own = (int(np.diff(counts.indptr).max(initial=0)) for counts in (self._rna, self._atac))
        return min(n_rows, self._row.width), n_own

    def chunk_rooms(self) -> tuple[Ints, Ints, Ints]:
        """Room for one chunk of the links, of the rows and of the cells' peaks."""
        return self._link.room(), self._row.room(), self._atac.packed.room()

    def _rows(self, cell: int) -> tuple[Ints, Ints, Floats]:
        n_rows = int(self._rna.indptr[cell + 1] - self._rna.indptr[cell])
        n_links, n_above, denominator = (
            self._row.by_hdf5(0, n_rows, cell) if n_rows else np.zeros((3, 0), dtype=np.int32)
        )
        sound = len(n_links) == n_rows and n_links.sum(dtype=np.int64) == self.n_links[cell]
        if not sound or n_links.max(initial=0) != self.depth[cell] or n_links.min(initial=0) < 0:
            raise ValueError("its rows do not add up to its number of links")
        return n_links, n_above, denominator.view(np.float32)

    def _matrices(self, cell: int, n_links: Ints, depth: int) -> tuple[Ints, Ints]:
        """``(depth, n_rows)`` positions among the cell's own peaks, and bits; anything past a row's end."""
        peak, step = self._planes(cell, n_links, depth)
        return peak, np.subtract.accumulate(step.astype(np.uint16, copy=False), axis=0)

    def _planes(self, cell: int, n_links: Ints, depth: int) -> Ints:
        """``(2, depth, n_rows)`` peaks and steps; 0 past a row's end."""
        shape = (2, depth, len(n_links))
        stored = int(np.minimum(n_links, depth).sum(dtype=np.int64))
        if not stored:
            return np.zeros(shape, dtype=np.uint16)
        planes: Ints = self._link.columns(0, stored, cell)
        if stored < depth * len(n_links):
            kept, matrices = np.arange(depth)[:, None] < n_links, np.zeros(shape, dtype=planes.dtype)
            matrices[0][kept], matrices[1][kept] = planes
            planes = matrices
        return planes.reshape(shape)


def _packed(array: Any) -> PackedArray | JoinedArray:
    return PackedArray(array) if isinstance(array, h5py.Dataset) else array
