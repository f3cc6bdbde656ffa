"""Cell view: one cell's gene x peak map, its links as numbers and as a table."""

from __future__ import annotations

from collections.abc import Sequence

import dash_ag_grid as dag
import dash_mantine_components as dmc
from dash import dcc, html

from bi2scope.dashboard import ids
from bi2scope.dashboard.comparison import Beside, beside_controls
from bi2scope.dashboard.components import Parts, aria, graph, with_files
from bi2scope.dashboard.controls import csv_link
from bi2scope.dashboard.figures.colours import QUANTITIES, SCORES, Colours
from bi2scope.dashboard.figures.embedding import drawn_note
from bi2scope.dashboard.figures.heatmap import HEIGHT
from bi2scope.dashboard.links import GRID_OPTIONS, LINK_COLUMNS, grid
from bi2scope.dashboard.row import row_part
from bi2scope.server.wire import CellSummary, CellTypeSummary, Embedding, LinkTable
from bi2scope.server.wire_profile import LinkProfile

ALL_TYPES = ""

EMBEDDING_HEIGHT = 290
MOST_PICKED = 4_000
"""Cells of the small embedding, whose points would cover one another."""

MAP_HEIGHT = f"clamp({HEIGHT}px, calc(100vh - 260px), 860px)"
"""The map grows with the window."""


def side(
    types: Sequence[CellTypeSummary], cells: Sequence[CellSummary], chosen: str | None, only: str = ALL_TYPES
) -> Parts:
    """Controls of the view: type, barcode, previous and next, the embedding."""
    return [
        dmc.Select(
            id=ids.CELL_TYPE_FILTER,
            label="Cell type",
            data=type_options(types),
            value=only if any(kind.name == only for kind in types) else ALL_TYPES,
            allowDeselect=False,
            size="sm",
        ),
        dmc.Select(
            id=ids.CELL,
            label="Cell (barcode)",
            data=cell_options(cells, chosen),
            value=chosen,
            searchable=True,
            allowDeselect=False,
            nothingFoundMessage="No barcode begins so",
            placeholder="Type the first letters",
            size="sm",
        ),
        html.Div(
            [
                dmc.Button("‹ Previous", id=ids.PREVIOUS, variant="default", size="xs"),
                dmc.Button("Next ›", id=ids.NEXT, variant="default", size="xs"),
            ],
            className="pager",
        ),
        html.Div(
            [
                dmc.Text(
                    ["Click a cell to open it. ", drawn_note(sum(kind.n_cells for kind in types), MOST_PICKED)],
                    size="xs",
                    c="dimmed",
                ),
                graph(ids.EMBEDDING, "cells", mode_bar=False, style={"height": EMBEDDING_HEIGHT}),
                dcc.Store(id=ids.EMBEDDING_DRAWN),
                html.Div(id=ids.EMBEDDING_NOTICE),
            ]
        ),
    ]


def panel(
    colours: Colours = SCORES, beside: Beside = "alone", other: str | None = None, link: str | None = None
) -> Parts:
    """The main part: numbers, the map, the table."""
    return [
        html.Div(id=ids.CELL_NOTICE),
        html.Div(
            [
                html.Div(id=ids.CELL_TITLE, className="cell-title"),
                html.Div(id=ids.CELL_NUMBERS, className="numbers", **aria(live="polite")),
            ],
            className="cell-head",
        ),
        html.Div(
            [
                html.Section(
                    [
                        html.Div(id=ids.HEATMAP_NOTICE),
                        dmc.Group(
                            [beside_controls(beside, other), colouring_control(colours)], justify="space-between", gap=6
                        ),
                        html.Div(
                            [
                                the_map(),
                                html.Div(id=ids.TOOLTIP, className="tip map-tip", role="tooltip", hidden=True),
                            ],
                            className="figure-box",
                        ),
                        html.P(id=ids.HEATMAP_CAPTION, className="caption"),
                        dcc.Store(id=ids.MAP_WANTED),
                        dcc.Store(id=ids.CELL_SEEN),
                    ],
                    **aria(label="Gene by peak map"),
                ),
                html.Section(
                    [
                        dmc.Group(
                            [html.H3("Links"), csv_link("Download links CSV", ids.LINKS_CSV)],
                            justify="space-between",
                            mb=6,
                        ),
                        row_part(link),
                        html.Div(id=ids.LINKS_NOTICE),
                        link_grid(),
                        dcc.Store(id=ids.LINK_COLUMNS),
                    ],
                    **aria(label="Links"),
                ),
            ],
            className="map-and-table",
        ),
    ]


def colouring_control(chosen: Colours) -> dmc.Group:
    """What the map's colour stands for, on which scale. Scores saturate near 1; logits go on telling links apart."""
    choice = dmc.SegmentedControl(
        id=ids.COLOURING,
        data=[{"value": value, "label": value.capitalize()} for value in QUANTITIES],
        value=chosen.quantity,
        size="xs",
        **aria(label="Colour of the map"),
    )
    scale = dmc.SegmentedControl(
        id=ids.SCALE,
        data=[{"value": "linear", "label": "Linear"}, {"value": "log", "label": "Log"}],
        value=chosen.scale,
        size="xs",
        **aria(label="Scale of the colours"),
    )
    return dmc.Group([dmc.Text("Colour", size="sm", c="dimmed"), choice, scale], gap="xs", justify="flex-end")


def link_grid() -> dag.AgGrid:
    """The empty table; a click chooses a link."""
    made = grid(ids.LINKS, LINK_COLUMNS, "as-map")
    made.dashGridOptions = GRID_OPTIONS | {
        "rowSelection": {"mode": "singleRow", "checkboxes": False, "enableClickSelection": True}
    }
    return made


def the_map() -> html.Div:
    """The place of the map, which ``assets/map.js`` draws: Dash's own graph would hold each figure once more."""
    return with_files(html.Div(id=ids.HEATMAP, style={"height": MAP_HEIGHT}), ids.HEATMAP, "gene-peak-map")


def type_options(types: Sequence[CellTypeSummary]) -> list[dict[str, str]]:
    """Cell types to keep to, with their sizes, after "all"."""
    total = sum(kind.n_cells for kind in types)
    named = [{"value": kind.name, "label": f"{kind.name} ({kind.n_cells:,})"} for kind in types]
    return [{"value": ALL_TYPES, "label": f"All ({total:,})"}, *named]


def cell_options(cells: Sequence[CellSummary], chosen: str | None) -> list[dict[str, str]]:
    """Barcodes to choose from; the chosen one is always among them, or it could not be shown."""
    names = [cell.cell_id for cell in cells]
    if chosen is not None and chosen not in names:
        names.insert(0, chosen)
    return [{"value": name, "label": name} for name in names]


def neighbour(embedding: Embedding, cell_id: str | None, cell_type: str, step: int) -> str | None:
    """The next (``step`` 1) or previous (-1) cell, round and round.

    Parameters
    ----------
    cell_type
        Keep to this type; :data:`ALL_TYPES` keeps to the type of the cell itself.
    """
    kinds = dict(zip(embedding.cell_id, embedding.cell_type, strict=True))
    wanted = cell_type or kinds.get(cell_id or "", "")
    names = [name for name, kind in kinds.items() if kind == wanted]
    if not names:
        return cell_id
    if cell_id not in names:
        return names[0]
    return names[(names.index(cell_id) + step) % len(names)]


def within_type(embedding: Embedding, cell_id: str | None, cell_type: str) -> str | None:
    """The cell itself when it is of the type (or any type will do), else the type's first cell."""
    kinds = dict(zip(embedding.cell_id, embedding.cell_type, strict=True))
    if cell_type == ALL_TYPES or kinds.get(cell_id or "") == cell_type:
        return cell_id
    return next((name for name, kind in kinds.items() if kind == cell_type), cell_id)


def cell_title(profile: LinkProfile) -> list[html.H2 | html.Span]:
    """The cell's barcode and type."""
    return [html.H2(profile.cell_id), html.Span(profile.cell_type, className="kind")]


def cell_numbers(profile: LinkProfile) -> list[html.Div]:
    """How many links survive, over how many genes."""
    linked = profile.n_genes - profile.n_without
    per_gene = profile.n_links / linked if linked else 0.0
    share = linked / profile.n_genes if profile.n_genes else 0.0
    return [
        tile(f"{profile.n_links:,}", "links", "n-links"),
        tile(
            f"{linked:,} / {profile.n_genes:,}",
            f"genes with a link / expressed ({100 * share:.0f} %)",
            "n-genes-linked",
        ),
        tile(f"{per_gene:.1f}", "links per gene that has one", "links-per-gene"),
    ]


def tile(value: str, meaning: str, name: str) -> html.Div:
    """One number and what it is."""
    return html.Div([html.B(value, id=name), html.Span(meaning)], className="number")


def limited_note(table: LinkTable) -> dmc.Text | None:
    """What the table leaves out, when it leaves out something."""
    if not table.limited:
        return None
    return dmc.Text(
        f"The table shows the first {len(table.links.rank):,} of {table.n_links:,} links, in genome order; "
        "the CSV has all of them.",
        size="sm",
        c="dimmed",
        mb=6,
    )
