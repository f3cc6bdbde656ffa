"""Callbacks of the page as a whole: opening it at an address, the shared controls, the view in sight."""

from __future__ import annotations

import asyncio
from typing import Any

from dash import ClientsideFunction, Dash, Input, Output, State
from dash.exceptions import PreventUpdate

from bi2scope.dashboard import ids
from bi2scope.dashboard.address import VIEWS, Shown
from bi2scope.dashboard.client import Client, ClientError
from bi2scope.dashboard.notices import unreachable_page
from bi2scope.dashboard.page import Offered, page
from bi2scope.dashboard.settings import Settings


def in_browser(app: Dash, name: str, *wiring: Output | Input | State, **options: Any) -> None:
    """Add a callback that a function of ``assets/bi2scope.js`` answers, without asking the service."""
    untyped: Any = app  # Dash does not annotate this method
    untyped.clientside_callback(ClientsideFunction("bi2scope", name), *wiring, **options)


def require_view(view: str, mine: str, *chosen: object) -> None:
    """Stop a callback whose view is out of sight, or for which something is still to be chosen."""
    if view != mine or any(choice in (None, "", []) for choice in chosen):
        raise PreventUpdate


def register(app: Dash, client: Client, settings: Settings) -> None:
    """Add the callbacks to the app."""

    @app.callback(Output(ids.PAGE, "children"), Input(ids.ADDRESS, "data"), prevent_initial_call=True)
    async def open_page(address: dict[str, Any]) -> Any:
        try:
            dataset, first, held, tracks = await asyncio.gather(
                client.dataset(), client.cells(limit=settings.cells_listed), client.stores(), client.tracks()
            )
        except ClientError as error:
            return unreachable_page(error)
        offered = Offered(first.cells, held.stores, tracks.tracks)
        return page(dataset, offered, Shown.of_query(address["query"]), settings)

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
        Input(ids.CELL, "value"),
        Input(ids.CUT, "data"),
        Input(ids.TYPES, "value"),
        Input(ids.DEFINITION, "value"),
        Input(ids.TF_SHOWN, "data"),
        Input(ids.LOCUS_SHOWN, "data"),
        Input(ids.COLOURING, "value"),
        Input(ids.CELL_TYPE_FILTER, "value"),
        Input(ids.TYPE_STATE, "data"),
        Input(ids.BESIDE, "value"),
        Input(ids.OTHER, "value"),
        Input(ids.LINK_CHOSEN, "data"),
        Input(ids.COLOUR_CELLS, "value"),
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
