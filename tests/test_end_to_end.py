"""From 100 real cells in two files to numbers on the wire, through the verbs, the real app and the real client."""

import asyncio
import io
from pathlib import Path

import anndata
import httpx
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from bi2scope.cli import app as command
from bi2scope.dashboard.client import Client
from bi2scope.dashboard.client import Cut as WireCut
from bi2scope.data.attention import Cut, score_of
from bi2scope.data.examples.pair import example_pair
from bi2scope.data.readers import read_h5ad_pair
from bi2scope.data.store.reader import StoreReader
from bi2scope.model.checkpoint import load
from bi2scope.server.app import create_app
from bi2scope.server.settings import Settings

THRESHOLD, TOP_K = 0.6, 5


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with rna.h5ad and atac.h5ad of 100 cells, a model trained on them and their store."""
    folder = tmp_path_factory.mktemp("hundred")
    chosen = np.sort(np.random.default_rng(7).permutation(1047)[:100])
    names = None
    for path, name in zip(example_pair(), ("rna", "atac"), strict=True):
        cells = anndata.read_h5ad(path)
        names = cells.obs_names[chosen] if names is None else names
        cells[names].copy().write_h5ad(folder / f"{name}.h5ad")
    pair = ["--rna", str(folder / "rna.h5ad"), "--atac", str(folder / "atac.h5ad")]
    run("train", *pair, "--out", str(folder / "model.safetensors"), "--epochs", "2", "--seed", "3")
    model = str(folder / "model.safetensors")
    run("precompute", "--model", model, *pair, "--out", str(folder / "store.h5"), "--k-max", "20")
    return folder


def run(*arguments: str) -> str:
    result = CliRunner().invoke(command, list(arguments))
    assert result.exit_code == 0, result.output + repr(result.exception)
    return str(result.output)


def test_the_store_passes_its_own_check(folder: Path) -> None:
    assert "no violation" in run("check", str(folder / "store.h5"))


def test_info_names_the_cells_and_the_held_out_accuracy(folder: Path) -> None:
    said = run("info", str(folder / "store.h5"))
    assert "100" in said
    assert "accuracy" in said.lower()


def test_nothing_temporary_is_left_behind(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == [
        "atac.h5ad",
        "model.safetensors",
        "rna.h5ad",
        "store.h5",
    ]


def test_links_on_the_wire_are_those_of_the_model(folder: Path) -> None:
    """Recompute one cell's logits from the checkpoint, densely, and compare what the client receives."""
    from dense_model import dense_logits

    trained = load(folder / "model.safetensors")
    multiome = trained.align(read_h5ad_pair(folder / "rna.h5ad", folder / "atac.h5ad"))

    async def fetch() -> None:
        with StoreReader.open(folder / "store.h5") as reader:
            client = Client.of_app(create_app(Settings(), reader))
            info = await client.dataset()
            assert info.n_cells == 100
            assert info.training is not None
            cell_id = str(reader.cells.index[17])
            table = await client.links(cell_id, WireCut(THRESHOLD, TOP_K))
            attention = reader.attention(17)
            expected = attention.links(Cut(THRESHOLD, TOP_K))
            assert table.n_links == len(expected) > 0
            np.testing.assert_allclose(table.links.logit, expected.logit, atol=1e-6)

            graph = reader.graph(17)
            (logits,) = dense_logits(trained, graph)
            rows = np.searchsorted(graph.gene_index, expected.gene)
            columns = np.searchsorted(graph.peak_index, expected.peak)
            exact = logits[rows, columns]
            np.testing.assert_allclose(expected.logit, exact, rtol=5e-4, atol=1e-4)  # stored in half precision
            np.testing.assert_allclose(expected.score, score_of(exact), atol=1e-3)
            allowed = multiome.gene_chromosome[graph.gene_index][:, None] == multiome.peak_chromosome[graph.peak_index]
            possible = np.where(allowed, logits, -np.inf)
            surviving = np.sort(possible, axis=1)[:, ::-1][:, :TOP_K]
            least, most = ((score_of(surviving) > THRESHOLD + margin).sum() for margin in (1e-3, -1e-3))
            assert least <= table.n_links <= most

    asyncio.run(fetch())


def test_csv_and_cumulative_scores_agree_with_the_sum_over_the_cells(folder: Path) -> None:
    async def fetch() -> None:
        with StoreReader.open(folder / "store.h5") as reader:
            api = create_app(Settings(), reader)
            cell_type = reader.cell_types[0]
            async with httpx.AsyncClient(transport=httpx.ASGITransport(api), base_url="http://bi2scope") as http:
                parameters: dict[str, str | float] = {"threshold": THRESHOLD, "top_k": TOP_K}
                answer = await http.get(f"/api/v1/celltypes/{cell_type}/scores.csv", params=parameters)
                assert answer.status_code == 200
                scores = pd.read_csv(io.StringIO(answer.text), comment="#").set_index("peak")
                total = pd.Series(0.0, index=reader.peaks.index)
                for cell_id in reader.cells.index[reader.cells["cell_type"] == cell_type]:
                    answer = await http.get(f"/api/v1/cells/{cell_id}/links.csv", params=parameters)
                    links = pd.read_csv(io.StringIO(answer.text), comment="#")
                    total = total.add(links.groupby("peak")["score"].sum(), fill_value=0)
                found = scores["score"].reindex(total.index)
                rounding = scores["links"].reindex(total.index) / 8192  # each link to the nearest 1/4096
                assert ((found - total).abs() <= rounding + 1e-6 * total).all()
                assert total.sum() > 0

    asyncio.run(fetch())
