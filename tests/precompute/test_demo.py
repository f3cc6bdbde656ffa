from __future__ import annotations

from pathlib import Path

import pytest

from bi2scope.data.attention import Cut
from bi2scope.data.store.reader import StoreReader
from bi2scope.model.checkpoint import load
from bi2scope.precompute.demo import CONTROL, build_demo


@pytest.mark.slow
def test_the_demo_is_made_once_and_again_when_its_model_would_be_another(tmp_path: Path) -> None:
    """With a control beside the model, so that the sliders tell how many links a network that learned nothing has."""
    made = build_demo(tmp_path / "demo", epochs=1)
    assert all(seconds is not None for _, seconds in made.seconds)
    assert load(made.checkpoint).training_config.control is None
    assert load(made.control).training_config.control == CONTROL
    with StoreReader.open(made.store) as store:
        assert store.attributes.model_digest == load(made.checkpoint).digest
        assert store.controls == [CONTROL]
        of_type = store.cell_types[0]
        assert store.cumulative(of_type, Cut(0.5, 10), control=CONTROL).links.sum() > 0

    again = build_demo(tmp_path / "demo", epochs=1)
    assert {step for step, seconds in again.seconds if seconds is None} == {"train", "control", "precompute"}

    made.control.unlink()
    without = dict(build_demo(tmp_path / "demo", epochs=1).seconds)
    assert without["control"] is not None
    assert without["precompute"] is None  # the same network again
