"""``bi2scope dashboard`` beside ``bi2scope serve --no-dashboard``, as processes of their own and with a token."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpx
import pytest
from stores import tiny_store

TOKEN = "a token of the tests".replace(" ", "-")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(*command: str) -> Iterator[str]:
    """Address of a verb that listens, once its health can be asked."""
    port = free_port()
    arguments = [sys.executable, "-m", "bi2scope", *command, "--no-open", "--port", str(port)]
    process = subprocess.Popen(arguments, env={**os.environ, "BI2SCOPE_TOKEN": TOKEN}, stderr=subprocess.PIPE)
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(600):
            assert process.poll() is None, process.stderr.read().decode() if process.stderr else ""
            try:
                if httpx.get(f"{address}/api/v1/health").status_code == 200:
                    break
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.communicate(timeout=60)


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Of the service and of the dashboard."""
    store = tiny_store(tmp_path_factory.mktemp("store") / "tiny.h5", n_cells=12)
    with ExitStack() as stack:
        service = stack.enter_context(running("serve", "--no-dashboard", str(store)))
        yield service, stack.enter_context(running("dashboard", "--service", service))


def test_the_service_has_no_page_and_the_dashboard_has_one(addresses: tuple[str, str]) -> None:
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    service, dashboard = (httpx.get(address, headers=bearer) for address in addresses)
    assert service.status_code == 404
    assert dashboard.status_code == 200
    assert "bi2scope" in dashboard.text


def test_the_dashboard_passes_the_api_on_to_those_who_have_the_token(addresses: tuple[str, str]) -> None:
    service, dashboard = addresses
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    assert httpx.get(f"{dashboard}/api/v1/dataset").status_code == 401
    there, here = (httpx.get(f"{address}/api/v1/dataset", headers=bearer) for address in (service, dashboard))
    assert here.status_code == 200
    assert here.content == there.content


def test_an_address_with_a_path_is_refused() -> None:
    command = [sys.executable, "-m", "bi2scope", "dashboard", "--service", "server:8050", "--no-open"]
    refused = subprocess.run(command, capture_output=True, text=True, check=False)
    assert refused.returncode == 2
    assert "wanted its address without a path" in refused.stderr
    assert "Traceback" not in refused.stderr
