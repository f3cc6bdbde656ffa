"""The dashboard mounted on the service: addresses, callbacks as the browser asks them, refusals on the screen."""

from __future__ import annotations

import asyncio
import json
import logging
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from screen import ask_callback
from service import Service
from wires import dataset

import bi2scope.dashboard.callbacks.maps as map_callbacks
from bi2scope.dashboard import ids
from bi2scope.dashboard.address import VIEWS
from bi2scope.dashboard.app import ASSETS, create_app
from bi2scope.dashboard.client import Client
from bi2scope.dashboard.settings import Settings
from bi2scope.data.store.reader import StoreReader

CUT = {"threshold": 0.6, "top_k": 5, "layer": 0, "head": 0}
TRACKS = [f"{name}.{prop}" for name, prop in (
    (ids.TRACKS, "figure"), (ids.TRACKS, "style"), (ids.TRACKS_DRAWN, "data"), (ids.TRACKS_CAPTION, "children"),
    (ids.PEAKS, "rowData"), (ids.PEAKS_TITLE, "children"), (ids.PEAKS_CSV, "children"),
    (ids.TRACKS_NOTICE, "children"),
)]  # fmt: skip


def draw_map(screen: FastAPI, cell: str, **more: Any) -> Any:
    return Service(screen).ask("GET", "/screen/map", params={"cell": cell, "threshold": 0.6, "top_k": 5, **more})


def draw_tracks(screen: FastAPI, types: list[str], drawn: Any = None, panels: str = "one") -> Any:
    inputs = {
        "types.value": types, "definition.value": "score", "panels.value": panels,
        "cut-settled-celltype.data": CUT, "track-window.data": None,
        "scheme.data": "light", "view.value": "celltype", "part.value": "peaks",
    }  # fmt: skip
    return ask_callback(screen, TRACKS, inputs, {"tracks-drawn.data": drawn})


def test_page_and_service_share_one_port(screen: FastAPI) -> None:
    service = Service(screen)
    index = service.ask("GET", "/")
    assert index.status_code == 200
    assert '<html lang="en">' in index.text
    assert service.json("/health")["status"] == "ok"
    assert service.get("/no/such/thing").status_code == 404


def test_nothing_is_fetched_from_another_host(screen: FastAPI) -> None:
    index = Service(screen).ask("GET", "/").text
    assets = "".join(path.read_text() for path in Path(ASSETS).iterdir())
    assert "https://" not in index + assets
    assert "//cdn" not in index + assets


def test_the_page_opens_no_socket(screen: FastAPI) -> None:
    assert "websocket" not in Service(screen).ask("GET", "/").text


def test_a_cell_is_drawn_whole_the_first_time_and_changed_after(screen: FastAPI, reader: StoreReader) -> None:
    cell = str(reader.cells.index[0])
    first = draw_map(screen, cell).json()
    (trace,) = first["figure"]["data"]
    assert trace["type"] == "heatmap"
    assert "sendChartToCloud" in first["config"]["modeBarButtonsToRemove"]
    again = draw_map(screen, cell, window="2-6-3-9", drawn=True).json()
    assert set(again) == {"changes", "bins", "caption"}
    assert {change["operation"] for change in again["changes"]} == {"Assign"}
    (near,) = again["bins"]["maps"]
    assert (near["gene_start"], near["peak_start"]) == (2, 3)


def test_the_bins_of_a_map_hold_the_values_that_the_page_lays_out(screen: FastAPI, reader: StoreReader) -> None:
    cell = str(reader.cells.index[0])
    (one,) = draw_map(screen, cell, colouring="logit").json()["bins"]["maps"]
    bins = json.loads(one["json"])["bins"]
    served = Service(screen).json(f"/cells/{cell}/heatmap", threshold=0.6, top_k=5, width=640, height=720)
    assert {name: bins[name] for name in ("row", "column", "logit")} == {
        name: served["bins"][name] for name in ("row", "column", "logit")
    }


def test_maps_beside_a_cells_own_are_laid_out_already(screen: FastAPI, reader: StoreReader) -> None:
    one, other = map(str, reader.cells.index[:2])
    answer = draw_map(screen, one, beside="cell", other=other).json()
    assert [trace["z"]["dtype"] for trace in answer["figure"]["data"]] == ["f4"] * 3
    changes = draw_map(screen, one, beside="cell", other=other, drawn=True).json()["changes"]
    assert [change["location"] for change in changes if change["location"][-1] == "z"] == [
        ["data", at, "z"] for at in range(3)
    ]
    alone = draw_map(screen, one, beside="cell").json()
    assert alone["notice"]["props"]["title"] == "There is no second cell to show."


def test_a_refusal_is_a_notice_and_nothing_is_drawn(screen: FastAPI) -> None:
    answer = draw_map(screen, "no such cell").json()
    assert set(answer) == {"notice"}
    assert "no such cell" in answer["notice"]["props"]["title"]


def test_a_question_that_is_none_is_refused(screen: FastAPI, reader: StoreReader) -> None:
    cell = str(reader.cells.index[0])
    assert draw_map(screen, cell, window="2-6").status_code == 422
    assert draw_map(screen, cell, colouring="mauve").status_code == 422


def test_what_a_cut_leaves_comes_as_html(screen: FastAPI, reader: StoreReader) -> None:
    service, cell, kind = Service(screen), str(reader.cells.index[1]), reader.cell_types[0]
    cut = {"threshold": 0.6, "top_k": 5}
    left = service.ask("GET", "/screen/cell", params={"cell": cell, **cut}).json()
    profile = service.json(f"/cells/{cell}/profile", **cut)
    assert f'<b id="n-links">{profile["n_links"]:,}</b>' in left["numbers"]
    assert f"<h2>{cell}</h2>" in left["title"]
    assert "threshold=0.6" in left["href"]
    assert f"in cell {cell}" in left["left"]
    of_type = service.ask("GET", "/screen/celltype", params={"cell_type": kind, **cut}).json()
    assert f"cells of {kind}" in of_type["left"]


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_the_first_answer_is_what_the_page_would_ask_one_by_one(
    screen: FastAPI, reader: StoreReader, scale: str
) -> None:
    service, cell = Service(screen), str(reader.cells.index[1])
    shown = {"view": "cell", "cell": cell, "colour": "rank", "scale": scale, "threshold": 0.6, "k": 5}
    first = service.ask("GET", "/screen/first", params=shown).json()
    assert first["asked"] == {
        "cell": cell, "colouring": "rank", "scale": scale, "beside": "alone", "cut": CUT,
    }  # fmt: skip
    for scheme, figure in first["figures"].items():
        later = draw_map(screen, cell, colouring="rank", scale=scale, scheme=scheme).json()
        assert figure == later["figure"]
        assert {name: first[name] for name in ("bins", "caption", "config")} == {
            name: later[name] for name in ("bins", "caption", "config")
        }
    left = service.ask("GET", "/screen/cell", params={"cell": cell, "threshold": 0.6, "top_k": 5}).json()
    assert {name: first[name] for name in left} == left


def test_an_address_without_a_cell_opens_the_first_one(screen: FastAPI, reader: StoreReader) -> None:
    first = Service(screen).ask("GET", "/screen/first").json()
    assert first["asked"]["cell"] == str(reader.cells.index[0])


@pytest.mark.parametrize("query", ["view=tf", "cell_type=CD4", "view=cell&beside=thresholds"])
def test_no_first_map_is_made_where_the_page_shows_something_else(screen: FastAPI, query: str) -> None:
    assert Service(screen).ask("GET", f"/screen/first?{query}").json() == {}


def test_the_neighbours_of_a_cell_are_those_that_the_buttons_go_to(screen: FastAPI, reader: StoreReader) -> None:
    cells = reader.cells
    kind = cells["cell_type"].iloc[0]
    same = [str(name) for name in cells.index[cells["cell_type"] == kind]]
    answer = Service(screen).ask("GET", "/screen/neighbours", params={"cell": same[0]}).json()
    assert answer == {"previous": same[-1], "next": same[1]}


def test_a_view_comes_when_it_is_opened(screen: FastAPI) -> None:
    """The other places are left as they are."""
    places = [f"{prefix}-{view}" for view in VIEWS for prefix in ("side", "view-panel")]
    outputs = [f"{place}.children" for place in places]
    asked = {"opened.data": {"view": "celltype", "query": "?view=cell&cell_type=nobody"}}
    answer = ask_callback(screen, outputs, asked, {}).json()["response"]
    assert set(answer) == {"side-celltype", "view-panel-celltype"}
    assert ids.TRACKS in json.dumps(answer)


def test_the_numbers_are_those_of_the_service(screen: FastAPI, reader: StoreReader) -> None:
    cell = str(reader.cells.index[1])
    table = Service(screen).json(f"/cells/{cell}/links", threshold=0.6, top_k=5)
    outputs = ["link-columns.data", "links-notice.children"]
    inputs = {"cell-seen.data": {"cell": cell, "cut": CUT}}
    answer = ask_callback(screen, outputs, inputs, {}).json()["response"]
    shown = json.loads(answer["link-columns"]["data"])
    assert shown["score"] == table["links"]["score"]
    assert len(shown["rank"]) == table["n_links"]


def test_tracks_and_table_of_two_types(screen: FastAPI, reader: StoreReader) -> None:
    types = reader.cell_types[:2]
    answer = draw_tracks(screen, types).json()["response"]
    assert len(answer["tracks"]["figure"]["data"]) == 4  # a track and its names for each
    assert {row["cell_type"] for row in answer["peaks"]["rowData"]} == set(types)
    best = next(row for row in answer["peaks"]["rowData"] if row["cell_type"] == types[0])
    scores = Service(screen).json(f"/celltypes/{types[0]}/scores", threshold=0.6, top_k=5)
    assert best["score"] == max(scores["score"])
    drawn = answer["tracks-drawn"]["data"]
    moved = draw_tracks(screen, types, drawn).json()["response"]
    assert set(moved) == {"tracks", "tracks-notice"}


def test_a_panel_for_each_chromosome_holds_all_types(screen: FastAPI, reader: StoreReader) -> None:
    types = reader.cell_types[:2]
    answer = draw_tracks(screen, types, panels="each").json()["response"]
    figure = answer["tracks"]["figure"]
    names = reader.peaks["chrom"].unique().tolist()
    assert [text["text"] for text in figure["layout"]["annotations"]] == [f"<b>{name}</b>" for name in names]
    assert len(figure["data"]) == len(types) * len(names)
    again = draw_tracks(screen, types, answer["tracks-drawn"]["data"], "each").json()["response"]
    assert again["tracks"]["figure"]["data"] == figure["data"]


def test_the_page_says_when_the_service_is_away(reader: StoreReader) -> None:
    api = FastAPI()
    away = httpx.MockTransport(lambda _: httpx.Response(503, text=""))
    create_app(Settings(), api, Client(httpx.AsyncClient(transport=away, base_url="http://away")))
    answer = ask_callback(api, ["page.children"], {"address.data": {"query": "", "at": 0}}, {}).json()
    text = str(answer["response"]["page"]["children"])
    assert "status 503" in text
    assert ids.RETRY in text


def test_an_unexpected_error_is_logged_and_shown(
    screen: FastAPI, reader: StoreReader, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("boom")

    monkeypatch.setattr(map_callbacks, "heatmap_figure", broken)
    with caplog.at_level(logging.ERROR):
        answer = draw_map(screen, str(reader.cells.index[0]))
    assert answer.status_code == 200
    assert "ZeroDivisionError" in answer.json()["notice"]["props"]["title"]
    assert "boom" in caplog.text


def test_a_slow_answer_does_not_hold_up_the_others(reader: StoreReader) -> None:
    """Callbacks are asynchronous: while one waits for the service, another is answered."""
    released = asyncio.Event()

    async def service(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/dataset"):
            return httpx.Response(200, json=dataset().model_dump(mode="json"))
        if "slow" in request.url.path:
            await released.wait()
        return httpx.Response(404, json={"error": {"type": "NotFoundError", "message": str(request.url.path)}})

    async def both() -> list[str]:
        api, done = FastAPI(), []
        create_app(
            Settings(), api, Client(httpx.AsyncClient(transport=httpx.MockTransport(service), base_url="http://x"))
        )

        async def ask(cell: str) -> None:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(api), base_url="http://test") as http:
                answer = await http.get("/screen/map", params={"cell": cell, "threshold": 0.6})
            assert answer.status_code == 200, answer.text
            done.append(cell)

        slow = asyncio.create_task(ask("slow"))
        await asyncio.sleep(0.05)
        await ask("quick")
        released.set()
        await slow
        return done

    assert asyncio.run(both()) == ["quick", "slow"]


def test_the_embedding_is_drawn_once_and_then_only_its_ring_moves(screen: FastAPI, reader: StoreReader) -> None:
    outputs = ["embedding.figure", "embedding-drawn.data", "embedding-notice.children"]
    one, other = map(str, reader.cells.index[:2])

    def ask(cell: str, drawn: list[str] | None) -> dict[str, Any]:
        inputs = {"cell-seen.data": {"cell": cell, "cut": CUT}, "scheme.data": "light"}
        answer = ask_callback(screen, outputs, inputs, {"embedding-drawn.data": drawn})
        return {} if answer.status_code == 204 else dict(answer.json()["response"])

    first = ask(one, None)
    assert first["embedding"]["figure"]["data"][-1]["name"] == "chosen cell"
    drawn = first["embedding-drawn"]["data"]
    assert not ask(one, drawn)  # the cut moved, the cell did not
    moved = ask(other, drawn)
    assert {tuple(each["location"][2:]) for each in moved["embedding"]["figure"]["operations"]} == {("x",), ("y",)}
    assert moved["embedding-drawn"]["data"] == ["light", other]
