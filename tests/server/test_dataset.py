"""What the answer about the data set says of controls, and of the cells' own pairs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from service import Service
from stores import RandomModel, tiny_attributes, tiny_multiome, training_report, write_store

from bi2scope.data.store.reader import StoreReader
from bi2scope.server.app import create_app
from bi2scope.server.settings import Settings

OWN = {"n_cells": 6, "mean_probability": 0.75, "called_matched": 5 / 6}
NONE = {"n_cells": 0, "mean_probability": None, "called_matched": None}


def answer(path: Path, metrics: dict[str, Any] | None) -> Any:
    multiome = tiny_multiome(6)
    model = RandomModel.of(multiome, np.random.default_rng(3))
    with StoreReader.open(write_store(path / "s.h5", multiome, model, tiny_attributes(metrics=metrics))) as reader:
        return Service(create_app(Settings(), reader)).json("/dataset")


def test_controls_and_own_pairs_are_told_as_the_store_has_them(tmp_path: Path) -> None:
    test = training_report()["test"]
    kept = {"attention": "learned", "model_digest": "c" * 64}
    metrics = {
        "own_pairs": OWN,
        "own_pairs_by_type": {"B cell": OWN, "none": NONE},
        "controls": {
            "shuffled": {"control": "shuffled-labels", "test": test, **kept},
            "other": {"control": None, "test": None, **kept},
        },
    }
    said = answer(tmp_path, metrics)
    assert said["own_pairs"] == [{"cell_type": "B cell", **OWN}, {"cell_type": "none", **NONE}]
    shuffled, other = said["control_reports"]
    assert (shuffled["name"], shuffled["control"]) == ("shuffled", "shuffled-labels")
    assert {key: shuffled["test"][key] for key in test} == test
    assert other == {"name": "other", "control": None, "test": None}


@pytest.mark.parametrize("metrics", [None, {}, {"auroc": 0.9}])
def test_a_store_that_says_nothing_of_them_is_served(tmp_path: Path, metrics: dict[str, Any] | None) -> None:
    said = answer(tmp_path, metrics)
    assert said["control_reports"] == said["own_pairs"] == []
