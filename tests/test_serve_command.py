"""``bi2scope serve`` as a process of its own: token, log, signals, workers."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from ctrl_c import heeding
from service import API
from stores import tiny_store

from bi2scope.data.errors import ConfigurationError
from bi2scope.serve_verb import run_server
from bi2scope.server.settings import Settings

PAGE = (Path(__file__).parents[1] / "docs" / "deployment.md").read_text()
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_store(tmp_path_factory.mktemp("store") / "tiny.h5", n_cells=12)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Served:
    """A running ``bi2scope serve``."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.process, self.port = process, port
        self.address = f"http://127.0.0.1:{port}"

    def stop(self, number: int) -> tuple[int, str, str]:
        """Exit code, standard output and standard error after a signal."""
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=60)
        return self.process.returncode, out, err


@contextmanager
def serving(store: Path, *options: str, **environment: str) -> Iterator[Served]:
    port = free_port()
    bi2scope = [sys.executable, "-m", "bi2scope"]
    command = heeding(*bi2scope, "serve", str(store), "--no-open", "--port", str(port), *options)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env={**os.environ, **environment}, start_new_session=True, **pipes) as process:  # type: ignore[call-overload]
        served = Served(process, port)
        try:
            until = time.monotonic() + 120
            while not _answers(served.address):
                assert process.poll() is None, process.communicate()
                assert time.monotonic() < until
                time.sleep(0.05)
            yield served
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def _answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}{API}/health", timeout=5).status_code == 200
    except httpx.HTTPError:
        return False


def test_beyond_this_machine_a_token_is_made_and_shown_once(store: Path) -> None:
    with serving(store, "--host", "0.0.0.0", "--log", "json") as served:
        assert httpx.get(f"{served.address}/").status_code == 401
        assert served.process.stdout is not None
        said = served.process.stdout.readline()
        token = re.findall(r"\?token=([\w-]{40,})", said)[0]
        with httpx.Client(base_url=served.address, follow_redirects=True) as browser:
            page = browser.get("/", params={"token": token})
            assert (page.status_code, str(page.url)) == (200, f"{served.address}/")
            assert "_dash-layout" in page.text or "dash" in page.text
            assert browser.get(f"{API}/dataset").json()["n_cells"] == 12
        bearer = {"Authorization": f"Bearer {token}"}
        assert httpx.get(f"{served.address}{API}/dataset", headers=bearer).status_code == 200
        assert (
            httpx.get(f"{served.address}{API}/dataset", headers={**bearer, "Host": "evil.example"}).status_code == 421
        )
        code, out, err = served.stop(signal.SIGTERM)
    assert code == 0
    assert token not in out + err
    lines = [json.loads(line) for line in err.splitlines()]
    assert {"/api/v1/dataset", "other"} <= {line["route"] for line in lines}
    assert {line["status"] for line in lines if line["route"] == "/api/v1/dataset"} == {200}


def test_on_this_machine_none_is_asked_for_and_ctrl_c_is_an_interrupt(store: Path) -> None:
    with serving(store) as served:
        assert httpx.get(f"{served.address}{API}/dataset").status_code == 200
        refused_head = httpx.get(f"{served.address}{API}/health", headers={"X-Long": "x" * 40_000})
        assert (refused_head.status_code, refused_head.json()["error"]["type"]) == (431, "RequestError")
        assert raw(served.port, b"NONSENSE\r\n\r\n").startswith(b"HTTP/1.1 400 ")
        assert raw(served.port, b"GET / HTTP/1.1\r\nX: " + b"x" * 600_000).startswith(b"HTTP/1.1 431 ")
        code, out, err = served.stop(signal.SIGINT)
    assert code == 130
    assert "token" not in out
    assert "Traceback" not in err


def raw(port: int, sent: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        try:
            connection.sendall(sent)
            return connection.recv(1000)
        except ConnectionError:
            return connection.recv(1000)


def test_a_request_that_has_begun_ends_before_the_service_does(store: Path, tmp_path: Path) -> None:
    with serving(store, BI2SCOPE_TOKEN="t" * 20) as served:
        bearer = {"Authorization": f"Bearer {'t' * 20}"}
        bed = b"".join(b"chr1\t%d\t%d\tx\t%d\n" % (n, n + 500, n % 7) for n in range(0, 700_000, 100))
        answers: list[int] = []

        def compare() -> None:
            url = f"{served.address}{API}/celltypes/B cell/tf?draws=2000"
            answers.append(httpx.post(url, files={"file": ("a.bed", bed)}, headers=bearer, timeout=60).status_code)

        asking = threading.Thread(target=compare)
        asking.start()
        metrics = f"{served.address}{API}/metrics"
        until = time.monotonic() + 30
        while "in_flight 2.0" not in httpx.get(metrics, headers=bearer).text and not answers:
            assert time.monotonic() < until
        code, _, _ = served.stop(signal.SIGTERM)
        asking.join(60)
    assert (code, answers) == (0, [200])


@pytest.mark.slow
def test_two_processes_answer_alike_and_stop_together(store: Path) -> None:
    with serving(store, "--workers", "2", "--host", "0.0.0.0", BI2SCOPE_TOKEN="t" * 20) as served:
        bearer = {"Authorization": f"Bearer {'t' * 20}"}
        for _ in range(8):
            assert httpx.get(f"{served.address}{API}/dataset", headers=bearer).json()["n_cells"] == 12
        form = {"file": ("a.bed", b"chr1\t0\t99999\n")}
        refusal = httpx.post(f"{served.address}{API}/tracks", headers=bearer, files=form)
        assert refusal.status_code == 422
        assert "runs 2 processes" in refusal.json()["error"]["message"]
        code, out, _ = served.stop(signal.SIGTERM)
    assert code == 0
    assert "t" * 20 not in out


def test_a_weak_token_and_an_unknown_form_of_log_are_refused(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigurationError, match="log is 'xml'"):
        run_server([str(store)], False, log="xml")
    monkeypatch.setenv("BI2SCOPE_TOKEN", "short")
    with pytest.raises(ConfigurationError, match="16 or more"):
        run_server([str(store)], False, host="0.0.0.0")


def test_the_page_on_serving_names_every_setting() -> None:
    for name in Settings.model_fields:
        assert f"`BI2SCOPE_{name.upper()}`" in PAGE, name
