"""The verb ``serve``, and serving as ``demo`` does it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from bi2scope.options import with_fields

PortOption = Annotated[int | None, typer.Option("--port", min=1, max=65535, help="Port; 8050, or BI2SCOPE_PORT.")]
OpenOption = Annotated[bool, typer.Option("--open/--no-open", help="Open the page in the web browser.")]


@dataclass(frozen=True)
class Listening:
    """Where the service listens, whom it answers, and what it says of it; ``None`` leaves it to the environment."""

    host: str | None = None
    port: int | None = None
    allowed_host: tuple[str, ...] = ()
    workers: int | None = None
    log: str | None = None
    log_level: str | None = None

    @property
    def settings(self) -> dict[str, object]:
        """What was chosen, by the names of the settings."""
        return {
            "host": self.host,
            "port": self.port,
            "allowed_hosts": tuple(self.allowed_host) or None,
            "workers": self.workers,
            "log": self.log,
            "log_level": self.log_level,
        }


def _listening(flag: str, text: str) -> Any:
    return typer.Option(flag, help=text, rich_help_panel="Listening")


LISTENING: dict[str, Any] = {
    "host": Annotated[
        str | None, _listening("--host", "Address to listen on; beyond this machine, every request must carry a token.")
    ],
    "port": PortOption,
    "allowed_host": Annotated[
        list[str], _listening("--allowed-host", "Name that the service may be called by, for instance of a proxy.")
    ],
    "workers": Annotated[int | None, _listening("--workers", "Processes that answer; 1.")],
    "log": Annotated[str | None, _listening("--log", "plain, or json: one object a line, one for each request.")],
    "log_level": Annotated[str | None, _listening("--log-level", "debug, info (requests too), warning or error.")],
}
"""Fields of :class:`Listening` and the options that set them."""


@with_fields("listening", Listening, LISTENING)
def serve(
    stores: Annotated[
        list[str],
        typer.Argument(metavar="STORE...", help="Attention stores (.h5), the default first; NAME=FILE names one."),
    ],
    listening: Listening,
    open_page: OpenOption = True,
    tracks: Annotated[
        Path | None, typer.Option("--tracks", help="Folder of BED files, to compare with; or BI2SCOPE_TRACKS.")
    ] = None,
    blacklist: Annotated[
        Path | None, typer.Option("--blacklist", help="BED of regions to leave out of that; or BI2SCOPE_BLACKLIST.")
    ] = None,
) -> None:
    """Serve the API and the dashboard over attention stores, on 127.0.0.1 unless a host is given."""
    run_server(stores, open_page, tracks=tracks, blacklist=blacklist, **listening.settings)


def run_server(stores: Sequence[str], open_page: bool, **chosen: object) -> None:
    """Serve stores until interrupted: the API and, on the same port, the dashboard of the first.

    What is ``chosen`` goes before the environment's settings (:class:`bi2scope.server.settings.Settings`).
    """
    from bi2scope.server.guards.tokens import new_token
    from bi2scope.server.ports import require_free_port
    from bi2scope.server.settings import load_settings
    from bi2scope.server.slugs import open_stores
    from bi2scope.serving import serve as serve_here
    from bi2scope.serving import serve_by_workers

    settings = load_settings(**chosen)
    require_free_port(settings.host, settings.port)
    made = None if settings.loopback or settings.token else new_token()
    if made:
        settings = load_settings(**chosen, token=made)
    with ExitStack() as closing:
        readers = open_stores(stores, closing)
        link = settings.link(made)
        typer.echo(f"Serving {', '.join(stores)} at {link} (Ctrl-C stops)")
        if made:
            typer.echo("Every request must carry that token; the link puts it into the browser. It is not shown again.")
        if open_page:
            open_in_browser(link)
        if settings.workers > 1:
            closing.close()
            serve_by_workers(settings, stores)
        else:
            serve_here(settings, readers)


def open_in_browser(address: str) -> None:
    """Open a page where there is a screen; do nothing on a machine without one."""
    import os
    import webbrowser

    if sys.platform in {"darwin", "win32"} or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        webbrowser.open(address)
