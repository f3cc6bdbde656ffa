"""What a store holds beside links: what the model reads out of cells, quality, metrics, control models."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from networks import random_network
from runs import SHARD_CELLS, cells_and_model
from same_arrays import arrays, attributes
from scipy import sparse

from bi2scope.data.attention import Cut
from bi2scope.data.errors import InputError, StoreError
from bi2scope.data.graph import cell_graph
from bi2scope.data.multiome import Multiome
from bi2scope.data.store.check import CheckOptions, check_store
from bi2scope.data.store.reader import StoreReader
from bi2scope.data.store.summary import store_summary
from bi2scope.model.batch import collate
from bi2scope.model.checkpoint import Trained
from bi2scope.precompute import embed, shards, work_folder
from bi2scope.precompute.build import BuildOptions, precompute
from bi2scope.precompute.execution import Execution
from bi2scope.precompute.represent import represent

CELLS, TRAINED = cells_and_model()
LAYOUT = TRAINED.network.layout


def control_of(attention: str = "learned", seed: int = 9, control: str | None = "random-weights") -> Trained:
    """Another network over the model's features."""
    config = dataclasses.replace(TRAINED.model_config, attention=attention)
    training = dataclasses.replace(TRAINED.training_config, control=control)
    network = random_network(seed, config, LAYOUT, double=False)
    return dataclasses.replace(TRAINED, network=network, model_config=config, training_config=training)


CONTROLS = {"random": control_of(), "uniform": control_of("uniform", 5, "uniform-attention")}
OPTIONS = BuildOptions(k_max=7, name="run", controls=CONTROLS)


@pytest.fixture(autouse=True, scope="module")
def no_umap() -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embed, "FEWEST_CELLS", 1_000)
        yield


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of one shard."""
    return precompute(TRAINED, CELLS, tmp_path_factory.mktemp("contents") / "run.h5", OPTIONS, progress=False)


def test_pooled_is_what_the_network_reads_out_of_each_cell(store: Path) -> None:
    """Cell by cell, without tables, through the read-out of the whole network."""
    aligned = TRAINED.align(CELLS)
    with StoreReader.open(store) as reader:
        pooled, matched = reader.pooled(), reader.cells["matched_probability"]
        assert pooled.shape == (48, 2 * TRAINED.model_config.hidden)
        assert pooled.dtype == np.float32
        for cell in range(0, 48, 5):
            batch = collate([cell_graph(aligned, cell, cell)], LAYOUT.gene_chromosome, LAYOUT.peak_chromosome)
            with torch.no_grad():
                logits, _ = TRAINED.network(batch)
                means = torch.from_numpy(pooled[cell : cell + 1])
                torch.testing.assert_close(
                    TRAINED.network.read_out(*means.chunk(2, dim=1)), logits, rtol=1e-4, atol=1e-5
                )
            assert matched.iloc[cell] == pytest.approx(float(torch.softmax(logits, 1)[0, 1]), abs=1e-5)
    assert pooled.std(axis=0).min() > 0


@pytest.mark.parametrize("layers", [1, 2])
def test_cells_without_genes_or_peaks_are_represented(layers: int) -> None:
    cells, trained = cells_and_model(layers=layers)
    aligned = trained.align(cells)
    keep = sparse.diags((np.arange(48) != 3).astype(np.float32)).tocsr()
    keep_other = sparse.diags((np.arange(48) != 4).astype(np.float32)).tocsr()
    rna, atac = sparse.csr_matrix(keep @ aligned.rna), sparse.csr_matrix(keep_other @ aligned.atac)
    for counts in (rna, atac):
        counts.eliminate_zeros()
        counts.sort_indices()
    found = represent(trained, dataclasses.replace(aligned, rna=rna, atac=atac))
    assert np.isfinite(found.pooled).all()
    assert ((found.matched > 0) & (found.matched < 1)).all()
    whole = represent(trained, aligned)
    np.testing.assert_allclose(found.pooled[5:], whole.pooled[5:], rtol=1e-4, atol=1e-5)


def test_quality_of_the_data_as_read_and_over_the_models_features(store: Path) -> None:
    aligned = TRAINED.align(CELLS)
    with StoreReader.open(store) as reader:
        cells = reader.cells
        for ending, multiome in (("", aligned), ("_read", CELLS)):
            rna, atac = multiome.rna.toarray(), multiome.atac.toarray()
            np.testing.assert_array_equal(cells[f"rna_counts{ending}"], rna.sum(axis=1))
            np.testing.assert_array_equal(cells[f"atac_counts{ending}"], atac.sum(axis=1))
            np.testing.assert_array_equal(cells[f"n_genes{ending}"], (rna > 0).sum(axis=1))
            np.testing.assert_array_equal(cells[f"n_peaks{ending}"], (atac > 0).sum(axis=1))
        links = [len(reader.attention(cell).peak) for cell in range(48)]
        np.testing.assert_array_equal(cells["n_links"], links)
        assert (cells["n_genes_read"] > cells["n_genes"]).any()


def test_metrics_say_what_the_model_makes_of_the_cells_own_pairs(store: Path) -> None:
    with StoreReader.open(store) as reader:
        metrics, matched = reader.attributes.metrics, reader.cells["matched_probability"]
        assert metrics is not None
        assert metrics["own_pairs"]["n_cells"] == 48
        assert metrics["own_pairs"]["mean_probability"] == pytest.approx(matched.mean(), rel=1e-6)
        assert metrics["own_pairs"]["called_matched"] == (matched > 0.5).mean()
        sizes = reader.cells["cell_type"].value_counts()
        assert {name: one["n_cells"] for name, one in metrics["own_pairs_by_type"].items()} == sizes.to_dict()
        assert metrics["controls"]["uniform"]["control"] == "uniform-attention"
        assert metrics["controls"]["random"]["model_digest"] == CONTROLS["random"].digest
        assert metrics["controls"]["random"]["test"] == CONTROLS["random"].report["test"]


def test_controls_have_the_sums_of_a_store_of_their_own(store: Path, tmp_path: Path) -> None:
    for name, control in CONTROLS.items():
        own = precompute(control, CELLS, tmp_path / f"{name}.h5", BuildOptions(k_max=7), progress=False)
        alone, kept = arrays(own), arrays(store)
        of_control = {key for key in kept if key.startswith(f"controls/{name}/")}
        of_itself = {key for key in alone if key.startswith("cumulative/")}  # without histograms of small types
        assert of_itself <= {key.replace(f"controls/{name}", "cumulative") for key in of_control}
        for key in of_itself:
            assert kept[key.replace("cumulative", f"controls/{name}", 1)] == alone[key], key
    with StoreReader.open(store) as reader:
        assert reader.controls == ["random", "uniform"]
        sums = [reader.cumulative("B cell", Cut(0.6), control=name).weight for name in (None, "random", "uniform")]
        assert all(one.any() for one in sums)
        assert (sums[0] != sums[1]).any()
        assert (sums[1] != sums[2]).any()


def test_the_store_is_sound_and_shards_change_nothing(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert check_store(store, CheckOptions(full=True)) == []
    monkeypatch.setattr(work_folder, "_LARGEST_SHARD", SHARD_CELLS)
    monkeypatch.setattr(shards, "represent_shard", counting := Counting())
    other = precompute(TRAINED, CELLS, tmp_path / "run.h5", OPTIONS, progress=False)
    assert counting.shards == [(first, first + SHARD_CELLS) for first in range(0, 48, SHARD_CELLS)]
    assert arrays(other) == arrays(store)
    assert attributes(other) == attributes(store)


class Counting:
    """The representation of shards, with their bounds noted."""

    def __init__(self) -> None:
        self.shards: list[tuple[int, int]] = []
        self._represent = shards.represent_shard

    def __call__(self, trained: Trained, counts: object, first: int, stop: int) -> object:
        self.shards.append((first, stop))
        return self._represent(trained, counts, first, stop)  # type: ignore[arg-type]


def test_a_run_with_controls_goes_on_and_one_with_others_does_not(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "run.h5"
    with monkeypatch.context() as patch:
        patch.setattr("bi2scope.precompute.build.metrics_of", lambda *arguments: 1 / 0)  # all tasks are done by then
        with pytest.raises(ZeroDivisionError):
            precompute(TRAINED, CELLS, target, OPTIONS, progress=False)
    kept = {path.name for path in target.with_name("run.h5.shards").iterdir()}
    assert any(name.startswith("control0-type-") for name in kept)
    assert not any("control0-cells" in name for name in kept)  # nobody asks for links of controls
    for controls in (
        {},
        {"random": CONTROLS["random"]},
        {"random": control_of(seed=10), "uniform": CONTROLS["uniform"]},
    ):
        others = dataclasses.replace(OPTIONS, controls=controls)
        with pytest.raises(InputError, match=r"it has controls random [0-9a-f]{12}… uniform .*asked for is controls"):
            precompute(TRAINED, CELLS, target, others, Execution(resume=True), progress=False)
    with monkeypatch.context() as patch:
        patch.setattr(shards, "attend_cells", lambda *arguments: pytest.fail("done already"))
        precompute(TRAINED, CELLS, target, OPTIONS, Execution(resume=True), progress=False)
    assert arrays(target) == arrays(store)
    assert [path.name for path in tmp_path.iterdir()] == ["run.h5"]


def refused(controls: dict[str, Trained], cells: Multiome, folder: Path, error: type[Exception], said: str) -> None:
    with pytest.raises(error, match=said):
        precompute(TRAINED, cells, folder / "s.h5", BuildOptions(controls=controls), progress=False)
    assert not list(folder.iterdir())


def test_controls_of_other_features_or_settings_are_refused_before_any_work(tmp_path: Path) -> None:
    fewer = dataclasses.replace(CONTROLS["random"], peaks=TRAINED.peaks.iloc[1:])
    refused({"f": fewer}, CELLS, tmp_path, InputError, "The control f has 114 peaks, of which 114 .* 115;")
    _, deep = cells_and_model(heads=2)
    refused({"deep": deep}, CELLS, tmp_path, InputError, "The control deep has heads 2, the model 1")
    refused({"a/b": CONTROLS["random"]}, CELLS, tmp_path, StoreError, "cannot be called 'a/b'")


def test_what_is_no_control_is_taken_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = BuildOptions(k_max=2, controls={"other": control_of(control=None)})
    precompute(TRAINED, CELLS.take_cells(range(6)), tmp_path / "s.h5", options)
    assert "other is not a control: it was trained as a model is" in capsys.readouterr().err
    with StoreReader.open(tmp_path / "s.h5") as reader:
        assert reader.controls == ["other"]


def test_the_summary_lists_what_is_there(store: Path) -> None:
    with StoreReader.open(store) as reader:
        said = dict(store_summary(reader))
    assert said["controls"] == "random, uniform"
    assert said["pooled"].startswith("the model's")
    assert "matched_probability, n_links" in said["quality"]
    assert "of 48 called matched" in said["own pairs"]


@pytest.mark.parametrize(
    ("column", "value", "said"), [("n_links", -3, "is -3, but"), ("matched_probability", 2, "is not")]
)
def test_the_check_sees_a_column_that_is_wrong(store: Path, tmp_path: Path, column: str, value: int, said: str) -> None:
    damaged = tmp_path / "s.h5"
    damaged.write_bytes(store.read_bytes())
    with h5py.File(damaged, "r+") as file:
        file[f"cells/{column}"][7] = value
    found = check_store(damaged)
    assert len(found) == 1
    assert f"cells/{column} {said}" in found[0]
