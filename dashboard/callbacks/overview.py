"""Callbacks of the overview."""

from __future__ import annotations

from typing import Any

from dash import Dash, Input, Output, State, ctx, no_update
from dash.exceptions import PreventUpdate
from plotly.graph_objects import Figure

from bi2scope.dashboard import chosen, ids, overview
from bi2scope.dashboard.callbacks.page import in_browser, require_view
from bi2scope.dashboard.client import Client, ClientError
from bi2scope.dashboard.contrast import MOST_POINTS
from bi2scope.dashboard.controls import cut_of
from bi2scope.dashboard.figures.embedding import MOST_DRAWN, coloured_figure, drawn_note, embedding_figure, to_choose
from bi2scope.dashboard.figures.style import Scheme
from bi2scope.dashboard.figures.training import training_figure
from bi2scope.dashboard.nearest import TssShelf
from bi2scope.dashboard.notices import or_notice
from bi2scope.server.wire import Embedding

MOST_CELLS = 200_000
"""Cells that are asked for at most."""


async def coloured(client: Client, embedding: Embedding, by: str, scheme: Scheme) -> tuple[Figure, str]:
    """The cells coloured as asked, and what is said of the colour.

    Raises
    ------
    ClientError
        If the store has no such number, or no such gene.
    """
    kind, _, name = by.partition(":")
    if kind == "gene":
        counts = await client.gene_counts(name)
        n, of = counts.n_cells_expressing, len(counts.cells.count)
        said = f" {counts.gene_name}: {n:,} of {of:,} cells have a count; counts are not divided by depth."
        title = f"{counts.gene_name}, RNA counts"
        seen = [count or None for count in counts.cells.count]
        return coloured_figure(embedding, seen, title, scheme, height=None, absent="no count"), said
    if kind == "quality":
        quality = [one.quality or {} for one in (await client.cells(limit=MOST_CELLS, quality=True)).cells]
        if not quality or name not in quality[0]:
            raise ClientError(f"The store has no number “{name[:80]}” of the cells.", "Choose another colour.")
        values = [one.get(name) for one in quality]
        return coloured_figure(embedding, values, overview.quality_label(name), scheme, height=None), ""
    types = [each.name for each in (await client.dataset()).cell_types]
    return embedding_figure(embedding, scheme, types=types, height=None), ""


def register(app: Dash, client: Client) -> None:
    """Add the callbacks to the app."""
    register_cells(app, client)
    register_chosen(app, client)


def register_cells(app: Dash, client: Client) -> None:
    """The embedding in its colours, and the training curves."""

    @app.callback(
        Output(ids.OVERVIEW_EMBEDDING, "figure"),
        Output(ids.CURVES, "figure"),
        Output(ids.EMBEDDING_METHOD, "children"),
        Output(ids.OVERVIEW_NOTICE, "children"),
        Input(ids.SCHEME, "data"),
        Input(ids.VIEW, "value"),
        Input(ids.COLOUR_CELLS, "value"),
    )
    @or_notice(3)
    async def draw(scheme: Scheme, view: str, by: str | None) -> Any:
        require_view(view, "overview", by)
        assert by is not None
        dataset, embedding = await client.dataset(), await client.embedding()
        figure, said = await coloured(client, embedding, by, scheme)
        known = dataset.training is None or ctx.triggered_id == ids.COLOUR_CELLS
        curves = no_update if known or dataset.training is None else training_figure(dataset.training, scheme)
        note = drawn_note(len(embedding.cell_id), MOST_DRAWN)
        return to_choose(figure), curves, " ".join(filter(None, (f"{embedding.method}.{said}", note)))

    @app.callback(
        Output(ids.COLOUR_CELLS, "data"),
        Input(ids.COLOUR_CELLS, "searchValue"),
        Input(ids.VIEW, "value"),
        State(ids.COLOUR_CELLS, "value"),
    )
    async def offer(typed: str | None, view: str, by: str) -> Any:
        require_view(view, "overview")
        names = list(next(iter((await client.cells(limit=1, quality=True)).cells)).quality or {})
        labels = {overview.quality_label(name) for name in names} | {"Cell type"}
        search = "" if typed in labels else (typed or "").strip()
        found = (await client.genes(search, limit=20)).genes if search else None
        genes = list(zip(found.gene_id, found.gene_name, strict=True)) if found else []
        return overview.colour_options(names, genes, by or "type")

    in_browser(app, "openCell", Input(ids.OVERVIEW_EMBEDDING, "clickData"), prevent_initial_call=True)


def register_chosen(app: Dash, client: Client) -> None:
    """Cells that the lasso went round."""
    genes = TssShelf(client)
    in_browser(
        app,
        "chosenCells",
        Output(ids.CHOSEN_CELLS, "data"),
        Input(ids.OVERVIEW_EMBEDDING, "selectedData"),
        prevent_initial_call=True,
    )

    @app.callback(
        Output(ids.CHOSEN, "children"),
        Output(ids.CHOSEN_TABLE, "rowData"),
        Output(ids.CHOSEN_BOX, "style"),
        Output(ids.CHOSEN_NOTICE, "children"),
        Input(ids.CHOSEN_CELLS, "data"),
        State(ids.CUT_SETTLED, "data"),
        prevent_initial_call=True,
    )
    @or_notice(3, instead=(chosen.HINT, [], {"display": "none"}))
    async def describe(cells: list[str] | None, cut_given: dict[str, Any]) -> Any:
        hidden = {"display": "none"}
        if not cells:
            return chosen.HINT, [], hidden
        dataset, embedding = await client.dataset(), await client.embedding()
        if not chosen.comparable(len(cells), dataset.n_cells):
            return chosen.few(len(cells), dataset.n_cells), [], hidden
        cut = cut_of(cut_given)
        scores = await client.chosen_scores(cells, cut)
        body = await client.chosen_difference(cells, cut, limit=MOST_POINTS)
        tss = await genes.of(dataset.dataset_digest)
        said = chosen.summary(chosen.types_of(cells, embedding), scores, body)
        return said, chosen.table(body, tss), {"display": "block"}

    @app.callback(
        Output(ids.CHOSEN_FILE, "data"),
        Output(ids.CHOSEN_NOTICE, "children", allow_duplicate=True),
        Input(ids.CHOSEN_BARCODES, "n_clicks"),
        Input(ids.CHOSEN_PEAKS, "n_clicks"),
        State(ids.CHOSEN_CELLS, "data"),
        State(ids.CUT_SETTLED, "data"),
        prevent_initial_call=True,
    )
    @or_notice(1)
    async def save(_barcodes: int, _peaks: int, cells: list[str] | None, cut_given: dict[str, Any]) -> Any:
        if not cells or not ctx.triggered_id:
            raise PreventUpdate
        if ctx.triggered_id == ids.CHOSEN_PEAKS:
            return ({"content": await client.chosen_csv(cells, cut_of(cut_given)), "filename": "chosen_peaks.csv"},)
        content = chosen.barcodes_csv(cells, await client.embedding(), await client.dataset())
        return ({"content": content, "filename": "chosen_cells.csv"},)

    in_browser(
        app,
        "openFirst",
        Input(ids.CHOSEN_FIRST, "n_clicks"),
        State(ids.CHOSEN_CELLS, "data"),
        prevent_initial_call=True,
    )
    in_browser(
        app,
        "openRow",
        Input(ids.CHOSEN_TABLE, "cellClicked"),
        State(ids.CHOSEN_TABLE, "virtualRowData"),
        State(ids.KIND, "value", allow_optional=True),
        prevent_initial_call=True,
    )
