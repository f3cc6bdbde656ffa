"""What a training says of itself: metrics of held-out pairs, beside a baseline and chance."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from bi2scope.data.multiome import Multiome
from bi2scope.data.pairs import Pairs
from bi2scope.model import baseline
from bi2scope.model.calibration import calibration
from bi2scope.model.config import TrainingConfig
from bi2scope.model.controls import NOT_TRAINED
from bi2scope.model.evaluation import measure, pair_weights, predict
from bi2scope.model.loader import PairLoader
from bi2scope.model.network import Bi2Former
from bi2scope.model.plan import Plan
from bi2scope.model.standing import Best, Standing

Floats = npt.NDArray[np.float64]


def validation_report(plan: Plan, config: TrainingConfig, end: Standing) -> dict[str, Any]:
    """What a training reports without a look at the test pairs: keys of ``TrainingReport`` (``server/wire.py``).

    Parameters
    ----------
    plan, config
        Pairs and settings.
    end
        Where the training stood at its end.
    """
    assert end.best is not None  # a training without one raises
    named = {"control": config.control} if config.control is not None else {}
    return {
        "protocol": plan.protocol,
        **named,
        "split": plan.split,
        "n_train": 0 if config.control in NOT_TRAINED else plan.n_train,
        "n_validation": len(plan.validation),
        "n_test": len(plan.test),
        "best_epoch": end.best.epoch,
        "stopped": end.stopped,
        "history": end.history,
        "validation": end.best.validation,
    }


def held_out_report(
    network: Bi2Former, multiome: Multiome, loader: PairLoader, plan: Plan, end: Standing
) -> dict[str, Any]:
    """The rest of a training report: metrics of the test pairs, and what they are beside.

    Parameters
    ----------
    network
        The one that was kept.
    multiome
        All features of the data set, for the baseline.
    loader
        Cells over the model's features, and how to batch them.
    plan
        Pairs.
    end
        Where the training stood at its end.
    """
    assert end.best is not None  # a training without one raises
    test = plan.test
    weight = pair_weights(test.label, balanced=plan.balanced)
    found = predict(network, loader.multiome, test, loader.workers, loader.ranks)
    return {
        "test": measure(found, test.label, weight, plan.hard(test)),
        "calibration": at_temperature(found, test, weight, end.best),
        "baseline_name": baseline.NAME,
        "baseline_accuracy": _baseline_accuracy(multiome, plan, weight),
        "chance": float(max(weight[test.label == kind].sum() for kind in (0, 1))),
    }


def at_temperature(log_probability: Floats, pairs: Pairs, weight: Floats, best: Best) -> dict[str, float]:
    """What the temperature of the validation pairs would make of other pairs, with the keys of ``Calibration``."""
    matched = pairs.label == 1
    log_odds = (log_probability[:, 1] - log_probability[:, 0]) / best.temperature
    found = calibration(log_odds, matched, weight)
    return {
        "temperature": best.temperature,
        "loss": float((weight * np.logaddexp(0, np.where(matched, -log_odds, log_odds))).sum()),
        "brier": found["brier"],
        "ece": found["ece"],
    }


def _baseline_accuracy(multiome: Multiome, plan: Plan, weight: Floats) -> float:
    test = plan.test
    agree = baseline.predict_matched(
        multiome.rna, multiome.atac, plan.codes, plan.train_cells, (test.rna_cell, test.atac_cell)
    )
    return float(weight[agree == (test.label == 1)].sum())
