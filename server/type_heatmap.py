"""A cell type's regulatory map over the genes and peaks of one cell, to lay beside the map of that cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bi2scope.data.attention import Cut, Ints
from bi2scope.data.exchange.columns import Lazy, narrow
from bi2scope.data.exchange.comments import MEANING, cut_lines
from bi2scope.data.exchange.selection import Table
from bi2scope.server.catalogue import Catalogue
from bi2scope.server.exports import whole_table
from bi2scope.server.heatmap import Axis, Binned, Frame, axes
from bi2scope.server.own_columns import places
from bi2scope.server.params import TypeHeatmapQuery
from bi2scope.server.tabular import Answer, TableBody

if TYPE_CHECKING:
    from bi2scope.data.store.regulatory import StoredMap

BLOCK_PAIRS = 1 << 19
"""Pairs that are read at a time."""


def type_heatmap(catalogue: Catalogue, cell_type: str, query: TypeHeatmapQuery) -> Answer:
    """Pairs of a type's map in a window of a cell's axes: per bin their number and the one of highest mean score.

    Raises
    ------
    NotFoundError
        If there is no such cell type, cell, layer or head.
    ConfigurationError
        If the window lies outside the cell's genes or peaks.
    RegionError
        If a region is no place.
    """
    reader, name = catalogue.reader, catalogue.require_cell_type(cell_type)
    catalogue.require_head(query.layer, query.head)
    frame = Frame.of(catalogue.decoded.graph(catalogue.cell(query.cell)[0]))
    rows, columns = axes(catalogue, frame, query)
    stored = reader.regulatory_map(name, query.layer, query.head)
    pairs = pairs_within(
        stored, frame.gene_index[rows.start : rows.stop], frame.peak_index[columns.start : columns.stop]
    )
    fields = {
        "cell_type": name,
        "n_cells": len(reader.cells_of(name)),
        "least_cells": stored.least_cells,
        "cell_id": query.cell,
        "layer": query.layer,
        "head": query.head,
        "n_pairs": len(pairs),
        **frame.window(rows, columns),
    }
    bins = bin_columns(catalogue, pairs, frame, rows, columns)

    def table() -> Table:
        kept = Cut(reader.attributes.floor, reader.attributes.k_max)
        told = [f"{key}: {value}" for key, value in fields.items() if key not in ("layer", "head")]
        cut = cut_lines(reader.attributes, kept, layer=query.layer, head=query.head)
        return whole_table(reader, "heatmap", [*told, *cut, *MEANING], bins, kept)

    return Answer(
        lambda: TableBody({**fields, **frame.named(catalogue, rows, columns)}, bins, "bins"),
        table,
        ("bi2scope", "heatmap", name, query.cell),
    )


def pairs_within(stored: StoredMap, genes: Ints, peaks: Ints) -> pd.DataFrame:
    """The pairs of a map among some genes and some peaks, by gene and then by peak.

    Parameters
    ----------
    genes, peaks
        ``(n_genes,)`` and ``(n_peaks,)`` positions in the data set, ascending.
    """
    found = []
    first, last = (int(genes[0]), int(genes[-1]) + 1) if len(genes) and len(peaks) else (0, 0)
    for start, stop in stored.gene_runs(BLOCK_PAIRS):
        own = max(start, first), min(stop, last)
        if own[0] < own[1]:
            pairs = stored.pairs(own, (int(peaks[0]), int(peaks[-1]) + 1))
            found.append(pairs[np.isin(pairs["gene"], genes) & np.isin(pairs["peak"], peaks)])
    return pd.concat(found) if found else stored.pairs((0, 0))


def bin_columns(catalogue: Catalogue, pairs: pd.DataFrame, frame: Frame, rows: Axis, columns: Axis) -> Lazy:
    """Columns of :class:`~bi2scope.server.wire_maps.TypeHeatmapBins`."""
    in_data = pairs["gene"].to_numpy(np.int64), pairs["peak"].to_numpy(np.int64)
    gene, peak = places(frame.gene_index, in_data[0]), places(frame.peak_index, in_data[1])
    score = pairs["score"].to_numpy(np.float32)
    binned = Binned.of(rows.bins(gene), columns.bins(peak), score, columns.n_bins)
    best = binned.best
    return Lazy(
        {
            "row": lambda: narrow(binned.row),
            "column": lambda: narrow(binned.column),
            "n_pairs": lambda: narrow(binned.count),
            "gene": lambda: narrow(gene[best]),
            "peak": lambda: narrow(peak[best]),
            "distance_to_tss": lambda: catalogue.places.distance(in_data[0][best], in_data[1][best]),
            "n_cells": lambda: narrow(pairs["n_cells"].to_numpy()[best]),
            "n_both": lambda: narrow(pairs["n_both"].to_numpy()[best]),
            "mean_score": lambda: pairs["score"].to_numpy()[best],
            "mean_weight": lambda: pairs["weight"].to_numpy()[best],
        }
    )
