"""Tables that are answered directly, beside FastAPI's own way to the same functions."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from service import API, Service

from bi2scope.data.attention import Cut
from bi2scope.data.exchange.columns import Coded, Lazy, coded
from bi2scope.data.store.reader import StoreReader
from bi2scope.server.app import create_app
from bi2scope.server.catalogue import Catalogue
from bi2scope.server.cell_links import is_at_hand
from bi2scope.server.decoded import DecodedCells
from bi2scope.server.direct import DirectTable
from bi2scope.server.params import LinksQuery
from bi2scope.server.settings import Settings
from bi2scope.server.tabular import table_response

LINKS = "/cells/{cell}/links"
ASKED = (
    ("GET", LINKS, ""),
    ("GET", LINKS, "top_k=3&threshold=0.8"),
    ("GET", f"{LINKS}.arrow", "top_k=2&columns=gene_id,score"),
    ("GET", f"{LINKS}.csv", "order=score&limit=5&head=mean"),
    ("GET", f"{LINKS}.bedpe", "top_k=1"),
    ("GET", "/stores/tiny/cells/{cell}/heatmap.json", "width=20&height=10"),
    ("GET", "/celltypes/CD4 naive/scores.csv", "threshold=0.9"),
    ("GET", LINKS, "top_k=&threshold=0.7"),
    ("GET", LINKS, "top_k=3&top_k=4"),
    ("GET", LINKS, "top_k=0&threshold=1.7"),
    ("GET", LINKS, "treshold=0.7"),
    ("GET", f"{LINKS}.xlsx", ""),
    ("GET", f"{LINKS}.bedpe", "columns=peak"),
    ("GET", "/celltypes/CD4 naive/scores.bedpe", ""),
    ("GET", "/cells/nobody/links", ""),
    ("GET", "/stores/nothing/cells/{cell}/links", "top_k=0"),
    ("GET", f"/stores/{'x' * 65}/cells/{{cell}}/links", ""),
    ("HEAD", LINKS, ""),
    ("POST", LINKS, ""),
)


@pytest.fixture(scope="module")
def roundabout(reader: StoreReader) -> Service:
    app = create_app(Settings(), reader)
    direct = [route for route in app.router.routes if isinstance(route, DirectTable)]
    assert len(direct) == 12
    app.router.routes[:] = [route for route in app.router.routes if route not in direct]
    return Service(app)


@pytest.mark.parametrize(("method", "path", "query"), ASKED)
def test_the_answer_is_that_of_the_routes_that_describe_it(
    service: Service, roundabout: Service, reader: StoreReader, method: str, path: str, query: str
) -> None:
    address = f"{API}{path.format(cell=reader.cells.index[5])}?{query}"
    here, there = (each.ask(method, address) for each in (service, roundabout))
    assert (here.status_code, here.content) == (there.status_code, there.content)
    assert dict(here.headers) == dict(there.headers)


AT_HAND = "top_k=3&columns=gene_id,peak"


@pytest.mark.parametrize(
    ("query", "on_the_loop"),
    [
        (AT_HAND, True), ("top_k=2&threshold=0.9", True), ("top_k=4&columns=peak", False), ("columns=peak", False),
        (f"{AT_HAND}&gene=0", False), (f"{AT_HAND}&order=score", False), (f"{AT_HAND}&head=max", False),
        (f"{AT_HAND}&head=1", False),
    ],
)  # fmt: skip
def test_only_few_links_that_are_decoded_are_answered_on_the_event_loop(
    reader: StoreReader, monkeypatch: pytest.MonkeyPatch, query: str, on_the_loop: bool
) -> None:
    threads: list[bool] = []

    def watched(*given: Any) -> Any:
        threads.append(threading.current_thread() is threading.main_thread())
        return table_response(*given)

    monkeypatch.setattr("bi2scope.server.direct.table_response", watched)
    path = f"{API}{LINKS.format(cell=reader.cells.index[3])}.arrow?"
    one, other = Service(create_app(Settings(), reader)), Service(create_app(Settings(), reader))
    first = one.ask("GET", path + AT_HAND)
    again = one.ask("GET", path + query)
    assert threads[:1] == [False]
    assert threads[1:] == [on_the_loop]
    assert again.content == other.ask("GET", path + query).content
    assert (again.content == first.content) == (query == AT_HAND)


def test_many_links_are_not_at_hand(reader: StoreReader, monkeypatch: pytest.MonkeyPatch) -> None:
    catalogue, cell = Catalogue(reader), str(reader.cells.index[3])
    query = LinksQuery(top_k=3, columns="gene_id,peak")
    catalogue.decoded.graph(3)
    n_links = int(np.minimum(np.diff(catalogue.decoded.attention_for(3, query.cut).row_start), 3).sum())
    assert is_at_hand(catalogue, cell, query)
    assert not is_at_hand(catalogue, "nobody", query)
    monkeypatch.setattr("bi2scope.server.cell_links.FEW_VALUES", 2 * n_links - 1)
    assert not is_at_hand(catalogue, cell, query)


@given(st.integers(0, 900), st.integers(0, 900), st.integers(0, 2**32))
def test_words_that_occur(n_rows: int, few: int, seed: int) -> None:
    names = np.array([f"peak{i}" for i in range(600)], dtype=object)
    picked = np.random.default_rng(seed).integers(0, 600, n_rows)
    column = coded(names)[picked.astype(np.int32)]
    places, codes = column.used()
    assert names[places].tolist() == list(dict.fromkeys(names[picked]))
    assert names[places][codes].tolist() == names[picked].tolist()
    compact = column.compact()[:few]
    assert np.asarray(compact).tolist() == names[picked[:few]].tolist()
    assert len(compact.words) == len(places)
    assert compact.goes_whole() == (len(places) <= max(256, min(few, n_rows)))


def test_what_a_table_has_is_not_made_to_be_looked_up() -> None:
    columns = Lazy({"made": lambda: 1 / 0})  # type: ignore[dict-item, return-value]
    assert "made" in columns
    assert "other" not in columns


@pytest.mark.parametrize("cut", [Cut(0.5, 3), Cut(), Cut(0.9), Cut(1)])
def test_own_columns_are_those_of_all(reader: StoreReader, cut: Cut) -> None:
    catalogue = Catalogue(reader)
    for cell in (0, 7):
        links, graph = reader.attention(cell).links(cut), reader.graph(cell)
        found: dict[str, Any] = dict(catalogue.own_columns(cell).beside(links))
        wanted: dict[str, Any] = dict(catalogue.places.columns(links.gene, links.peak))
        for name, column in wanted.items():
            assert np.asarray(found[name]).tolist() == np.asarray(column).tolist(), name
            if isinstance(column, Coded):
                assert len(found[name].words) <= len(column.words)
        assert found["weight"].tolist() == links.weight.tolist()
        counts = pd.Series(graph.peak_count, graph.peak_index)
        assert found["peak_count"].tolist() == counts[links.peak].tolist()
        assert catalogue.own_columns(cell) is catalogue.own_columns(cell)


def test_own_columns_are_within_the_bound_of_what_is_kept(reader: StoreReader) -> None:
    catalogue = Catalogue(reader)
    size = catalogue.own_columns(0).n_bytes
    catalogue.decoded = DecodedCells(reader, most_bytes=3 * size)
    for cell in range(20):
        catalogue.own_columns(cell)
        assert catalogue.decoded.n_bytes <= 3 * size
