"""A real Chromium on the real service and its guards, over a small store; skipped, and said so, where none is found.

``BI2SCOPE_CHROMIUM`` names the browser; without it the first of chromium, chromium-browser and google-chrome on the
path is taken. ``BI2SCOPE_BROWSER_STORE`` runs the same tests on another store.
"""

from __future__ import annotations

import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import uvicorn
from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright, Request, expect, sync_playwright
from stores import tiny_store

from bi2scope.dashboard.app import create_app
from bi2scope.dashboard.client import Client
from bi2scope.dashboard.settings import Settings
from bi2scope.data.store.reader import StoreReader
from bi2scope.server.app import create_app as create_api
from bi2scope.server.guards.guarded import guarded
from bi2scope.server.protocol import BoundedHttp
from bi2scope.server.settings import Settings as ApiSettings

expect.set_options(timeout=60_000)  # a busy machine is not a failure
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


@pytest.fixture(scope="session")
def chromium() -> str:
    found = os.environ.get("BI2SCOPE_CHROMIUM") or next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
    )
    if found is None:
        pytest.skip("no Chromium: install one, or name it in BI2SCOPE_CHROMIUM")
    return found


@pytest.fixture(scope="session")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreReader]:
    given = os.environ.get("BI2SCOPE_BROWSER_STORE")
    path = Path(given) if given else tiny_store(tmp_path_factory.mktemp("store") / "tiny.h5", k_max=8)
    with StoreReader.open(path) as reader:
        yield reader


@pytest.fixture(scope="session")
def address(chromium: str, reader: StoreReader) -> Iterator[str]:
    """Address of service and dashboard, served from a thread of this process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    settings = ApiSettings(port=port)
    api = create_api(settings, reader)
    screen = create_app(Settings(), api, Client.of_app(api))
    app = guarded(api, settings, screen.csp_hashes())
    options: dict[str, Any] = {"http": BoundedHttp, "ws": "none", "log_level": "warning"}
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, **options))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 60
    while not server.started:
        assert thread.is_alive() and time.monotonic() < deadline, "the service did not start"  # noqa: PT018
        time.sleep(0.05)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(timeout=20)


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    """Playwright keeps an event loop running: it must be gone before other tests run one of their own."""
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="module")
def browser(playwright: Playwright, chromium: str) -> Iterator[Browser]:
    browser = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
    yield browser
    browser.close()


@dataclass
class Watched:
    """A page, with everything that it should not have done."""

    page: Page
    address: str
    complaints: list[str] = field(default_factory=list)

    def open(self, query: str = "") -> None:
        self.page.goto(f"{self.address}/{query}")

    def service(self, path: str, **params: str | float) -> httpx.Response:
        """Ask the service what the page asks it, past the page."""
        return httpx.get(f"{self.address}/api/v1{path}", params=params)

    def post(self, url: str, params: dict[str, float], name: str, bed: bytes) -> Any:
        """Send a BED file to the service, past the page."""
        return httpx.post(url, params=params, files={"file": (name, bed)}).raise_for_status().json()

    def heard(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"}:
            self.complaints.append(f"console {message.type}: {message.text}")

    def requested(self, request: Request) -> None:
        target = urlsplit(request.url)
        if target.scheme not in {"data", "blob"} and f"{target.scheme}://{target.netloc}" != self.address:
            self.complaints.append(f"outside request: {request.url}")


@pytest.fixture
def watched(browser: Browser, address: str) -> Iterator[Watched]:
    """A fresh page; at its end the test fails if the console was not clean or another host was asked."""
    context = browser.new_context(viewport={"width": 1360, "height": 950}, accept_downloads=True)
    context.set_default_timeout(60_000)
    watched = Watched(context.new_page(), address)
    watched.page.on("console", watched.heard)
    watched.page.on("pageerror", lambda error: watched.complaints.append(f"page error: {error}"))
    watched.page.on("request", watched.requested)
    yield watched
    context.close()
    assert watched.complaints == []
