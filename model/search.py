"""Hyperparameter search: trials of one training each, compared on the validation pairs alone.

The test pairs are not looked at: whoever trains the best configuration afterwards sees them for the first time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import optuna
from optuna.pruners import BasePruner, HyperbandPruner, MedianPruner, NopPruner
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import Study
from optuna.trial import FrozenTrial, TrialState

from bi2scope.data.errors import ConfigurationError, TrainingError
from bi2scope.data.multiome import Multiome
from bi2scope.model.config import ModelConfig, TrainingConfig
from bi2scope.model.device import Device, Precision
from bi2scope.model.search_space import Point, SearchSpace
from bi2scope.model.training import Execution, train
from bi2scope.model.trials import (
    ERROR,
    REPEATS,
    SeededByTrial,
    best_trial,
    is_through,
    mark,
    open_study,
    requeue_killed,
    write_table,
)

Sampler = Literal["grid", "tpe"]
Pruner = Literal["median", "hyperband", "none"]


@dataclass(frozen=True)
class SearchOptions:
    """How a search goes about its space.

    Parameters
    ----------
    storage
        Journal of the trials; a search goes on where its journal ends, and several processes may share one.
    table
        CSV of the trials, written after each.
    sampler
        ``grid`` tries the combinations in an order drawn at random, ``tpe`` those that earlier trials speak for
        (tree-structured Parzen estimator, Bergstra et al. 2011).
    pruner
        What ends trials early: below the ``median`` of the others' validation accuracy at that epoch, ``hyperband``
        (Li et al. 2018), or nothing.
    trials
        Trials with an outcome, those of earlier runs and of other machines included, after which the search ends.
    timeout
        Seconds after which no further trial is begun; ``None`` is no limit.
    stale_after
        Seconds without an epoch after which a trial of another machine counts as killed and is repeated.
    workers, device, precision
        As in :func:`bi2scope.model.training.train`.

    Raises
    ------
    ConfigurationError
        If a number is out of its range.
    """

    storage: Path
    table: Path
    sampler: Sampler = "tpe"
    pruner: Pruner = "median"
    trials: int = 30
    timeout: float | None = None
    stale_after: float = 3600.0
    workers: int = 0
    device: Device = "auto"
    precision: Precision = "float32"

    def __post_init__(self) -> None:
        limits = {"trials": self.trials, "timeout": self.timeout, "stale_after": self.stale_after}
        for name, value in limits.items():
            if value is not None and not value > 0:
                raise ConfigurationError(f"{name} is {value:g}; it must be above 0.")


@dataclass(frozen=True)
class Found:
    """The outcome of a search.

    Attributes
    ----------
    model, training
        The best configuration.
    trial
        Number of its trial.
    accuracy
        Its accuracy on the validation pairs, which is too high by being the best of several.
    n_trials
        Trials with an outcome.
    """

    model: ModelConfig
    training: TrainingConfig
    trial: int
    accuracy: float
    n_trials: int


def search(
    multiome: Multiome, space: SearchSpace, options: SearchOptions, say: Callable[[str], None] = lambda _: None
) -> Found:
    """Try combinations of settings until there are trials enough; begin, go on, or help others with it.

    With one process the trials are the same for the same seed (that of ``space.training``), interrupted or not.

    Parameters
    ----------
    multiome
        The cells.
    space
        What is tried.
    options
        How.
    say
        Called with a sentence after every trial.

    Raises
    ------
    ConfigurationError
        If the journal is of other data, another space or other settings.
    TrainingError
        If no trial could be trained to its end.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    identity = {"data set": multiome.digest, **space.identity()}
    seed = space.training.seed
    study = open_study(options.storage, identity, _sampler(options.sampler, seed), _pruner(options, space))
    _Worker(study, multiome, space, options, say).run()
    write_table(study, options.table)
    best = best_trial(study)
    through = [trial for trial in study.get_trials(deepcopy=False) if is_through(trial)]
    if best is None:
        raise TrainingError(
            f"None of the {len(through)} trials was trained to its end; {options.table} says why.",
            "Give it more trials, lower learning rates, or --pruner none.",
        )
    return Found(*space.configurations(best.params), best.number, float(best.value or 0.0), len(through))


def _sampler(name: Sampler, seed: int) -> BaseSampler:
    return SeededByTrial(seed) if name == "tpe" else RandomSampler(seed)  # the grid is queued, nothing is sampled


def _pruner(options: SearchOptions, space: SearchSpace) -> BasePruner:
    if options.pruner == "median":
        return MedianPruner(n_startup_trials=5, n_warmup_steps=1)
    if options.pruner == "hyperband":
        longest = max([space.training.epochs, *(int(each or 1) for each in space.values.get("epochs", ()))])
        return HyperbandPruner(min_resource=1, max_resource=longest, reduction_factor=3)
    return NopPruner()


class _Worker:
    """One process of a search, trial after trial."""

    def __init__(
        self,
        study: Study,
        multiome: Multiome,
        space: SearchSpace,
        options: SearchOptions,
        say: Callable[[str], None],
    ) -> None:
        self.study, self.multiome, self.space, self.options, self.say = study, multiome, space, options, say
        self.points = space.points(space.training.seed)

    def run(self) -> None:
        """Trials until there are enough, the time is up, or every combination was tried."""
        end = None if self.options.timeout is None else time.monotonic() + self.options.timeout
        while end is None or time.monotonic() < end:
            for number in requeue_killed(self.study, self.options.stale_after):
                self.say(f"trial {number} was killed: its values are tried again")
            trials = self.study.get_trials(deepcopy=False)
            under_way = sum(is_through(trial) or trial.state == TrialState.RUNNING for trial in trials)
            waiting = any(trial.state == TrialState.WAITING for trial in trials)
            if under_way >= self.options.trials or not (waiting or self._queue(trials)):
                return
            self._one()

    def _queue(self, trials: list[FrozenTrial]) -> bool:
        """Queue the next combination for a grid; whether there is anything left to try."""
        point = next(iter(self._untried(trials)), None)
        if point is not None and self.options.sampler == "grid":
            self.study.enqueue_trial(point)
        return point is not None

    def _untried(self, trials: list[FrozenTrial]) -> list[Point]:
        taken = [trial.params for trial in trials if is_through(trial) or trial.state == TrialState.RUNNING]
        tried = {tuple(params.get(name) for name in self.space.values) for params in taken}
        return [point for point in self.points if tuple(point[name] for name in self.space.values) not in tried]

    def _one(self) -> None:
        trial = self.study.ask()
        point: Point = {name: trial.suggest_categorical(name, values) for name, values in self.space.values.items()}
        mark(trial)
        earlier = self._same(trial.number, point)
        if earlier is not None:
            self._give_up(trial, earlier)
            return
        try:
            outcome = self._train(trial, point)
        except optuna.TrialPruned:
            self.study.tell(trial, state=TrialState.PRUNED)
            outcome = "pruned"
        except (TrainingError, ConfigurationError) as error:
            trial.set_user_attr(ERROR, str(error))
            self.study.tell(trial, state=TrialState.FAIL)
            outcome = f"failed: {error}"
        except BaseException:  # interrupted, or out of memory: the values are tried again by whoever goes on
            self.study.tell(trial, state=TrialState.FAIL)
            self.study.enqueue_trial(point)
            raise
        write_table(self.study, self.options.table)
        self.say(f"trial {trial.number}: {outcome} ({', '.join(f'{name} {point[name]}' for name in sorted(point))})")

    def _train(self, trial: optuna.Trial, point: Point) -> str:
        """Train, and tell how well; what to say of it."""
        model, training = self.space.configurations(point)

        def after_epoch(history: list[dict[str, Any]]) -> None:
            mark(trial)
            trial.report(history[-1]["validation_accuracy"], step=len(history))
            if len(history) < training.epochs and trial.should_prune():
                raise optuna.TrialPruned

        start = time.perf_counter()
        execution = Execution(
            device=self.options.device, precision=self.options.precision, on_epoch=after_epoch, test=False
        )
        report = train(self.multiome, model, training, False, self.options.workers, execution).report
        validation = report["validation"]
        for name, value in (
            ("validation_loss", validation["loss"]),
            ("validation_auroc", validation["auroc"]),
            ("best_epoch", report["best_epoch"]),
            ("seconds", time.perf_counter() - start),
        ):
            trial.set_user_attr(name, value)
        self.study.tell(trial, validation["accuracy"])
        return f"validation accuracy {validation['accuracy']:.3f}, epoch {report['best_epoch']}"

    def _same(self, number: int, point: Point) -> int | None:
        """Number of a trial that has, or will have, the outcome of these values."""
        for other in self.study.get_trials(deepcopy=False):
            ahead = other.state == TrialState.RUNNING and other.number < number
            if other.number != number and other.params == point and (is_through(other) or ahead):
                return other.number
        return None

    def _give_up(self, trial: optuna.Trial, earlier: int) -> None:
        """Leave a combination that was tried already, and queue one that was not."""
        trial.set_user_attr(REPEATS, earlier)
        self.study.tell(trial, state=TrialState.FAIL)
        trials = self.study.get_trials(deepcopy=False)
        untried = self._untried(trials)
        if untried and not any(other.state == TrialState.WAITING for other in trials):
            self.study.enqueue_trial(untried[0])
