"""A training that is stopped and goes on ends as if it had not been stopped."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from multiomes import random_multiome, write_h5ad_pair
from safetensors import safe_open
from safetensors.torch import save_file
from typer.testing import CliRunner

from bi2scope import cli
from bi2scope.data.errors import CheckpointError, TrainingError
from bi2scope.data.multiome import Multiome
from bi2scope.data.readers import read_h5ad_pair
from bi2scope.model.checkpoint import Trained, load
from bi2scope.model.config import ModelConfig, TrainingConfig, protocol_defaults
from bi2scope.model.configuration import write_configuration
from bi2scope.model.resume import StateFile, standing, state_path
from bi2scope.model.run import Run
from bi2scope.model.training import Execution, train


class StoppedError(Exception):
    """Stands for whatever ends a training."""


@pytest.fixture(scope="module")
def tiny() -> Multiome:
    return random_multiome(3, n_cells=60)


def settings(protocol: str = "bi2scope", **changes: object) -> tuple[ModelConfig, TrainingConfig]:
    model, config = protocol_defaults(protocol, epochs=4, seed=4)
    return replace(model, id_dim=8, hidden=8), replace(config, batch_size=16, **changes)


def without_seconds(trained: Trained) -> dict[str, object]:
    return trained.report | {"history": [row | {"seconds": None} for row in trained.report["history"]]}


def same(one: Trained, other: Trained) -> bool:
    """Bit for bit: parameters, and all of the report but the seconds."""
    return one.digest == other.digest and without_seconds(one) == without_seconds(other)


@pytest.mark.parametrize(
    ("protocol", "changes"),
    [
        ("bi2scope", {}),
        ("paper", {}),
        ("bi2scope", {"negatives": "fixed", "averaging": 0.5, "warmup": 0.2, "clip_norm": 0.5}),
        ("bi2scope", {"negatives": "fixed", "control": "shuffled-labels", "class_balanced_loss": True}),
        ("bi2scope", {"control": "shuffled-labels", "mismatch_ratio": 2.0, "hard_share": 0.5}),
        ("paper", {"control": "shuffled-labels"}),
    ],
)
def test_epochs_go_on_as_they_would_have(
    tiny: Multiome, tmp_path: Path, protocol: str, changes: dict[str, object]
) -> None:
    whole = train(tiny, *settings(protocol, **changes), progress=False)
    state = tmp_path / "state"

    def stop(history: list[object]) -> None:
        raise StoppedError

    for done in range(4):  # stopped after each epoch
        with pytest.raises(StoppedError):
            train(
                tiny,
                *settings(protocol, **changes),
                progress=False,
                execution=Execution(state=state, resume=True, on_epoch=stop),
            )
        assert standing(state) == (f"in epoch {done + 2} of 4" if done < 3 else "after epoch 4 of 4")
    resumed = train(tiny, *settings(protocol, **changes), progress=False, execution=Execution(state=state, resume=True))
    assert same(resumed, whole)
    assert state.exists()  # the caller's to remove, once the checkpoint is written


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.filterwarnings("ignore:This DataLoader will create")
def test_steps_go_on_as_they_would_have(tiny: Multiome, tmp_path: Path, monkeypatch, workers: int) -> None:
    chosen = settings(averaging=0.5, negatives="fixed")
    whole = train(tiny, *chosen, progress=False)
    step, taken = Run._step, []

    def stopping(self, batch, label, bounds):
        taken.append(bounds)
        if len(taken) == 11:  # the fifth of six steps of the second epoch
            raise StoppedError
        return step(self, batch, label, bounds)

    monkeypatch.setattr(Run, "_step", stopping)
    state = tmp_path / "state"
    with pytest.raises(StoppedError):
        train(tiny, *chosen, progress=False, workers=workers, execution=Execution(state=state, save_every=3))
    with safe_open(state, framework="pt") as file:
        values = json.loads(file.metadata()["values"])
    assert (values["epoch"], values["step"]) == (2, 3)
    execution = Execution(state=state, resume=True)
    assert same(train(tiny, *chosen, progress=False, workers=workers, execution=execution), whole)
    assert len(taken) == 11 + 3 + 2 * 6


def test_a_state_left_aside_changes_nothing(tiny: Multiome, tmp_path: Path) -> None:
    """Keeping states takes nothing of any stream; without ``resume`` a state is not read."""
    state = tmp_path / "state"
    state.write_text("not a state")
    kept = train(tiny, *settings(), progress=False, execution=Execution(state=state, save_every=1))
    assert same(kept, train(tiny, *settings(), progress=False))


@pytest.fixture(scope="module")
def stopped(tiny: Multiome, tmp_path_factory: pytest.TempPathFactory) -> Path:
    state = tmp_path_factory.mktemp("stopped") / "model.safetensors.resume.safetensors"

    def stop(history: list[object]) -> None:
        raise StoppedError

    with pytest.raises(StoppedError):
        train(tiny, *settings(), progress=False, execution=Execution(state=state, on_epoch=stop))
    return state


@pytest.mark.parametrize(
    ("model", "training", "said"),
    [
        ({"hidden": 4}, {}, r"its model\.hidden is 8, that of this one 4"),
        ({"max_distance": 500}, {}, r"its model\.max_distance is at its default, that of this one 500"),
        ({}, {"learning_rate": 0.5}, r"its training\.learning_rate is 0\.002, that of this one 0\.5"),
        ({}, {"seed": 5}, r"its training\.seed is 4, that of this one 5"),
        ({}, {"epochs": 9}, r"its training\.epochs is 4, that of this one 9"),
        ({}, {"control": "shuffled-labels"}, r"training\.control is at its default, that of this one shuffled-labels"),
    ],
)
def test_another_configuration_does_not_go_on(
    tiny: Multiome, stopped: Path, model: dict[str, object], training: dict[str, object], said: str
) -> None:
    mine, config = settings()
    before = stopped.read_bytes()
    with pytest.raises(CheckpointError, match=said) as found:
        train(
            tiny,
            replace(mine, **model),
            replace(config, **training),
            progress=False,
            execution=Execution(state=stopped, resume=True),
        )
    assert str(stopped) in str(found.value)
    assert stopped.read_bytes() == before


def test_other_cells_do_not_go_on(stopped: Path) -> None:
    with pytest.raises(CheckpointError, match=r"its data is [0-9a-f]{64}, that of this one [0-9a-f]{64}"):
        train(
            random_multiome(4, n_cells=60),
            *settings(),
            progress=False,
            execution=Execution(state=stopped, resume=True),
        )


@pytest.mark.parametrize("damage", ["cut", "pickle", "checkpoint", "version"])
def test_what_is_no_state_is_refused(tiny: Multiome, stopped: Path, tmp_path: Path, damage: str) -> None:
    state = tmp_path / "state"
    if damage == "cut":
        state.write_bytes(stopped.read_bytes()[:-100])
    elif damage == "pickle":
        torch.save({"network": {}}, state)
    else:
        named = {"format": "bi2scope-checkpoint"} if damage == "checkpoint" else {"format": "bi2scope-training-state"}
        save_file({"a": torch.zeros(1)}, state, named | {"format_version": "2"})
    with pytest.raises(CheckpointError, match="Remove it and train from the beginning"):
        train(tiny, *settings(), progress=False, execution=Execution(state=state, resume=True))


def test_a_state_that_leads_to_no_end_is_removed(tiny: Multiome, tmp_path: Path) -> None:
    state = tmp_path / "state"
    execution = Execution(state=state, save_every=1)
    with pytest.raises(TrainingError, match="nothing is kept"):
        train(tiny, *settings(learning_rate=1e38), progress=False, execution=execution)
    assert not state.exists()


def test_a_state_is_whole_or_as_it_was(stopped: Path, tmp_path: Path, monkeypatch) -> None:
    state = StateFile(tmp_path / "state", {"data": "x"})
    state.write({"epoch": 1}, {"a": torch.zeros(2)})
    monkeypatch.setattr("bi2scope.model.resume.save_file", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        state.write({"epoch": 2}, {"a": torch.ones(2)})
    values, tensors = state.read()
    assert values == {"epoch": 1}
    assert tensors["a"].tolist() == [0, 0]
    assert [each.name for each in tmp_path.iterdir()] == ["state"]


def test_a_killed_process_goes_on_where_it_was(tmp_path: Path) -> None:
    """A real process, killed in the middle of an epoch; the next one ends with the parameters of an undisturbed one."""
    rna, atac = write_h5ad_pair(tmp_path, random_multiome(3, n_cells=80))
    model, config = settings()
    config = replace(config, batch_size=4)
    write_configuration(tmp_path / "small.json", model, config)
    out = tmp_path / "model.safetensors"
    state = state_path(out)
    files = ["--rna", str(rna), "--atac", str(atac), "--config", str(tmp_path / "small.json"), "--out", str(out)]
    command = [sys.executable, "-m", "bi2scope", "train", *files, "--save-every", "1"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        until = time.monotonic() + 200
        while not in_the_middle(state) and time.monotonic() < until:
            assert process.poll() is None, "it ended before it was killed"
            time.sleep(0.002)
        os.kill(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert in_the_middle(state)
    assert not out.exists()
    done = CliRunner().invoke(cli.app, [*command[3:-2], "--resume"])  # here, not in another slow start of a process
    assert done.exit_code == 0, done.output
    assert "note: Going on in epoch" in done.stderr
    whole = train(read_h5ad_pair(rna, atac), model, config, progress=False)
    assert same(load(out), whole)
    assert not list(tmp_path.glob("*resume*"))


def in_the_middle(state: Path) -> bool:
    """Whether the state is of the second epoch or a later one, and of neither its begin nor its end."""
    if not state.exists():
        return False
    with state.open("rb") as file:  # opened once, while the file may be replaced
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    values = json.loads(header["__metadata__"]["values"])
    return values["epoch"] > 1 and values["step"] > 5
