"""A network and cells become a store that says what the network says, and nothing is left of a run that failed."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from dense import dense_denominators
from dense_model import dense_logits
from networks import random_network
from stores import tiny_multiome, training_report

from bi2scope.data.attention import CellAttention, Cut, score_of
from bi2scope.data.errors import CheckpointError, StoreError
from bi2scope.data.graph import cell_graph
from bi2scope.data.multiome import Multiome
from bi2scope.data.store.check import check_store
from bi2scope.data.store.halves import rounded
from bi2scope.data.store.reader import StoreReader
from bi2scope.data.store.schema import SCORE_UNIT
from bi2scope.model.checkpoint import Trained
from bi2scope.model.config import ModelConfig, protocol_defaults
from bi2scope.model.features import Normalisation, feature_layout
from bi2scope.precompute import build, shards
from bi2scope.precompute.attend import attend
from bi2scope.precompute.build import BuildOptions, precompute

SEEN_GENES, SEEN_PEAKS = np.arange(0, 80, 2), np.arange(5, 300)


@pytest.fixture(scope="module")
def cells() -> Multiome:
    """Too few for UMAP, which takes its time; `test_embed.py` has more."""
    multiome = tiny_multiome(12)
    return dataclasses.replace(multiome, notes=("Something was dropped.",))


def untrained(cells: Multiome, layers: int = 1, heads: int = 1) -> Trained:
    """A network over some of the genes and peaks, with weights large enough that scores spread."""
    known = cells.take_features(SEEN_GENES, SEEN_PEAKS)
    config = ModelConfig(id_dim=6, hidden=8, layers=layers, heads=heads)
    network = random_network(5, config, feature_layout(known.genes, known.peaks, Normalisation()), double=False)
    _, training_config = protocol_defaults("bi2scope")
    return Trained(network, config, training_config, known.genes, known.peaks, Normalisation(), training_report(), "ab")


@pytest.fixture(scope="module")
def trained(cells: Multiome) -> Trained:
    return untrained(cells)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, cells: Multiome, trained: Trained) -> Path:
    return precompute(
        trained, cells, tmp_path_factory.mktemp("build") / "mix.h5", BuildOptions(k_max=7), progress=False
    )


def test_the_store_is_sound(store: Path) -> None:
    assert check_store(store) == []


def test_links_are_those_of_the_formula(store: Path, cells: Multiome, trained: Trained) -> None:
    """Rows, logits, cut and denominators against the paper's formula, written out densely."""
    known = cells.take_features(SEEN_GENES, SEEN_PEAKS)
    with StoreReader.open(store) as reader:
        for cell in range(reader.n_cells):
            graph, found = cell_graph(known, cell, cell), reader.attention(cell)
            same = known.gene_chromosome[graph.gene_index][:, None] == known.peak_chromosome[graph.peak_index]
            logits = dense_logits(trained, graph)[0]
            above = same & (logits > 0)
            np.testing.assert_array_equal(found.gene, graph.gene_index)
            np.testing.assert_array_equal(found.n_above, above.sum(axis=1))
            np.testing.assert_array_equal(np.diff(found.row_start), np.minimum(above.sum(axis=1), 7))
            column = np.searchsorted(graph.peak_index, found.peak)
            np.testing.assert_allclose(found.logit, logits[found.row, column], rtol=6e-4, atol=1e-5)
            np.testing.assert_allclose(found.denominator, dense_denominators(logits, same), rtol=1e-5)
            for row in range(len(graph.gene_index)):
                best = np.sort(logits[row][above[row]])[::-1][:7]
                np.testing.assert_allclose(found.logit[found.row == row], best, rtol=6e-4, atol=1e-5)


def test_every_layer_and_head_is_stored(tmp_path: Path, cells: Multiome) -> None:
    deep = untrained(cells, layers=2, heads=2)
    aligned = deep.align(cells)
    with StoreReader.open(precompute(deep, cells, tmp_path / "deep.h5", progress=False)) as reader:
        for cell in (0, 7):
            wanted = attend(deep, cell_graph(aligned, cell, cell), 50)
            for layer in range(2):
                for head in range(2):
                    exact = wanted[layer][head]
                    kept = dataclasses.replace(exact, logit=rounded(exact.logit))
                    for field in dataclasses.fields(CellAttention):
                        np.testing.assert_array_equal(
                            getattr(reader.attention(cell, layer, head), field.name), getattr(kept, field.name)
                        )


def test_cumulative_scores_are_those_of_the_cells(store: Path) -> None:
    with StoreReader.open(store) as reader:
        name = reader.cell_types[2]
        score = np.zeros(len(reader.peaks))
        for cell in np.flatnonzero(reader.cells["cell_type"] == name):
            links = reader.attention(int(cell)).links(Cut(0.8, 5))
            score += np.bincount(links.peak, score_of(links.logit), len(score))
        assert score.any()
        sums = reader.cumulative(name, Cut(0.8, 5))
        assert (np.abs(sums.score - score) <= (sums.links + 1e-6) / (2 * SCORE_UNIT)).all()


def test_the_store_says_where_it_comes_from(store: Path, cells: Multiome, trained: Trained) -> None:
    with StoreReader.open(store) as reader:
        said = reader.attributes
        assert said.name == "mix"
        assert said.dataset_digest == cells.digest
        assert said.model_digest == trained.digest
        assert said.n_parameters == sum(parameter.numel() for parameter in trained.network.parameters())
        assert (said.k_max, said.n_layers, said.n_heads) == (7, 1, 1)
        assert said.notes == ("Something was dropped.",)
        assert said.configuration["model"] == trained.model_config.as_dict()
        assert said.configuration["training"]["seed"] == 906
        assert said.training == training_report()
        assert list(reader.genes.index) == list(trained.genes.index)
        assert list(reader.cells.index) == list(cells.cells.index)
        assert "principal components" in reader.embedding_method


def test_progress_is_shown_in_cells_with_rate(
    tmp_path: Path, cells: Multiome, trained: Trained, capsys: pytest.CaptureFixture[str]
) -> None:
    precompute(trained, cells, tmp_path / "s.h5", BuildOptions(k_max=3))
    said = capsys.readouterr()
    assert "Embed 12 cells" in said.err
    assert "12/12" in said.err
    assert "cell/s" in said.err
    assert said.out == ""


def test_features_that_the_data_set_lacks_are_named_before_anything_is_written(
    tmp_path: Path, cells: Multiome, trained: Trained
) -> None:
    fewer = cells.take_features(np.arange(20, 80), np.arange(300))
    with pytest.raises(CheckpointError, match=r"30 of the model's 40 genes.*ENSG00000"):
        precompute(trained, fewer, tmp_path / "s.h5", progress=False)
    assert not list(tmp_path.iterdir())


def test_features_that_count_as_zero_are_said_and_kept_in_the_notes(
    tmp_path: Path, cells: Multiome, trained: Trained, capsys: pytest.CaptureFixture[str]
) -> None:
    fewer = cells.take_features(np.arange(20, 80), np.arange(300))
    precompute(trained, fewer, tmp_path / "s.h5", BuildOptions(k_max=3, min_overlap=0.5))
    assert "note: 10 of the model's 40 genes are not in this data set" in capsys.readouterr().err
    with StoreReader.open(tmp_path / "s.h5") as reader:
        assert "10 of the model's 40 genes" in " ".join(reader.attributes.notes)
        assert len(reader.genes) == 40


def test_an_existing_store_is_refused_before_any_work(
    tmp_path: Path, cells: Multiome, trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "kept_embedding", lambda *arguments: pytest.fail("worked"))
    (tmp_path / "s.h5").write_text("mine")
    with pytest.raises(StoreError, match="exists already"):
        precompute(trained, cells, tmp_path / "s.h5", progress=False)


def test_a_failing_model_leaves_nothing(
    tmp_path: Path, cells: Multiome, trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> None:
        raise MemoryError

    monkeypatch.setattr(shards, "attend_cells", fail)
    with pytest.raises(MemoryError):
        precompute(trained, cells, tmp_path / "s.h5", progress=False)
    assert not list(tmp_path.iterdir())


def test_overwriting_when_told(tmp_path: Path, cells: Multiome, trained: Trained) -> None:
    path = tmp_path / "s.h5"
    path.write_text("old")
    precompute(trained, cells, path, BuildOptions(k_max=2, overwrite=True), progress=False)
    with StoreReader.open(path) as reader:
        assert reader.attributes.k_max == 2
