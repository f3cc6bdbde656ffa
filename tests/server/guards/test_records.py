from __future__ import annotations

import json
import logging
from collections.abc import Iterator

import pytest
from asgi import ask
from service import API

from bi2scope.data.store.reader import StoreReader
from bi2scope.server.app import create_app
from bi2scope.server.guards.guarded import guarded
from bi2scope.server.logs import JsonLines, PlainLines, configure
from bi2scope.server.settings import Settings

TOKEN = "t" * 32


@pytest.fixture
def kept_logging() -> Iterator[None]:
    """Logging as it was, after a test that configures it."""
    root, own = logging.getLogger(), logging.getLogger("bi2scope")
    before = root.handlers[:], root.level, own.level
    yield
    root.handlers[:], root.level, own.level = before[0], before[1], before[2]
    own.setLevel(before[2])


def test_the_clients_name_for_a_request_is_taken_over_if_it_is_sane(reader: StoreReader) -> None:
    app = guarded(create_app(Settings(), reader), Settings(allowed_hosts=("test",)))
    assert ask(app, f"{API}/health", headers={"X-Request-ID": "run-7.a_B"}).headers["x-request-id"] == "run-7.a_B"
    for insane in ("", "a b", "x" * 65, "a\tb", "<script>"):
        made = ask(app, f"{API}/health", headers={"X-Request-ID": insane}).headers["x-request-id"]
        assert made != insane
        assert len(made) == 32
    assert ask(app, f"{API}/nothing").headers["x-request-id"]
    assert ask(app, "/", headers={"Host": "evil.example"}).headers["x-request-id"]


@pytest.mark.parametrize("form", ["plain", "json"])
def test_a_line_for_each_request_without_names_tokens_and_queries(
    reader: StoreReader, form: str, capsys: pytest.CaptureFixture[str], kept_logging: None
) -> None:
    settings = Settings(token=TOKEN, log=form, log_level="info", allowed_hosts=("test",))
    configure(settings)
    app = guarded(create_app(settings, reader), settings)
    cell = str(reader.cells.index[0])
    bearer = {"Authorization": f"Bearer {TOKEN}", "X-Request-ID": "mine"}
    body = ask(app, f"{API}/cells/{cell}/links?gene=GENE1&threshold=0.7", headers=bearer)
    ask(app, f"/?token={TOKEN}")
    ask(app, f"{API}/dataset")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    for secret in (TOKEN, cell, "GENE1", "threshold"):
        assert not any(secret in line for line in lines)
    if form == "json":
        first = json.loads(lines[0])
        assert first["route"] == f"{API}/cells/{{cell_id}}/links"
        assert (first["method"], first["status"], first["bytes"]) == ("GET", 200, len(body.content))
        assert (first["request_id"], first["level"]) == ("mine", "info")
        assert first["ms"] > 0
        assert [json.loads(line)["status"] for line in lines[1:]] == [303, 401]
    else:
        assert "[mine] GET /api/v1/cells/{cell_id}/links 200" in lines[0]


@pytest.mark.parametrize("formatter", [JsonLines(), PlainLines()])
def test_a_traceback_is_part_of_its_line(formatter: logging.Formatter) -> None:
    try:
        raise ZeroDivisionError("boom")
    except ZeroDivisionError as error:
        record = logging.LogRecord("x", logging.ERROR, "f", 1, "it %s", ("failed",), (type(error), error, None))
    text = formatter.format(record)
    assert "it failed" in text
    assert "ZeroDivisionError: boom" in text
    if isinstance(formatter, JsonLines):
        assert "\n" not in text


def test_metrics_count_by_route_and_status(reader: StoreReader) -> None:
    app = guarded(create_app(Settings(), reader), Settings(allowed_hosts=("test",)))
    for name in reader.cells.index[:3]:
        assert ask(app, f"{API}/cells/{name}/links?top_k=3").status_code == 200
    ask(app, f"{API}/cells/no-such/links")
    ask(app, "/wp-admin", "BREW")
    answer = ask(app, f"{API}/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    lines = answer.text.splitlines()
    route = f'route="{API}/cells/{{cell_id}}/links"'
    assert f'bi2scope_requests_total{{method="GET",{route},status="200"}} 3.0' in lines
    assert f'bi2scope_requests_total{{method="GET",{route},status="404"}} 1.0' in lines
    assert 'bi2scope_requests_total{method="other",route="other",status="404"} 1.0' in lines
    assert f"bi2scope_request_seconds_count{{{route}}} 4.0" in lines
    assert "bi2scope_requests_in_flight 1.0" in lines
    assert 'bi2scope_store_opens_total{store="tiny"} 1.0' in lines
    assert any(
        line.startswith(f"bi2scope_response_bytes_total{{{route}}}") and float(line.split()[-1]) > 1000
        for line in lines
    )
