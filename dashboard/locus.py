"""Gene / locus view: the links of a gene, or around a place, on the genome; one link taken apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dash_ag_grid as dag
import dash_mantine_components as dmc
from dash import dcc, html

from bi2scope.dashboard import ids
from bi2scope.dashboard.address import Shown, gene_links_file, gene_peaks_file, strongest_file
from bi2scope.dashboard.arcs import MOST_LISTED, Arc, Arcs, Place, Sight
from bi2scope.dashboard.cell import cell_options
from bi2scope.dashboard.client import Cut, quoted
from bi2scope.dashboard.components import Parts, aria, graph, with_files
from bi2scope.dashboard.controls import QUANTITY_LABELS, csv_link, segments, truncated_note
from bi2scope.dashboard.figures.locus import QUANTITIES, height_title
from bi2scope.dashboard.figures.style import graph_config
from bi2scope.dashboard.figures.why import TERMS
from bi2scope.dashboard.links import FOUR, GRID_OPTIONS, SIGNED, THREE, WHOLE, grid, number, text
from bi2scope.server.wire import CellSummary, CellTypeSummary
from bi2scope.server.wire_genes import GeneNames, PeakNames, Why

MOST_BESIDE = 3
MOST_TRACKS = 6

MOVES = {
    "left": ("◀", "Move left (left arrow)"),
    "right": ("▶", "Move right (right arrow)"),
    "in": ("+", "Zoom in (+)"),
    "out": ("−", "Zoom out (-)"),
    "gene": ("Gene", "Back to the gene and its nearest links"),
    "all": ("All links", "A window that holds all links listed"),
    "chromosome": ("Chromosome", "The whole chromosome"),
}
"""The buttons above the figure: what stands on each, and what it does."""

COLUMNS = [
    text("gene_name", "Gene", minWidth=76),
    text("peak", "Peak", minWidth=196, flex=2),
    number("distance", "To TSS (bp)", SIGNED, minWidth=104, headerTooltip="To the middle; negative is upstream"),
    number("n_cells", "Cells", WHOLE, minWidth=58, headerTooltip="Cells with the link"),
    number(
        "out_of", "Of", WHOLE, minWidth=54, headerTooltip="Cells that express the gene (in a window: that have both)"
    ),
    number("share", "Share", THREE, minWidth=62, headerTooltip="Cells / of"),
    number("score", "Score", FOUR, minWidth=66, headerTooltip="Mean over the cells with the link, as all that follow"),
    number("logit", "Logit", THREE, minWidth=64),
    number("rank", "Rank", {"function": "params.value == null ? '' : d3.format('.1f')(params.value)"}, minWidth=58),
    number("weight", "Weight", FOUR, minWidth=70, headerTooltip="The model's pruned attention"),
]


def side(types: Sequence[CellTypeSummary], shown: Shown, cells: Sequence[CellSummary]) -> Parts:
    """Controls of the view: what to look for, whose links, which tracks."""
    names = [kind.name for kind in types]
    known = [name for name in shown.cell_types if name in names]
    options = [{"value": kind.name, "label": f"{kind.name} ({kind.n_cells:,})"} for kind in types]
    of_cell = shown.view == "locus" and shown.cell is not None
    chosen = shown.cell if of_cell else None
    return [
        dmc.Select(
            id=ids.LOCUS_FIND,
            label="Gene, peak or place",
            placeholder="SPI1, chr1:1,000-2,000",
            data=[found_option(f"gene:{shown.locus.gene}", shown.locus.gene)] if shown.locus.gene else [],
            value=f"gene:{shown.locus.gene}" if shown.locus.gene else None,
            searchable=True,
            clearable=True,
            nothingFoundMessage="Nothing begins so",
            size="sm",
        ),
        dmc.Select(
            id=ids.LOCUS_TYPE,
            label="Cell type",
            data=options,
            value=known[0] if known else next(iter(names), None),
            allowDeselect=False,
            size="sm",
        ),
        html.Div(
            [
                dmc.Text("Links of", size="sm", fw=600, mb=4),
                dmc.SegmentedControl(
                    id=ids.LOCUS_MODE,
                    data=[{"value": "type", "label": "All its cells"}, {"value": "cell", "label": "One cell"}],
                    value="cell" if of_cell else "type",
                    fullWidth=True,
                    size="xs",
                    **aria(label="Links of"),
                ),
            ],
            className="control",
        ),
        html.Div(
            dmc.Select(
                id=ids.LOCUS_CELL,
                label="Cell (barcode)",
                data=cell_options(cells if of_cell else [], chosen),
                value=chosen,
                searchable=True,
                allowDeselect=False,
                nothingFoundMessage="No barcode of the type begins so",
                size="sm",
            ),
            id=ids.LOCUS_CELL_BOX,
            style={"display": "block" if of_cell else "none"},
        ),
        segments(ids.LOCUS_HEIGHT, "Height of arcs", HEIGHT_LABELS, shown.locus.height),
        segments(ids.LOCUS_QUANTITY, "Track of peaks", QUANTITY_LABELS, shown.locus.quantity),
        dmc.MultiSelect(
            id=ids.LOCUS_BESIDE,
            label="Tracks of other cell types",
            data=options,
            value=known[1 : 1 + MOST_BESIDE],
            maxValues=MOST_BESIDE,
            size="sm",
        ),
        dmc.MultiSelect(
            id=ids.LOCUS_TFS,
            label="TF-binding tracks",
            description="Those that the service holds",
            data=[{"value": track, "label": track} for track in shown.locus.tracks],
            value=list(shown.locus.tracks),
            maxValues=MOST_TRACKS,
            searchable=True,
            nothingFoundMessage="The service holds none: bi2scope serve --tracks",
            size="sm",
        ),
    ]


HEIGHT_LABELS = {"share": "Cells", "score": "Score", "logit": "Logit", "distance": "Distance"}


def panel(shown: Shown) -> Parts:
    """The main part: the genome track, the table, one link taken apart."""
    asked = {"gene": shown.locus.gene, "region": shown.locus.region}
    return [
        html.Div([html.H2("Gene / locus", id=ids.LOCUS_TITLE), toolbar()], className="locus-head"),
        html.Div(id=ids.LOCUS_NOTE, className="locus-note", **aria(live="polite")),
        html.Div(id=ids.LOCUS_NOTICE),
        html.Div(
            [
                graph(ids.LOCUS_FIGURE, "genome-track", clear_on_unhover=True),
                dcc.Tooltip(id=ids.LOCUS_TOOLTIP, className="tip"),
            ],
            id=ids.LOCUS_KEYS,
            className="figure-box locus-figure",
            tabIndex="0",
            role="group",
            **aria(label="Genome track. Arrow keys move, plus and minus zoom."),
        ),
        html.P(id=ids.LOCUS_CAPTION, className="caption"),
        html.Div(
            [
                html.Section(
                    [
                        html.Div(
                            [
                                html.H3("Links", id=ids.LOCUS_TABLE_TITLE),
                                html.Div(id=ids.LOCUS_FILES, className="files"),
                            ],
                            className="table-head",
                        ),
                        table(),
                    ],
                    **aria(label="Links"),
                ),
                html.Section(
                    [html.Div(id=ids.LOCUS_WHY_NOTICE), html.Div(why_hint(), id=ids.LOCUS_WHY)],
                    **aria(label="Why this link", live="polite"),
                ),
            ],
            className="locus-below",
        ),
        dcc.Store(id=ids.LOCUS_ASKED, data=asked),
        dcc.Store(id=ids.LOCUS_SHOWN),
        dcc.Store(id=ids.LOCUS_PAYLOAD),
        dcc.Store(id=ids.LOCUS_CHOSEN),
    ]


def toolbar() -> html.Div:
    """Buttons that move the window, and its place as text."""
    buttons = [
        dmc.Button(
            label, id=ids.LOCUS_MOVES[move], variant="default", size="xs", px=10, **aria(label=meaning),
            attributes={"root": {"title": meaning}},
        )
        for move, (label, meaning) in MOVES.items()
    ]  # fmt: skip
    place = dmc.TextInput(
        id=ids.LOCUS_PLACE, size="xs", w=230, debounce=True, placeholder="chr1:1,000-2,000",
        **aria(label="Place in the window; Enter goes there"),
    )  # fmt: skip
    return html.Div(
        [place, *buttons], id=ids.LOCUS_BUTTONS, className="locus-bar", role="toolbar", **aria(label="Window")
    )


def table() -> dag.AgGrid:
    """The empty table of links; one row can be chosen."""
    made = grid(ids.LOCUS_TABLE, COLUMNS, "locus-table")
    made.dashGridOptions = {
        **GRID_OPTIONS,
        "rowSelection": {"mode": "singleRow", "checkboxes": False, "enableClickSelection": True},
    }
    made.getRowId = "params.data.key"
    return made


def found_option(value: str, label: str) -> dict[str, str]:
    """Something that can be looked for."""
    return {"value": value, "label": label}


def found_options(typed: str, genes: GeneNames | None, peaks: PeakNames | None) -> list[dict[str, str]]:
    """What is offered for what was typed: the place itself, genes, peaks."""
    options = []
    if place_like(typed):
        options.append(found_option(f"place:{typed}", f"{typed} (go there)"))
    if genes is not None:
        names = zip(genes.genes.gene_id, genes.genes.gene_name, strict=True)
        options += [found_option(f"gene:{gene}", name if gene == name else f"{name} ({gene})") for gene, name in names]
    if peaks is not None:
        options += [found_option(f"peak:{peak}", f"{peak} (peak)") for peak in peaks.peaks.peak]
    return options


def place_like(typed: str) -> bool:
    """Whether a text is a whole place, such as ``chr1:1,000-2,000``."""
    chromosome, _, bases = typed.partition(":")
    start, _, end = bases.replace(",", "").replace(" ", "").partition("-")
    return bool(chromosome) and start.isdigit() and end.isdigit() and int(start) < int(end)


def table_rows(rows: Sequence[Arc]) -> list[dict[str, Any]]:
    """Rows of the table; ``key`` names a row, and its place in the list is the arc's."""
    return [
        {
            "key": f"{arc.gene_id}|{arc.peak}", "gene_id": arc.gene_id, "gene_name": arc.gene_name, "peak": arc.peak,
            "distance": arc.distance, "n_cells": arc.n_cells, "out_of": arc.out_of, "share": arc.share,
            "score": arc.score, "logit": arc.logit, "rank": arc.rank, "weight": arc.weight, "cell_id": arc.cell_id,
        }
        for arc in rows
    ]  # fmt: skip


def title(window: Place, gene: str | None, of: str) -> str:
    """What is on the screen."""
    return f"{gene} in {of}" if gene else f"{window.chrom}, {of}"


def note(arcs: Arcs, sight: Sight, gene: str | None, *, elsewhere: bool, k_max: int) -> Parts:
    """How many links there are, how many the window shows and leaves out."""
    parts: Parts = [html.Span(counted(arcs, gene))]
    if elsewhere:
        parts.append(html.Span(f"{gene} lies on another chromosome than this window; “Gene” goes back to it."))
    elif arcs.rows:
        away = len(arcs.rows) - sight.n_inside - sight.n_leaving
        beyond = f", {away:,} lie wholly outside" if away and gene else ""
        out = "; “All links” zooms out to them" if gene and (sight.n_leaving or away) else ""
        parts.append(
            html.Span(
                f"In this window {strongest(len(sight.inside), sight.n_inside)}; "
                f"{strongest(len(sight.leaving), sight.n_leaving)} leave it{beyond}{out}."
            )
        )
    if arcs.truncated:
        parts.append(truncated_note(k_max))
    return parts


def strongest(drawn: int, there: int) -> str:
    """How many there are, and how many of them are drawn when not all are."""
    return f"{there:,}" if drawn == there else f"{there:,} (the strongest {drawn:,} drawn)"


def counted(arcs: Arcs, gene: str | None) -> str:
    """How many links there are, over how many cells."""
    limited = f", the strongest {len(arcs.rows):,} listed" if arcs.limited else ""
    if arcs.over == "gene":
        return (
            f"{arcs.n_pairs:,} linked peaks{limited}, over {arcs.n_expressing or 0:,} expressing of "
            f"{arcs.n_cells:,} cells."
        )
    if arcs.over == "map":
        return (
            f"{arcs.n_pairs:,} linked pairs with an end here{limited}: all stored links in {arcs.least_cells} cells or "
            "more, whatever threshold and k. Choose a gene for links under the sliders."
        )
    return f"{arcs.n_pairs:,} links {'of the gene' if gene else 'with an end here'}{limited}, in one cell."


def caption(arcs: Arcs, height: Any, quantity: Any) -> str:
    """What the figure shows."""
    what = height_title(height, arcs.over)
    lift = " Lift is the sum of scores over what accessibility alone predicts." if quantity == "lift" else ""
    return (
        f"Arcs join a TSS to the peaks it attends to. Height: {what[0].lower()}{what[1:]}; colour: "
        f"{'score' if arcs.over == 'cell' else 'mean score'}; dotted: one end lies outside the window. Tracks: "
        f"share of open cells and {QUANTITIES[quantity].lower()} of each peak, on one scale for all types.{lift} "
        "Drag or arrow keys move, wheel or + and − zoom, a click on a gene shows its links."
    )


def table_title(arcs: Arcs, gene: str | None) -> str:
    """Title of the table."""
    first = f"{len(arcs.rows):,} strongest of {arcs.n_pairs:,}" if arcs.limited else f"{arcs.n_pairs:,}"
    return f"Links of {gene} ({first})" if gene else f"Links around the window ({first})"


def files(of: tuple[str, str | None], gene: str | None, window: Place, cut: Cut, public_api: str) -> list[html.A]:
    """Downloads of what the table lists.

    Parameters
    ----------
    of
        Cell type, and the cell where only its links are shown.
    """
    kind, cell_id = of
    whose = f"cells/{quoted(cell_id)}" if cell_id else f"celltypes/{quoted(kind)}"

    def address(form: str) -> str:
        if gene and cell_id:
            return gene_links_file(cell_id, gene, cut, form, public_api)
        if gene:
            return gene_peaks_file(kind, gene, cut, form, public_api)
        return strongest_file(whose, window.text, cut, MOST_LISTED, form, public_api)

    return [csv_link(form.upper(), href=address(form)) for form in ("csv", "bedpe")]


def why_hint() -> html.P:
    """What stands there before a link was chosen."""
    return html.P("Click an arc or a row to see why the gene attends to the peak.", className="caption")


def why_panel(why: Why, figure: Any, of_best: bool, n_cells: int) -> Parts:
    """One link taken apart: counts, score, rank, the terms of its logit, its rivals."""
    where = f", where its logit is highest of {n_cells:,} cells" if of_best and n_cells > 1 else ""
    terms = ", ".join(f"{meaning} {round(getattr(why, name), 2) + 0.0:+.2f}" for name, meaning in TERMS.items())
    config: Any = graph_config()
    counts = "" if why.counts == "raw" else f" (read as {why.counts})"
    return [
        html.H3(f"Why {why.gene_name} – {why.peak}"),
        html.P(f"In {why.cell_id} ({why.cell_type}){where}.", className="caption"),
        html.Div(
            [
                figure_of(f"{why.score:.4f}", "score"),
                figure_of(f"{why.logit:.2f}", "logit"),
                figure_of(f"{why.rank:,} of {why.n_candidates:,}", f"rank; {why.n_above:,} above 0"),
                figure_of(f"{why.gene_count:g} / {why.peak_count:g}", f"counts, RNA / ATAC{counts}"),
                figure_of(f"{why.distance_to_tss:+,}", "bp to the TSS"),
            ],
            className="numbers",
        ),
        with_files(dcc.Graph(figure=figure, config=config), "why", "why-this-link"),
        html.P(
            f"Logit {why.logit:.2f} = {terms}. Pale bars: the peaks beside it in the gene's row.", className="caption"
        ),
    ]


def figure_of(value: str, meaning: str) -> html.Div:
    """One number and what it is."""
    return html.Div([html.B(value), html.Span(meaning)], className="number")
