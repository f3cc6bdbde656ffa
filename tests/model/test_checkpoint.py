import contextlib
import functools
import json
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import hypothesis
import pandas as pd
import pytest
import torch
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from multiomes import random_multiome
from safetensors import safe_open
from safetensors.torch import save_file

from bi2scope.data.errors import CheckpointError
from bi2scope.data.multiome import Multiome
from bi2scope.model.checkpoint import Trained, load, save
from bi2scope.model.config import ModelConfig, protocol_defaults
from bi2scope.model.features import Normalisation, feature_layout
from bi2scope.model.network import Bi2Former


@pytest.fixture
def multiome() -> Multiome:
    return random_multiome(5)


@pytest.fixture
def trained(multiome: Multiome) -> Trained:
    config = ModelConfig(id_dim=3, hidden=4, heads=2, layers=2)
    normalisation = Normalisation.standard(multiome.genes)
    network = Bi2Former(config, feature_layout(multiome.genes, multiome.peaks, normalisation)).eval()
    return Trained(
        network, config, protocol_defaults("bi2scope")[1], multiome.genes, multiome.peaks, normalisation,
        {"best_epoch": 3, "auroc": None}, multiome.digest,
    )  # fmt: skip


def read(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    with safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}, file.metadata()  # noqa: SIM118


def test_a_round_trip_keeps_everything(trained: Trained, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save(trained, path)
    found = load(path)
    assert found.digest == trained.digest
    for name in ("model_config", "training_config", "normalisation", "report", "dataset_digest"):
        assert getattr(found, name) == getattr(trained, name)
    for one, other in ((found.genes, trained.genes), (found.peaks, trained.peaks)):
        pd.testing.assert_frame_equal(one, other[one.columns], check_dtype=False, check_index_type=False)
    for name, tensor in found.network.state_dict().items():
        assert torch.equal(tensor, trained.network.state_dict()[name])
    assert torch.equal(found.network.gene_static, trained.network.gene_static)
    assert not found.network.training
    assert [file.name for file in tmp_path.iterdir()] == ["model.safetensors"]


def test_the_digest_tells_parameters_configuration_and_features_apart(trained: Trained) -> None:
    renamed = trained.genes.rename(index={trained.genes.index[0]: "other"})
    others = [
        replace(trained, model_config=replace(trained.model_config, counts="log1p")),
        replace(trained, genes=renamed),
    ]
    network = Bi2Former(trained.model_config, trained.network.layout)
    network.load_state_dict(trained.network.state_dict())
    with torch.no_grad():
        network.fc3.bias[0] += 1e-6
    others.append(replace(trained, network=network))
    digests = {trained.digest, *(other.digest for other in others)}
    assert len(digests) == 4


def test_files_that_are_no_checkpoint_are_refused(trained: Trained, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    for content in (b"", b"not a checkpoint", pickle.dumps({"fc1.weight": [1]}), b"\xff" * 4096):
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match=r"is not a \.safetensors file, or is cut short"):
            load(path)
    with pytest.raises(CheckpointError, match="there is no such file"):
        load(tmp_path / "absent")
    with pytest.raises(CheckpointError):
        load(tmp_path)
    save(trained, path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="cut short"):
        load(path)


def test_other_safetensors_files_and_versions_are_refused(trained: Trained, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_file({"x": torch.zeros(2)}, path)
    with pytest.raises(CheckpointError, match="not a checkpoint of bi2scope"):
        load(path)
    save(trained, path)
    tensors, metadata = read(path)
    save_file(tensors, path, metadata | {"format_version": "9"})
    with pytest.raises(CheckpointError, match="format version 9; this program reads version 1"):
        load(path)


@pytest.mark.parametrize("key", ["configuration", "features", "normalisation", "report", "dataset_digest"])
def test_missing_or_broken_descriptions_are_named(trained: Trained, tmp_path: Path, key: str) -> None:
    path = tmp_path / "model.safetensors"
    save(trained, path)
    tensors, metadata = read(path)
    save_file(tensors, path, {name: text for name, text in metadata.items() if name != key})
    with pytest.raises(CheckpointError, match=f"description cannot be used: KeyError: '{key}'"):
        load(path)
    if key != "dataset_digest":
        save_file(tensors, path, metadata | {key: "{"})
        with pytest.raises(CheckpointError, match="description cannot be used"):
            load(path)


def test_parameters_of_another_size_are_named(trained: Trained, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save(trained, path)
    tensors, metadata = read(path)
    save_file(tensors | {"fc3.bias": torch.zeros(3)}, path, metadata)
    with pytest.raises(CheckpointError, match=r"fc3\.bias is 3 in the file; its configuration wants 2"):
        load(path)
    save_file({name: tensor for name, tensor in tensors.items() if name != "fc1.weight"}, path, metadata)
    with pytest.raises(CheckpointError, match=r"fc1\.weight is absent in the file; its configuration wants 4 x 8"):
        load(path)
    save_file(tensors | {"more": torch.zeros(1)}, path, metadata)
    with pytest.raises(CheckpointError, match="more is 1 in the file; its configuration wants absent"):
        load(path)
    configuration = json.loads(metadata["configuration"])
    configuration["model"]["depth"] = 3
    save_file(tensors, path, metadata | {"configuration": json.dumps(configuration)})
    with pytest.raises(CheckpointError, match="no setting named depth"):
        load(path)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"hidden": 8}, r"fc1\.weight is 4 x 8 in the file; its configuration wants 8 x 16"),
        (
            {"id_dim": 10**11},
            r"rna_idembedding\.weight is 15 x 3 in the file; its configuration wants 15 x 100000000000",
        ),
        ({"layers": 10**9}, r"parameters of 2 layer\(s\) in it; its configuration wants 1000000000"),
        ({"heads": 1}, r"_out_proj\.bias is 4 in the file; its configuration wants absent"),
        ({"hidden": "4"}, "description cannot be used: TypeError"),
        ({"hidden": None}, "description cannot be used: TypeError"),
    ],
)
def test_another_configuration_is_named(trained: Trained, tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    """And no network of its size is made."""
    path = tmp_path / "model.safetensors"
    save(trained, path)
    tensors, metadata = read(path)
    configuration = json.loads(metadata["configuration"])
    configuration["model"] |= changes
    save_file(tensors, path, metadata | {"configuration": json.dumps(configuration)})
    with pytest.raises(CheckpointError, match=said):
        load(path)


@pytest.mark.parametrize(
    ("tensor", "said"),
    [
        (torch.zeros(2, dtype=torch.float64), "holds float64; float32 was wanted"),
        (torch.zeros(2, dtype=torch.int64), "holds int64; float32 was wanted"),
        (torch.tensor([0.0, float("inf")]), "holds values that are not finite"),
    ],
)
def test_parameters_that_are_no_float32_are_named(
    trained: Trained, tmp_path: Path, tensor: torch.Tensor, said: str
) -> None:
    path = tmp_path / "model.safetensors"
    save(trained, path)
    tensors, metadata = read(path)
    save_file(tensors | {"fc3.bias": tensor}, path, metadata)
    with pytest.raises(CheckpointError, match=rf"fc3\.bias {said}"):
        load(path)


def _places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Paths to everything in a JSON value."""
    inside = value.items() if isinstance(value, dict) else enumerate(value[:3]) if isinstance(value, list) else ()
    return [at, *(place for key, each in inside for place in _places(each, (*at, key)))]


_ODD = [None, True, -1, 0, 3, 1e308, "", "chr1", [], {}, [1], {"a": 1}, 10**30]


@hypothesis.settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_description_is_read_or_refused_in_words(
    trained: Trained, tmp_path: Path, data: st.DataObject
) -> None:
    """Anything in the JSON replaced or taken out: a model, or the exception for it, and never another."""
    path = tmp_path / "model.safetensors"
    save(trained, path)
    tensors, metadata = read(path)
    key = data.draw(st.sampled_from(["configuration", "features", "normalisation", "report"]))
    document = json.loads(metadata[key])
    place = data.draw(st.sampled_from(_places(document)))
    odd = data.draw(st.sampled_from(_ODD))
    if not place:
        document = odd
    else:
        parent = functools.reduce(lambda value, step: value[step], place[:-1], document)
        if data.draw(st.booleans()):
            parent[place[-1]] = odd
        else:
            del parent[place[-1]]
    save_file(tensors, path, metadata | {key: json.dumps(document)})
    try:
        found = load(path)
    except CheckpointError as error:
        assert str(path) in error.message  # noqa: PT017
        return
    assert isinstance(found.report, dict)


@hypothesis.settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(position=st.floats(0, 1), byte=st.integers(0, 255), cut=st.booleans())
def test_a_damaged_file_is_read_or_refused_in_words(
    trained: Trained, tmp_path: Path, position: float, byte: int, cut: bool
) -> None:
    path = tmp_path / "model.safetensors"
    save(trained, path)
    damaged = bytearray(path.read_bytes())
    place = int(position * (len(damaged) - 1))
    damaged[place] = byte
    path.write_bytes(damaged[:place] if cut else damaged)
    with contextlib.suppress(CheckpointError):
        load(path)


def test_a_failed_write_leaves_the_old_file(trained: Trained, tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "model.safetensors"
    save(trained, path)
    before = path.read_bytes()

    def fail(*_: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("bi2scope.model.checkpoint.save_file", fail)
    with pytest.raises(OSError, match="no space"):
        save(replace(trained, report={}), path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["model.safetensors"]


def test_a_limit_on_the_distance_comes_back(trained: Trained, multiome: Multiome, tmp_path: Path) -> None:
    config = replace(trained.model_config, max_distance=700_000)
    layout = feature_layout(multiome.genes, multiome.peaks, trained.normalisation, 700_000)
    network = Bi2Former(config, layout).eval()
    network.load_state_dict(trained.network.state_dict())
    limited = replace(trained, model_config=config, network=network)
    save(limited, tmp_path / "model.safetensors")
    found = load(tmp_path / "model.safetensors").network.layout.window
    assert found is not None
    assert found.max_distance == 700_000
    assert found.gene_tss.tolist() == layout.window.gene_tss.tolist()
    assert found.peak_middle.tolist() == layout.window.peak_middle.tolist()
    assert limited.digest != trained.digest
