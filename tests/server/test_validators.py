from __future__ import annotations

import os
from pathlib import Path

import pytest
from service import API, Service
from stores import tiny_store

from bi2scope.data.store.reader import StoreReader
from bi2scope.server.app import create_app
from bi2scope.server.settings import Settings

ADDRESSES = ("/dataset", "/cells", "/embedding", "/genes", "/cells/{}/links", "/cells/{}/links.csv",
             "/cells/{}/heatmap", "/celltypes/B cell/scores", "/celltypes/B cell/scores.csv",
             "/celltypes/B cell/map")  # fmt: skip


@pytest.mark.parametrize("path", ADDRESSES)
def test_what_the_client_has_is_not_made_again(
    service: Service, reader: StoreReader, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = API + path.format(reader.cells.index[0])
    first = service.ask("GET", path)
    assert first.headers["cache-control"] == "private, no-cache"
    assert "Accept" in first.headers["vary"]
    tag = first.headers["etag"]
    assert tag.startswith('W/"')
    for name in ("attention", "graph", "cumulative", "regulatory_map"):
        monkeypatch.setattr(reader, name, lambda *_, **__: 1 / 0)
    monkeypatch.setattr("bi2scope.server.cells.cell_page", lambda *_: 1 / 0)
    for given in (tag, f'"other", {tag}', tag.removeprefix("W/"), "*"):
        again = service.ask("GET", path, headers={"If-None-Match": given})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    monkeypatch.undo()
    assert service.ask("GET", path, headers={"If-None-Match": '"other"'}).content == first.content


def test_tags_differ_by_address_and_by_what_is_accepted(service: Service) -> None:
    tags = [
        service.ask("GET", f"{API}/cells{query}", headers={"Accept": accepted}).headers["etag"]
        for query in ("", "?limit=5", "?limit=6")
        for accepted in ("application/json", "text/csv")
    ]
    assert len(set(tags)) == len(tags)


def test_tags_change_with_the_file(own_store: Path) -> None:
    with StoreReader.open(own_store) as reader:
        app = create_app(Settings(), reader)
        service = Service(app)
        tags = [service.get("/cells").headers["etag"]]
        tiny_store(own_store.with_name("next.h5"), n_cells=12).replace(own_store)  # the same cells in another file
        tags.append(service.get("/cells").headers["etag"])
        os.utime(own_store, ns=(5, 5))
        tags.append(service.get("/cells").headers["etag"])
        assert len(set(tags)) == 3
        assert service.ask("GET", f"{API}/cells", headers={"If-None-Match": tags[0]}).status_code == 200
        app.state.stores.close()


@pytest.mark.parametrize(
    "path", ["/health", "/tracks", "/stores", "/metrics", "/nothing", "/cells/no-such/links", "/cells?limit=-1"]
)
def test_what_depends_on_more_than_the_store_is_kept_by_nobody(service: Service, path: str) -> None:
    answer = service.get(path) if "?" not in path else service.ask("GET", API + path)
    assert answer.headers["cache-control"] == "no-store"
    assert "etag" not in answer.headers
