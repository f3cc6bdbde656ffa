"""A limit on the distance, from the command through model, store, wire and CSV, held against the dense twin."""

import asyncio
from pathlib import Path

import anndata
import numpy as np
import pytest
from dense import dense_denominators
from dense_model import dense_logits
from typer.testing import CliRunner

from bi2scope.cli import app as command
from bi2scope.dashboard.client import Client
from bi2scope.dashboard.client import Cut as WireCut
from bi2scope.data.attention import Cut
from bi2scope.data.errors import ConfigurationError
from bi2scope.data.examples.pair import example_pair
from bi2scope.data.regions import distance_to_tss, tss
from bi2scope.data.store.reader import StoreReader
from bi2scope.model.checkpoint import load
from bi2scope.server.app import create_app
from bi2scope.server.settings import Settings

LIMIT = 2_500_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model trained on 80 of the bundled cells with a limit of 2.5 Mb, and their store."""
    folder = tmp_path_factory.mktemp("near")
    chosen = np.sort(np.random.default_rng(7).permutation(1047)[:80])
    for path, name in zip(example_pair(), ("rna", "atac"), strict=True):
        anndata.read_h5ad(path)[chosen].copy().write_h5ad(folder / f"{name}.h5ad")
    pair = ["--rna", str(folder / "rna.h5ad"), "--atac", str(folder / "atac.h5ad")]
    model, store = str(folder / "model.safetensors"), str(folder / "store.h5")
    run("train", *pair, "--out", model, "--epochs", "1", "--seed", "3", "--max-distance", "2.5Mb")
    run("precompute", "--model", model, *pair, "--out", store, "--k-max", "20")
    return folder


def run(*arguments: str) -> str:
    result = CliRunner().invoke(command, list(arguments))
    assert result.exit_code == 0, result.output + repr(result.exception)
    return str(result.output)


def test_the_store_is_sound_and_says_its_limit(folder: Path) -> None:
    assert "no violation" in run("check", str(folder / "store.h5"))
    assert "peaks within 2,500,000 bp of the TSS" in " ".join(run("info", str(folder / "store.h5")).split())


def test_stored_links_and_denominators_are_those_of_the_dense_twin(folder: Path) -> None:
    trained = load(folder / "model.safetensors")
    layout = trained.network.layout
    unlinked = 0
    with StoreReader.open(folder / "store.h5") as reader:
        assert reader.attributes.configuration["model"]["max_distance"] == LIMIT
        for cell in range(0, 80, 20):
            graph, attention = reader.graph(cell), reader.attention(cell)
            genes, peaks = trained.genes.iloc[graph.gene_index], trained.peaks.iloc[graph.peak_index]
            distance = distance_to_tss(
                tss(genes)[:, None], genes["strand"].to_numpy()[:, None], peaks["start"], peaks["end"]
            )
            candidate = layout.gene_chromosome[graph.gene_index][:, None] == layout.peak_chromosome[graph.peak_index]
            candidate &= np.abs(distance) <= LIMIT
            (logits,) = dense_logits(trained, graph)
            above = candidate & (logits > 0)
            assert attention.n_above.tolist() == above.sum(axis=1).tolist()
            wanted = dense_denominators(logits, candidate)
            np.testing.assert_allclose(attention.denominator, wanted, rtol=1e-5)
            links = attention.links(Cut())
            rows = np.searchsorted(graph.gene_index, links.gene)
            columns = np.searchsorted(graph.peak_index, links.peak)
            assert above[rows, columns].all()
            unlinked += int((~candidate.any(axis=1)).sum())
    assert unlinked  # genes with no peak near enough are among them


def test_the_service_gives_no_link_beyond_the_limit(folder: Path) -> None:
    async def fetch() -> None:
        with StoreReader.open(folder / "store.h5") as reader:
            client = Client.of_app(create_app(Settings(), reader))
            assert (await client.dataset()).max_distance == LIMIT
            table = await client.links(str(reader.cells.index[17]), WireCut())
            assert 0 < max(abs(distance) for distance in table.links.distance_to_tss) <= LIMIT

    asyncio.run(fetch())


def test_what_is_no_distance_is_refused_before_any_work(tmp_path: Path) -> None:
    arguments = ["train", "--rna", "no", "--atac", "no", "--out", str(tmp_path / "m"), "--max-distance", "500 miles"]
    raised = CliRunner().invoke(command, arguments).exception
    assert isinstance(raised, ConfigurationError)
    assert "'500 miles'" in raised.message
