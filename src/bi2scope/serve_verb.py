"""The verb ``serve``, and serving as ``demo`` does it."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bi2scope.options import with_fields

if TYPE_CHECKING:
    from bi2scope.server.settings import Settings

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
    dashboard: Annotated[
        bool | None, typer.Option("--dashboard/--no-dashboard", help="Both on one port, or the API alone.")
    ] = None,
) -> None:
    """Serve the API and the dashboard over attention stores, on 127.0.0.1 unless a host is given."""
    run_server(stores, open_page, tracks=tracks, blacklist=blacklist, dashboard=dashboard, **listening.settings)


def run_server(stores: Sequence[str], open_page: bool, **chosen: object) -> None:
    """Serve stores until interrupted: the API and, on the same port, the dashboard of the first.

    What is ``chosen`` goes before the environment's settings (:class:`bi2scope.server.settings.Settings`).
    """
    from bi2scope.server.memory import collecting_later
    from bi2scope.serving import application, serve_by_workers
    from bi2scope.serving import serve as serve_here

    with ExitStack() as closing:
        with collecting_later():
            from bi2scope.server.slugs import open_stores

            settings, made = _settings(chosen)
            readers = open_stores(stores, closing)
            _announce(f"Serving {', '.join(stores)}", settings.link(made), bool(made), open_page)
            app = application(settings, readers) if settings.workers == 1 else None
        if app is not None:
            serve_here(settings, app)
        else:
            closing.close()
            serve_by_workers(settings, stores)


@with_fields("listening", Listening, LISTENING)
def dashboard(
    listening: Listening,
    service: Annotated[
        str, typer.Option("--service", envvar="BI2SCOPE_SERVICE", help="Address of `bi2scope serve`.")
    ] = "http://127.0.0.1:8050",
    open_page: OpenOption = True,
) -> None:
    """Serve the dashboard of a service that runs elsewhere; on port 8051 unless another is given.

    It passes the API on, so that browsers need to reach the dashboard alone. A token in BI2SCOPE_TOKEN is asked of
    browsers, and sent to the service.
    """
    from bi2scope.data.errors import ConfigurationError
    from bi2scope.serving import dashboard_application
    from bi2scope.serving import serve as serve_here

    if not re.fullmatch(r"https?://[^/?#\s]+/?", service):
        raise ConfigurationError(
            f"The service is {service!r}; wanted its address without a path.",
            "For example: --service http://server:8050",
        )
    settings, made = _settings({"port": 8051, **{k: v for k, v in listening.settings.items() if v is not None}})
    _announce(f"Serving the dashboard of {service}", settings.link(made), bool(made), open_page)
    serve_here(settings, dashboard_application(settings, service))


def _settings(chosen: Mapping[str, object]) -> tuple[Settings, str | None]:
    """Settings with a free port; and the token, if one had to be made because other machines reach the port."""
    from bi2scope.server.guards.tokens import new_token
    from bi2scope.server.ports import require_free_port
    from bi2scope.server.settings import load_settings

    settings = load_settings(**chosen)
    require_free_port(settings.host, settings.port)
    if settings.loopback or settings.token:
        return settings, None
    made = new_token()
    return load_settings(**chosen, token=made), made


def _announce(what: str, link: str, with_token: bool, open_page: bool) -> None:
    typer.echo(f"{what} at {link} (Ctrl-C stops)")
    if with_token:
        typer.echo("Every request must carry that token; the link puts it into the browser. It is not shown again.")
    if open_page:
        open_in_browser(link)


def open_in_browser(address: str) -> None:
    """Open a page where there is a screen; do nothing on a machine without one."""
    import os
    import webbrowser

    if sys.platform in {"darwin", "win32"} or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        webbrowser.open(address)
