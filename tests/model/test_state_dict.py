"""Foreign state dicts: tensors are read, objects are not made, damage is told in words."""

import os
import pickle
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from bi2scope.data.errors import CheckpointError
from bi2scope.model.state_dict import read_state_dict

STATE = {"fc1.weight": torch.arange(6.0).view(2, 3), "fc1.bias": torch.ones(2)}


class Malicious:
    """Makes a file when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.target),)


@pytest.mark.parametrize(
    "wrapped",
    [
        STATE,
        {"state_dict": STATE, "epoch": 3},
        {"model_state_dict": STATE, "optimizer_state_dict": {"lr": 0.1}},
        {f"module.{name}": tensor for name, tensor in STATE.items()},
        {"state_dict": {f"module.{name}": tensor for name, tensor in STATE.items()}},
        {name: tensor.double() for name, tensor in STATE.items()},
        {name: tensor.to(torch.bfloat16) for name, tensor in STATE.items()},
    ],
)
def test_state_dicts_of_all_kinds(tmp_path: Path, wrapped: dict[str, object]) -> None:
    torch.save(wrapped, tmp_path / "model.pth")
    found = read_state_dict(tmp_path / "model.pth")
    assert found.keys() == STATE.keys()
    for name, tensor in found.items():
        assert tensor.dtype == torch.float32
        assert torch.equal(tensor, STATE[name])


def test_safetensors_are_told_by_content(tmp_path: Path) -> None:
    save_file(STATE, tmp_path / "model.pth")
    assert torch.equal(read_state_dict(tmp_path / "model.pth")["fc1.weight"], STATE["fc1.weight"])
    save_file(STATE, tmp_path / "ours.safetensors", {"format": "bi2scope-checkpoint"})
    with pytest.raises(CheckpointError, match="is a checkpoint of bi2scope already"):
        read_state_dict(tmp_path / "ours.safetensors")


def test_a_pickle_that_asks_for_more_is_refused_and_not_run(tmp_path: Path) -> None:
    path, target = tmp_path / "model.pth", tmp_path / "pwned"
    payload = Malicious(target)
    for content in (payload, {"state_dict": STATE, "more": payload}, {**STATE, "x": payload}):
        torch.save(content, path)
        with pytest.raises(CheckpointError, match=r"asks for \S*mkdir: a pickle may hold instructions to run"):
            read_state_dict(path)
    torch.save({"x": payload}, path, _use_new_zipfile_serialization=False)
    with pytest.raises(CheckpointError, match="asks for"):
        read_state_dict(path)
    path.write_bytes(pickle.dumps(payload))
    with pytest.raises(CheckpointError):
        read_state_dict(path)
    assert not target.exists()
    pickle.loads(path.read_bytes())  # noqa: S301  (the payload is one that works)
    assert target.exists()


def test_a_whole_model_in_a_pickle_is_refused(tmp_path: Path) -> None:
    torch.save(torch.nn.Linear(2, 2), tmp_path / "model.pth")
    with pytest.raises(CheckpointError, match=r"asks for torch\.nn\.modules\.linear\.Linear"):
        read_state_dict(tmp_path / "model.pth")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([1, 2], "holds a list, not parameters by name"),
        ({}, "holds a dict, not parameters by name"),
        ({"a": 3}, r"'a' is a int, no tensor \(1 such of 1 entries\)"),
        ({1: torch.zeros(2)}, "the entry 1 has no name"),
        ({"a": torch.zeros(2, dtype=torch.int64)}, "a holds int64, no plain floating-point numbers"),
        ({"a": torch.tensor([1.0, float("nan")])}, "a holds values that are not finite"),
        ({"a": torch.zeros(2, dtype=torch.complex64)}, "a holds complex64"),
    ],
)
def test_other_contents_are_named(tmp_path: Path, content: object, said: str) -> None:
    torch.save(content, tmp_path / "model.pth")
    with pytest.raises(CheckpointError, match=said):
        read_state_dict(tmp_path / "model.pth")


def test_missing_files_and_folders_are_named(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.pth", tmp_path):
        with pytest.raises(CheckpointError, match="there is no such file"):
            read_state_dict(path)


@pytest.fixture(scope="module")
def wholes(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[bytes]]:
    folder = tmp_path_factory.mktemp("damage")
    torch.save(STATE, folder / "zip")
    torch.save(STATE, folder / "old", _use_new_zipfile_serialization=False)
    save_file(STATE, folder / "safe")
    return folder / "damaged", [(folder / name).read_bytes() for name in ("zip", "old", "safe")]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_a_damaged_file_is_read_or_refused_in_words(wholes: tuple[Path, list[bytes]], data: st.DataObject) -> None:
    """Bytes changed, cut off or put in front: tensors, or the exception for it, and never another."""
    path, contents = wholes
    damaged = bytearray(data.draw(st.sampled_from(contents)))
    for _ in range(data.draw(st.integers(1, 3))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    damaged = damaged[: data.draw(st.integers(0, len(damaged)))] if data.draw(st.booleans()) else damaged
    path.write_bytes(data.draw(st.binary(max_size=3)) + damaged)
    try:
        found = read_state_dict(path)
    except CheckpointError:
        return
    assert all(isinstance(tensor, torch.Tensor) for tensor in found.values())
