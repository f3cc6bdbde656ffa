"""Columns of one cell's own genes and peaks: what a table of its links looks its names and places up in.

A data set has a hundred thousand peaks, a cell some thousand: its words are found once, and go along with a table as
they are, instead of being picked out of all for each.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping

import numpy as np
import numpy.typing as npt

from bi2scope.data.attention import Ints, Links
from bi2scope.data.exchange.columns import Coded, Column, Lazy
from bi2scope.data.exchange.places import Places
from bi2scope.data.graph import CellGraph

_BYTES = 96
"""Of all columns together for a gene or a peak, about."""


class OwnColumns:
    """Columns of a cell's own genes and peaks, each made when it is first asked for; to be shared between threads.

    Parameters
    ----------
    places
        Columns of all genes and peaks.
    graph
        The cell's genes and peaks.
    """

    def __init__(self, places: Places, graph: CellGraph) -> None:
        self._places = places
        self._genes = _Side(places.genes, graph.gene_index, {"gene_count": graph.gene_count})
        self._peaks = _Side(places.peaks, graph.peak_index, {"peak_count": graph.peak_count})
        self.n_bytes = _BYTES * (len(graph.gene_index) + len(graph.peak_index))

    def beside(self, links: Links) -> Lazy:
        """Links of the cell with names, places and counts of their genes and peaks, in the order given."""
        at_gene = functools.cache(functools.partial(places, self._genes.own, links.gene))
        at_peak = functools.cache(functools.partial(places, self._peaks.own, links.peak))
        return Lazy(
            {
                **self._genes.makers(self._places.genes, at_gene),
                **self._peaks.makers(self._places.peaks, at_peak),
                "distance_to_tss": lambda: self._places.distance(links.gene, links.peak),
                "logit": lambda: links.logit,
                "score": lambda: links.score,
                "rank": lambda: links.rank,
                "weight": lambda: links.weight,
                **self._genes.makers(["gene_count"], at_gene),
                **self._peaks.makers(["peak_count"], at_peak),
            }
        )


class _Side:
    """Genes, or peaks, of a cell: ``own`` are their positions among all, ascending."""

    def __init__(self, of_all: Mapping[str, Column], own: Ints, known: dict[str, Column]) -> None:
        self.own = own
        self._of_all, self._made = of_all, known

    def __getitem__(self, name: str) -> Column:
        if name not in self._made:
            column = self._of_all[name][self.own]
            self._made[name] = column.compact() if isinstance(column, Coded) else column
        return self._made[name]

    def makers(self, names: Iterable[str], rows: Callable[[], Ints]) -> dict[str, Callable[[], Column]]:
        """What makes columns, whose rows are at these places among the own ones."""
        return {name: functools.partial(self._at, name, rows) for name in names}

    def _at(self, name: str, rows: Callable[[], Ints]) -> Column:
        return self[name][rows()]


def places(own: Ints, asked: Ints) -> npt.NDArray[np.intp]:
    """Place of each gene (or peak) among a cell's own; ``own`` is ascending, and all that is asked is in it.

    A table from position to place answers tens of thousands of links eight times as fast as a search does.
    """
    if len(asked) == 0:
        return np.zeros(0, dtype=np.intp)
    place_of = np.empty(int(own[-1]) + 1, dtype=np.int32)
    place_of[own] = np.arange(len(own), dtype=np.int32)
    return place_of[asked].astype(np.intp)
