"""The real client against the real service, in one process; and what it makes of refusals."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from screen import run
from stores import tiny_store

from bi2scope.dashboard.client import BedFile, Client, ClientError, Cut, Sight, Window
from bi2scope.data.attention import Cut as StoreCut
from bi2scope.data.store.reader import StoreReader
from bi2scope.server.app import create_app as create_api
from bi2scope.server.settings import Settings as ApiSettings


def answering(status: int, text: str) -> Client:
    """A client of a service that always answers the same."""
    transport = httpx.MockTransport(lambda _: httpx.Response(status, text=text))
    return Client(httpx.AsyncClient(transport=transport, base_url="http://test"))


def test_dataset_and_embedding_agree_on_the_cells(client: Client, reader: StoreReader) -> None:
    info, embedding = run(client.dataset()), run(client.embedding())
    assert info.n_cells == len(embedding.cell_id) == len(reader.cells)
    assert sum(kind.n_cells for kind in info.cell_types) == info.n_cells


def test_cells_of_a_type_and_of_a_prefix(client: Client, reader: StoreReader) -> None:
    kind, name = reader.cell_types[0], str(reader.cells.index[3])
    page = run(client.cells(cell_type=kind, limit=2))
    assert page.total == int((reader.cells["cell_type"] == kind).sum())
    assert [cell.cell_type for cell in page.cells] == [kind, kind]
    assert [cell.cell_id for cell in run(client.cells(prefix=name)).cells] == [name]


def test_links_are_those_of_the_store(client: Client, reader: StoreReader) -> None:
    name, cut = str(reader.cells.index[5]), Cut(threshold=0.7, top_k=3)
    table = run(client.links(name, cut))
    links = reader.attention(5).links(StoreCut(0.7, 3))
    assert table.n_links == len(links) == len(table.links.rank) > 0
    assert table.links.score == pytest.approx(links.score.tolist())
    assert run(client.links(name, cut, limit=0)).limited


def test_a_window_of_the_heatmap(client: Client, reader: StoreReader) -> None:
    name = str(reader.cells.index[0])
    heatmap = run(client.heatmap(name, Cut(), Sight(5, 4, Window(1, 9, 2, 12))))
    assert (heatmap.gene_start, heatmap.gene_stop, heatmap.peak_start, heatmap.peak_stop) == (1, 9, 2, 12)
    assert (heatmap.gene_step, heatmap.peak_step) == (2, 2)


def test_a_refusal_carries_message_and_hint(client: Client) -> None:
    with pytest.raises(ClientError) as caught:
        run(client.links("no such cell", Cut()))
    assert "no such cell" in caught.value.message
    assert caught.value.kind == "NotFoundError"


def test_a_bad_bed_is_refused_with_its_line(client: Client, reader: StoreReader) -> None:
    with pytest.raises(ClientError, match=r"bad\.bed, line 2"):
        run(client.compare_track(reader.cell_types[0], Cut(), "score", BedFile("bad.bed", b"chr1\t1\t9\nchr1\tx\t9\n")))


def test_a_service_that_is_away() -> None:
    with pytest.raises(ClientError) as caught:
        run(Client.of_address("http://127.0.0.1:9", timeout=2).dataset())
    assert "does not answer" in caught.value.message
    assert "bi2scope serve" in caught.value.hint


def test_an_answer_of_another_version() -> None:
    with pytest.raises(ClientError, match="something else than DatasetInfo"):
        run(answering(200, '{"name": "x", "unheard_of": 1}').dataset())


def test_a_failure_without_an_explanation() -> None:
    with pytest.raises(ClientError, match="status 502"):
        run(answering(502, "<html>Bad gateway</html>").dataset())


def test_names_with_slashes_stay_one_segment(api: FastAPI) -> None:
    asked: list[str] = []

    async def spy(scope: dict, receive: object, send: object) -> None:
        asked.append(scope["raw_path"].decode())
        await api(scope, receive, send)  # type: ignore[arg-type]

    with pytest.raises(ClientError):
        run(Client.of_app(spy).scores("CD4/CD8 T", Cut()))  # type: ignore[arg-type]
    assert asked == ["/api/v1/celltypes/CD4%2FCD8%20T/scores"]


def test_another_store_than_the_default_is_asked_when_it_is_named(reader: StoreReader, tmp_path: Path) -> None:
    with StoreReader.open(tiny_store(tmp_path / "other.h5", n_cells=9)) as other:
        api = create_api(ApiSettings(), {"first": reader, "other": other})
        assert run(Client.of_app(api).dataset()).n_cells == 60
        assert run(Client.of_app(api, "other").dataset()).n_cells == 9
        with pytest.raises(ClientError, match="no store named 'third' here"):
            run(Client.of_app(api, "third").dataset())
