"""Callbacks of the page as a whole: opening it at an address, the shared controls, the view in sight."""

from __future__ import annotations

import asyncio
from typing import Any

from dash import ClientsideFunction, Dash, Input, Output, State, no_update
from dash.exceptions import PreventUpdate

from bi2scope.dashboard import ids
from bi2scope.dashboard.address import VIEWS, Shown
from bi2scope.dashboard.client import Client, ClientError
from bi2scope.dashboard.notices import unreachable_page
from bi2scope.dashboard.page import Offered, page, view_parts
from bi2scope.dashboard.settings import Settings

IN_ADDRESS = (
    (ids.CELL, "value"), (ids.TYPES, "value"), (ids.DEFINITION, "value"), (ids.TF_SHOWN, "data"),
    (ids.LOCUS_SHOWN, "data"), (ids.COLOURING, "value"), (ids.SCALE, "value"),
    (ids.CELL_TYPE_FILTER, "value"), (ids.TYPE_STATE, "data"),
    (ids.BESIDE, "value"), (ids.OTHER, "value"), (ids.LINK_CHOSEN, "data"), (ids.COLOUR_CELLS, "value"),
)  # fmt: skip
"""What the views put into the address; those that were not opened yet have nothing to put."""


def in_browser(app: Dash, name: str, *wiring: Output | Input | State, **options: Any) -> None:
    """Add a callback that a function of ``assets/bi2scope.js`` answers, without asking the service."""
    untyped: Any = app  # Dash does not annotate this method
    untyped.clientside_callback(ClientsideFunction("bi2scope", name), *wiring, **options)


def require_view(view: str, mine: str, *chosen: object) -> None:
    """Stop a callback whose view is out of sight, or for which something is still to be chosen."""
    if view != mine or any(choice in (None, "", []) for choice in chosen):
        raise PreventUpdate


async def offers(client: Client, settings: Settings) -> Offered:
    """What the page offers to choose from."""
    first, held, tracks = await asyncio.gather(
        client.cells(limit=settings.cells_listed), client.stores(), client.tracks()
    )
    return Offered(first.cells, held.stores, tracks.tracks)


def register(app: Dash, client: Client, settings: Settings) -> None:
    """Add the callbacks to the app."""

    @app.callback(Output(ids.PAGE, "children"), Input(ids.ADDRESS, "data"), prevent_initial_call=True)
    async def open_page(address: dict[str, Any]) -> Any:
        try:
            dataset, offered = await asyncio.gather(client.dataset(), offers(client, settings))
        except ClientError as error:
            return unreachable_page(error)
        return page(dataset, offered, Shown.of_query(address["query"]), settings)

    @app.callback(
        *(Output(place[view], "children") for view in VIEWS for place in (ids.SIDES, ids.TAB_PANELS)),
        Input(ids.OPENED, "data"),
        prevent_initial_call=True,
    )
    async def open_view(opened: dict[str, Any]) -> Any:
        """The parts of a view that is opened for the first time, as an address has it."""
        dataset, offered = await asyncio.gather(client.dataset(), offers(client, settings))
        shown = Shown.of_query(opened["query"])
        found = view_parts(opened["view"], dataset, offered, shown, settings)
        return tuple(part for view in VIEWS for part in (found if view == opened["view"] else (no_update, no_update)))

    in_browser(app, "open", Output(ids.ADDRESS, "data"), Input(ids.BOOT, "data"))
    in_browser(
        app,
        "open",
        Output(ids.ADDRESS, "data", allow_duplicate=True),
        Input(ids.RETRY, "n_clicks"),
        prevent_initial_call=True,
    )
    register_controls(app)
    register_view(app)
    register_tools(app)


def register_controls(app: Dash) -> None:
    """Slider and typed value follow each other; together they make the cut that the views listen to."""
    for slider, typed in ((ids.THRESHOLD, ids.THRESHOLD_TYPED), (ids.TOP_K, ids.TOP_K_TYPED)):
        in_browser(
            app,
            "follow",
            Output(slider, "value"),
            Output(typed, "value"),
            Input(slider, "value"),
            Input(typed, "value"),
            State(slider, "min"),
            State(slider, "max"),
        )
    in_browser(
        app,
        "switchK",
        Output(ids.TOP_K, "disabled"),
        Output(ids.TOP_K_TYPED, "disabled"),
        Input(ids.TOP_K_ON, "checked"),
    )
    in_browser(
        app,
        "cut",
        Input(ids.THRESHOLD, "value"),
        Input(ids.TOP_K, "value"),
        Input(ids.TOP_K_ON, "checked"),
        Input(ids.LAYER, "value"),
        Input(ids.HEAD, "value"),
        State(ids.CUT, "data"),
    )


def register_view(app: Dash) -> None:
    """Show the parts of the chosen view; keep the address of the page in step with what it shows."""
    in_browser(
        app,
        "show",
        *[Output(part[view], "style") for part in (ids.SIDES, ids.PANELS) for view in VIEWS],
        Output(ids.SHELL, "navbar"),
        Input(ids.VIEW, "value"),
    )
    in_browser(
        app,
        "writeAddress",
        Output(ids.ZOOMED, "data"),  # without an output, nothing would be called when the page opens
        Input(ids.VIEW, "value"),
        Input(ids.CUT, "data"),
        *(Input(*place, allow_optional=True) for place in IN_ADDRESS),
        State(ids.ZOOMED, "data"),
    )


def register_tools(app: Dash) -> None:
    """Buttons of the header, and the choice of the data set."""
    in_browser(app, "undo", Input(ids.UNDO, "n_clicks"), prevent_initial_call=True)
    in_browser(
        app, "copyLink", Output(ids.SAID, "children"), Input(ids.COPY_LINK, "n_clicks"), prevent_initial_call=True
    )
    in_browser(
        app, "showKeys", Output(ids.HELP, "opened"), Input(ids.HELP_BUTTON, "n_clicks"), prevent_initial_call=True
    )
    in_browser(app, "openStore", Input(ids.STORE, "value"), prevent_initial_call=True)
