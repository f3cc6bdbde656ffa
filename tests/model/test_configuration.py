"""Configurations in files: what comes back, what is filled in, what is refused."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bi2scope.data.errors import ConfigurationError
from bi2scope.model.config import protocol_defaults
from bi2scope.model.configuration import read_configuration, write_configuration


def written(folder: Path, found: object) -> Path:
    path = folder / "best.json"
    path.write_text(found if isinstance(found, str) else json.dumps(found))
    return path


@pytest.mark.parametrize("protocol", ["paper", "bi2scope"])
def test_what_is_written_is_read(tmp_path: Path, protocol: str) -> None:
    model, training = protocol_defaults(protocol, seed=3)
    model = replace(model, max_distance=500_000, attention="uniform")
    training = replace(training, warmup=0.1, patience=3, clip_norm=1.0, class_balanced_loss=True)
    path = tmp_path / "best.json"
    write_configuration(path, model, training)
    assert read_configuration(path) == read_configuration(path, protocol) == (model, training)
    assert [each.name for each in tmp_path.iterdir()] == ["best.json"]


def test_what_a_file_leaves_out_is_the_protocols(tmp_path: Path) -> None:
    path = written(tmp_path, {"model": {"hidden": 64}, "training": {"clip_norm": 1}})
    for protocol in ("paper", "bi2scope"):
        model, training = protocol_defaults(protocol)
        assert read_configuration(path, protocol) == (replace(model, hidden=64), replace(training, clip_norm=1))
    assert read_configuration(path) == read_configuration(path, "bi2scope")
    assert read_configuration(written(tmp_path, {"training": {"protocol": "paper"}})) == protocol_defaults("paper")
    assert read_configuration(written(tmp_path, {}), "paper") == protocol_defaults("paper")


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"model": {"colour": 1, "hidden": 8}}, r"model has no setting named colour\. It has attention, "),
        ({"training": {"hidden": 8}}, "training has no setting named hidden"),
        ({"modle": {}}, "keys model and training, each an object of settings; found modle"),
        ({"model": [1]}, "model is a list"),
        ([], "found a list"),
        (3, "found a whole number"),
        ({"training": {"epochs": "six"}}, "training.epochs is 'six'; a whole number was wanted"),
        ({"training": {"epochs": 6.0}}, "training.epochs is 6.0; a whole number was wanted"),
        ({"training": {"learning_rate": True}}, "training.learning_rate is True; a number was wanted"),
        ({"training": {"patience": "no"}}, "training.patience is 'no'; a whole number or null was wanted"),
        ({"training": {"class_balanced_loss": 1}}, "class_balanced_loss is 1; true or false was wanted"),
        ({"training": {"warmup": 1.0}}, r"best.json: warmup is 1; it must be at least 0 and below 1"),
        ({"training": {"control": "placebo"}}, "control is 'placebo'; it must be one of random-weights, "),
        ({"model": {"heads": 3}}, "heads must divide"),
        ('{"training": {"learning_rate": NaN}}', "learning_rate is nan; it must be above 0"),
        ("{", "best.json is not a JSON file"),
        ("\x00\x01", "is not a JSON file"),
        ({"training": {"protocol": "mine"}}, "one of paper, bi2scope"),
    ],
)
def test_what_is_no_configuration_is_refused(tmp_path: Path, found: object, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        read_configuration(written(tmp_path, found))


def test_a_file_of_another_protocol_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, {"training": {"protocol": "paper"}})
    with pytest.raises(ConfigurationError, match=r"training\.protocol is 'paper', and the protocol bi2scope was asked"):
        read_configuration(path, "bi2scope")


@pytest.mark.parametrize("name", ["gone.json", "."])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigurationError, match="A JSON file of settings is wanted"):
        read_configuration(tmp_path / name)
