"""Callbacks of the cell view."""

from __future__ import annotations

import asyncio
from typing import Any

from dash import Dash, Input, Output, State, ctx
from dash.exceptions import PreventUpdate

from bi2scope.dashboard import cell, ids, row
from bi2scope.dashboard.callbacks.page import in_browser
from bi2scope.dashboard.client import Client, Cut
from bi2scope.dashboard.controls import cut_of
from bi2scope.dashboard.figures.embedding import embedding_figure, ring_patch
from bi2scope.dashboard.figures.row import row_figure
from bi2scope.dashboard.figures.style import Scheme
from bi2scope.dashboard.links import link_columns
from bi2scope.dashboard.notices import or_instead, or_notice
from bi2scope.dashboard.settings import Settings

STEPS = {ids.PREVIOUS: -1, ids.NEXT: 1}


def register(app: Dash, client: Client, settings: Settings) -> None:
    """Add the callbacks to the app."""
    register_picking(app, client, settings)
    register_table(app, client, settings)


def register_picking(app: Dash, client: Client, settings: Settings) -> None:
    """Choose a cell: by type, by the beginning of its barcode, in the embedding, one on, one back."""

    @app.callback(
        Output(ids.CELL, "data"),
        Output(ids.CELL, "value"),
        Output(ids.CELL_NOTICE, "children"),
        Input(ids.CELL_TYPE_FILTER, "value"),
        Input(ids.EMBEDDING, "clickData"),
        Input(ids.PREVIOUS, "n_clicks"),
        Input(ids.NEXT, "n_clicks"),
        State(ids.CELL, "value"),
        prevent_initial_call=True,
    )
    @or_notice(2)
    async def pick(cell_type: str, clicked: dict[str, Any] | None, _back: int, _on: int, chosen: str) -> Any:
        page, embedding = await asyncio.gather(
            client.cells(cell_type=cell_type or None, limit=settings.cells_listed), client.embedding()
        )
        if ctx.triggered_id == ids.EMBEDDING and clicked:
            picked: str | None = clicked["points"][0]["customdata"]
        elif ctx.triggered_id in STEPS:
            picked = cell.neighbour(embedding, chosen, cell_type, STEPS[ctx.triggered_id])
        else:
            picked = cell.within_type(embedding, chosen, cell_type)
        return cell.cell_options(page.cells, picked), picked

    @app.callback(
        Output(ids.CELL, "data", allow_duplicate=True),
        Input(ids.CELL, "searchValue"),
        State(ids.CELL_TYPE_FILTER, "value"),
        State(ids.CELL, "value"),
        prevent_initial_call=True,
    )
    async def offer(search: str, cell_type: str, chosen: str | None) -> Any:
        prefix = None if not search or search == chosen else search
        page = await client.cells(cell_type=cell_type or None, prefix=prefix, limit=settings.cells_listed)
        return cell.cell_options(page.cells, chosen)

    @app.callback(
        Output(ids.EMBEDDING, "figure"),
        Output(ids.EMBEDDING_DRAWN, "data"),
        Output(ids.EMBEDDING_NOTICE, "children"),
        Input(ids.CELL_SEEN, "data"),
        Input(ids.SCHEME, "data"),
        State(ids.EMBEDDING_DRAWN, "data"),
        prevent_initial_call=True,
    )
    @or_notice(2)
    async def draw_embedding(seen: dict[str, Any] | None, scheme: Scheme, drawn: list[str] | None) -> Any:
        """Once the map stands: thousands of points take longer than it does. ``drawn`` is the scheme and the cell."""
        if seen is None or drawn == [scheme, seen["cell"]]:
            raise PreventUpdate
        chosen, embedding = seen["cell"], await client.embedding()
        if drawn and drawn[0] == scheme:
            return ring_patch(embedding, chosen), [scheme, chosen]
        types = [kind.name for kind in (await client.dataset()).cell_types]
        figure = embedding_figure(
            embedding, scheme, chosen=chosen, types=types, height=cell.EMBEDDING_HEIGHT, most=cell.MOST_PICKED
        )
        return figure, [scheme, chosen]


def register_table(app: Dash, client: Client, settings: Settings) -> None:
    """The table follows once the slider rests."""

    @app.callback(
        Output(ids.LINK_COLUMNS, "data"),
        Output(ids.LINKS_NOTICE, "children"),
        Input(ids.CELL_SEEN, "data"),
        prevent_initial_call=True,
    )
    @or_instead(None, None)
    async def list_links(seen: dict[str, Any] | None) -> Any:
        if seen is None:
            raise PreventUpdate
        table = await client.links(seen["cell"], cut_of(seen["cut"]), limit=settings.table_rows)
        return link_columns(table), cell.limited_note(table)

    in_browser(app, "rows", Output(ids.LINKS, "rowData"), Input(ids.LINK_COLUMNS, "data"))
    register_row(app, client)


def register_row(app: Dash, client: Client) -> None:
    """One link, chosen in the map or in the table, marked in both; and the row of its gene."""
    in_browser(
        app,
        "chooseLink",
        Output(ids.LINK_CHOSEN, "data"),
        Input(ids.LINKS, "selectedRows"),
        State(ids.LINK_CHOSEN, "data"),
        prevent_initial_call=True,
    )
    in_browser(app, "markLink", Input(ids.LINK_CHOSEN, "data"))

    @app.callback(
        Output(ids.ROW, "figure"),
        Output(ids.ROW_CAPTION, "children"),
        Output(ids.ROW_BOX, "style"),
        Output(ids.ROW_NOTICE, "children"),
        Input(ids.LINK_CHOSEN, "data"),
        Input(ids.CELL_SEEN, "data"),
        Input(ids.SCHEME, "data"),
    )
    @or_notice(3)
    async def draw_row(link: dict[str, str] | None, seen: dict[str, Any] | None, scheme: Scheme) -> Any:
        if not link or not seen:
            raise PreventUpdate
        chosen, cut = seen["cell"], cut_of(seen["cut"])
        table = await client.links(chosen, Cut(layer=cut.layer, head=cut.head), gene=link["gene"])
        links = row.of_one_gene(table, link["peak"])
        figure = row_figure(links, cut, link["peak"], scheme)
        shown = {"display": "block" if links.peak else "none"}
        return figure, row.row_caption(table, links, cut, link["gene"]), shown
