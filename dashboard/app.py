"""The dashboard: ``create_app(settings, api, client)`` mounts it on the service's own FastAPI app."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dash import Dash
from fastapi import FastAPI

from bi2scope.dashboard import routes
from bi2scope.dashboard.callbacks import cell, celltype, consequences, locus, maps, overview, page, tf, tf_matrix
from bi2scope.dashboard.chosen_store import StoreOfPage
from bi2scope.dashboard.client import Client
from bi2scope.dashboard.index import IGNORED, INDEX, Screen
from bi2scope.dashboard.notices import unexpected
from bi2scope.dashboard.page import shell
from bi2scope.dashboard.settings import Settings

ASSETS = Path(__file__).parent / "assets"


def create_app(settings: Settings, api: FastAPI, client: Client) -> Dash:
    """The dashboard, on the app that is given.

    Parameters
    ----------
    api
        The app to mount on: that of the service (one process), or an empty one (a process of its own).
        Its routes come first; the dashboard answers every other address.
    client
        Where everything on the screen comes from.

    Returns
    -------
    The Dash app; it is ``api`` that is to be served.
    """
    routes.register(api, client, settings)
    untyped: Any = api  # Dash takes a FastAPI app, but its annotation does not say so
    no_title: Any = None  # likewise: no "Updating..." in the tab
    app = Screen(
        "bi2scope.dashboard",
        server=untyped,
        title="bi2scope",
        update_title=no_title,
        assets_folder=str(ASSETS),
        assets_ignore=IGNORED,
        index_string=INDEX,
        meta_tags=[{"name": "viewport", "content": "width=device-width, initial-scale=1"}],
        suppress_callback_exceptions=True,  # the page is built by a callback, so its parts are not there at first
        serve_locally=True,
        compress=settings.compress,
        on_error=unexpected,
        add_log_handler=False,
        enable_mcp=False,
    )
    untyped_backend: Any = app.backend
    untyped_backend.websocket_capability = False  # no callback uses a socket, but the page would open one
    app.layout = shell
    api.add_middleware(StoreOfPage)
    page.register(app, client, settings)
    cell.register(app, client, settings)
    maps.register(app, client, settings)
    locus.register(app, client, settings)
    celltype.register(app, client, settings)
    consequences.register(app)
    tf.register(app, client, settings)
    tf_matrix.register(app, client, settings)
    overview.register(app, client)
    return app
