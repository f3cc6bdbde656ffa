"""Sums of each cell by itself: what its links give every peak, or every gene, in bounded memory.

A cumulative score adds cells up; here they stay apart, as rows of a sparse matrix, of which a block of neighbouring
features is given at a time. A cell has links only where it has counts, so the counts say beforehand how much a block
can hold, and how many features can be kept in memory for one pass over the links.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from bi2scope.data.attention import Cut, Floats, Ints
from bi2scope.data.store import halves, schema
from bi2scope.data.store.cumulative import cut_off
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
    cells
        Positions of the cells, each once.
    of
        Which sums.

    Attributes
    ----------
    truncated
        Whether links that would have survived in some cell were not stored; known once a block was made.
    """

    def __init__(self, links: StoredLinks, counts: tuple[StoredCounts, StoredCounts], cells: Ints, of: SumsOf) -> None:
        self._links, self._cells, self._of = links, cells, of
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
        feature, value, bounds = [], [], np.zeros((len(self._cells), len(edges)), dtype=np.int64)
        for row, cell in enumerate(self._cells):
            own, sums = self._cell(int(cell))
            bounds[row] = np.searchsorted(own, edges)
            kept = slice(int(bounds[row, 0]), int(bounds[row, -1]))
            bounds[row] -= bounds[row, 0]
            feature.append(own[kept].astype(np.int32))
            value.append(sums[kept].astype(np.float32))
        for at, (start, stop) in enumerate(itertools.pairwise(edges)):
            slices = [slice(low, high) for low, high in bounds[:, at : at + 2]]
            yield Block(
                start=int(start),
                stop=int(stop),
                feature=_joined(feature, slices) - np.int32(start),
                cell=np.repeat(np.arange(len(self._cells), dtype=np.int32), np.diff(bounds[:, at : at + 2])[:, 0]),
                value=_joined(value, slices),
            )

    def _cell(self, cell: int) -> tuple[Ints, Floats]:
        """Features of a cell whose sum is above 0, ascending, and the sums."""
        of, own = self._of, self._own.indices(cell, cell + 1)
        one = self._links.ranked(cell, of.cut.top_k)
        self.truncated = self.truncated or cut_off(one, of.cut)
        one = one.where(one.bits >= halves.lowest_above(of.cut.threshold))
        what = {"links": lambda: None, "score": lambda: halves.whole_scores()[one.bits], "weight": one.whole_weights}
        whole = what[of.definition]()
        if of.feature == "gene":
            sums = np.bincount(one.row, whole, len(own))
        else:
            sums = np.bincount(one.peak, whole, int(own[-1]) + 1 if len(own) else 0)[own]
        kept = sums > 0
        unit = float(sums.sum()) if of.share else schema.UNITS[of.definition]
        return own[kept], sums[kept] / unit


def _edges(size: npt.NDArray[np.int64], most: int) -> Ints:
    """``(n_runs + 1,)`` edges of runs whose sizes add up to ``most`` at most; a single one may be larger."""
    edges, reached = [0], np.concatenate([[0], np.cumsum(size)])
    while edges[-1] < len(size):
        edges.append(max(int(np.searchsorted(reached, reached[edges[-1]] + most, side="right")) - 1, edges[-1] + 1))
    return np.array(edges)


def _joined(arrays: list[npt.NDArray[Any]], slices: list[slice]) -> npt.NDArray[Any]:
    return np.concatenate([array[part] for array, part in zip(arrays, slices, strict=True)])
