"""Sums of each cell by itself: what its links give every peak, or every gene, in bounded memory.

A cumulative score adds cells up; here they stay apart, as rows of a sparse matrix, of which a block of neighbouring
features is given at a time. A cell has links only where it has counts, so the counts say beforehand how much a block
can hold, and how many features can be kept in memory for one pass over the links.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from bi2scope.data.attention import Cut, Ints
from bi2scope.data.store import halves, schema

if TYPE_CHECKING:  # both load h5py, and whoever says which sums it wants need not
    from bi2scope.data.store.links import StoredCounts, StoredLinks

PASS_ENTRIES = 1 << 25
"""Sums that are kept at a time, 8 bytes each; with more, the links are read again."""

BLOCK_ENTRIES = 1 << 21
"""Sums of a block, unless one feature alone has more."""

Feature = Literal["peak", "gene"]
Definition = Literal["links", "score", "weight"]


@dataclass(frozen=True)
class SumsOf:
    """Which sums.

    Attributes
    ----------
    feature
        Sums of every peak over its genes, or of every gene over its peaks.
    definition
        What is summed over the surviving links: 1, the score or the weight.
    cut
        Which links survive.
    share
        Whether each sum is divided by that of the whole cell.
    """

    feature: Feature
    definition: Definition
    cut: Cut
    share: bool


@dataclass(frozen=True)
class Block:
    """Sums above 0 of neighbouring features, by cell and then by feature.

    Attributes
    ----------
    start, stop
        Which features.
    feature
        ``(n_entries,)`` int32, from 0 for ``start``.
    cell
        ``(n_entries,)`` int32, place among the cells that were asked for.
    value
        ``(n_entries,)`` float32.
    """

    start: int
    stop: int
    feature: npt.NDArray[np.int32]
    cell: npt.NDArray[np.int32]
    value: npt.NDArray[np.float32]


class SumsPerCell:
    """Sums of some cells, block by block.

    Parameters
    ----------
    links
        Those of the layer and head.
    counts
        Of RNA and ATAC.
    n_peaks
        Peaks of the data set.
    cells
        Positions of the cells, each once.
    of
        Which sums.

    Attributes
    ----------
    truncated
        Whether links that would have survived in some cell were not stored; known once a block was made.
    """

    def __init__(
        self, links: StoredLinks, counts: tuple[StoredCounts, StoredCounts], n_peaks: int, cells: Ints, of: SumsOf
    ) -> None:
        self._links, self._n_peaks, self._cells, self._of = links, n_peaks, cells, of
        self._own = counts[0] if of.feature == "gene" else counts[1]
        self.truncated = of.cut.threshold < links.floor

    def nonzero(self, n_features: int, chosen: npt.NDArray[np.bool_] | None = None) -> npt.NDArray[np.int64]:
        """``(n_features,)`` cells with a count of the feature, of all or of the ``(n_cells,)`` chosen."""
        found = np.zeros(n_features, dtype=np.int64)
        for cell in self._cells if chosen is None else self._cells[chosen]:
            found[self._own.indices(int(cell), int(cell) + 1)] += 1
        return found

    def blocks(self, nonzero: npt.NDArray[np.int64]) -> Iterator[Block]:
        """The sums of all features, some at a time.

        Parameters
        ----------
        nonzero
            ``(n_features,)`` cells with a count of the feature (:meth:`nonzero`).
        """
        edges = _edges(nonzero, BLOCK_ENTRIES)
        size = np.add.reduceat(nonzero, edges[:-1]) if len(edges) > 1 else np.zeros(0, dtype=np.int64)
        for first, last in itertools.pairwise(_edges(size, PASS_ENTRIES)):
            yield from self._pass(edges[first : last + 1])

    def _pass(self, edges: Ints) -> Iterator[Block]:
        """The blocks between some edges, from one pass over the links."""
        from bi2scope.data.store.cumulative import THREADS

        with ThreadPoolExecutor(THREADS) as pool:
            rows = list(pool.map(lambda cell: self._cell(int(cell), edges), self._cells))
        feature, value = [row[0] for row in rows], [row[1] for row in rows]
        bounds = np.array([row[2] for row in rows], dtype=np.int64).reshape(-1, len(edges))
        for at, (start, stop) in enumerate(itertools.pairwise(edges)):
            slices = [slice(low, high) for low, high in bounds[:, at : at + 2]]
            yield Block(
                start=int(start),
                stop=int(stop),
                feature=_joined(feature, slices) - np.int32(start),
                cell=np.repeat(np.arange(len(rows), dtype=np.int32), np.diff(bounds[:, at : at + 2])[:, 0]),
                value=_joined(value, slices),
            )

    def _cell(self, cell: int, edges: Ints) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32], Ints]:
        """Features between the first edge and the last whose sum is above 0, the sums, and where each edge falls."""
        own, sums = self._sums(cell)
        above = sums > 0
        own = own[above]
        bounds = np.searchsorted(own, edges)
        kept = slice(int(bounds[0]), int(bounds[-1]))
        unit = sums.sum() if self._of.share else schema.UNITS[self._of.definition]
        return own[kept].astype(np.int32), (sums[above][kept] / unit).astype(np.float32), bounds - bounds[0]

    def _sums(self, cell: int) -> tuple[Ints, npt.NDArray[np.int64]]:
        """All features of a cell, ascending, and their sums in whole units."""
        from bi2scope.data.store import decoding
        from bi2scope.data.store.cumulative import asked_of
        from bi2scope.data.store.own_sums import own_sums

        of, by_row = self._of, self._of.feature == "gene"
        stored, depth = self._links.stored(cell, of.cut.top_k)
        wanted = schema.DEFINITIONS.index(of.definition), by_row, self._n_peaks
        sums, last = own_sums(stored, depth, asked_of(self._links, of.cut), halves.tables(), wanted)
        if last == decoding.DAMAGED:
            raise ValueError(f"a link of cell {cell} points beyond the cell's own peaks")
        self.truncated = self.truncated or last >= halves.lowest_above(of.cut.threshold)
        return self._own.indices(cell, cell + 1) if by_row else stored.own_peaks, sums


def _edges(size: npt.NDArray[np.int64], most: int) -> Ints:
    """``(n_runs + 1,)`` edges of runs whose sizes add up to ``most`` at most; a single one may be larger."""
    edges, reached = [0], np.concatenate([[0], np.cumsum(size)])
    while edges[-1] < len(size):
        edges.append(max(int(np.searchsorted(reached, reached[edges[-1]] + most, side="right")) - 1, edges[-1] + 1))
    return np.array(edges)


def _joined(arrays: list[npt.NDArray[Any]], slices: list[slice]) -> npt.NDArray[Any]:
    return np.concatenate([array[part] for array, part in zip(arrays, slices, strict=True)])
