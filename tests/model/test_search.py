"""Searches: what is tried and kept, what is tried again, and what is refused.

Most tests have a training in place of the real one whose accuracy is a formula of the settings, so that the outcome of
a search can be told; two train.
"""

import csv
import json
import math
import multiprocessing
import os
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from multiomes import random_multiome, write_h5ad_pair
from typer.testing import CliRunner

from bi2scope import cli
from bi2scope.data.errors import ConfigurationError, TrainingError
from bi2scope.data.multiome import Multiome
from bi2scope.model import search as search_module
from bi2scope.model.config import protocol_defaults
from bi2scope.model.configuration import read_configuration
from bi2scope.model.search import SearchOptions, search
from bi2scope.model.search_space import PAPER_GRIDS, SearchSpace, read_space
from bi2scope.model.training import Execution
from bi2scope.model.trials import REPEATS, open_journal, open_study

MULTIOME = random_multiome(1, n_cells=80)
VALUES = {"learning_rate": (1e-3, 1e-4, 1e-5), "layers": (1, 2), "dropout": (0.0, 0.5)}


def space(values: dict[str, tuple[Any, ...]] | None = None, seed: int = 4, epochs: int = 4) -> SearchSpace:
    model, training = protocol_defaults("bi2scope", seed=seed, epochs=epochs)
    return SearchSpace(values or VALUES, replace(model, id_dim=4, hidden=4), training)


def options(folder: Path, **changes: Any) -> SearchOptions:
    return SearchOptions(folder / "trials.log", folder / "trials.csv", **{"pruner": "none", **changes})


def accuracy(model: Any, training: Any) -> float:
    """Best at a learning rate of 1e-4, two layers, no dropout."""
    return 0.9 - 0.1 * abs(math.log10(training.learning_rate) + 4) - 0.03 * (model.layers == 1) - 0.1 * model.dropout


@dataclass
class Trainer:
    """Stands in for training; ``seen`` are the settings that it was asked for."""

    seen: list[tuple[float, int, float]]
    diverges_at: float | None = None
    interrupt_at: int | None = None

    def __call__(
        self, multiome: Multiome, model: Any, training: Any, progress: bool, workers: int, execution: Execution
    ) -> SimpleNamespace:
        assert not execution.test
        self.seen.append((training.learning_rate, model.layers, model.dropout))
        if training.learning_rate == self.diverges_at:
            raise TrainingError("The loss became nan in epoch 1.", "Lower the learning rate.")
        history: list[dict[str, Any]] = []
        best = accuracy(model, training)
        for epoch in range(1, training.epochs + 1):
            history.append({"epoch": epoch, "validation_accuracy": best - 0.1 / epoch, "validation_loss": 1 - best})
            execution.on_epoch(history)
            if len(self.seen) == self.interrupt_at and epoch == 2:
                raise KeyboardInterrupt
        validation = {"accuracy": best, "loss": 1 - best, "auroc": best}
        return SimpleNamespace(report={"validation": validation, "best_epoch": training.epochs})


@pytest.fixture(autouse=True)
def _no_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    """The journal is brought to disk line by line, which takes its time; no test pulls the plug."""
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture
def trainer(monkeypatch: pytest.MonkeyPatch) -> Trainer:
    made = Trainer([])
    monkeypatch.setattr(search_module, "train", made)
    return made


def rows(folder: Path) -> list[dict[str, str]]:
    lines = (folder / "trials.csv").read_text().splitlines()
    return list(csv.DictReader(line for line in lines if not line.startswith("#")))


@pytest.mark.parametrize("sampler", ["grid", "tpe"])
def test_every_combination_is_tried_once_and_the_best_is_kept(tmp_path: Path, trainer: Trainer, sampler: Any) -> None:
    found = search(MULTIOME, space(), options(tmp_path, sampler=sampler, trials=50))
    assert len(trainer.seen) == len(set(trainer.seen)) == 12
    assert found.n_trials == 12
    assert (found.training.learning_rate, found.model.layers, found.model.dropout) == (1e-4, 2, 0.0)
    assert (found.model.id_dim, found.training.epochs) == (4, 4)
    assert found.accuracy == pytest.approx(0.9)
    table = rows(tmp_path)
    assert len(table) == 12
    assert {row["state"] for row in table} == {"complete"}
    best = max(table, key=lambda row: float(row["validation_accuracy"]))
    assert (best["learning_rate"], best["layers"], best["dropout"]) == ("0.0001", "2", "0.0")
    assert not any("test" in name for name in table[0])
    assert MULTIOME.digest in (tmp_path / "trials.csv").read_text()


def test_the_grid_is_searched_in_an_order_of_its_seed(tmp_path: Path, trainer: Trainer) -> None:
    orders = []
    for number, seed in enumerate((4, 4, 5)):
        trainer.seen = []
        (tmp_path / str(number)).mkdir()
        search(MULTIOME, space(seed=seed), options(tmp_path / str(number), sampler="grid", trials=6))
        orders.append(trainer.seen)
    assert len(orders[0]) == 6
    assert orders[0] == orders[1] != orders[2]


@pytest.mark.parametrize("sampler", ["grid", "tpe"])
def test_an_interrupted_search_goes_on_as_if_it_had_not_been(tmp_path: Path, trainer: Trainer, sampler: Any) -> None:
    """The trial that was stopped is tried again, no other is, and the rest is what it would have been."""
    wide = space({"learning_rate": (1e-2, 1e-3, 1e-4, 1e-5, 1e-6), "layers": (1, 2, 3), "dropout": (0.0, 0.2, 0.4)})
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    whole.mkdir()
    parts.mkdir()
    search(MULTIOME, wide, options(whole, sampler=sampler, trials=12))
    wanted, trainer.seen = trainer.seen, []
    trainer.interrupt_at = 4
    with pytest.raises(KeyboardInterrupt):
        search(MULTIOME, wide, options(parts, sampler=sampler, trials=12))
    assert trainer.seen == wanted[:4]
    trainer.interrupt_at = None
    search(MULTIOME, wide, options(parts, sampler=sampler, trials=6))
    assert trainer.seen[4] == wanted[3]
    search(MULTIOME, wide, options(parts, sampler=sampler, trials=12))
    assert len(trainer.seen) == 13
    assert len(set(trainer.seen)) == 12
    if sampler == "grid":
        assert set(trainer.seen) == set(wanted)
    assert len(rows(parts)) == 12
    before = list(trainer.seen)
    search(MULTIOME, wide, options(parts, sampler=sampler, trials=12))
    assert trainer.seen == before


def test_a_search_in_two_runs_is_that_in_one(tmp_path: Path, trainer: Trainer) -> None:
    wide = space({"learning_rate": (1e-2, 1e-3, 1e-4, 1e-5, 1e-6), "layers": (1, 2, 3), "dropout": (0.0, 0.2, 0.4)})
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    search(MULTIOME, wide, options(tmp_path / "a", trials=12, pruner="median"))
    wanted, trainer.seen = trainer.seen, []
    for trials in (3, 12):
        search(MULTIOME, wide, options(tmp_path / "b", trials=trials, pruner="median"))
    assert trainer.seen == wanted


def test_settings_are_drawn_apart_from_each_other(tmp_path: Path, trainer: Trainer) -> None:
    """One seed for all settings of a trial would give all of them the same place in their lists."""
    values = dict.fromkeys(("dropout", "node_dropout", "averaging"), (0.1, 0.2, 0.3, 0.4, 0.5))
    search(MULTIOME, space(values), options(tmp_path, trials=10))
    table = rows(tmp_path)
    assert any(len({row[name] for name in values}) > 1 for row in table)


def test_a_diverging_trial_fails_and_the_search_goes_on(tmp_path: Path, trainer: Trainer) -> None:
    trainer.diverges_at = 1e-3
    found = search(MULTIOME, space(), options(tmp_path, sampler="grid", trials=50))
    assert found.n_trials == 12
    assert found.accuracy == pytest.approx(0.9)
    failed = [row for row in rows(tmp_path) if row["state"] == "fail"]
    assert len(failed) == 4
    assert {row["learning_rate"] for row in failed} == {"0.001"}
    assert "loss became nan" in failed[0]["error"]
    search(MULTIOME, space(), options(tmp_path, sampler="grid", trials=50))
    assert len(trainer.seen) == 12


def test_settings_that_do_not_go_together_fail(tmp_path: Path, trainer: Trainer) -> None:
    found = search(MULTIOME, space({"hidden": (4, 6), "heads": (1, 4)}), options(tmp_path, trials=9, sampler="grid"))
    assert found.n_trials == 4
    (failed,) = (row for row in rows(tmp_path) if row["state"] == "fail")
    assert (failed["hidden"], failed["heads"]) == ("6", "4")
    assert "the heads must divide it" in failed["error"]


def test_a_search_without_a_finished_trial_says_so(tmp_path: Path, trainer: Trainer) -> None:
    trainer.diverges_at = 1e-3
    with pytest.raises(TrainingError, match="None of the 2 trials was trained to its end"):
        search(MULTIOME, space({"learning_rate": (1e-3,), "layers": (1, 2)}), options(tmp_path, trials=2))
    assert len(rows(tmp_path)) == 2


@pytest.mark.parametrize("pruner", ["median", "hyperband"])
def test_poor_trials_are_pruned(tmp_path: Path, trainer: Trainer, pruner: Any) -> None:
    wide = space({"learning_rate": tuple(10.0**-power for power in range(1, 9)), "layers": (1, 2)}, epochs=9)
    found = search(MULTIOME, wide, options(tmp_path, sampler="grid", trials=99, pruner=pruner))
    table = rows(tmp_path)
    pruned = [row for row in table if row["state"] == "pruned"]
    assert found.training.learning_rate == 1e-4
    assert 0 < len(pruned) < len(table) == 16
    assert all(int(row["epochs"]) < 9 for row in pruned)
    assert all(int(row["epochs"]) == 9 for row in table if row["state"] == "complete")
    assert max(float(row["validation_accuracy"]) for row in pruned) < found.accuracy


def test_no_trial_is_begun_after_the_time_is_up(tmp_path: Path, trainer: Trainer, monkeypatch: Any) -> None:
    clock = iter(range(0, 1000, 10))
    monkeypatch.setattr(search_module, "time", SimpleNamespace(monotonic=lambda: next(clock), perf_counter=float))
    search(MULTIOME, space(), options(tmp_path, sampler="grid", timeout=35))
    assert len(trainer.seen) == 3


def test_equal_accuracies_are_told_apart_by_the_loss(tmp_path: Path, trainer: Trainer, monkeypatch: Any) -> None:
    def train(multiome: Any, model: Any, training: Any, *_: Any) -> SimpleNamespace:
        loss = {1e-3: 0.4, 1e-4: 0.3, 1e-5: 0.5}[training.learning_rate]
        return SimpleNamespace(report={"validation": {"accuracy": 0.7, "loss": loss, "auroc": None}, "best_epoch": 1})

    monkeypatch.setattr(search_module, "train", train)
    found = search(MULTIOME, space({"learning_rate": (1e-3, 1e-4, 1e-5)}), options(tmp_path, sampler="grid"))
    assert found.training.learning_rate == 1e-4


# ---------------------------------------------------------------- the journal


@pytest.mark.parametrize(
    ("multiome", "other", "said"),
    [
        (random_multiome(2, n_cells=80), space(), "differs in: data set"),
        (MULTIOME, space({"layers": (1, 2)}), "differs in: space"),
        (MULTIOME, space(seed=5), "differs in: training"),
    ],
)
def test_another_search_is_refused(
    tmp_path: Path, trainer: Trainer, multiome: Multiome, other: SearchSpace, said: str
) -> None:
    search(MULTIOME, space(), options(tmp_path, trials=1))
    before = (tmp_path / "trials.log").read_bytes()
    with pytest.raises(ConfigurationError, match=said):
        search(multiome, other, options(tmp_path, trials=3))
    assert len(trainer.seen) == 1
    assert len((tmp_path / "trials.log").read_bytes()) - len(before) < 500  # a rejected beginning of a study, no trial


@pytest.mark.parametrize(
    "content", [b"precious text", b"{}\n", b'{"op_code": 99}\n{}\n', b"\x89HDF\r\n\x1a\n" * 9, b"[]\n"]
)
def test_a_file_of_another_kind_is_left_alone(tmp_path: Path, trainer: Trainer, content: bytes) -> None:
    (tmp_path / "trials.log").write_bytes(content)
    with pytest.raises(ConfigurationError, match="is not the journal of a search, or is damaged"):
        search(MULTIOME, space(), options(tmp_path))
    assert (tmp_path / "trials.log").read_bytes() == content
    assert trainer.seen == []


def test_a_line_cut_short_by_a_kill_is_taken_off(tmp_path: Path, trainer: Trainer) -> None:
    search(MULTIOME, space(), options(tmp_path, trials=3, sampler="grid"))
    path = tmp_path / "trials.log"
    path.write_bytes(path.read_bytes() + b'{"op_code":8,"worker_id":"3f')
    assert search(MULTIOME, space(), options(tmp_path, trials=5, sampler="grid")).n_trials == 5
    assert search(MULTIOME, space(), options(tmp_path, trials=6, sampler="grid")).n_trials == 6
    assert len(trainer.seen) == 6


def test_a_folder_that_is_not_there(tmp_path: Path, trainer: Trainer) -> None:
    with pytest.raises(ConfigurationError, match="cannot be written"):
        search(MULTIOME, space(), replace(options(tmp_path), storage=tmp_path / "no" / "trials.log"))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(position=st.floats(0, 1), byte=st.integers(0, 255), cut=st.booleans())
def test_a_damaged_journal_is_read_or_refused_in_words(
    tmp_path: Path, trainer: Trainer, position: float, byte: int, cut: bool
) -> None:
    whole = tmp_path / "whole.log"
    if not whole.exists():
        search(MULTIOME, space(), replace(options(tmp_path, trials=2), storage=whole))
    damaged = bytearray(whole.read_bytes())
    place = int(position * (len(damaged) - 1))
    damaged[place] = byte
    (tmp_path / "trials.log").write_bytes(damaged[: place + 1] if cut else damaged)
    with suppress(ConfigurationError):
        open_journal(tmp_path / "trials.log")


def abandoned(folder: Path, worker: list[Any], seen: float) -> None:
    """Leave a trial as a killed process leaves it."""
    study = open_study(folder / "trials.log", {"data set": MULTIOME.digest, **space().identity()}, None, None)
    trial = study.ask()
    for name, values in space().values.items():
        trial.suggest_categorical(name, values)
    trial.set_user_attr("worker", worker)
    trial.set_user_attr("seen", seen)


def dead_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.mark.parametrize(
    ("worker", "age", "repeated"),
    [
        ([os.uname().nodename, "dead", "x"], 0, True),
        ([os.uname().nodename, os.getpid(), "earlier process of this number"], 0, True),
        ([os.uname().nodename, os.getppid(), "x"], 0, False),
        (["another-machine", 1, "x"], 100, False),
        (["another-machine", 1, "x"], 4000, True),
    ],
)  # fmt: skip
def test_a_killed_trial_is_tried_again_and_a_living_one_is_not(
    tmp_path: Path, trainer: Trainer, worker: list[Any], age: float, repeated: bool
) -> None:
    worker = [worker[0], dead_process() if worker[1] == "dead" else worker[1], worker[2]]
    abandoned(tmp_path, worker, time.time() - age)
    said: list[str] = []
    found = search(MULTIOME, space(), options(tmp_path, sampler="grid", trials=50), said.append)
    assert found.n_trials == len(set(trainer.seen)) == len(trainer.seen) == (12 if repeated else 11)
    assert ("trial 0 was killed: its values are tried again" in said) == repeated
    assert len(rows(tmp_path)) == 12


def test_what_another_process_is_trying_is_not_tried_too(tmp_path: Path, trainer: Trainer) -> None:
    """Both asked at the same time: the later one leaves the combination and takes another."""
    abandoned(tmp_path, ["another-machine", 1, "x"], time.time())
    study = open_study(tmp_path / "trials.log", {"data set": MULTIOME.digest, **space().identity()}, None, None)
    study.enqueue_trial(study.trials[0].params)
    search(MULTIOME, space(), options(tmp_path, sampler="grid", trials=6))
    params = study.trials[0].params
    assert (params["learning_rate"], params["layers"], params["dropout"]) not in trainer.seen
    assert len(trainer.seen) == 5
    given_up = [trial for trial in study.get_trials() if REPEATS in trial.user_attrs]
    assert [trial.user_attrs[REPEATS] for trial in given_up] == [0]
    assert all(row["state"] != "fail" for row in rows(tmp_path))


def _helper(folder: Path) -> None:
    search_module.train = Trainer([])  # type: ignore[assignment]
    search(MULTIOME, space(), options(folder, sampler="grid", trials=12))


def test_two_processes_share_a_search(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn" if sys.platform == "win32" else "fork")
    helpers = [context.Process(target=_helper, args=(tmp_path,)) for _ in range(2)]
    for helper in helpers:
        helper.start()
    for helper in helpers:
        helper.join(60)
    assert [helper.exitcode for helper in helpers] == [0, 0]
    table = rows(tmp_path)
    points = [(row["learning_rate"], row["layers"], row["dropout"]) for row in table if row["state"] == "complete"]
    assert len(points) == len(set(points)) == 12


# ---------------------------------------------------------------- the space


def test_the_papers_grids() -> None:
    assert SearchSpace(PAPER_GRIDS, *protocol_defaults("paper")).size == 5 * 5 * 5 * 4 * 4 * 2


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({}, "has no settings"),
        ({"depth": (1,)}, "has depth"),
        ({"seed": (1, 2)}, "has seed"),
        ({"layers": ()}, "no value for layers"),
        ({"layers": (1, 1)}, "1 for layers twice"),
        ({"layers": (0, 1)}, "layers is 0"),
        ({"learning_rate": ("fast",)}, "fast"),
        ({"layers": ([1],)}, "wanted a number or a text"),
        ({name: tuple(n / 20 for n in range(20)) for name in ("dropout", "node_dropout", "averaging", "hard_share")},
         "160,000 combinations"),
    ],
)  # fmt: skip
def test_spaces_that_cannot_be_searched(values: dict[str, tuple[Any, ...]], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        SearchSpace(values, *protocol_defaults("bi2scope"))


def test_a_space_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "space.json"
    path.write_text('{"layers": [1, 2], "schedule": ["constant", "cosine"]}')
    assert read_space(path) == {"layers": (1, 2), "schedule": ("constant", "cosine")}
    for content, said in ((b"{", "not a JSON file"), (b'{"layers": 1}', "no object of lists"), (b"\xff", "not a JSON")):
        path.write_bytes(content)
        with pytest.raises(ConfigurationError, match=said):
            read_space(path)
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_space(tmp_path)


def test_options_out_of_range(tmp_path: Path) -> None:
    for changes in ({"trials": 0}, {"timeout": 0.0}, {"stale_after": -1.0}):
        with pytest.raises(ConfigurationError, match="must be above 0"):
            options(tmp_path, **changes)


# ---------------------------------------------------------------- with training


def test_trials_train(tmp_path: Path) -> None:
    """The table and the journal hold what training reports, and a second search on another journal the same."""
    searched = space({"learning_rate": (1e-3, 1e-2)}, epochs=2)
    founds = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        founds.append(search(MULTIOME, searched, options(tmp_path / name, sampler="grid")))
    assert founds[0] == founds[1]
    table = rows(tmp_path / "a")
    assert founds[0].accuracy == max(float(row["validation_accuracy"]) for row in table)
    assert [row["epochs"] for row in table] == ["2", "2"]


def test_the_command_writes_what_train_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rna, atac = write_h5ad_pair(tmp_path, MULTIOME)
    (tmp_path / "space.json").write_text(json.dumps({"id_dim": [4], "hidden": [4], "layers": [1, 2]}))
    source = ["--rna", str(rna), "--atac", str(atac)]
    arguments = ["search", *source, "--out", "best.json", "--space", "space.json", "--epochs", "1", "--seed", "3"]
    done = CliRunner().invoke(cli.app, [*arguments, "--trials", "1"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    done = CliRunner().invoke(cli.app, arguments, catch_exceptions=False)
    assert "Best of 2 trials is trial" in done.output
    assert "the test pairs were not looked at" in done.output
    model, training = read_configuration(tmp_path / "best.json")
    assert (model.id_dim, training.epochs, training.seed) == (4, 1, 3)
    assert {path.name for path in tmp_path.iterdir()} >= {"best.json", "best.log", "best.csv"}
    train = ["train", *source, "--config", "best.json", "--out", "m.safetensors"]
    assert CliRunner().invoke(cli.app, train, catch_exceptions=False).exit_code == 0
    (tmp_path / "other.json").write_text("mine")
    done = CliRunner().invoke(cli.app, [*arguments, "--out", "other.json"])
    assert "is there already" in str(done.exception)
