"""The genes x peaks map of one cell, or of a window of it, binned to the size of a screen.

A worked case. A cell has 7 genes and 10 peaks; asked for the whole map in at most 4 rows and 5 columns, it takes
2 genes a row (the last row covers one) and 2 peaks a column. The links (gene 2, peak 5, logit 1.0) and (gene 3,
peak 4, logit 3.0) both lie in row 1, column 2: that bin counts 2 links and shows the second one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bi2scope.data.attention import Floats, Ints, Links
from bi2scope.data.errors import ConfigurationError
from bi2scope.data.exchange.columns import Lazy, narrow
from bi2scope.data.exchange.selection import Table
from bi2scope.data.graph import CellGraph
from bi2scope.server.catalogue import Catalogue
from bi2scope.server.cell_links import surviving
from bi2scope.server.exports import cut_comments, whole_table
from bi2scope.server.loci import locus
from bi2scope.server.own_columns import places
from bi2scope.server.params import BinsQuery, HeatmapQuery, window
from bi2scope.server.tabular import Answer, TableBody
from bi2scope.server.wire import HeatmapChromosome


@dataclass(frozen=True, slots=True)
class Axis:
    """A window of one axis, in positions among the cell's own genes or peaks, and its bins.

    Attributes
    ----------
    start, stop
        Half-open.
    step
        Positions per bin; 1 is exact.
    """

    start: int
    stop: int
    step: int

    @classmethod
    def fit(cls, start: int, stop: int, most: int) -> Axis:
        """The finest bins of one size of which at most ``most`` cover the window."""
        return cls(start, stop, max(1, -(-(stop - start) // most)))

    @property
    def n_bins(self) -> int:
        """Number of bins; the last may reach beyond the window."""
        return -(-(self.stop - self.start) // self.step)

    def holds(self, position: Ints) -> npt.NDArray[np.bool_]:
        """Mask of the positions inside the window."""
        return (position >= self.start) & (position < self.stop)

    def covers(self, own: Ints) -> bool:
        """Whether it is the whole axis of a cell's own genes or peaks."""
        return (self.start, self.stop) == (0, len(own))

    def bins(self, position: Ints) -> npt.NDArray[np.int64]:
        """Bin of each position; int64, so that row * columns + column cannot overflow."""
        return (position.astype(np.int64) - self.start) // self.step


@dataclass(frozen=True, eq=False)
class Frame:
    """The genes and peaks along the axes of a map, as positions in the data set, ascending."""

    gene_index: Ints
    peak_index: Ints

    @classmethod
    def of(cls, *graphs: CellGraph) -> Frame:
        """Those that any of some cells have."""
        if len(graphs) == 1:
            return cls(graphs[0].gene_index, graphs[0].peak_index)
        first, second = graphs
        return cls(np.union1d(first.gene_index, second.gene_index), np.union1d(first.peak_index, second.peak_index))

    def window(self, rows: Axis, columns: Axis) -> dict[str, int]:
        """Size of the axes, and the window and bins of both, by their names on the wire."""
        return {
            "n_genes": len(self.gene_index),
            "n_peaks": len(self.peak_index),
            "gene_start": rows.start,
            "gene_stop": rows.stop,
            "gene_step": rows.step,
            "peak_start": columns.start,
            "peak_stop": columns.stop,
            "peak_step": columns.step,
        }

    def named(self, catalogue: Catalogue, rows: Axis, columns: Axis) -> dict[str, Any]:
        """Chromosomes along the axes, and names of the genes and peaks in a window."""
        return {
            "chromosomes": chromosomes_of(catalogue, self),
            "gene_names": catalogue.gene_name[self.gene_index[rows.start : rows.stop]],
            "peak_names": catalogue.peak[self.peak_index[columns.start : columns.stop]],
        }


def heatmap(catalogue: Catalogue, cell_id: str, query: HeatmapQuery) -> Answer:
    """Links of one cell in a window of its genes and peaks: per bin their number and the one of highest logit.

    Raises
    ------
    NotFoundError
        If there is no such cell (or other cell beside it), layer or head.
    ConfigurationError
        If the window lies outside the cell's genes or peaks.
    RegionError
        If a region is no place.
    """
    position, cell_type = catalogue.cell(cell_id)
    catalogue.require_head(query.layer, query.head_number)
    graph = catalogue.decoded.graph(position)
    beside = [] if query.beside is None else [catalogue.decoded.graph(catalogue.cell(query.beside)[0])]
    frame = Frame.of(graph, *beside)
    rows, columns = axes(catalogue, frame, query)
    own = places(frame.gene_index, graph.gene_index)
    links = surviving(catalogue, position, query, None if rows.covers(frame.gene_index) else rows.holds(own))
    gene, peak = places(frame.gene_index, links.gene), places(frame.peak_index, links.peak)
    if not columns.covers(frame.peak_index):
        inside = np.flatnonzero(columns.holds(peak))
        links, gene, peak = links.at(inside), gene[inside], peak[inside]
    binned = Binned.of(rows.bins(gene), columns.bins(peak), links.logit, columns.n_bins)
    fields = {
        "cell_id": cell_id,
        "cell_type": cell_type,
        "layer": query.layer,
        "head": query.head_number if query.over is None else query.over,
        "threshold": query.threshold,
        "top_k": query.top_k,
        "truncated": links.truncated,
        "n_links": len(links),
        "beside": query.beside,
        **frame.window(rows, columns),
    }
    bins = bin_columns(catalogue, binned, links, (gene, peak))

    def body() -> TableBody:
        return TableBody({**fields, **frame.named(catalogue, rows, columns)}, bins, "bins")

    def table() -> Table:
        told = [f"{name}: {value}" for name, value in fields.items() if name not in UNTOLD and value is not None]
        comments = [*told, *cut_comments(catalogue.reader, query, links.truncated)]
        return whole_table(catalogue.reader, "heatmap", comments, bins, query.cut)

    return Answer(body, table, ("bi2scope", "heatmap", cell_id))


UNTOLD = ("layer", "head", "threshold", "top_k", "truncated")
"""What comment lines of a cut say already."""


def axes(catalogue: Catalogue, frame: Frame, query: BinsQuery) -> tuple[Axis, Axis]:
    """The window of genes and that of peaks, from positions or from places on the genome.

    Raises
    ------
    ConfigurationError
        If a window lies outside the cell, or is given in both ways.
    NotFoundError, RegionError
        If a region is no place of the data set.
    """
    genes = window("gene", query.gene_start, query.gene_stop, len(frame.gene_index))
    peaks = window("peak", query.peak_start, query.peak_stop, len(frame.peak_index))
    for name in ("gene", "peak"):
        by_place = getattr(query, f"{name}_region") is not None
        if by_place and (getattr(query, f"{name}_start") or getattr(query, f"{name}_stop")):
            raise ConfigurationError(f"{name}_region is given beside {name}_start or {name}_stop.", "Leave one away.")
    if query.gene_region is not None:
        genes = _run(frame.gene_index, locus(catalogue, query.gene_region).genes(catalogue))
    if query.peak_region is not None:
        peaks = _run(frame.peak_index, locus(catalogue, query.peak_region).peaks(catalogue))
    return Axis.fit(*genes, query.height), Axis.fit(*peaks, query.width)


def _run(own: Ints, asked: Ints) -> tuple[int, int]:
    """From the first to the last of a cell's own features among those asked for; none is an empty window."""
    if not len(asked):
        return 0, 0
    start, stop = np.searchsorted(own, [asked[0], asked[-1] + 1])
    return int(start), int(stop)


def chromosomes_of(catalogue: Catalogue, frame: Frame) -> list[HeatmapChromosome]:
    """Where the chromosomes stand along the axes of a map; those with neither are left out."""
    spans = []
    for span in catalogue.chromosomes:
        genes = np.searchsorted(frame.gene_index, [span.gene_start, span.gene_stop])
        peaks = np.searchsorted(frame.peak_index, [span.peak_start, span.peak_stop])
        if genes[0] < genes[1] or peaks[0] < peaks[1]:
            spans.append(
                HeatmapChromosome(
                    name=span.name,
                    gene_start=int(genes[0]),
                    gene_stop=int(genes[1]),
                    peak_start=int(peaks[0]),
                    peak_stop=int(peaks[1]),
                )
            )
    return spans


@dataclass(frozen=True, eq=False)
class Binned:
    """Bins that hold a link, by row and then by column.

    Attributes
    ----------
    row, column
        ``(n_bins,)`` place of each bin.
    count
        ``(n_bins,)`` its links.
    best
        ``(n_bins,)`` position of its link of highest logit, the first given one of equal logits.
    """

    row: Ints
    column: Ints
    count: Ints
    best: Ints

    @classmethod
    def of(cls, row: Ints, column: Ints, logit: Floats, n_columns: int) -> Binned:
        """Bins of links, from row, column and logit of each."""
        bins, best, count = best_per_bin(row * max(n_columns, 1) + column, logit)
        return cls(bins // max(n_columns, 1), bins % max(n_columns, 1), count, best)


def best_per_bin(bin_of_link: Ints, logit: Floats) -> tuple[Ints, Ints, Ints]:
    """The link of highest logit of each bin; the first given one when logits are equal.

    Parameters
    ----------
    bin_of_link
        ``(n_links,)`` int64, below 2^31.
    logit
        ``(n_links,)``, all above 0, as the links of a store are.

    Returns
    -------
    Bins that hold a link, ascending; position of the best link of each; number of links of each.
    """
    # the bits of positive float32 numbers order like the numbers: one integer key sorts by bin, then highest first
    bits = np.asarray(logit, dtype=np.float32).view(np.int32).astype(np.int64)
    order = np.argsort((bin_of_link.astype(np.int64) << 32) - bits, kind="stable")  # equal logits stay as given
    ordered = bin_of_link[order]
    first = np.flatnonzero(np.diff(ordered, prepend=-1))
    return ordered[first], order[first], np.diff(first, append=len(ordered))


def bin_columns(catalogue: Catalogue, binned: Binned, links: Links, own: tuple[Ints, Ints]) -> Lazy:
    """Columns of :class:`~bi2scope.server.wire.HeatmapBins`; ``own`` are the links' places among the cell's own."""
    best, (gene, peak) = binned.best, own
    return Lazy(
        {
            "row": lambda: narrow(binned.row),
            "column": lambda: narrow(binned.column),
            "n_links": lambda: narrow(binned.count),
            "gene": lambda: narrow(gene[best]),
            "peak": lambda: narrow(peak[best]),
            "distance_to_tss": lambda: catalogue.places.distance(links.gene[best], links.peak[best]),
            "logit": lambda: links.logit[best],
            "score": lambda: links.score[best],
            "rank": lambda: links.rank[best],
            "weight": lambda: links.weight[best],
        }
    )
