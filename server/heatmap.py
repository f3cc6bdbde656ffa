"""The genes x peaks map of one cell, or of a window of it, binned to the size of a screen.

A worked case. A cell has 7 genes and 10 peaks; asked for the whole map in at most 4 rows and 5 columns, it takes
2 genes a row (the last row covers one) and 2 peaks a column. The links (gene 2, peak 5, logit 1.0) and (gene 3,
peak 4, logit 3.0) both lie in row 1, column 2: that bin counts 2 links and shows the second one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bi2scope.data.attention import Floats, Ints, Links
from bi2scope.data.graph import CellGraph
from bi2scope.server.catalogue import Catalogue
from bi2scope.server.cells import link_distances, places, take_rows
from bi2scope.server.columns import columnar
from bi2scope.server.params import HeatmapQuery, window
from bi2scope.server.wire import Heatmap, HeatmapBins, HeatmapChromosome


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

    def bins(self, position: Ints) -> npt.NDArray[np.int64]:
        """Bin of each position; int64, so that row * columns + column cannot overflow."""
        return (position.astype(np.int64) - self.start) // self.step


def heatmap(catalogue: Catalogue, cell_id: str, query: HeatmapQuery) -> Heatmap:
    """Links of one cell in a window of its genes and peaks: per bin their number and the one of highest logit.

    Raises
    ------
    NotFoundError
        If there is no such cell, layer or head.
    ConfigurationError
        If the window lies outside the cell's genes or peaks.
    """
    position, cell_type = catalogue.cell(cell_id)
    catalogue.require_head(query.layer, query.head)
    graph = catalogue.reader.graph(position)
    rows = Axis.fit(*window("gene", query.gene_start, query.gene_stop, len(graph.gene_index)), query.height)
    columns = Axis.fit(*window("peak", query.peak_start, query.peak_stop, len(graph.peak_index)), query.width)
    attention = catalogue.reader.attention_for(position, query.cut, query.layer, query.head)
    in_rows = rows.holds(places(graph.gene_index, attention.gene))
    links = take_rows(attention, in_rows).links(query.cut)
    in_columns = columns.holds(places(graph.peak_index, links.peak))
    links = links if in_columns.all() else links.where(in_columns)
    return columnar(
        Heatmap,
        cell_id=cell_id,
        cell_type=cell_type,
        layer=query.layer,
        head=query.head,
        threshold=query.threshold,
        top_k=query.top_k,
        truncated=links.truncated,
        n_links=len(links),
        n_genes=len(graph.gene_index),
        n_peaks=len(graph.peak_index),
        gene_start=rows.start,
        gene_stop=rows.stop,
        gene_step=rows.step,
        peak_start=columns.start,
        peak_stop=columns.stop,
        peak_step=columns.step,
        chromosomes=chromosomes_of(catalogue, graph),
        gene_names=catalogue.gene_name[graph.gene_index[rows.start : rows.stop]],
        peak_names=catalogue.peak[graph.peak_index[columns.start : columns.stop]],
        bins=_bins(catalogue, graph, links, rows, columns),
    )


def chromosomes_of(catalogue: Catalogue, graph: CellGraph) -> list[HeatmapChromosome]:
    """Where the chromosomes stand among a cell's own genes and peaks; those with neither are left out."""
    spans = []
    for span in catalogue.chromosomes:
        genes = np.searchsorted(graph.gene_index, [span.gene_start, span.gene_stop])
        peaks = np.searchsorted(graph.peak_index, [span.peak_start, span.peak_stop])
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
    key = (bin_of_link.astype(np.int64) << 32) - bits
    order = np.argsort(key, kind="stable")  # so equal logits stay in the order given
    bins, first, count = np.unique(bin_of_link[order], return_index=True, return_counts=True)
    return bins, order[first], count


def _bins(catalogue: Catalogue, graph: CellGraph, links: Links, rows: Axis, columns: Axis) -> HeatmapBins:
    gene, peak = places(graph.gene_index, links.gene), places(graph.peak_index, links.peak)
    n_columns = max(columns.n_bins, 1)
    bins, best, count = best_per_bin(rows.bins(gene) * n_columns + columns.bins(peak), links.logit)
    return columnar(
        HeatmapBins,
        row=bins // n_columns,
        column=bins % n_columns,
        n_links=count,
        gene=gene[best],
        peak=peak[best],
        distance_to_tss=link_distances(catalogue, links.gene[best], links.peak[best]),
        logit=links.logit[best],
        score=links.score[best],
        rank=links.rank[best],
        weight=links.weight[best],
    )
