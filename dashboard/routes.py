"""What the page's scripts ask for past Dash, and put on the screen themselves: a cell's map, what a cut leaves.

Dash keeps all that its callbacks answer in one state, and looks at every component of the page on each of its changes.
What follows a slider must not wait for that: the scripts ask here, drop answers that are late, and draw.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Annotated, Any, get_args

import orjson
from dash.development.base_component import Component
from fastapi import Depends, FastAPI, Query, Request, Response

from bi2scope.dashboard import cell, comparison
from bi2scope.dashboard.address import Shown, links_csv
from bi2scope.dashboard.callbacks.maps import Asked, map_answer
from bi2scope.dashboard.client import Client, Cut, Sight, Window
from bi2scope.dashboard.comparison import Beside
from bi2scope.dashboard.consequences import consequences
from bi2scope.dashboard.controls import cut_data
from bi2scope.dashboard.figures.colours import Colouring, Colours, Scale
from bi2scope.dashboard.figures.heatmap import heatmap_figure
from bi2scope.dashboard.figures.style import Scheme, graph_config
from bi2scope.dashboard.header import reliability_text
from bi2scope.dashboard.markup import markup
from bi2scope.dashboard.notices import notice, told
from bi2scope.dashboard.settings import Settings


def cut_asked(threshold: float, top_k: int | None = None, layer: int = 0, head: int = 0) -> Cut:
    """The cut that a question names."""
    return Cut(threshold, top_k, layer, head)


CutAsked = Annotated[Cut, Depends(cut_asked)]


def maps_asked(
    cell_id: Annotated[str, Query(alias="cell")],
    cut: CutAsked,
    colouring: Colouring = "score",
    scale: Scale = "linear",
    beside: Beside = "alone",
    other: str | None = None,
) -> Asked:
    """The maps that a question names."""
    return Asked(cell_id, beside, other if beside == "cell" else None, cut, Colours(colouring, scale))


def window_asked(
    window: Annotated[str | None, Query(pattern=r"^\d+-\d+-\d+-\d+$", description="Genes, then peaks")] = None,
) -> Window | None:
    """The window that a question names; all there is without one."""
    return None if window is None else Window(*map(int, window.split("-")))


def register(api: FastAPI, client: Client, settings: Settings) -> None:
    """Add the addresses to the app; to be called before Dash is mounted, which answers every address that is left."""

    @api.get("/screen/map", include_in_schema=False)
    async def maps(
        asked: Annotated[Asked, Depends(maps_asked)],
        window: Annotated[Window | None, Depends(window_asked)],
        scheme: Scheme = "light",
        drawn: bool = False,
    ) -> Response:
        sight = Sight(settings.heatmap_columns, settings.heatmap_rows, window)
        return await answered(map_answer(client, asked, sight, scheme, drawn))

    @api.get("/screen/first", include_in_schema=False)
    async def first(request: Request) -> Response:
        return await answered(first_answer(client, Shown.of_query(request.url.query), settings))

    @api.get("/screen/cell", include_in_schema=False)
    async def left_of_cell(cell_id: Annotated[str, Query(alias="cell")], cut: CutAsked) -> Response:
        return await answered(cell_answer(client, cell_id, cut, settings.public_api))

    @api.get("/screen/neighbours", include_in_schema=False)
    async def neighbours(cell_id: Annotated[str, Query(alias="cell")], only: str = cell.ALL_TYPES) -> Response:
        return await answered(neighbours_answer(client, cell_id, only))

    @api.get("/screen/celltype", include_in_schema=False)
    async def left_of_type(cell_type: str, cut: CutAsked) -> Response:
        return await answered(type_answer(client, cell_type, cut))


async def first_answer(client: Client, shown: Shown, settings: Settings) -> dict[str, Any]:
    """What the page draws before Dash is there: the map of an address, in both schemes, and what stands around it.

    Empty where the address asks for something else than the map of one cell.
    """
    if shown.view != "cell" or shown.beside != "alone":
        return {}
    chosen = shown.cell or next((one.cell_id for one in (await client.cells(limit=1)).cells), None)
    if chosen is None:
        return {}
    sight = Sight(settings.heatmap_columns, settings.heatmap_rows)
    heatmap, dataset, left = await asyncio.gather(
        client.heatmap(chosen, shown.cut, sight),
        client.dataset(),
        cell_answer(client, chosen, shown.cut, settings.public_api),
    )
    bins, caption = comparison.alone(heatmap, dataset.max_distance)
    schemes: tuple[Scheme, ...] = get_args(Scheme)
    figures = {each: heatmap_figure(heatmap, each, shown.colours, values=False).to_plotly_json() for each in schemes}
    asked = {
        "cell": chosen,
        "colouring": shown.colours.quantity,
        "scale": shown.colours.scale,
        "beside": shown.beside,
        "cut": cut_data(shown.cut),
    }
    drawing = {"figures": figures, "bins": bins, "caption": caption, "config": graph_config(wheel=True)}
    return {"asked": asked, "warning": reliability_text(dataset.training), **drawing, **left}


async def cell_answer(client: Client, cell_id: str, cut: Cut, public_api: str) -> dict[str, str]:
    """What a cut leaves in a cell, as HTML by the place where it is shown; ``href`` is the download of its links."""
    profile, dataset = await asyncio.gather(client.cell_profile(cell_id, cut), client.dataset())
    return {
        "title": markup(cell.cell_title(profile)),
        "numbers": markup(cell.cell_numbers(profile)),
        "left": markup(consequences(profile, dataset.k_max)),
        "href": links_csv(cell_id, cut, public_api),
    }


async def neighbours_answer(client: Client, cell_id: str, only: str) -> dict[str, str | None]:
    """The cells before and after a cell, so that the page can ask for their maps as soon as they are wanted."""
    embedding = await client.embedding()
    return {name: cell.neighbour(embedding, cell_id, only, step) for name, step in (("previous", -1), ("next", 1))}


async def type_answer(client: Client, cell_type: str, cut: Cut) -> dict[str, str]:
    """What a cut leaves in a cell type, likewise."""
    profile, dataset = await asyncio.gather(client.type_profile(cell_type, cut), client.dataset())
    return {"left": markup(consequences(profile, dataset.k_max))}


async def answered(answer: Awaitable[dict[str, Any]]) -> Response:
    """An answer as JSON; of what went wrong a ``notice`` for the screen."""
    try:
        body = await answer
    except Exception as error:
        body = {"notice": notice(told(error))}
    text = orjson.dumps(body, default=component_json)  # plotly's own encoder takes 30 ms for such an answer
    return Response(text, media_type="application/json", headers={"Cache-Control": "no-store"})


def component_json(one: object) -> Any:
    """A component as the browser builds it.

    Raises
    ------
    TypeError
        If it is something else.
    """
    if not isinstance(one, Component):
        raise TypeError(f"{type(one).__name__} has no place in an answer")
    return one.to_plotly_json()  # type: ignore[no-untyped-call]
