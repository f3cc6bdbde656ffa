"""How far predicted probabilities of "matched" can be taken at their word, and the temperature that would mend them.

All figures are over weighted pairs: with ``p`` the predicted probability that a pair is matched, ``y`` 1 if it is and
``w`` its weight (the weights sum to 1).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import expit

N_BINS = 10

_WIDEST = math.log(100.0)
"""Temperatures from 0.01 to 100 are tried."""

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


def calibration(log_odds: Floats, matched: Bools, weight: Floats) -> dict[str, Any]:
    """Brier score, expected calibration error and its bins, with the keys of ``Metrics`` (``server/wire.py``).

    Parameters
    ----------
    log_odds
        ``(n_pairs,)`` log of predicted matched over mismatched.
    matched, weight
        ``(n_pairs,)``; the weights sum to 1.
    """
    probability = expit(log_odds)
    bins = reliability(probability, matched, weight)
    return {
        "brier": float((weight * (probability - matched) ** 2).sum()),
        "ece": sum(each["share"] * abs(each["predicted"] - each["matched"]) for each in bins),
        "reliability": bins,
    }


def reliability(probability: Floats, matched: Bools, weight: Floats) -> list[dict[str, float]]:
    """Bins of equal width over the probability, those without pairs left out.

    Each has ``low`` and ``high``, the ``share`` of the weight that falls in (``low <= p < high``, the last with 1),
    the mean probability ``predicted`` there and the share ``matched`` of it that is. The expected calibration error
    is the mean of ``|predicted - matched|`` over the bins by their shares (Naeini et al., AAAI 2015, for two classes).
    """
    place = np.minimum((probability * N_BINS).astype(np.int64), N_BINS - 1)
    share, predicted, true = (
        np.bincount(place, weight * value, minlength=N_BINS) for value in (np.ones(len(place)), probability, matched)
    )
    return [
        {
            "low": number / N_BINS,
            "high": (number + 1) / N_BINS,
            "share": float(share[number]),
            "predicted": float(predicted[number] / share[number]),
            "matched": float(true[number] / share[number]),
        }
        for number in np.flatnonzero(share > 0).tolist()
    ]


def fitted_temperature(log_odds: Floats, matched: Bools, weight: Floats) -> float:
    """Number that the logits are to be divided by for the lowest loss (Guo et al., ICML 2017), from 0.01 to 100."""
    signed = np.where(matched, log_odds, -log_odds)

    def loss(log_temperature: float) -> float:
        return float((weight * np.logaddexp(0, -signed * math.exp(-log_temperature))).sum())

    # the loss is convex in 1 / T, hence has one minimum in log T too
    found = minimize_scalar(loss, bounds=(-_WIDEST, _WIDEST), method="bounded", options={"xatol": 1e-6})
    return float(math.exp(found.x))
