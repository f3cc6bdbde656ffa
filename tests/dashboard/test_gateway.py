"""The API through the dashboard's own address: the same bytes, and a sentence when the service is away."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from fastapi import FastAPI
from service import Service, refusal, segment

from bi2scope.dashboard.client import Client
from bi2scope.dashboard.gateway import pass_on_api
from bi2scope.data.store.reader import StoreReader
from bi2scope.server.settings import Settings
from bi2scope.serving import dashboard_application


@pytest.fixture
def passing(client: Client) -> Service:
    app = FastAPI()
    pass_on_api(app, client)
    return Service(app)


def test_answers_are_those_of_the_service(passing: Service, api: FastAPI, reader: StoreReader) -> None:
    direct, cell = Service(api), segment(str(reader.cells.index[3]))
    for path in ("/dataset", f"/cells/{cell}/links.csv", f"/celltypes/{segment(reader.cell_types[0])}/scores"):
        there, here = direct.get(path, threshold=0.7, top_k=3), passing.get(path, threshold=0.7, top_k=3)
        assert (here.status_code, here.content) == (there.status_code, there.content)
        for name in ("content-type", "content-disposition"):
            assert here.headers.get(name) == there.headers.get(name)


@pytest.mark.parametrize(("told", "asked"), [(None, "identity"), ("gzip", "gzip")])
def test_nothing_is_compressed_for_a_client_that_does_not_ask_for_it(told: str | None, asked: str) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=httpx.ByteStream(request.headers["accept-encoding"].encode()))

    app = FastAPI()
    pass_on_api(app, Client(httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="http://service:1")))
    passed_on = httpx.ASGITransport(app)

    async def ask() -> str:
        async with httpx.AsyncClient(transport=passed_on, base_url="http://here") as browser:
            del browser.headers["accept-encoding"]
            return (await browser.get("/api/v1/dataset", headers={"accept-encoding": told} if told else {})).text

    assert asyncio.run(ask()) == asked


def test_names_with_slashes_and_spaces_arrive_as_they_were_sent(passing: Service) -> None:
    status, kind, message, _ = refusal(passing.get(f"/celltypes/{segment('CD4/CD8 T é?')}/scores"))
    assert (status, kind) == (404, "NotFoundError")
    assert "CD4/CD8 T é?" in message


def test_an_upload_is_passed_on(passing: Service, reader: StoreReader) -> None:
    peak = reader.peaks.iloc[0]
    bed = f"{peak['chrom']}\t{peak['start']}\t{peak['end']}\n".encode()
    answer = passing.ask("POST", "/api/v1/tracks", files={"file": ("one.bed", bed)})
    assert answer.status_code in {200, 201}, answer.text
    assert answer.json()["name"] == "one.bed"


def test_a_service_that_is_away_is_said_to_be(reader: StoreReader) -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    app = FastAPI()
    away = httpx.AsyncClient(transport=httpx.MockTransport(refuse), base_url="http://service:1")
    pass_on_api(app, Client(away))
    status, kind, message, hint = refusal(Service(app).get("/dataset"))
    assert (status, kind) == (503, "Unreachable")
    assert "http://service:1" in message
    assert "bi2scope serve" in hint


def test_a_dashboard_apart_has_the_one_shape_of_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    app = dashboard_application(Settings(allowed_hosts=("test",)), "http://127.0.0.1:9")
    apart = Service(app)
    assert refusal(apart.ask("PATCH", "/api/v1/health"))[:2] == (405, "MethodNotAllowedError")
    assert refusal(apart.ask("POST", "/nothing"))[:2] == (404, "NotFoundError")
    monkeypatch.setattr(Client, "forward", lambda *_: 1 / 0)
    assert refusal(apart.ask("GET", "/api/v1/health"))[:2] == (500, "InternalError")
