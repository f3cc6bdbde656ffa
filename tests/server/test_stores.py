"""Several stores by one service, and files that are replaced, cut or removed while they are served."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import numpy as np
import pytest
from fastapi import FastAPI
from service import API, Service, refusal
from stores import RandomModel, tiny_attributes, tiny_multiome, tiny_store, write_store

from bi2scope.data.errors import ConfigurationError, StoreError
from bi2scope.data.store.reader import StoreReader
from bi2scope.server.app import create_app
from bi2scope.server.settings import Settings
from bi2scope.server.slugs import open_stores, slug_of, split_argument


def named_store(path: Path, name: str, n_cells: int, seed: int = 0) -> Path:
    multiome = tiny_multiome(n_cells, seed=seed)
    return write_store(
        path, multiome, RandomModel.of(multiome, np.random.default_rng(seed)), tiny_attributes(name=name)
    )


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("two")
    paths = [named_store(folder / "a.h5", "PBMC 10k", 12), named_store(folder / "b.h5", "cell lines", 9, seed=3)]
    with ExitStack() as closing:
        yield Service(create_app(Settings(), open_stores(list(map(str, paths)), closing)))


pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open files are counted in /proc")


@pytest.fixture
def replaceable(own_store: Path) -> Iterator[Service]:
    """A service that may close and open its store; all that it opened is closed at the end."""
    with StoreReader.open(own_store) as reader:
        app = create_app(Settings(), reader)
        yield Service(app)
        app.state.stores.close()


def replacement(own_store: Path, n_cells: int = 7, seed: int = 5) -> Path:
    return tiny_store(own_store.with_name("next.h5"), n_cells=n_cells, seed=seed)


def handles(path: Path) -> int:
    """Descriptors of this process that are open on a file of that name, also after it was removed."""
    return sum(target.startswith(str(path)) for target in map(_target, Path("/proc/self/fd").iterdir()))


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:  # the listing itself
        return ""


def test_the_stores_are_listed_and_each_answers_under_its_slug(two: Service) -> None:
    listed = two.json("/stores")["stores"]
    assert [(each["slug"], each["name"], each["default"], each["n_cells"], each["readable"]) for each in listed] == [
        ("PBMC-10k", "PBMC 10k", True, 12, True),
        ("cell-lines", "cell lines", False, 9, True),
    ]
    assert two.json("/dataset") == two.json("/stores/PBMC-10k/dataset")
    assert two.json("/stores/cell-lines/dataset")["n_cells"] == 9
    for slug in ("PBMC-10k", "cell-lines"):
        for cell in two.json(f"/stores/{slug}/cells", limit=2)["cells"]:
            table = two.json(f"/stores/{slug}/cells/{cell['cell_id']}/links")
            assert (table["cell_id"], table["n_genes"]) == (cell["cell_id"], cell["n_genes"])
            assert two.get(f"/stores/{slug}/cells/{cell['cell_id']}/links.csv").status_code == 200


def test_a_store_that_is_not_served_is_not_found(two: Service) -> None:
    status, kind, message, hint = two.error("/stores/cell-line/dataset")
    assert (status, kind, message) == (404, "NotFoundError", "There is no store named 'cell-line' here.")
    assert "cell-lines" in hint
    assert two.error("/stores/cell-lines/nothing")[0] == 404
    assert refusal(two.ask("POST", f"{API}/stores/cell-lines/health"))[0] == 405


def test_tracks_are_shared_and_comparisons_are_not(two: Service) -> None:
    held = two.ask("POST", f"{API}/stores/cell-lines/tracks", files={"file": ("a.bed", b"chr1\t0\t99999\n")}).json()
    assert held in two.json("/tracks")["tracks"]
    asked = {"track": held["track_id"], "draws": 0}
    first = two.json("/celltypes/B cell/tf", **asked)
    second = two.json("/stores/cell-lines/celltypes/B cell/tf", **asked)
    assert first["columns"]["cumulative"] != second["columns"]["cumulative"]


@pytest.mark.parametrize(
    ("name", "path", "slug"),
    [
        ("PBMC 10k (café)", "a.h5", "PBMC-10k-cafe"),
        ("", "blood.h5", "blood"),
        ("血", "x y.h5", "x-y"),
        ("../..", "-.h5", "store"),
    ],
)
def test_slugs(name: str, path: str, slug: str) -> None:
    assert slug_of(name, Path(path)) == slug


def test_two_stores_of_one_name_are_refused_unless_one_is_given_another(tmp_path: Path) -> None:
    one, other = (str(named_store(tmp_path / f"{stem}.h5", "blood", 6)) for stem in "ab")
    with ExitStack() as closing, pytest.raises(ConfigurationError, match="both be served as 'blood'") as refused:
        open_stores([one, other], closing)
    assert f"other={other}" in refused.value.hint
    with ExitStack() as closing:
        assert list(open_stores([one, f"after={other}"], closing)) == ["blood", "after"]
    with pytest.raises(ConfigurationError, match="cannot name a store"):
        split_argument("a b=c.h5")
    assert split_argument("./a=b.h5") == (None, Path("./a=b.h5"))


# ---------------------------------------------------------------- files that change


def test_a_store_that_is_replaced_is_opened_again_and_the_old_one_closed(replaceable: Service, own_store: Path) -> None:
    assert replaceable.json("/dataset")["n_cells"] == 12
    for n_cells in (7, 8, 9, 10):
        replacement(own_store, n_cells, seed=n_cells).replace(own_store)
        assert replaceable.json("/dataset")["n_cells"] == n_cells
        assert replaceable.json("/stores")["stores"][0]["n_cells"] == n_cells
        assert handles(own_store) == 1
    assert replaceable.app.state.stores.default.opened == 5  # type: ignore[attr-defined]


def test_a_request_that_has_begun_ends_with_the_old_file(
    replaceable: Service, own_store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While one waits in its handler, the file is replaced and another is answered from the new one."""
    path = f"{API}/cells/{replaceable.json('/cells')['cells'][3]['cell_id']}/links"
    whole = replaceable.ask("GET", path).json()
    begun, replaced = threading.Event(), threading.Event()
    from bi2scope.server import app as routes

    original = routes.cell_links.link_table

    def slow(*arguments: object) -> object:
        begun.set()
        assert replaced.wait(20)
        return original(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr("bi2scope.server.app.cell_links.link_table", slow)

    async def both() -> tuple[httpx.Response, httpx.Response]:
        transport = httpx.ASGITransport(app=replaceable.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            old = asyncio.create_task(client.get(path))
            await asyncio.to_thread(begun.wait, 20)
            await asyncio.to_thread(lambda: replacement(own_store).replace(own_store))
            new = await client.get(f"{API}/dataset")
            assert handles(own_store) == 2
            replaced.set()
            return await old, new

    old, new = asyncio.run(both())
    assert old.json() == whole
    assert new.json()["n_cells"] == 7
    assert handles(own_store) == 1


def test_a_stream_holds_its_file_to_the_last_byte(replaceable: Service, own_store: Path) -> None:
    cell = replaceable.json("/cells")["cells"][0]["cell_id"]
    seen: list[int] = []
    app = replaceable.app

    async def watch(scope: dict, receive: Callable, send: Callable) -> None:  # type: ignore[type-arg]
        async def spy(message: dict) -> None:  # type: ignore[type-arg]
            if message["type"] == "http.response.start":
                await asyncio.to_thread(lambda: replacement(own_store).replace(own_store))
            seen.append(handles(own_store))
            await send(message)

        await app(scope, receive, spy)  # type: ignore[arg-type]

    assert Service(watch).get(f"/cells/{cell}/links.csv").status_code == 200  # type: ignore[arg-type]
    assert set(seen) == {1}
    assert replaceable.json("/dataset")["n_cells"] == 7
    assert handles(own_store) == 1


def gone(path: Path) -> None:
    path.unlink()


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def another_format(path: Path) -> None:
    path.unlink()
    path.write_text("chr1\t0\t100\n")


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("harm", [gone, cut, emptied, another_format, a_folder])
def test_a_harmed_store_is_unavailable_and_recovers_by_itself(
    replaceable: Service, own_store: Path, harm: Callable[[Path], None]
) -> None:
    assert replaceable.json("/dataset")["n_cells"] == 12
    harm(own_store)
    for _ in range(3):
        for path in ("/health", "/dataset", "/cells", "/genes?query=g"):
            status, _, message, hint = replaceable.error(path)
            assert status == 503
            assert "own.h5" in message
            assert str(own_store.parent) not in message
            assert hint
    listed = replaceable.json("/stores")["stores"][0]
    assert (listed["readable"], "own.h5" in listed["message"]) == (False, True)
    assert handles(own_store) == 0
    whole = replacement(own_store)
    if own_store.is_dir():
        own_store.rmdir()
    whole.replace(own_store)
    assert replaceable.json("/dataset")["n_cells"] == 7
    assert replaceable.json("/stores")["stores"][0]["readable"]
    assert handles(own_store) == 1


def test_a_file_changed_in_place_while_it_is_read_is_not_opened_twice(replaceable: Service, own_store: Path) -> None:
    store = replaceable.app.state.stores.default  # type: ignore[attr-defined]

    async def changed() -> None:
        async with store.lease():
            os.utime(own_store, ns=(1, 1))
            with pytest.raises(StoreError, match="changed in place while it was being read"):
                async with store.lease():
                    pass
        async with store.lease() as opened:
            assert opened.catalogue.n_cells == 12

    asyncio.run(changed())
    assert handles(own_store) == 1


def test_many_requests_at_once_open_a_replaced_store_once(replaceable: Service, own_store: Path) -> None:
    app: FastAPI = replaceable.app  # type: ignore[assignment]
    replaceable.json("/dataset")
    replacement(own_store).replace(own_store)

    async def together() -> set[int]:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            answers = await asyncio.gather(*(client.get(f"{API}/dataset") for _ in range(12)))
        return {answer.json()["n_cells"] for answer in answers}

    assert asyncio.run(together()) == {7}
    assert app.state.stores.default.opened == 2


def test_what_the_service_opened_is_closed_when_it_stops(own_store: Path) -> None:
    async def run() -> None:
        with StoreReader.open(own_store) as reader:
            app = create_app(Settings(), reader)
            async with app.router.lifespan_context(app):
                replacement(own_store).replace(own_store)
                async with app.state.stores.default.lease():
                    pass
            assert handles(own_store) == 0

    asyncio.run(run())
