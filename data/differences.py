"""Differences of two groups of cells, feature by feature, the cells being the replicates.

A feature (a peak, or a gene) has one number above 0 in some cells, and 0 in all others. Only the former are given, and
only they are sorted; the zeros, which tie, are counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

Method = Literal["mann-whitney", "welch"]

NO_EFFECT: Final[dict[Method, float]] = {"mann-whitney": 0.5, "welch": 0.0}
"""The effect of two groups that do not differ."""


@dataclass(frozen=True)
class Entries:
    """The numbers above 0 of some features.

    Attributes
    ----------
    feature
        ``(n_entries,)`` which feature, from 0.
    value
        ``(n_entries,)`` float32, above 0 and finite.
    first
        ``(n_entries,)`` whether the cell is of the first group; the others are of the second.
    """

    feature: npt.NDArray[np.int32]
    value: npt.NDArray[np.float32]
    first: npt.NDArray[np.bool_]

    def per_group(self, n_features: int, values: npt.NDArray[np.float32] | None = None) -> tuple[Floats, Floats]:
        """``(n_features,)`` entries of the first group, and of the second; or the sums of values of theirs."""
        groups = self.first, ~self.first
        of = [np.bincount(self.feature[each], None if values is None else values[each], n_features) for each in groups]
        return of[0].astype(np.float64), of[1].astype(np.float64)


@dataclass(frozen=True)
class Outcome:
    """What a test says of each feature; ``(n_features,)`` each, NaN where it is not defined.

    Attributes
    ----------
    effect
        Of Mann-Whitney U the chance that a cell of the first group has the higher number, ties counting half (AUROC,
        the common-language effect; 0.5 is none); of Welch's t Hedges' g (0 is none).
    statistic
        z, or t: above 0 where the first group is higher.
    p
        Two-sided.
    """

    effect: Floats
    statistic: Floats
    p: Floats


def two_groups(method: Method, entries: Entries, first: Ints, second: Ints) -> Outcome:
    """Method every feature.

    Parameters
    ----------
    method
        Which.
    entries
        All numbers above 0.
    first, second
        ``(n_features,)`` cells of the two groups, with a number above 0 or not.
    """
    return _mann_whitney(entries, first, second) if method == "mann-whitney" else _welch(entries, first, second)


def two_shares(method: Method, of_first: Ints, of_second: Ints, first: Ints, second: Ints) -> Outcome:
    """The same of features that are there or not in a cell, from how many cells of each group have them.

    Parameters
    ----------
    method
        Which.
    of_first, of_second
        ``(n_features,)`` cells that have the feature.
    first, second
        ``(n_features,)`` all cells.
    """
    if method == "mann-whitney":
        there, absent = of_first + of_second, first + second - of_first - of_second
        u = (first * second + of_first * second - of_second * first) / 2
        return _of_u(u, _cubed(there) + _cubed(absent), first, second)
    means = _divided(of_first, first), _divided(of_second, second)
    squares = [mean * (1 - mean) * size for mean, size in zip(means, (first, second), strict=True)]
    return _of_means(means, (squares[0], squares[1]), (first, second))


def odds_ratios(of_first: Ints, of_second: Ints, first: Ints, second: Ints) -> Floats:
    """Odds of having the feature in the first group over those in the second.

    Half a cell is added to all four counts where one is 0 (Haldane, 1956; Anscombe, 1956).
    """
    cells = np.stack([of_first, first - of_first, of_second, second - of_second]).astype(np.float64)
    a, b, c, d = cells + 0.5 * (cells == 0).any(axis=0)
    return np.asarray(a * d / (b * c))


def _mann_whitney(entries: Entries, first: Ints, second: Ints) -> Outcome:
    """Mann and Whitney's U with the normal approximation, ties and continuity corrected (Hollander et al., 2014, 4.1).

    Feature, number and group of an entry are packed into one whole number, of which plain sorting is quick; of
    single-precision numbers above 0 the bits have the order of the numbers.
    """
    n_features = len(first)
    key = entries.feature.astype(np.uint64) << np.uint64(33)
    key |= entries.value.view(np.uint32).astype(np.uint64) << np.uint64(1)
    key |= entries.first
    key.sort()
    tied = key >> np.uint64(1)
    run = np.flatnonzero(np.concatenate([[True], tied[1:] != tied[:-1]])) if len(key) else np.zeros(0, dtype=np.int64)
    length = np.diff(run, append=len(key))
    feature = (tied[run] >> np.uint64(32)).astype(np.int64)
    of_first = np.diff(np.concatenate([[0], np.cumsum((key & np.uint64(1)).astype(np.int32))])[[*run, len(key)]])
    above = np.bincount(feature, length, n_features).astype(np.int64)
    above_first = np.bincount(feature, of_first, n_features)
    zeros = first + second - above
    before = np.cumsum(above) - above
    rank = zeros[feature] + (run - before[feature]) + (length + 1) / 2
    rank_sum = np.bincount(feature, of_first * rank, n_features) + (first - above_first) * (zeros + 1) / 2
    ties = np.bincount(feature, _cubed(length), n_features) + _cubed(zeros)
    return _of_u(rank_sum - first * (first + 1) / 2, ties, first, second)


def _of_u(u: Floats, ties: Floats, first: Ints, second: Ints) -> Outcome:
    """From U of the first group and the sum of ``t³ - t`` over the ties."""
    from scipy.special import ndtr

    n, pairs = (first + second).astype(np.float64), first.astype(np.float64) * second
    spread = np.sqrt(np.maximum(pairs / 12 * (n + 1 - _divided(ties, n * (n - 1))), 0))
    off = u - pairs / 2
    nearer = np.maximum(np.abs(off) - 0.5, 0)
    z = np.divide(nearer, spread, out=np.zeros(len(u)), where=spread > 0)
    defined = pairs > 0
    p = np.where(np.abs(off) > 0.5, 2 * ndtr(-z), 1.0)  # all tied, or within the continuity correction: 1
    return Outcome(
        effect=_divided(u, pairs),
        statistic=np.where(defined, np.sign(off) * z, np.nan),
        p=np.where(defined, np.minimum(p, 1), np.nan),
    )


def _welch(entries: Entries, first: Ints, second: Ints) -> Outcome:
    """Welch's t from means and sums of squares about them."""
    means, squares = [], []
    for size, of_group in ((first, entries.first), (second, ~entries.first)):
        feature, value = entries.feature[of_group], entries.value[of_group].astype(np.float64)
        mean = _divided(np.bincount(feature, value, len(size)), size)
        zeros = size - np.bincount(feature, minlength=len(size))
        means.append(mean)
        squares.append(np.bincount(feature, (value - mean[feature]) ** 2, len(size)) + zeros * mean**2)
    return _of_means((means[0], means[1]), (squares[0], squares[1]), (first, second))


def _of_means(means: tuple[Floats, Floats], squares: tuple[Floats, Floats], sizes: tuple[Ints, Ints]) -> Outcome:
    """Welch's t (Welch, 1947) and Hedges' g (Hedges, 1981), from means and sums of squares about them."""
    from scipy.special import stdtr

    n1, n2 = (size.astype(np.float64) for size in sizes)
    error1, error2 = _divided(squares[0], n1 * (n1 - 1)), _divided(squares[1], n2 * (n2 - 1))
    error = error1 + error2
    difference = means[0] - means[1]
    t = _divided(difference, np.sqrt(error))
    freedom = _divided(error**2, _divided(error1**2, n1 - 1) + _divided(error2**2, n2 - 1))
    pooled = np.sqrt(_divided(squares[0] + squares[1], n1 + n2 - 2))
    small_sample = 1 - 3 / (4 * (n1 + n2) - 9)
    return Outcome(effect=_divided(difference, pooled) * small_sample, statistic=t, p=2 * stdtr(freedom, -np.abs(t)))


def _cubed(length: npt.NDArray[np.integer]) -> Floats:
    """``t³ - t``."""
    t = length.astype(np.float64)
    return np.asarray(t**3 - t)


def _divided(numerator: npt.NDArray[np.number], denominator: npt.NDArray[np.number]) -> Floats:
    """Quotients; NaN where the denominator is 0, or either is not defined."""
    quotient: Floats = np.full(np.shape(numerator), np.nan)
    np.divide(numerator, denominator, out=quotient, where=np.asarray(denominator) > 0)
    return quotient
