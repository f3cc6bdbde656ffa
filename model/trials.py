"""The trials of a search: where they are kept, which of them were killed, and the table of all.

They are kept in a journal, a text file that several machines may write to over NFS; what belongs to a trial beside its
values is in its user attributes, of which the names are constants here.
"""

from __future__ import annotations

import os
import socket
import sys
import time
import uuid
import zlib
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
from optuna.samplers import BaseSampler, TPESampler
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock, JournalFileSymlinkLock
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from bi2scope.data.errors import ConfigurationError
from bi2scope.data.files import replacing

STUDY = "bi2scope"
IDENTITY = "identity"
"""Attribute of the study: what makes it this search and no other."""

ERROR = "error"
"""Why a trial failed by itself: it is not tried again."""

REPEATS = "repeats"
"""Number of the trial with the same values; this one was given up for it."""

WORKER, SEEN = "worker", "seen"
"""Host, process and token of whoever runs a trial, and the time (seconds) when it last reported."""

_TOKEN = uuid.uuid4().hex
"""Tells this process from an earlier one with the same number."""

_RESULTS = ("validation_loss", "validation_auroc", "best_epoch", "seconds")


def open_journal(path: Path) -> JournalStorage:
    """The storage in a file, which is made if it is not there.

    Raises
    ------
    ConfigurationError
        If the file is not a journal, is damaged, or cannot be written.
    """
    target = str(path.absolute())  # the lock is a symbolic link beside the file, and must not be a relative one
    lock = JournalFileOpenLock(target) if sys.platform == "win32" else JournalFileSymlinkLock(target)
    try:
        storage = JournalStorage(JournalFileBackend(target, lock))  # reads it: a file of another kind is left alone
        _mend(path, lock)
        return storage
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be written: {error.strerror or error}.", "Name another.") from error
    except Exception as error:  # the journal is replayed: a damaged one may raise anything
        raise ConfigurationError(
            f"{path} is not the journal of a search, or is damaged ({type(error).__name__}: {error}).",
            "Name another file with --storage.",
        ) from error


def _mend(path: Path, lock: JournalFileOpenLock | JournalFileSymlinkLock) -> None:
    """Take off a last line that was cut short when its writer was killed; the next one would be joined to it."""
    lock.acquire()
    try:
        content = path.read_bytes()
        whole = content.rfind(b"\n") + 1
        if content and not whole:
            raise ValueError("not a line of it is whole")
        if whole < len(content):
            os.truncate(path, whole)
    finally:
        lock.release()


def open_study(path: Path, identity: dict[str, Any], sampler: BaseSampler, pruner: optuna.pruners.BasePruner) -> Study:
    """The study in a journal, begun if there is none.

    Raises
    ------
    ConfigurationError
        If the journal is that of other data, another space or other settings.
    """
    study = optuna.create_study(
        storage=open_journal(path),
        sampler=sampler,
        pruner=pruner,
        study_name=STUDY,
        direction="maximize",
        load_if_exists=True,
    )
    found = study.user_attrs.get(IDENTITY)
    if found is None:
        study.set_user_attr(IDENTITY, identity)
    elif found != identity:
        differ = [name for name in identity if found.get(name) != identity[name]]
        raise ConfigurationError(
            f"{path} holds a search that differs in: {', '.join(differ)}.",
            "Go on with the same data and settings, or name another file with --storage.",
        )
    return study


class SeededByTrial(BaseSampler):
    """TPE with a seed of its own for every trial, so that a search that goes on proposes what it would have proposed.

    Parameters
    ----------
    seed
        Of the search.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, Any]:
        """None: TPE draws each setting by itself."""
        return {}

    def sample_relative(self, study: Study, trial: FrozenTrial, search_space: dict[str, Any]) -> dict[str, Any]:
        """Nothing, as :meth:`infer_relative_search_space` says."""
        return {}

    def sample_independent(self, study: Study, trial: FrozenTrial, param_name: str, param_distribution: Any) -> Any:
        """One value, by a sampler that this trial and setting alone have seeded."""
        entropy = np.random.SeedSequence([self._seed, trial.number, zlib.crc32(param_name.encode())])
        sampler = TPESampler(seed=int(entropy.generate_state(1)[0]))
        return sampler.sample_independent(study, trial, param_name, param_distribution)


# ---------------------------------------------------------------- states


def mark(trial: optuna.Trial) -> None:
    """Say that this process runs the trial and is alive."""
    if WORKER not in trial.user_attrs:
        trial.set_user_attr(WORKER, [socket.gethostname(), os.getpid(), _TOKEN])
    trial.set_user_attr(SEEN, time.time())


def requeue_killed(study: Study, stale_after: float) -> list[int]:
    """Queue the values of trials whose process is gone; numbers of those trials.

    Parameters
    ----------
    study
        The search.
    stale_after
        Seconds without a word after which a trial of another machine counts as killed.
    """
    killed = [trial for trial in study.get_trials(states=(TrialState.RUNNING,)) if _is_killed(trial, stale_after)]
    return [trial.number for trial in killed if _given_up(study, trial)]


def _given_up(study: Study, trial: FrozenTrial) -> bool:
    """Whether this process, and not another one at the same time, gave the trial up."""
    try:
        study.tell(trial.number, state=TrialState.FAIL)
    except (ValueError, RuntimeError):  # it is finished: another process saw it first
        return False
    if trial.params:
        study.enqueue_trial(trial.params)
    return True


def _is_killed(trial: FrozenTrial, stale_after: float) -> bool:
    host, process, token = trial.user_attrs.get(WORKER, ("", 0, ""))
    if host == socket.gethostname() and token != _TOKEN and _is_gone(process):
        return True
    started = trial.datetime_start.timestamp() if trial.datetime_start else 0.0
    return time.time() - float(trial.user_attrs.get(SEEN, started)) > stale_after


def _is_gone(process: int) -> bool:
    if process == os.getpid():
        return True
    if sys.platform == "win32":  # there, signal 0 ends a process
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def is_through(trial: FrozenTrial) -> bool:
    """Whether a trial has an outcome of its own: trained to the end, pruned, or failed by itself."""
    return trial.state in (TrialState.COMPLETE, TrialState.PRUNED) or (
        trial.state == TrialState.FAIL and ERROR in trial.user_attrs
    )


def best_trial(study: Study) -> FrozenTrial | None:
    """The trial with the highest validation accuracy, then the lowest loss, then the first."""
    complete = study.get_trials(states=(TrialState.COMPLETE,))
    return max(
        complete,
        key=lambda trial: (trial.value or 0.0, -float(trial.user_attrs["validation_loss"]), -trial.number),
        default=None,
    )


# ---------------------------------------------------------------- table


def trial_table(study: Study) -> pd.DataFrame:
    """One row per trial in the order of their numbers, without those given up for another with the same values."""
    rows = []
    for trial in study.get_trials(deepcopy=False):
        gone = trial.state == TrialState.FAIL and ERROR not in trial.user_attrs
        if REPEATS in trial.user_attrs or gone or trial.state == TrialState.WAITING:
            continue
        row: dict[str, Any] = {"trial": trial.number, "state": trial.state.name.lower()}
        row["epochs"] = len(trial.intermediate_values)
        row["validation_accuracy"] = trial.value
        row |= {name: trial.user_attrs.get(name) for name in _RESULTS}
        row |= {name: trial.params[name] for name in sorted(trial.params)}
        rows.append(row | {"host": trial.user_attrs.get(WORKER, [""])[0], ERROR: trial.user_attrs.get(ERROR, "")})
    return pd.DataFrame(rows)


def write_table(study: Study, path: Path) -> None:
    """Write :func:`trial_table` as CSV, whole or not at all; lines with ``#`` say of what."""
    digest = study.user_attrs[IDENTITY]["data set"]
    with replacing(path) as temporary:
        head = f"# bi2scope {version('bi2scope')}\n# data set {digest}\n# metrics of the validation pairs\n"
        temporary.write_text(head + trial_table(study).to_csv(index=False, lineterminator="\n"), encoding="utf-8")
