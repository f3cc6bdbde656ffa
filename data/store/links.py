"""Links and counts as they lie in the file: read one cell, or blocks of cells for a sum.

Everything here is immutable after it was made: what is kept in memory are the offsets, eight bytes a cell and array.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from bi2scope.data.attention import CellAttention, Floats, Ints
from bi2scope.data.store import schema

BLOCK_LINKS = 1 << 20
"""Links that a sum over cells holds in memory at a time; a single cell may have more."""


class StoredCounts:
    """Rows of a CSR matrix that anndata wrote, read a cell or a run of cells at a time.

    Parameters
    ----------
    group
        The HDF5 group with ``data``, ``indices`` and ``indptr``.
    """

    def __init__(self, group: h5py.Group) -> None:
        self.indptr: npt.NDArray[np.int64] = group["indptr"][:].astype(np.int64)
        self._indices = group["indices"]
        self._data = group["data"]

    def indices(self, start: int, stop: int) -> Ints:
        """Columns of the non-zero counts of cells ``start`` to ``stop``, one after the other."""
        indices: Ints = self._indices[self.indptr[start] : self.indptr[stop]]
        return indices

    def data(self, cell: int) -> Floats:
        """The non-zero counts of one cell."""
        data: Floats = self._data[self.indptr[cell] : self.indptr[cell + 1]]
        return data


@dataclass(frozen=True, slots=True)
class LinkBlock:
    """Links of some cells in a row, flat.

    Attributes
    ----------
    n_links, n_above, denominator
        ``(n_rows,)``; see :class:`bi2scope.data.attention.CellAttention`.
    peak, logit
        ``(n_links,)``, by row and then by rank; the peak as position in the data set.
    """

    n_links: Ints
    n_above: Ints
    denominator: Floats
    peak: Ints
    logit: Floats

    @property
    def row(self) -> Ints:
        """``(n_links,)`` row of each link."""
        return np.repeat(np.arange(len(self.n_links)), self.n_links)

    @property
    def rank(self) -> Ints:
        """``(n_links,)`` rank of each link in its row, from 1."""
        start = np.cumsum(self.n_links) - self.n_links
        return np.arange(1, len(self.peak) + 1) - np.repeat(start, self.n_links)


class StoredLinks:
    """The links of one layer and head.

    Parameters
    ----------
    group
        The HDF5 group of the layer and head.
    atac
        Counts whose rows give the cells' own peaks, which the links point into.
    """

    def __init__(self, group: h5py.Group, atac: StoredCounts) -> None:
        self.row_offset: npt.NDArray[np.int64] = group[schema.ROW_OFFSET][:]
        self.link_offset: npt.NDArray[np.int64] = group[schema.LINK_OFFSET][:]
        self._arrays = {key: group[key] for key in (*schema.ROW_ARRAYS, *schema.LINK_ARRAYS)}
        self._atac = atac

    def cell(self, cell: int) -> CellAttention:
        """The kept links of one cell."""
        n_links = self._rows("n_links", cell, cell + 1)
        own_peaks = self._atac.indices(cell, cell + 1)
        return CellAttention(
            gene=self._rows("gene", cell, cell + 1),
            row_start=np.concatenate([[0], np.cumsum(n_links, dtype=np.int64)]),
            peak=own_peaks[self._links("peak", cell, cell + 1)].astype(np.int32, copy=False),
            logit=self._links("logit", cell, cell + 1),
            n_above=self._rows("n_above", cell, cell + 1),
            denominator=self._rows("denominator", cell, cell + 1),
        )

    def n_links(self, cell: int) -> int:
        """Links of one cell by the lengths of its rows; the offsets must agree with it."""
        return int(self._rows("n_links", cell, cell + 1).sum())

    def blocks(self, cells: Ints, block_links: int = BLOCK_LINKS) -> Iterator[LinkBlock]:
        """The links of some cells, a bounded number at a time.

        Parameters
        ----------
        cells
            Ascending positions of cells; neighbours in the file are read in one go.
        block_links
            Most links of a block, unless it is one cell.
        """
        for block in _split(np.asarray(cells), self.link_offset, block_links):
            yield _joined([self._run(start, stop) for start, stop in _runs(block)])

    def _run(self, start: int, stop: int) -> LinkBlock:
        per_cell = np.diff(self.link_offset[start : stop + 1])
        first_peak = self._atac.indptr[start:stop] - self._atac.indptr[start]
        own_peak = self._links("peak", start, stop) + np.repeat(first_peak, per_cell)
        return LinkBlock(
            n_links=self._rows("n_links", start, stop).astype(np.int64),
            n_above=self._rows("n_above", start, stop),
            denominator=self._rows("denominator", start, stop),
            peak=self._atac.indices(start, stop)[own_peak],
            logit=self._links("logit", start, stop),
        )

    def _rows(self, key: str, start: int, stop: int) -> npt.NDArray[Any]:
        rows: npt.NDArray[Any] = self._arrays[key][self.row_offset[start] : self.row_offset[stop]]
        return rows

    def _links(self, key: str, start: int, stop: int) -> npt.NDArray[Any]:
        links: npt.NDArray[Any] = self._arrays[key][self.link_offset[start] : self.link_offset[stop]]
        return links


def _split(cells: Ints, link_offset: Ints, block_links: int) -> Iterator[Ints]:
    """Consecutive pieces of ``cells`` with at most ``block_links`` links each, and one cell at least."""
    per_cell = link_offset[cells + 1] - link_offset[cells]
    total = np.cumsum(per_cell)
    start = 0
    while start < len(cells):
        before = total[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(total, before + block_links, side="right")))
        yield cells[start:stop]
        start = stop


def _runs(cells: Ints) -> Iterator[tuple[int, int]]:
    """Maximal runs ``start, stop`` of neighbours in ascending positions."""
    for run in np.split(cells, np.flatnonzero(np.diff(cells) != 1) + 1):
        yield int(run[0]), int(run[-1]) + 1


def _joined(runs: list[LinkBlock]) -> LinkBlock:
    if len(runs) == 1:
        return runs[0]
    fields = LinkBlock.__dataclass_fields__
    return LinkBlock(**{name: np.concatenate([getattr(run, name) for run in runs]) for name in fields})
