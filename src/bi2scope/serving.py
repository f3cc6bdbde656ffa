"""The service and the dashboard as one application, in this process or in several."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    import uvicorn
    from starlette.types import ASGIApp

    from bi2scope.data.store.reader import StoreReader
    from bi2scope.server.settings import Settings

STORES_VARIABLE = "BI2SCOPE_STORES"
"""Where a worker process finds the stores that the command named, as a JSON list."""

SETTINGS_VARIABLE = "BI2SCOPE_SETTINGS"
"""Where it finds the settings, as the command line and the environment made them."""


def application(settings: Settings, readers: Mapping[str, StoreReader]) -> ASGIApp:
    """API, dashboard (unless the settings leave it out) and guards over open stores, by slug."""
    from bi2scope.server.app import create_app as create_api
    from bi2scope.server.guards.guarded import guarded
    from bi2scope.server.logs import configure

    configure(settings)
    api = create_api(settings, readers)
    if not settings.dashboard:
        return guarded(api, settings)
    from bi2scope.dashboard.app import create_app as create_dashboard
    from bi2scope.dashboard.client import Client
    from bi2scope.dashboard.settings import Settings as DashboardSettings

    screen = create_dashboard(DashboardSettings(), api, Client.of_app(api))
    return guarded(api, settings, screen.csp_hashes())


def dashboard_application(settings: Settings, service: str) -> ASGIApp:
    """The dashboard of a service that runs elsewhere, and guards; it passes the service's API on.

    Parameters
    ----------
    settings
        Of where the dashboard listens; their token is sent to the service too.
    service
        Address of the service, such as ``http://127.0.0.1:8050``.
    """
    from fastapi import FastAPI

    from bi2scope.dashboard.app import create_app as create_dashboard
    from bi2scope.dashboard.client import Client
    from bi2scope.dashboard.gateway import pass_on_api
    from bi2scope.dashboard.settings import Settings as DashboardSettings
    from bi2scope.server import errors
    from bi2scope.server.guards.guarded import guarded
    from bi2scope.server.logs import configure
    from bi2scope.server.metrics import Metrics

    configure(settings)
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.state.metrics, app.state.stores = Metrics(), ()
    errors.install(app)
    client = Client.of_address(service, token=settings.token.get_secret_value() if settings.token else None)
    pass_on_api(app, client)
    screen = create_dashboard(DashboardSettings(), app, client)
    return guarded(app, settings, screen.csp_hashes())


def serve(settings: Settings, app: ASGIApp) -> None:
    """Serve an application in this process until a signal; requests that have begun may end.

    Raises
    ------
    KeyboardInterrupt
        After Ctrl-C; SIGTERM just ends it.
    """
    import signal

    import uvicorn

    from bi2scope.server.memory import give_memory_back

    give_memory_back()
    signal.signal(signal.SIGTERM, lambda *_: None)  # uvicorn raises it again once all is done
    uvicorn.Server(_configuration(settings, app)).run()


def serve_by_workers(settings: Settings, stores: Sequence[str]) -> None:
    """Serve by several processes, each with the stores open, until a signal.

    Raises
    ------
    KeyboardInterrupt
        After Ctrl-C; SIGTERM just ends it.
    """
    from uvicorn.supervisors import Multiprocess

    class Workers(Multiprocess):
        """Remembers how it was stopped."""

        interrupted = False

        def handle_int(self) -> None:
            self.interrupted = True
            super().handle_int()

    os.environ[STORES_VARIABLE] = orjson.dumps(list(stores)).decode()
    os.environ[SETTINGS_VARIABLE] = orjson.dumps(plain(settings), default=str).decode()
    configuration = _configuration(settings, "bi2scope.serving:worker")
    workers = Workers(configuration, sockets=[configuration.bind_socket()])
    workers.run()
    if workers.interrupted:
        raise KeyboardInterrupt


def worker() -> ASGIApp:
    """The application of one worker process, from the variables that :func:`serve_by_workers` set."""
    from bi2scope.server.memory import collecting_later, give_memory_back

    give_memory_back()
    with collecting_later():
        from bi2scope.server.settings import load_settings
        from bi2scope.server.slugs import open_stores

        stores = orjson.loads(os.environ[STORES_VARIABLE])
        settings = load_settings(**orjson.loads(os.environ[SETTINGS_VARIABLE]))
        return application(settings, open_stores(stores, ExitStack()))


def plain(settings: Settings) -> dict[str, object]:
    """Settings with the token as text."""
    token = settings.token.get_secret_value() if settings.token else None
    return {**settings.model_dump(), "token": token}


def _configuration(settings: Settings, app: ASGIApp | str) -> uvicorn.Config:
    import uvicorn

    from bi2scope.server.protocol import BoundedHttp

    return uvicorn.Config(
        app,
        factory=isinstance(app, str),
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        http=BoundedHttp,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=settings.stop_seconds,
    )
