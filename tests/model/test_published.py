"""Published checkpoints: the same logits over the files that they were trained on, and every mismatch named."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import anndata
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from published import NAMES, Published, random_published, write_files
from torch import Tensor
from typer.testing import CliRunner

from bi2scope import cli
from bi2scope.data.errors import CheckpointError, ConfigurationError
from bi2scope.data.graph import CellGraph, cell_graph
from bi2scope.data.prepared import write_prepared
from bi2scope.data.reading import Reading, read
from bi2scope.data.source import Source
from bi2scope.data.store.reader import StoreReader
from bi2scope.model.batch import collate
from bi2scope.model.checkpoint import Trained, load, save
from bi2scope.model.config import ModelConfig
from bi2scope.model.network import Bi2Former, FeatureLayout
from bi2scope.model.published import ImportOptions, evaluated, import_published, parse_chromosome_order
from bi2scope.model.state_dict import read_state_dict
from bi2scope.precompute.build import precompute

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = sorted(Path(os.environ.get("BI2SCOPE_GOLDEN_DIR", ROOT.parent / "shared" / "golden")).glob("*.npz"))
FIRST = "cross_attention_layers.0."

State = dict[str, Tensor]


@pytest.fixture(scope="module")
def published() -> Published:
    return random_published(1)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, published: Published) -> dict[str, Path]:
    return write_files(tmp_path_factory.mktemp("published"), published)


@pytest.fixture(scope="module")
def reading(files: dict[str, Path]) -> Reading:
    return read(Source(**files, seed=None))


@pytest.fixture
def state(published: Published) -> State:
    return {name: tensor.clone() for name, tensor in published.network.state_dict().items()}


def logits(trained: Trained, reading: Reading) -> np.ndarray:
    """Of every cell of the data set, in genome order."""
    layout, multiome = trained.network.layout, trained.align(reading.multiome)
    cells = [cell_graph(multiome, cell, cell) for cell in range(multiome.n_cells)]
    with torch.no_grad():
        return trained.network(collate(cells, layout.gene_chromosome, layout.peak_chromosome))[0].numpy()


@pytest.mark.skipif(not GOLDEN, reason="no golden outputs; set BI2SCOPE_GOLDEN_DIR")
@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_logits_of_the_published_code(path: Path, tmp_path: Path) -> None:
    """Weights written as a .pth, the graphs as cells of files in the order of the weights: the golden logits."""
    with np.load(path, allow_pickle=False) as found:
        arrays = {name: found[name] for name in found.files}
    config = json.loads(str(arrays["config"]))
    weights = {name.removeprefix("weight/"): torch.from_numpy(a) for name, a in arrays.items() if "weight/" in name[:7]}
    layout = FeatureLayout(arrays["gene_chrom"], arrays["peak_chrom"], config["chroms"], arrays["gene_attributes"])
    sizes = {name: config[name] for name in ("id_dim", "hidden", "layers", "heads")}
    parts = ("gene_index", "gene_value", "peak_index", "peak_value")
    graphs = sorted({int(name.split("/")[0][5:]) for name in arrays if name.startswith("graph")})
    cells = [CellGraph(*(arrays[f"graph{g}/{part}"] for part in parts)) for g in graphs]
    if len(graphs) < 2 or config["chroms"] > len(NAMES):
        pytest.skip("the files of this test have two cells or more and six chromosomes at most")
    torch.save(weights, tmp_path / "published.pth")
    reading = read(
        Source(**write_files(tmp_path, Published(Bi2Former(ModelConfig(**sizes), layout), cells)), seed=None)
    )
    assert reading.multiome.genes.index.tolist() != reading.order.genes.tolist()
    options = ImportOptions(heads=config["heads"])
    trained = import_published(read_state_dict(tmp_path / "published.pth"), reading, options)
    save(trained, tmp_path / "model.safetensors")
    wanted = np.concatenate([arrays[f"graph{g}/logits"] for g in graphs])
    np.testing.assert_allclose(logits(load(tmp_path / "model.safetensors"), reading), wanted, atol=1e-5, rtol=0)


@pytest.mark.parametrize(("layers", "heads"), [(1, 1), (2, 1), (1, 4)])
def test_the_order_of_the_files_changes_no_logit(tmp_path: Path, layers: int, heads: int) -> None:
    published = random_published(7, layers=layers, heads=heads)
    reading = read(Source(**write_files(tmp_path, published), seed=None))
    trained = import_published(published.network.state_dict(), reading, ImportOptions(heads=heads))
    np.testing.assert_allclose(logits(trained, reading), published.logits().numpy(), atol=1e-6)
    assert (trained.model_config.layers, trained.model_config.heads) == (layers, heads)
    assert (trained.model_config.id_dim, trained.model_config.hidden, trained.model_config.dropout) == (5, 8, 0.1)


def test_another_order_of_chromosomes_is_another_model(state: State, published: Published, reading: Reading) -> None:
    """The order matters; the right one, given by name, is the default here."""
    wanted = published.logits().numpy()
    named = import_published(state, reading, ImportOptions(chromosome_order=NAMES))
    np.testing.assert_allclose(logits(named, reading), wanted, atol=1e-6)
    natural = import_published(state, reading, ImportOptions(chromosome_order=reading.multiome.chromosomes))
    assert np.abs(logits(natural, reading) - wanted).max() > 1e-4


def test_more_chromosomes_than_the_data_has(published: Published, reading: Reading, state: State) -> None:
    """A checkpoint may have columns of chromosomes of which these files have no gene and no peak."""
    for name, tensor in state.items():
        if name.startswith(FIRST) and tensor.ndim == 2 and tensor.shape[1] > 8 and "reduction" not in name:
            column = torch.full((len(tensor), 1), 9.0)
            state[name] = torch.cat([tensor[:, :6], column, tensor[:, 6:]], dim=1)
    trained = import_published(state, reading, ImportOptions(chromosome_order=("chrM", *NAMES)))
    np.testing.assert_allclose(logits(trained, reading), published.logits().numpy(), atol=1e-6)


def test_the_report_says_that_it_was_imported(state: State, reading: Reading, tmp_path: Path) -> None:
    trained = import_published(state, reading, name="paper.pth")
    assert trained.report["imported"].startswith("The model was imported from paper.pth, not trained here")
    assert "test" not in trained.report
    assert trained.training_config.protocol == "imported"
    notes = " ".join(trained.report["notes"])
    assert "in the order of the files" in notes
    assert "chr7, chrX, chr10, chr2, chr1, chr21" in notes
    store = precompute(trained, reading.multiome, tmp_path / "store.h5", progress=False)
    with StoreReader.open(store) as reader:
        assert reader.attributes.training is None
        assert trained.report["imported"] in reader.attributes.notes


def test_evaluation_is_asked_for(state: State, reading: Reading) -> None:
    metrics = evaluated(import_published(state, reading), reading).report["evaluation"]
    assert metrics["n_pairs"] == 2 * reading.multiome.n_cells
    assert 0 <= metrics["accuracy"] <= 1


# ---------------------------------------------------------------- genes without a place, prepared files


@pytest.fixture
def unplaced(tmp_path: Path, files: dict[str, Path]) -> Reading:
    """The files with three genes more, at the beginning, in the middle and at the end, that lie nowhere."""
    rna = anndata.read_h5ad(files["rna"])
    order = ["u0", *rna.var_names[:20], "u1", *rna.var_names[20:], "u2"]
    var = rna.var.astype({"chrom": object, "strand": object})
    for number in range(3):
        var.loc[f"u{number}"] = {**var.iloc[0], "chrom": ""}
    var = var.loc[order]
    dense = np.zeros((rna.n_obs, len(order)), dtype=np.float32)
    dense[:, [order.index(name) for name in rna.var_names]] = rna.X.toarray()
    anndata.AnnData(dense, obs=rna.obs, var=var).write_h5ad(tmp_path / "rna.h5ad")
    return read(Source(rna=tmp_path / "rna.h5ad", atac=files["atac"], seed=None))


def test_genes_without_a_place_may_have_rows_or_not(state: State, published: Published, unplaced: Reading) -> None:
    wanted = published.logits().numpy()
    trained = import_published(state, unplaced)
    assert any("3 genes without a place were taken to have no row" in note for note in trained.report["notes"])
    np.testing.assert_allclose(logits(trained, unplaced), wanted, atol=1e-6)
    rows = state["rna_idembedding.weight"]
    row = torch.full((1, rows.shape[1]), 7.0)
    state["rna_idembedding.weight"] = torch.cat([row, rows[:20], row, rows[20:], row])
    trained = import_published(state, unplaced)
    assert any("rows of 3 genes without a place are left out" in note for note in trained.report["notes"])
    np.testing.assert_allclose(logits(trained, unplaced), wanted, atol=1e-6)


def test_a_prepared_file_needs_a_model_in_genome_order(state: State, reading: Reading, tmp_path: Path) -> None:
    write_prepared(reading.multiome, tmp_path / "prepared.h5")
    prepared = read(Source(cells=tmp_path / "prepared.h5"))
    with pytest.raises(ConfigurationError, match="does not keep the order of genes and peaks"):
        import_published(state, prepared)
    ours = import_published(state, reading)
    again = import_published(ours.network.state_dict(), prepared, ImportOptions(feature_order="genome"))
    assert again.digest == ours.digest


# ---------------------------------------------------------------- what does not fit


def without_last_gene(state: State) -> None:
    state["rna_idembedding.weight"] = state["rna_idembedding.weight"][:-1]


def with_sequences(state: State) -> None:
    for part in ("atac_key", "atac_value", "atac_self_attention"):
        state[f"{FIRST}{part}.weight"] = torch.cat([state[f"{FIRST}{part}.weight"], torch.zeros(8, 256)], dim=1)


def with_one_chromosome_less(state: State) -> None:
    for part in ("rna_query", "rna_value", "rna_self_attention", "atac_key", "atac_value", "atac_self_attention"):
        state[f"{FIRST}{part}.weight"] = state[f"{FIRST}{part}.weight"][:, 1:]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (without_last_gene, "It has embeddings of 39 genes; the data set has 40 genes."),
        (lambda s: s.update({"atac_idembedding.weight": torch.zeros(7, 5)}), "7 peaks; the data set has 90 peaks."),
        (lambda s: s.update({"atac_idembedding.weight": torch.zeros(90, 4)}), "is 90 x 4; the other sizes want 90 x 5"),
        (with_one_chromosome_less, "Its genes have 5 one-hot columns of chromosomes; 6 are named"),
        (with_sequences, "It reads 256 bases of each peak (ISSAAC)"),
        (lambda s: s.update({"fc1.weight": torch.zeros(8, 3)}), "fc1.weight is 8 x 3; the other sizes want 8 x 16."),
        (lambda s: s.pop("fc2.bias"), "fc2.bias is absent."),
        (lambda s: s.pop(f"{FIRST}rna_value.weight"), "rna_value.weight is absent. It is the value projection of the"),
        (lambda s: s.update({"norm.weight": torch.zeros(3)}), "norm.weight (3) is no parameter of a Bi2Former with 1"),
        (lambda s: s.update({f"{FIRST}rna_out_proj.weight": torch.zeros(8, 8)}), "how many its shapes do not say"),
    ],
)  # fmt: skip
def test_each_mismatch_is_a_sentence(
    state: State, reading: Reading, change: Callable[[State], None], sentence: str
) -> None:
    change(state)
    with pytest.raises(CheckpointError) as raised:
        import_published(state, reading, name="paper.pth")
    assert str(raised.value).startswith("paper.pth does not fit")
    assert sentence in str(raised.value)


def test_all_mismatches_are_listed(state: State, reading: Reading) -> None:
    without_last_gene(state)
    del state[f"{FIRST}rna_value.weight"], state["fc2.bias"]
    with pytest.raises(CheckpointError) as raised:
        import_published(state, reading, ImportOptions(heads=2))
    said = str(raised.value).splitlines()
    assert said[0] == "The checkpoint does not fit (4 found):"
    for part in ("39 genes", "no output projections, so one head; 2 were asked for", "fc2.bias", "rna_value.weight"):
        assert sum(part in line for line in said[1:]) == 1


def test_heads_of_projections_must_divide_the_hidden_size(reading: Reading, published: Published) -> None:
    state = random_published(1, heads=4).network.state_dict()
    with pytest.raises(CheckpointError, match=r"hidden size is 8; the 3 head\(s\) must divide it"):
        import_published(state, reading, ImportOptions(heads=3))
    for heads in (None, 1):
        with pytest.raises(CheckpointError, match="give --heads"):
            import_published(state, reading, ImportOptions(heads=heads))


def test_a_chromosome_that_the_order_lacks(state: State, reading: Reading) -> None:
    with pytest.raises(CheckpointError, match="The chromosome order lacks chr21 of the data set"):
        import_published(state, reading, ImportOptions(chromosome_order=(*NAMES[:5], "chr3")))


def test_orders_of_chromosomes_as_they_are_written(reading: Reading, tmp_path: Path) -> None:
    assert parse_chromosome_order("file", reading) is None
    assert parse_chromosome_order("natural", reading) == ("chr1", "chr2", "chr7", "chr10", "chr21", "chrX")
    assert parse_chromosome_order("chr1, chr2", reading) == ("chr1", "chr2")
    (tmp_path / "order.txt").write_text("chrX\nchr1\n")
    assert parse_chromosome_order(str(tmp_path / "order.txt"), reading) == ("chrX", "chr1")
    with pytest.raises(ConfigurationError, match="chr1 twice"):
        parse_chromosome_order("chr1,chr1", reading)
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationError, match="not a text file of chromosomes"):
        parse_chromosome_order(str(tmp_path / "bytes"), reading)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_any_change_of_a_shape_is_refused_in_words(data: st.DataObject) -> None:
    """Whatever is cut off, added or left out: the exception for it, and never another."""
    published = random_published(2, heads=data.draw(st.sampled_from([1, 2])))
    state = published.network.state_dict()
    reading = _READING.setdefault("reading", _reading_of(published))
    name = data.draw(st.sampled_from(sorted(state)))
    tensor = state[name]
    axis = data.draw(st.integers(0, tensor.ndim - 1))
    kind = data.draw(st.sampled_from(["shorter", "longer", "empty", "flat", "absent"]))
    changed = {
        "shorter": tensor.narrow(axis, 0, tensor.shape[axis] - 1),
        "longer": torch.cat([tensor, tensor.narrow(axis, 0, 1)], dim=axis),
        "empty": tensor.narrow(axis, 0, 0),
        "flat": tensor.reshape(1, -1, 1),
    }
    others = {other: value for other, value in state.items() if other != name}
    if kind != "absent":
        others[name] = changed[kind]
    with pytest.raises(CheckpointError):
        import_published(others, reading, ImportOptions(heads=published.network.config.heads))


_READING: dict[str, Reading] = {}


def _reading_of(published: Published) -> Reading:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        return read(Source(**write_files(Path(folder), published), seed=None))


# ---------------------------------------------------------------- the command


def test_the_command_makes_a_checkpoint(published: Published, files: dict[str, Path], tmp_path: Path) -> None:
    torch.save({"epoch": 3, "model_state_dict": published.network.state_dict()}, tmp_path / "paper.pth")
    out = tmp_path / "model.safetensors"
    arguments = ["import-checkpoint", str(tmp_path / "paper.pth"), "--out", str(out), "--evaluate"]
    for name, path in files.items():
        arguments += [f"--{name}", str(path)]
    done = CliRunner().invoke(cli.app, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "imported, not trained here" in done.output
    assert "12 pairs of these cells (chance 0.500); it may have been trained on them." in done.output
    assert "Genes and peaks were taken in the order of the files." in done.output
    trained = load(out)
    np.testing.assert_allclose(logits(trained, read(Source(**files, seed=None))), published.logits().numpy(), atol=1e-6)


def test_the_command_refuses_before_it_reads(tmp_path: Path, files: dict[str, Path]) -> None:
    (tmp_path / "there.safetensors").write_text("mine")
    arguments = ["import-checkpoint", "no.pth", "--out", str(tmp_path / "there.safetensors")]
    done = CliRunner().invoke(cli.app, [*arguments, "--rna", str(files["rna"]), "--atac", str(files["atac"])])
    assert "is there already" in str(done.exception)
