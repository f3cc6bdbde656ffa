from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from service import Service
from stores import tiny_attributes, tiny_multiome

from bi2scope.data.store.cells_table import Embedding
from bi2scope.data.store.reader import StoreReader
from bi2scope.data.store.writer import StoreWriter
from bi2scope.server.app import create_app
from bi2scope.server.settings import Settings
from bi2scope.server.wire import CellPage
from bi2scope.server.wire_cells import Neighbours

N_CELLS = 60


def store_of(path: Path, coordinates: np.ndarray, pooled: np.ndarray | None, quality: pd.DataFrame | None) -> Path:
    """Cells without a link, but with places and numbers."""
    multiome = tiny_multiome(N_CELLS)
    with StoreWriter(path, multiome, tiny_attributes(k_max=3)) as writer:
        if quality is not None:
            quality = quality.set_axis(multiome.cells.index)
        writer.write_embedding(Embedding(coordinates, "by hand", pooled, quality))
        for cell in range(N_CELLS):
            writer.write_cell([[no_links(multiome, cell)]])
    return path


def no_links(multiome, cell):
    from bi2scope.data.attention import CellAttention

    genes = multiome.rna[cell].indices
    return CellAttention(
        gene=np.sort(genes).astype(np.int32), row_start=np.zeros(len(genes) + 1, dtype=np.int64),
        peak=np.zeros(0, np.int32), logit=np.zeros(0, np.float32), n_above=np.zeros(len(genes), np.int32),
        denominator=np.ones(len(genes), np.float32),
    )  # fmt: skip


@pytest.fixture(scope="module")
def pooled() -> np.ndarray:
    return np.random.default_rng(5).normal(size=(N_CELLS, 16)).astype(np.float32)


@pytest.fixture(scope="module")
def placed(tmp_path_factory: pytest.TempPathFactory, pooled: np.ndarray):
    """Cells on a grid, of which many are equally far from each other; the last has no place."""
    grid = np.stack([np.arange(N_CELLS) % 8, np.arange(N_CELLS) // 8], axis=1).astype(float)
    grid[-1] = np.nan
    quality = pd.DataFrame({"counts": np.arange(N_CELLS)[::-1] // 2, "share": np.linspace(0, 1, N_CELLS)})
    quality.loc[3, "share"] = np.nan
    path = store_of(tmp_path_factory.mktemp("placed") / "placed.h5", grid, pooled, quality)
    with StoreReader.open(path) as reader:
        yield Service(create_app(Settings(), reader)), reader


@pytest.mark.parametrize("space", ["embedding", "model"])
@pytest.mark.parametrize("n", [1, 4, 20, 1000])
def test_the_nearest_cells_come_first(placed, pooled: np.ndarray, space: str, n: int) -> None:
    service, reader = placed
    points = pooled if space == "model" else reader.cells[["umap_1", "umap_2"]].to_numpy()
    for cell in (0, 9, 37):
        name = reader.cells.index[cell]
        body = Neighbours.model_validate(service.json(f"/cells/{name}/neighbours", n=n, space=space))
        distance = np.linalg.norm(points.astype(float) - points[cell].astype(float), axis=1)
        distance[cell] = np.inf
        order = np.argsort(distance, kind="stable")[: min(n, np.isfinite(distance).sum())]
        assert body.neighbours.cell_id == list(reader.cells.index[order])
        assert body.neighbours.distance == pytest.approx(distance[order])
        kinds = reader.cells["cell_type"].iloc[order].tolist()
        assert body.neighbours.cell_type == kinds
        assert body.same_type_share == pytest.approx(np.mean([each == body.cell_type for each in kinds]))
        assert body.dimensions == points.shape[1]


def test_cells_without_a_place_and_stores_without_a_space_are_told(placed, service: Service) -> None:
    lost, reader = placed
    status, _, message, _ = lost.error(f"/cells/{reader.cells.index[-1]}/neighbours")
    assert (status, message) == (422, f"{reader.cells.index[-1]} has no place in the embedding of this store.")
    cell = service.json("/cells", limit=1)["cells"][0]["cell_id"]
    status, _, message, hint = service.error(f"/cells/{cell}/neighbours", space="model")
    assert status == 422
    assert message.startswith("This store does not hold the model's representation")
    assert "space=embedding" in hint
    assert service.error("/cells/nobody/neighbours")[0] == 404
    for asked in ({"n": 0}, {"n": 1001}, {"space": "umap"}):
        assert service.error(f"/cells/{cell}/neighbours", **asked)[0] == 422


def test_cells_carry_their_numbers_when_asked(placed) -> None:
    service, reader = placed
    plain = CellPage.model_validate(service.json("/cells", limit=5))
    assert [cell.quality for cell in plain.cells] == [None] * 5
    page = CellPage.model_validate(service.json("/cells", limit=5, quality=True))
    for cell in page.cells:
        row = reader.cells.loc[cell.cell_id]
        wanted = {"n_genes", "n_peaks", "umap_1", "umap_2", "counts", "share"}
        assert cell.quality is not None
        assert set(cell.quality) == wanted
        for name in wanted:
            value = cell.quality[name]
            assert np.isnan(row[name]) if value is None else value == pytest.approx(float(row[name]))
    assert page.cells[3].quality["share"] is None  # type: ignore[index]


@pytest.mark.parametrize(
    "sort", ["counts", "-counts", "share", "-share", "cell_id", "-cell_id", "cell_type", "n_peaks"]
)
def test_cells_are_sorted_by_a_column(placed, sort: str) -> None:
    service, reader = placed
    name = sort.removeprefix("-")
    values = reader.cells.index.to_series() if name == "cell_id" else reader.cells[name]
    wanted = values.astype(str if name.startswith("cell") else float).sort_values(
        ascending=not sort.startswith("-"), kind="stable", na_position="last"
    )
    found = service.json("/cells", sort=sort)["cells"]
    assert [cell["cell_id"] for cell in found] == list(wanted.index)
    second = service.json("/cells", sort=sort, offset=7, limit=5)["cells"]
    assert second == found[7:12]


def test_a_column_that_is_not_there_is_not_found(placed) -> None:
    status, kind, message, hint = placed[0].error("/cells", sort="-count")
    assert (status, kind) == (404, "NotFoundError")
    assert "counts" in message + hint
