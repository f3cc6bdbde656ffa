"""Callbacks of the cell view's maps: the cell's own, alone or beside others."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from dash import Dash, Input, Output, State, ctx

from bi2scope.dashboard import cell, comparison, ids
from bi2scope.dashboard.callbacks.page import in_browser, require_view
from bi2scope.dashboard.client import Client, ClientError, Cut, Sight, Window
from bi2scope.dashboard.comparison import THRESHOLDS, Beside, Shown
from bi2scope.dashboard.controls import cut_of
from bi2scope.dashboard.figures.heatmap import Colouring, heatmap_figure, heatmap_patch
from bi2scope.dashboard.figures.panels import panels_figure, panels_patch
from bi2scope.dashboard.figures.style import Scheme
from bi2scope.dashboard.notices import or_notice
from bi2scope.dashboard.settings import Settings

MOVED = (ids.CELL, ids.BESIDE, ids.OTHER)
"""What brings other axes: the window of the axes before says nothing of them."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Which maps are to be shown."""

    cell_id: str
    beside: Beside
    other: str | None
    cut: Cut
    colouring: Colouring


def register(app: Dash, client: Client, settings: Settings) -> None:
    """Add the callbacks to the app."""
    register_map(app, client, settings)
    register_other(app, client, settings)
    in_browser(
        app,
        "mapWindow",
        Output(ids.WINDOW, "data"),
        Input(ids.HEATMAP, "relayoutData"),
        *(Input(name, "value") for name in MOVED),
        prevent_initial_call=True,
    )
    in_browser(
        app,
        "tooltip",
        Output(ids.TOOLTIP, "show"),
        Output(ids.TOOLTIP, "bbox"),
        Output(ids.TOOLTIP, "direction"),
        Output(ids.TOOLTIP, "children"),
        Input(ids.HEATMAP, "hoverData"),
        State(ids.BINS, "data"),
    )
    in_browser(app, "showOther", Output(ids.OTHER_BOX, "style"), Input(ids.BESIDE, "value"))


async def several(client: Client, asked: Asked, sight: Sight) -> Shown:
    """The cell's map with those beside it."""
    if asked.beside == "thresholds":
        cuts = [Cut(threshold, asked.cut.top_k, asked.cut.layer, asked.cut.head) for threshold in THRESHOLDS]
        maps = await asyncio.gather(*(client.heatmap(asked.cell_id, cut, sight) for cut in cuts))
        return comparison.at_thresholds(maps, asked.colouring)
    if asked.beside == "cell":
        if asked.other is None or asked.other == asked.cell_id:
            raise ClientError("There is no second cell to show.", "Choose another one above the map.")
        one, other = await asyncio.gather(
            client.heatmap(asked.cell_id, asked.cut, sight, asked.other),
            client.heatmap(asked.other, asked.cut, sight, asked.cell_id),
        )
        return comparison.two_cells(one, other, asked.colouring)
    own = await client.heatmap(asked.cell_id, asked.cut, sight)
    mean = await client.type_heatmap(own.cell_type, asked.cell_id, asked.cut, sight)
    return comparison.with_type(own, mean, asked.colouring)


def register_map(app: Dash, client: Client, settings: Settings) -> None:
    """The maps: drawn anew for other cells or another arrangement, patched for another cut or window of the same."""

    @app.callback(
        Output(ids.HEATMAP, "figure"),
        Output(ids.BINS, "data"),
        Output(ids.DRAWN, "data"),
        Output(ids.HEATMAP_CAPTION, "children"),
        Output(ids.HEATMAP_NOTICE, "children"),
        Input(ids.CELL, "value"),
        Input(ids.CUT_OF["cell"], "data"),
        Input(ids.WINDOW, "data"),
        Input(ids.COLOURING, "value"),
        Input(ids.BESIDE, "value"),
        Input(ids.OTHER, "value"),
        Input(ids.SCHEME, "data"),
        Input(ids.VIEW, "value"),
        State(ids.DRAWN, "data"),
    )
    @or_notice(4)
    async def draw_map(
        chosen: str | None,
        cut: dict[str, Any],
        window: dict[str, int] | None,
        colouring: Colouring,
        beside: Beside,
        other: str | None,
        scheme: Scheme,
        view: str,
        drawn: list[str | None] | None,
    ) -> Any:
        require_view(view, "cell", chosen)
        assert chosen is not None
        shown = Window(**window) if window and ctx.triggered_id not in MOVED else None
        columns, rows = settings.heatmap_columns, settings.heatmap_rows
        now = [chosen, scheme, colouring, beside, other if beside == "cell" else None]
        if beside == "alone":
            heatmap, dataset = await asyncio.gather(
                client.heatmap(chosen, cut_of(cut), Sight(columns, rows, shown)), client.dataset()
            )
            figure = heatmap_patch(heatmap, colouring) if drawn == now else heatmap_figure(heatmap, scheme, colouring)
            bins, caption = comparison.alone(heatmap, dataset.max_distance)
            return figure, bins, now, caption
        asked = Asked(chosen, beside, other, cut_of(cut), colouring)
        maps = await several(client, asked, Sight(columns // 2, rows // 2, shown))
        figure = panels_patch(maps.panels) if drawn == now else panels_figure(maps.panels, scheme)
        return figure, maps.bins, now, maps.caption


def register_other(app: Dash, client: Client, settings: Settings) -> None:
    """The second cell: the next one of the type until another is chosen, found by the beginning of its barcode."""

    @app.callback(
        Output(ids.OTHER, "data"),
        Input(ids.OTHER, "searchValue"),
        State(ids.OTHER, "value"),
        prevent_initial_call=True,
    )
    async def offer(search: str | None, other: str | None) -> Any:
        prefix = None if not search or search == other else search
        page = await client.cells(prefix=prefix, limit=settings.cells_listed)
        return cell.cell_options(page.cells, other)

    @app.callback(
        Output(ids.OTHER, "value"),
        Output(ids.OTHER, "data", allow_duplicate=True),
        Input(ids.BESIDE, "value"),
        State(ids.CELL, "value"),
        State(ids.OTHER, "value"),
        prevent_initial_call=True,
    )
    async def pick(beside: Beside, chosen: str | None, other: str | None) -> Any:
        if beside == "cell" and other in (None, chosen):
            other = cell.neighbour(await client.embedding(), chosen, cell.ALL_TYPES, 1)
        page = await client.cells(limit=settings.cells_listed)
        return other, cell.cell_options(page.cells, other)
