"""What the options of ``bi2scope precompute`` are taken for."""

from __future__ import annotations

from pathlib import Path

import pytest
from runs import cells_and_model

from bi2scope.data.errors import CheckpointError, InputError
from bi2scope.model.checkpoint import save
from bi2scope.precompute_verb import Contents


def test_controls_are_read_by_name(tmp_path: Path) -> None:
    _, trained = cells_and_model()
    save(trained, tmp_path / "a=b.safetensors")
    given = [f"shuffled labels={tmp_path / 'a=b.safetensors'}", f"other={tmp_path / 'a=b.safetensors'}"]
    controls = Contents(control=given).options(overwrite=False).controls
    assert {name: control.digest for name, control in controls.items()} == {
        "shuffled labels": trained.digest,
        "other": trained.digest,
    }
    assert not Contents().options(overwrite=False).controls


@pytest.mark.parametrize("text", ["model.safetensors", "=model.safetensors", "name="])
def test_a_control_needs_name_and_file(text: str) -> None:
    with pytest.raises(InputError, match=rf"--control is {text}; wanted NAME=FILE"):
        Contents(control=[text]).options(overwrite=False)


def test_controls_that_cannot_be_told_apart_or_read(tmp_path: Path) -> None:
    _, trained = cells_and_model()
    save(trained, tmp_path / "m.safetensors")
    with pytest.raises(InputError, match="--control names a twice"):
        Contents(control=[f"a={tmp_path / 'm.safetensors'}"] * 2).options(overwrite=False)
    with pytest.raises(CheckpointError, match="nowhere"):
        Contents(control=["a=nowhere.safetensors"]).options(overwrite=False)
