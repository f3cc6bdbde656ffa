"""docs/training.md: its options are there, its settings are taken, its table is the protocols'."""

import json
import re
from pathlib import Path

import typer

from bi2scope import cli
from bi2scope.model.config import ModelConfig, TrainingConfig, protocol_defaults
from bi2scope.model.configuration import read_configuration
from bi2scope.server.wire import Metrics

PAGE = (Path(__file__).parents[1] / "docs" / "training.md").read_text()


def test_every_option_named_is_one_of_the_verb() -> None:
    verb = typer.main.get_command(cli.app).commands["train"]
    known = {flag for parameter in verb.params for flag in parameter.opts}
    lines = [line for line in PAGE.splitlines() if "torchrun" not in line]
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", "\n".join(lines)))
    assert named
    assert named <= known


def test_the_settings_shown_are_taken(tmp_path: Path) -> None:
    block = re.search(r"```json\n(.*?)```", PAGE, re.DOTALL)
    path = tmp_path / "settings.json"
    path.write_text(block[1])
    model, training = read_configuration(path)
    assert (model.layers, training.patience) == (2, 3)
    assert set(json.loads(block[1])) == {"model", "training"}


def test_the_table_of_settings_names_settings_and_metrics() -> None:
    settings = re.search(r"\| in `training` \|.*?\n\n", PAGE, re.DOTALL)[0]
    names = {name for row in settings.splitlines()[2:] if row for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert names
    assert names <= set(TrainingConfig.__dataclass_fields__) | set(ModelConfig.__dataclass_fields__)
    metrics = re.search(r"\| `accuracy` \|.*?\n\n", PAGE, re.DOTALL)[0]
    measured = {name for row in metrics.splitlines() if row for name in re.findall(r"`(\w+)`", row.split("|")[1])}
    assert measured - {"calibration"} <= set(Metrics.model_fields)


def test_the_protocols_are_as_described() -> None:
    _, training = protocol_defaults("paper")
    assert (training.epochs, training.batch_size, training.learning_rate, training.weight_decay) == (50, 1, 5e-5, 1e-6)
    model, training = protocol_defaults("bi2scope")
    row = re.search(r"\| epochs, batch \| 50, 1 pair \| (\d+), (\d+) pairs \|", PAGE)
    assert row.groups() == (str(training.epochs), str(training.batch_size))
    row = re.search(r"AdamW, (\S+), weight decay (\S+), cosine to 0", PAGE)
    assert (float(row[1]), float(row[2])) == (training.learning_rate, training.weight_decay)
    row = re.search(r"\| (\d+) wide, from an SVD", PAGE)
    assert int(row[1]) == model.id_dim
    assert (model.embedding_init, model.attention_init) == ("joint", "aligned")
    assert ("queries, keys | the same | a tenth |" in PAGE, training.attention_rate) == (True, 0.1)
    row = re.search(r"\| dropout, node dropout \| 0.1, none \| (\S+), half", PAGE)
    assert (float(row[1]), 0.5) == (model.dropout, training.node_dropout)
