"""``bi2scope train``: settings, controls, histories and leftovers, as a user types them."""

import csv
import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import Result
from multiomes import random_multiome, write_h5ad_pair
from typer.testing import CliRunner

from bi2scope import cli
from bi2scope.data.errors import Bi2scopeError, ConfigurationError, DatasetError, InputError
from bi2scope.model.checkpoint import load
from bi2scope.model.config import protocol_defaults
from bi2scope.train_verb import MACHINE, SETTINGS, Machine, Settings


@dataclass
class Bench:
    """A folder with a data set and a file of small settings."""

    folder: Path

    def train(self, *arguments: str, out: str = "model.safetensors", config: str | None = "small.json") -> Result:
        """Run the verb on the data set."""
        files = ["--rna", "rna.h5ad", "--atac", "atac.h5ad", "--out", out]
        chosen = [] if config is None else ["--config", str(self.folder / config)]
        for place in (1, 3, 5):
            files[place] = str(self.folder / files[place])
        return CliRunner().invoke(cli.app, ["train", *files, *chosen, *arguments])

    def refused(self, *arguments: str, **choices: str | None) -> Bi2scopeError:
        """The error of arguments that leave nothing behind."""
        before = {each.name: each.read_bytes() for each in self.folder.iterdir()}
        done = self.train(*arguments, **choices)
        assert isinstance(done.exception, Bi2scopeError), done.output
        assert {each.name: each.read_bytes() for each in self.folder.iterdir()} == before
        return done.exception


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    write_h5ad_pair(tmp_path, random_multiome(3, n_cells=60))
    small = {"model": {"id_dim": 8, "hidden": 8}, "training": {"epochs": 2}}
    (tmp_path / "small.json").write_text(json.dumps(small))
    return Bench(tmp_path)


def test_options_are_the_fields_of_their_classes() -> None:
    assert set(SETTINGS) == set(Settings.__dataclass_fields__)
    assert set(MACHINE) == set(Machine.__dataclass_fields__)


def test_options_stand_over_the_file_and_the_file_over_the_protocol(bench: Bench) -> None:
    done = bench.train("--batch-size", "32", "--learning-rate", "0.01", "--seed", "5", "--max-distance", "1Mb")
    assert done.exit_code == 0, done.output
    trained = load(bench.folder / "model.safetensors")
    model, config = protocol_defaults("bi2scope")
    wanted = {"id_dim": 8, "hidden": 8, "max_distance": 1_000_000}
    assert trained.model_config.as_dict() == model.as_dict() | wanted
    given = {"epochs": 2, "batch_size": 32, "learning_rate": 0.01, "seed": 5}
    assert trained.training_config.as_dict() == config.as_dict() | given
    assert "Held-out accuracy" in done.stdout
    assert "AUPRC" in done.stdout
    assert not list(bench.folder.glob("*resume*"))


def test_a_control_is_printed(bench: Bench) -> None:
    done = bench.train("--control", "random-weights", "--history", str(bench.folder / "history.csv"))
    assert "Control random-weights, not the model. Held-out accuracy" in done.stdout
    assert load(bench.folder / "model.safetensors").training_config.control == "random-weights"


def test_a_history_has_a_row_per_epoch(bench: Bench) -> None:
    history = bench.folder / "history.csv"
    assert bench.train("--history", str(history)).exit_code == 0
    with history.open(newline="") as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["1", "2"]
    found = bench.refused("--history", str(history), out="other.safetensors")
    assert isinstance(found, InputError)
    assert "history.csv is there already" in str(found)


@pytest.mark.slow
def test_an_early_stop_is_told(bench: Bench) -> None:
    stopping = {"model": {"id_dim": 8, "hidden": 8}, "training": {"epochs": 40, "patience": 1}}
    (bench.folder / "small.json").write_text(json.dumps(stopping))
    done = bench.train()
    assert "note: No better validation in 1 epochs after epoch" in done.stderr


def test_wrong_settings_are_refused(bench: Bench) -> None:
    (bench.folder / "wrong.json").write_text('{"training": {"epoch": 2}}')
    found = bench.refused(config="wrong.json")
    assert isinstance(found, ConfigurationError)
    assert "wrong.json: training has no setting named epoch" in str(found)
    (bench.folder / "paper.json").write_text('{"training": {"protocol": "paper"}}')
    assert "'paper', and the protocol bi2scope was asked" in str(
        bench.refused("--protocol", "bi2scope", config="paper.json")
    )
    assert "learning_rate is 0; it must be above 0" in str(bench.refused("--learning-rate", "0"))
    assert "bf16 is for CUDA" in str(bench.refused("--precision", "bf16", "--device", "cpu"))


def test_cells_of_one_type_are_refused(bench: Bench) -> None:
    write_h5ad_pair(bench.folder, random_multiome(3, n_cells=60, cell_types=("B",)))
    found = bench.refused()
    assert isinstance(found, DatasetError)
    assert "all of one cell type" in str(found)


def test_a_loss_that_is_not_finite_ends_with_its_exit_code(bench: Bench) -> None:
    found = bench.refused("--learning-rate", "1e38")
    assert next(code for kind, code in cli.EXIT_CODES if isinstance(found, kind)) == 5
    assert "nothing is kept" in str(found)


def test_leftovers_are_spoken_of(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    from bi2scope.model.run import Run

    def interrupted(self: Run) -> None:
        if self.at.epoch == 2:
            raise KeyboardInterrupt
        epoch(self)

    epoch = Run._epoch
    state = bench.folder / "model.safetensors.resume.safetensors"
    with monkeypatch.context() as patch:
        patch.setattr(Run, "_epoch", interrupted)
        done = bench.train()
    assert done.exit_code != 0
    assert f"{state} holds the state; the same command with --resume" in done.stderr
    assert not (bench.folder / "model.safetensors").exists()
    found = bench.refused()
    assert f"{state} is there" in str(found)
    assert "stopped in epoch 2 of 2. Pass --resume" in str(found)
    assert "training.seed is 906, that of this one 7" in str(bench.refused("--resume", "--seed", "7"))
    done = bench.train("--resume")
    assert "note: Going on in epoch 2 of 2" in done.stderr
    assert not state.exists()
    resumed = load(bench.folder / "model.safetensors")
    done = bench.train("--resume", out="whole.safetensors")
    assert f"note: There is no {bench.folder / 'whole.safetensors'}.resume.safetensors to go on from" in done.stderr
    assert load(bench.folder / "whole.safetensors").digest == resumed.digest


def test_an_overwritten_leftover_is_named(bench: Bench) -> None:
    state = bench.folder / "model.safetensors.resume.safetensors"
    state.write_text("half a state")
    assert "cannot be read as the state of a training" in str(bench.refused())
    done = bench.train("--overwrite")
    assert f"note: {state}, the state of an earlier training, is replaced" in done.stderr
    assert done.exit_code == 0
    assert not state.exists()
