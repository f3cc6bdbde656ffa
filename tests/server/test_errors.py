from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import h5py
import pytest
from fastapi import FastAPI
from service import API, Service, refusal, segment

from bi2scope.data import errors as tree
from bi2scope.data.store.reader import StoreReader
from bi2scope.server.app import create_app
from bi2scope.server.errors import STATUS, UploadTooLargeError, status_of
from bi2scope.server.params import WANTED, Query
from bi2scope.server.settings import Settings


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (tree.NotFoundError("cell", "x"), 404),
        (UploadTooLargeError("x"), 413),
        (tree.InputError("x"), 422),
        (tree.ConfigurationError("x"), 422),
        (tree.RegionError("x"), 422),
        (tree.StoreError("x"), 503),
        (tree.StoreDamagedError("x"), 503),
        (tree.StoreFormatError("x"), 503),
        (tree.TrainingError("x"), 500),
    ],
)
def test_statuses(error: tree.Bi2scopeError, status: int) -> None:
    assert status_of(error) == status


def test_every_class_of_error_has_a_status() -> None:
    classes = [kind for kind in vars(tree).values() if isinstance(kind, type) and issubclass(kind, tree.Bi2scopeError)]
    assert len(classes) > 8
    assert all(any(ancestor in STATUS for ancestor in kind.__mro__) for kind in classes)


@pytest.mark.parametrize(
    ("path", "params", "kind", "nearest"),
    [
        ("/cells/{cell}x/links", {}, "cell", "{cell}"),
        ("/cells/{cell}x/links.csv", {}, "cell", "{cell}"),
        ("/cells/{cell}x/heatmap", {}, "cell", "{cell}"),
        ("/cells/{cell}/links", {"gene": "gene1x"}, "gene", "GENE1"),
        ("/cells/{cell}/links", {"chromosome": "chr11"}, "chromosome", "chr1"),
        ("/cells/{cell}/links", {"layer": 2}, "layer", ""),
        ("/cells/{cell}/heatmap", {"head": 9}, "head", ""),
        ("/celltypes/cd4 naive cells/scores", {}, "cell type", "CD4 naive"),
        ("/celltypes/B-cell/scores.csv", {}, "cell type", "B cell"),
        ("/celltypes/B cell/scores", {"layer": 7}, "layer", ""),
        ("/cells", {"cell_type": "B cells"}, "cell type", "B cell"),
    ],
)
def test_what_is_not_there_is_not_found(
    service: Service, reader: StoreReader, path: str, params: dict[str, Any], kind: str, nearest: str
) -> None:
    cell = str(reader.cells.index[0])
    status, name, message, hint = service.error(path.format(cell=cell), **params)
    assert (status, name) == (404, "NotFoundError")
    assert message.startswith(f"There is no {kind} named ")
    assert nearest.format(cell=cell) in hint
    assert bool(hint) == bool(nearest)


@pytest.mark.parametrize(
    ("path", "params", "said"),
    [
        ("links", {"threshold": 0.49}, "threshold is 0.49; it must be a number from 0.5 to 1."),
        ("links", {"threshold": 1.01}, "threshold is 1.01; it must be a number from 0.5 to 1."),
        ("links", {"threshold": "nan"}, "threshold is nan; it must be a number from 0.5 to 1."),
        ("links", {"threshold": "inf"}, "threshold is inf; it must be a number from 0.5 to 1."),
        ("links.csv", {"threshold": "high"}, "threshold is high; it must be a number from 0.5 to 1."),
        ("links", {"top_k": 0}, "top_k is 0; it must be a whole number from 1 up, or left out for no cut on the rank."),
        ("heatmap", {"top_k": 2.5}, "top_k is 2.5; it must be a whole number from 1 up"),
        ("links", {"top_k": 10**23}, "top_k is 100000000000000000000000; it must be a whole number"),
        ("heatmap", {"width": 0}, "width is 0; it must be a whole number from 1 to 4000."),
        ("heatmap", {"height": 4001}, "height is 4001; it must be a whole number from 1 to 4000."),
        ("heatmap", {"gene_start": -1}, "gene_start is -1; it must be a whole number from 0 up."),
        ("links", {"limit": -1}, "limit is -1; it must be a whole number from 0 to 200000."),
        ("links", {"limit": 200_001}, "limit is 200001; it must be a whole number from 0 to 200000."),
        ("links", {"layer": "first"}, "layer is first; it must be a whole number from 0 up."),
        ("links", {"gene": "x" * 300}, f"gene is {'x' * 60}...; it must be the id or the symbol of a gene"),
        ("links", {"threshold": 2, "top_k": -1}, "threshold is 2; it must be a number from 0.5 to 1. top_k is -1;"),
    ],
)
def test_a_parameter_out_of_its_range_is_refused(
    service: Service, reader: StoreReader, path: str, params: dict[str, Any], said: str
) -> None:
    status, kind, message, _ = service.error(f"/cells/{reader.cells.index[0]}/{path}", **params)
    assert (status, kind) == (422, "ConfigurationError")
    assert message.startswith(said)


def test_a_misspelt_parameter_is_refused_not_ignored(service: Service, reader: StoreReader) -> None:
    path = f"/cells/{reader.cells.index[0]}/links"
    status, kind, message, _ = service.error(path, treshold=0.9)
    assert (status, kind) == (422, "ConfigurationError")
    assert message == f"{API}{path} takes no parameter 'treshold'. Did you mean threshold?"
    assert service.error("/celltypes/B cell/scores", limit=3)[0] == 422


def test_an_unknown_definition_is_refused(service: Service) -> None:
    answer = service.ask("POST", f"{API}/celltypes/B cell/tf", params={"definition": "sum"}, files={"file": b"x"})
    assert refusal(answer)[:3] == (
        422, "ConfigurationError", "definition is sum; it must be one of links, score and weight."
    )  # fmt: skip


def test_an_empty_parameter_is_an_absent_one(service: Service, reader: StoreReader) -> None:
    path = f"/cells/{reader.cells.index[0]}/links"
    assert service.json(path, top_k="", chromosome="", gene="", limit="") == service.json(path)


def queries(base: type[Query] = Query) -> set[type[Query]]:
    return {base}.union(*(queries(each) for each in base.__subclasses__()))


def test_every_parameter_says_what_it_takes() -> None:
    fields = [(name, field) for query in queries() for name, field in query.model_fields.items()]
    assert {name for name, _ in fields} == set(WANTED)
    for name, field in fields:
        assert (field.description or "").endswith(WANTED[name])


@pytest.mark.parametrize(
    "path", ["/api", "/api/", "/api/v1", "/api/v1/", "/api/v1/nothing", "/api/v2/health", "/api/v1/cells/x"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_an_unknown_address_is_not_found(service: Service, path: str, method: str) -> None:
    status, kind, message, _ = refusal(service.ask(method, path))
    assert (status, kind) == (404, "NotFoundError")
    assert f"There is nothing at {path};" in message


def test_a_known_address_says_that_it_does_not_take_the_method(service: Service) -> None:
    assert refusal(service.ask("POST", f"{API}/health"))[:2] == (405, "MethodNotAllowedError")
    answer = service.ask("DELETE", f"{API}/celltypes/B cell/tf")
    assert refusal(answer)[:2] == (405, "MethodNotAllowedError")
    assert answer.headers["allow"] == "GET, POST"
    assert service.ask("TRACE", f"{API}/cells").headers["allow"] == "GET"


def test_a_screen_mounted_later_never_answers_below_api(reader: StoreReader) -> None:
    api = create_app(Settings(), reader)

    @api.api_route("/{rest:path}", methods=["GET", "POST"])
    def page(rest: str) -> str:
        return "the page"

    service = Service(api)
    assert service.ask("GET", "/anything").json() == "the page"
    assert refusal(service.ask("GET", "/api/v1/nothing"))[0] == 404
    assert refusal(service.ask("POST", "/api"))[0] == 404
    assert service.json("/health")["status"] == "ok"


def test_a_defect_is_logged_and_shows_nothing_of_the_program(
    reader: StoreReader, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("a secret detail")

    monkeypatch.setattr("bi2scope.server.app.dataset_info", fail)
    service = Service(create_app(Settings(), reader))
    with caplog.at_level(logging.ERROR):
        answer = service.get("/dataset")
    status, kind, message, _ = refusal(answer)
    assert (status, kind) == (500, "InternalError")
    assert "secret" not in answer.text
    assert "defect of bi2scope" in message
    assert any(record.exc_info and "a secret detail" in str(record.exc_info[1]) for record in caplog.records)


def test_the_screens_own_failures_are_left_to_the_screen() -> None:
    from bi2scope.server.errors import install

    api = FastAPI()
    install(api)

    @api.get("/page")
    def page() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        Service(api).ask("GET", "/page")


EVERYWHERE = ("/health", "/dataset", "/embedding", "/cells", "/cells/{cell}/links", "/cells/{cell}/heatmap")


@pytest.mark.parametrize("path", [*EVERYWHERE, "/celltypes/B cell/scores", "/celltypes/B cell/scores.csv"])
def test_a_store_that_disappears_is_unavailable_until_it_is_back(own_store: Path, path: str) -> None:
    with StoreReader.open(own_store) as reader:
        service = Service(create_app(Settings(), reader))
        path = path.format(cell=segment(str(reader.cells.index[0])))
        assert service.get(path).status_code == 200
        aside = own_store.rename(own_store.with_suffix(".aside"))
        status, kind, message, hint = service.error(path)
        assert (status, kind) == (503, "StoreError")
        assert message == "The attention store own.h5 is gone from where it was opened."
        assert hint
        aside.rename(own_store)
        assert service.get(path).status_code == 200


def test_a_store_that_is_damaged_while_served_is_unavailable(own_store: Path) -> None:
    with h5py.File(own_store) as file:
        chunk = first_links(file).id.get_chunk_info(0)
    with StoreReader.open(own_store) as reader:
        service = Service(create_app(Settings(), reader))
        cell = segment(str(reader.cells.index[0]))
        with own_store.open("r+b") as content:
            content.seek(chunk.byte_offset + chunk.size // 2)
            content.write(b"\x5a\xa5" * 8)
        for path in (f"/cells/{cell}/links", f"/cells/{cell}/links.csv", f"/cells/{cell}/heatmap", "/health"):
            status, kind, message, _ = service.error(path)
            assert (status, kind) == (503, "StoreDamagedError"), path
            assert "own.h5 is damaged" in message
        assert service.get("/dataset").status_code == 200


def first_links(file: h5py.File) -> h5py.Dataset:
    found: list[h5py.Dataset] = []
    file.visititems(lambda name, item: found.append(item) if name.endswith("/link") else None)
    return found[0]


def test_a_store_that_is_cut_short_while_served_is_unavailable(own_store: Path) -> None:
    with StoreReader.open(own_store) as reader:
        service = Service(create_app(Settings(), reader))
        with own_store.open("r+b") as content:
            content.truncate(4096)
        cells = [segment(str(name)) for name in reader.cells.index]
        refusals = {service.error(f"/cells/{cell}/links")[:2] for cell in cells}
        assert refusals == {(503, "StoreDamagedError")}
