"""From draws to p-values, and from many p-values to false discovery rates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bi2scope.data.tracks.profiles import Floats

SAME = 1e-9
"""Share of a value by which two may differ and still be the same but for rounding."""


@dataclass(frozen=True, slots=True)
class Chance:
    """A measure held against what a null model gives.

    Attributes
    ----------
    mean, sd
        Of the measure over the draws.
    z
        Standard deviations from the mean; ``None`` if the draws do not vary.
    p
        ``(1 + draws at least as high) / (1 + draws)`` (Phipson and Smyth, 2010); of a measure that may also be lower
        than by chance, twice the smaller of the two sides, at most 1.
    """

    mean: float
    sd: float
    z: float | None
    p: float


def held_against(observed: float, draws: Floats, *, two_sided: bool) -> Chance | None:
    """An observed measure held against ``(n_draws,)`` draws; ``None`` if it, or one of them, is not defined."""
    if len(draws) == 0 or not np.isfinite(observed) or not np.isfinite(draws).all():
        return None
    slack = SAME * (abs(observed) + np.abs(draws).max())
    higher = (1 + int((draws >= observed - slack).sum())) / (1 + len(draws))
    lower = (1 + int((draws <= observed + slack).sum())) / (1 + len(draws))
    mean, sd = float(draws.mean()), float(draws.std(ddof=1)) if len(draws) > 1 else 0.0
    z = (observed - mean) / sd if sd > slack else None
    return Chance(mean, sd, z, min(1.0, 2 * min(higher, lower)) if two_sided else higher)


def false_discovery_rates(p: npt.ArrayLike) -> Floats:
    """p-values adjusted for their number (Benjamini and Hochberg, 1995), in the same shape; NaN stays, and counts not.

    The value of each is the lowest false discovery rate at which it would be called.
    """
    from scipy.stats import false_discovery_control

    given = np.asarray(p, dtype=np.float64)
    known = np.isfinite(given)
    adjusted = np.full(given.shape, np.nan)
    if known.any():
        adjusted[known] = false_discovery_control(given[known], method="bh")
    return adjusted
