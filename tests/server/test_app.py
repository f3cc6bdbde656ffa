from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import platform
import re
import subprocess
import sys
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from service import API, Service, refusal, segment

from bi2scope.data.store.reader import StoreReader
from bi2scope.server import wire
from bi2scope.server.app import create_app
from bi2scope.server.settings import Settings


def test_importing_the_service_loads_neither_the_model_nor_the_screen() -> None:
    code = "import sys, bi2scope.server.app; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    loaded = set(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    )
    assert not loaded & {"torch", "torch_geometric", "scanpy", "dash", "plotly", "sklearn", "matplotlib", "numba"}
    assert not loaded & {"bioframe", "anndata", "h5py"}  # pyarrow is loaded by pandas wherever it is installed
    assert "fastapi" in loaded


def test_the_health_is_told_before_anything_that_is_compiled_is_loaded(reader: StoreReader) -> None:
    code = (
        "import sys; from bi2scope.data.store.reader import StoreReader as Reader; "
        "from bi2scope.server.catalogue import Catalogue; Catalogue(Reader.open(sys.argv[1])).probe(); "
        "print(*sorted({*sys.modules} & {'numba', 'scipy', 'anndata'}))"
    )
    run = subprocess.run([sys.executable, "-c", code, reader.path], capture_output=True, text=True, check=True)
    assert run.stdout.split() == []


TABLES = (
    "cells", "embedding", "cells/{cell_id}/links", "cells/{cell_id}/heatmap", "celltypes/{cell_type}/scores",
    "celltypes/{cell_type}/tf", "tf/matrix", "genes", "peaks", "celltypes/{cell_type}/map",
    "celltypes/{cell_type}/heatmap",
    "genes/{gene}/counts", "celltypes/{cell_type}/genes/{gene}/links", "celltypes/{cell_type}/peaks/{peak}/links",
    "celltypes/{cell_type}/difference/peaks", "celltypes/{cell_type}/difference/genes",
    "celltypes/{cell_type}/genes/{gene}/peaks", "celltypes/{cell_type}/strongest", "cells/{cell_id}/strongest",
)  # fmt: skip
CHOSEN = ("cells/scores", "cells/difference/peaks", "cells/difference/genes")
OF_A_STORE = (
    "health", "dataset", *TABLES, *(f"{path}.{{ending}}" for path in TABLES), "tracks", "tracks/{track_id}",
    "cells/{cell_id}/profile", "celltypes/{cell_type}/profile", "cells/{cell_id}/why",
    "cells/{cell_id}/neighbours", "region",
    *(f"{path}{ending}" for path in CHOSEN for ending in ("", ".{ending}")),
)  # fmt: skip
OF_THE_SERVICE = ("stores", "version", "metrics")


def test_the_description_names_every_address_and_every_parameter(service: Service) -> None:
    description = service.json("/openapi.json")
    assert set(description["paths"]) == {
        f"{API}/{path}" for path in (*OF_A_STORE, *(f"stores/{{store}}/{path}" for path in OF_A_STORE), *OF_THE_SERVICE)
    }
    operations = [operation for path in description["paths"].values() for operation in path.values()]
    assert len({operation["operationId"] for operation in operations}) == len(operations)
    for path in description["paths"].values():
        for operation in path.values():
            assert operation["description"]
            assert {"404", "422", "503"} <= set(operation["responses"])
            for parameter in operation.get("parameters", []):
                assert parameter["in"] == "path" or parameter["description"], parameter
    for model in ("LinkTable", "Heatmap", "PeakScores", "TrackComparison", "TrackMatrix", "TrackList", "ErrorBody"):
        assert model in description["components"]["schemas"]
    refused = description["paths"][f"{API}/health"]["get"]["responses"]["422"]["content"]["application/json"]["schema"]
    assert refused["$ref"].endswith("/ErrorBody")
    form = description["paths"][f"{API}/celltypes/{{cell_type}}/tf"]["post"]["requestBody"]
    assert "file" in form["content"]["multipart/form-data"]["schema"]["properties"]


def test_the_page_of_documentation_asks_no_other_host(service: Service) -> None:
    assert service.ask("GET", "/docs").status_code == 404
    assert service.ask("GET", "/redoc").status_code == 404
    page = service.get("/docs")
    addresses = re.findall(r"""(?:src|href|url)\s*[=:]\s*["']([^"']+)""", page.text)
    assert {address for address in addresses if not address.startswith("data:")} == {
        f"{API}/docs/swagger-ui.css", f"{API}/docs/swagger-ui-bundle.js", f"{API}/openapi.json"
    }  # fmt: skip
    assert "//" not in page.text
    for address, kind in (
        (f"{API}/docs/swagger-ui.css", "text/css"),
        (f"{API}/docs/swagger-ui-bundle.js", "javascript"),
    ):
        asset = service.ask("GET", address)
        assert kind in asset.headers["content-type"]
        assert len(asset.content) > 100_000
    assert refusal(service.ask("GET", f"{API}/docs/..%2Fcore.py"))[0] == 404
    script = re.findall(r"<script>(.*)</script>", page.text)[0]
    assert b64encode(hashlib.sha256(script.encode()).digest()).decode() in page.headers["content-security-policy"]


def test_the_versions_are_those_that_run(service: Service) -> None:
    body = service.json("/version")
    assert body["python"] == platform.python_version()
    assert body["libraries"]["uvicorn"] == uvicorn.__version__


def refuse_constant(name: str) -> float:
    raise AssertionError(f"{name} is no JSON")


def test_no_answer_holds_what_json_does_not_know(
    service: Service, reader: StoreReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "cells", reader.cells.assign(umap_1=float("nan"), umap_2=float("inf")))
    body = json.loads(service.get("/embedding").content, parse_constant=refuse_constant)
    assert set(body["x"]) == set(body["y"]) == {None}
    path = f"/cells/{reader.cells.index[0]}"
    for address in ("/dataset", f"{path}/links", f"{path}/heatmap", "/celltypes/B cell/scores"):
        json.loads(service.get(address).content, parse_constant=refuse_constant)


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("/health", wire.Health),
        ("/dataset", wire.DatasetInfo),
        ("/cells", wire.CellPage),
        ("/embedding", wire.Embedding),
        ("/cells/{}/links", wire.LinkTable),
        ("/cells/{}/links?threshold=1&top_k=1", wire.LinkTable),
        ("/cells/{}/heatmap", wire.Heatmap),
        ("/cells/{}/heatmap?threshold=1", wire.Heatmap),
        ("/celltypes/B%20cell/scores", wire.PeakScores),
    ],
)
def test_every_answer_is_its_wire_model_strictly(
    service: Service, reader: StoreReader, path: str, model: type[wire.Wire]
) -> None:
    content = service.ask("GET", API + path.format(reader.cells.index[0])).content
    body = model.model_validate_json(content, strict=True)
    columns = [len(value) for value in columns_of(body)]
    assert len(set(columns)) <= 1


def columns_of(body: wire.Wire) -> list[Any]:
    """The columns of the body's table, which must be of one length."""
    if isinstance(body, wire.LinkTable):
        return list(dict(body.links).values())
    if isinstance(body, wire.Heatmap):
        return list(dict(body.bins).values())
    if isinstance(body, wire.PeakScores | wire.Embedding):
        return [value for value in dict(body).values() if isinstance(value, list)]
    return []


@contextlib.contextmanager
def served(app: FastAPI) -> Iterator[str]:
    """The application behind a real socket."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until = time.monotonic() + 20
    while not server.started and time.monotonic() < until:
        time.sleep(0.01)
    assert server.started
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)


def test_strange_names_travel_over_a_socket_and_in_process_alike(strange: Service, strange_reader: StoreReader) -> None:
    names = {name: name for name in strange_reader.cells.index}
    with served(strange.app) as address, httpx.Client(base_url=address, timeout=60) as client:  # type: ignore[arg-type]
        for name in names:
            path = f"/cells/{segment(name)}/links"
            over_socket = client.get(f"{API}{path}").json()
            assert over_socket["cell_id"] == name
            assert over_socket == strange.json(path)
            assert client.get(f"{API}{path}.csv").text == strange.get(f"{path}.csv").text
            assert client.get(f"{API}/cells/{segment(name)}/heatmap").json()["cell_id"] == name
        for name in strange_reader.cell_types:
            assert client.get(f"{API}/celltypes/{segment(name)}/scores").json()["cell_type"] == name
            answer = client.post(f"{API}/celltypes/{segment(name)}/tf", files={"file": ("a.bed", b"chr1\t0\t99999\n")})
            assert answer.json()["cell_type"] == name


def test_the_store_is_warmed_up_while_the_service_starts(reader: StoreReader, monkeypatch: pytest.MonkeyPatch) -> None:
    warmed: list[str] = []
    monkeypatch.setattr(
        "bi2scope.server.catalogue.Catalogue.warm_up", lambda self: warmed.append(threading.current_thread().name)
    )
    with served(create_app(Settings(), reader)):
        pass
    assert len(warmed) == 1
    assert "AnyIO" in warmed[0]


def test_a_slow_answer_does_not_hold_up_the_others(reader: StoreReader, monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    app = create_app(Settings(), reader)
    monkeypatch.setattr("bi2scope.server.app.dataset_info", lambda _: release.wait(20) and wire.Health(version="late"))
    monkeypatch.setattr("bi2scope.server.tracks.read_bed", lambda *_: release.wait(20) and 1 / 0)

    async def ask() -> None:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            slow = [
                asyncio.create_task(client.get(f"{API}/dataset")),
                asyncio.create_task(client.post(f"{API}/celltypes/B cell/tf", files={"file": b"x"})),
            ]
            await asyncio.sleep(0.2)
            quick = await asyncio.wait_for(client.get(f"{API}/health"), timeout=10)
            assert quick.status_code == 200
            assert not any(task.done() for task in slow)
            release.set()
            assert [answer.status_code for answer in await asyncio.gather(*slow)] == [200, 500]

    asyncio.run(ask())


def test_many_threads_get_the_same_answers(reader: StoreReader) -> None:
    app = create_app(Settings(), reader)
    paths = [f"{API}/cells/{name}/links?threshold=0.7" for name in reader.cells.index[:20]]
    alone = [Service(app).ask("GET", path).content for path in paths]

    async def together() -> list[bytes]:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return [answer.content for answer in await asyncio.gather(*(client.get(path) for path in paths * 3))]

    assert asyncio.run(together()) == alone * 3
