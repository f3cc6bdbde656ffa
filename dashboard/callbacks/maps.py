"""The cell view's maps: the cell's own, alone or beside others; and the callbacks of what is chosen above them.

The maps are answered past Dash (:mod:`bi2scope.dashboard.routes`) and drawn by ``assets/map.js``.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

from dash import Dash, Input, Output, State

from bi2scope.dashboard import cell, comparison, ids
from bi2scope.dashboard.callbacks.page import in_browser
from bi2scope.dashboard.client import Client, ClientError, Cut, Sight
from bi2scope.dashboard.comparison import THRESHOLDS, Beside, Shown
from bi2scope.dashboard.figures.colours import Colours
from bi2scope.dashboard.figures.heatmap import heatmap_figure, heatmap_patch
from bi2scope.dashboard.figures.panels import panels_figure, panels_patch
from bi2scope.dashboard.figures.style import Scheme, graph_config
from bi2scope.dashboard.settings import Settings


@dataclass(frozen=True, slots=True)
class Asked:
    """Which maps are to be shown."""

    cell_id: str
    beside: Beside
    other: str | None
    cut: Cut
    colours: Colours


def register(app: Dash, client: Client, settings: Settings) -> None:
    """Add the callbacks to the app."""
    register_other(app, client, settings)
    in_browser(
        app,
        "wantMap",
        Output(ids.MAP_WANTED, "data"),
        Input(ids.CELL, "value"),
        Input(ids.COLOURING, "value"),
        Input(ids.SCALE, "value"),
        Input(ids.BESIDE, "value"),
        Input(ids.OTHER, "value"),
        Input(ids.SCHEME, "data"),
        Input(ids.VIEW, "value"),
        State(ids.CUT, "data"),
    )
    in_browser(app, "showOther", Output(ids.OTHER_BOX, "style"), Input(ids.BESIDE, "value"))


async def map_answer(client: Client, asked: Asked, sight: Sight, scheme: Scheme, drawn: bool) -> dict[str, Any]:
    """The maps as the page draws them.

    Parameters
    ----------
    drawn
        Whether the page shows the same maps already, at another cut or window: it is told only what changes.

    Returns
    -------
    ``figure``, or the ``changes`` of the one that is drawn; ``bins``, what the tooltip reads, and from which the page
    lays out the values of a single map; ``caption``.
    """
    if asked.beside == "alone":
        heatmap, dataset = await asyncio.gather(client.heatmap(asked.cell_id, asked.cut, sight), client.dataset())
        bins, caption = comparison.alone(heatmap, dataset.max_distance)
        figure: Any = heatmap_patch(heatmap) if drawn else heatmap_figure(heatmap, scheme, asked.colours, values=False)
    else:
        half = Sight(sight.width // 2, sight.height // 2, sight.window)
        maps = await several(client, asked, half)
        bins, caption = maps.bins, maps.caption
        figure = panels_patch(maps.panels) if drawn else panels_figure(maps.panels, scheme)
    told = figure.to_plotly_json()
    drawing = {"changes": told["operations"]} if drawn else {"figure": told, "config": graph_config(wheel=True)}
    return {"bins": bins, "caption": caption, **drawing}


async def several(client: Client, asked: Asked, sight: Sight) -> Shown:
    """The cell's map with those beside it."""
    if asked.beside == "thresholds":
        cuts = [Cut(threshold, asked.cut.top_k, asked.cut.layer, asked.cut.head) for threshold in THRESHOLDS]
        maps = await asyncio.gather(*(client.heatmap(asked.cell_id, cut, sight) for cut in cuts))
        return comparison.at_thresholds(maps, asked.colours)
    if asked.beside == "cell":
        if asked.other is None or asked.other == asked.cell_id:
            raise ClientError("There is no second cell to show.", "Choose another one above the map.")
        one, other = await asyncio.gather(
            client.heatmap(asked.cell_id, asked.cut, sight, asked.other),
            client.heatmap(asked.other, asked.cut, sight, asked.cell_id),
        )
        return comparison.two_cells(one, other, asked.colours)
    own = await client.heatmap(asked.cell_id, asked.cut, sight)
    mean = await client.type_heatmap(own.cell_type, asked.cell_id, asked.cut, sight)
    return comparison.with_type(own, mean, asked.colours)


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
