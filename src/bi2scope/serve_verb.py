"""The verb ``serve``, and serving as ``demo`` does it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

StoresArgument = Annotated[
    list[str],
    typer.Argument(metavar="STORE...", help="Attention stores (.h5), the first is the default; NAME=FILE names one."),
]
PortOption = Annotated[
    int | None, typer.Option("--port", min=1, max=65535, help="Port on 127.0.0.1; 8050, or BI2SCOPE_PORT.")
]
OpenOption = Annotated[bool, typer.Option("--open/--no-open", help="Open the page in the web browser.")]


def serve(
    stores: StoresArgument,
    port: PortOption = None,
    open_page: OpenOption = True,
    tracks: Annotated[
        Path | None, typer.Option("--tracks", help="Folder of BED files, to compare with; or BI2SCOPE_TRACKS.")
    ] = None,
    blacklist: Annotated[
        Path | None, typer.Option("--blacklist", help="BED of regions to leave out of that; or BI2SCOPE_BLACKLIST.")
    ] = None,
) -> None:
    """Serve the API and the dashboard over attention stores, on 127.0.0.1."""
    run_server(stores, open_page, port=port, tracks=tracks, blacklist=blacklist)


def run_server(stores: Sequence[str], open_page: bool, **chosen: object) -> None:
    """Serve stores on 127.0.0.1 until interrupted: the API and, on the same port, the dashboard of the first.

    What is ``chosen`` goes before the environment's settings (:class:`bi2scope.server.settings.Settings`).
    """
    import uvicorn

    from bi2scope.dashboard.app import create_app as create_dashboard
    from bi2scope.dashboard.client import Client
    from bi2scope.dashboard.settings import Settings as DashboardSettings
    from bi2scope.server.app import create_app as create_api
    from bi2scope.server.ports import require_free_port
    from bi2scope.server.settings import load_settings
    from bi2scope.server.slugs import open_stores

    settings = load_settings(**chosen)
    require_free_port(settings.host, settings.port)
    with ExitStack() as closing:
        readers = open_stores(stores, closing)
        api = create_api(settings, readers)
        create_dashboard(DashboardSettings(), api, Client.of_app(api))
        address = f"http://{settings.host}:{settings.port}"
        typer.echo(f"Serving {', '.join(stores)} at {address} (Ctrl-C stops)")
        if open_page:
            open_in_browser(address)
        uvicorn.run(api, host=settings.host, port=settings.port, log_level="warning")


def open_in_browser(address: str) -> None:
    """Open a page where there is a screen; do nothing on a machine without one."""
    import os
    import webbrowser

    if sys.platform in {"darwin", "win32"} or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        webbrowser.open(address)
