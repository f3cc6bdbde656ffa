"""The regulatory map of a cell type: which genes are linked to which peaks of a chromosome, in how many cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dash_mantine_components as dmc
from dash import dcc, html

from bi2scope.dashboard import ids
from bi2scope.dashboard.address import map_csv, strongest_file
from bi2scope.dashboard.client import Cut, quoted
from bi2scope.dashboard.components import Parts, aria, graph
from bi2scope.dashboard.controls import csv_link
from bi2scope.dashboard.figures.pairs import HEIGHT
from bi2scope.dashboard.links import FOUR, SIGNED, THREE, WHOLE, grid, number, text
from bi2scope.server.wire import ChromosomeSpan
from bi2scope.server.wire_genes import RegionPairs

MOST_PAIRS = 20_000
"""Pairs of a chromosome that the matrix is made of at most, those linked in most cells."""

MOST_LISTED = 1_000

COLUMNS = [
    text("gene_name", "Gene", minWidth=90, cellClass="opens", headerTooltip="A click shows the pair"),
    text("peak", "Peak", minWidth=190, flex=2, cellClass="opens"),
    number("distance", "To TSS (bp)", SIGNED, minWidth=110, headerTooltip="Negative is upstream of the gene"),
    number("n_cells", "Cells", WHOLE, minWidth=66, headerTooltip="Cells of the type with the link"),
    number("n_both", "Of", WHOLE, minWidth=60, headerTooltip="Cells of the type with a count of both"),
    number("share", "Share", THREE, minWidth=70, headerTooltip="Cells / of"),
    number("score", "Score", FOUR, minWidth=74, headerTooltip="Mean over the cells with the link"),
    number("weight", "Weight", FOUR, minWidth=78, headerTooltip="Mean of the model's pruned attention over these"),
]


def side(chromosomes: Sequence[ChromosomeSpan], chosen: str | None) -> Parts:
    """Controls: which chromosome."""
    names = [span.name for span in chromosomes if span.gene_stop > span.gene_start and span.peak_stop > span.peak_start]
    return [
        dmc.Select(
            id=ids.MAP_CHROMOSOME,
            label="Chromosome",
            data=names,
            value=chosen if chosen in names else next(iter(names), None),
            allowDeselect=False,
            searchable=True,
            nothingFoundMessage="No such chromosome",
            size="sm",
        ),
        html.P("Threshold and k do not cut this map: it counts all stored links.", className="caption"),
        html.Div(id=ids.PAIRS_FILE),
    ]


def panel() -> Parts:
    """Matrix and table."""
    return [
        html.H2("Regulatory map", id=ids.PAIRS_TITLE),
        html.P("Fetching the pairs …", id=ids.PAIRS_CAPTION, className="caption"),
        html.Div(id=ids.PAIRS_NOTICE),
        html.Div(
            [
                html.Div(
                    [
                        graph(ids.PAIRS_MAP, "regulatory-map", style={"height": HEIGHT}, clear_on_unhover=True),
                        dcc.Tooltip(id=ids.PAIRS_TOOLTIP, className="tip"),
                    ],
                    className="figure-box",
                ),
                html.Section(
                    [html.H3("Linked in most cells first"), grid(ids.PAIRS_TABLE, COLUMNS)],
                    **aria(label="Pairs of gene and peak"),
                ),
            ],
            className="map-and-table",
        ),
        dcc.Store(id=ids.PAIRS_DRAWN),
        dcc.Store(id=ids.PAIRS_WINDOW),
    ]


def title(body: RegionPairs) -> str:
    """Whose map of what."""
    return f"Regulatory map of {body.cell_type}, {body.region}"


def caption(body: RegionPairs, k_max: int) -> Parts:
    """What the map shows, over what, and what is not on it."""
    shown = f", the {len(body.pairs.peak):,} linked in most cells are drawn" if body.limited else ""
    cut = f" Only the {k_max} best links of each gene were stored." if body.truncated else ""
    return [
        f"{body.n_pairs:,} pairs of a gene and a peak that are linked in {body.least_cells:,} or more of "
        f"{body.n_cells:,} cells{shown}. Colour: the share of all cells with the link, the highest of each square; it "
        f"grows with expression and accessibility, so the table adds of how many cells with both. The dotted "
        f"diagonal is at the TSS.{cut} Drag to zoom in, a double click shows all; a click opens the pair."
    ]


def nothing_there(body: RegionPairs) -> dmc.Alert | None:
    """A sentence where no pair is on the map."""
    if body.n_pairs:
        return None
    return dmc.Alert(
        "Choose another chromosome or cell type.",
        title=f"No pair of {body.region} is linked in {body.least_cells} or more cells of {body.cell_type}.",
        color="orange",
        variant="light",
    )


def rows(body: RegionPairs) -> list[dict[str, Any]]:
    """The first rows of the table, in the order of the service."""
    pairs = body.pairs
    columns = zip(
        pairs.gene_id, pairs.gene_name, pairs.gene_tss, pairs.peak, pairs.distance_to_tss, pairs.n_cells, pairs.n_both,
        pairs.mean_score, pairs.mean_weight, strict=True,
    )  # fmt: skip
    names = ("gene_id", "gene_name", "tss", "peak", "distance", "n_cells", "n_both", "score", "weight")
    listed = [dict(zip(names, values, strict=True)) for values in list(columns)[:MOST_LISTED]]
    return [row | {"share": row["n_cells"] / max(row["n_both"], 1)} for row in listed]


def files(cell_type: str, chromosome: str, cut: Cut, public_api: str) -> Parts:
    """Downloads: what the table lists, and all pairs of the chromosome."""
    listed = strongest_file(f"celltypes/{quoted(cell_type)}", chromosome, cut, MOST_LISTED, "csv", public_api)
    return [
        csv_link("Download listed pairs CSV", href=listed),
        csv_link(f"Download all of {chromosome} CSV", href=map_csv(cell_type, chromosome, cut, public_api)),
    ]
