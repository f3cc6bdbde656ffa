"""Measures of agreement of a track with a score, each a function of inner products over the peaks.

``docs/tf-comparison.md`` has every formula with its source. All functions take arrays of any one shape, a value per
draw, and give NaN where a measure is not defined.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from bi2scope.data.tracks.profiles import Binding, Counts, Floats, Profile

Grouped = TypeVar("Grouped", Floats, Counts)

TWO_SIDED = frozenset({"pearson", "spearman", "auroc", "partial_pearson", "partial_spearman", "residual_auroc"})
"""Measures that may lie below what chance gives as well as above, and then say something."""

MEASURES = ("cosine", "cosine_of_ranks", "pearson", "spearman", "jaccard_top_n", "auroc", "auprc", "odds_ratio")
"""Every measure of a track and a score."""

GAINS = {"pearson": "partial_pearson", "spearman": "partial_spearman", "auroc": "residual_auroc"}
"""Measures that have a counterpart with accessibility regressed out, and its name."""


def divided(numerator: npt.ArrayLike, denominator: npt.ArrayLike) -> Floats:
    """Quotients; NaN where the denominator is 0."""
    above, below = np.broadcast_arrays(np.asarray(numerator, np.float64), np.asarray(denominator, np.float64))
    quotient: Floats = np.divide(above, below, out=np.full(above.shape, np.nan), where=below != 0)
    return quotient


def cosine(product: Floats, first_square: Floats, second_square: Floats) -> Floats:
    """``x·y / (|x| |y|)`` from ``x·y``, ``x·x`` and ``y·y``."""
    return np.clip(divided(product, np.sqrt(np.maximum(first_square, 0) * np.maximum(second_square, 0))), -1, 1)


def partial(xy: Floats, xz: Floats, yz: Floats) -> Floats:
    """Correlation of x and y with z held: ``(r_xy - r_xz r_yz) / sqrt((1 - r_xz²)(1 - r_yz²))`` (Yule, 1907)."""
    left = (1 - xz**2) * (1 - yz**2)
    return np.clip(divided(xy - xz * yz, np.sqrt(np.where(left > 1e-12, left, 0))), -1, 1)


def jaccard(shared: Floats, first: Floats, second: Floats) -> Floats:
    """Shared members over all members of two sets; NaN if either is empty."""
    value = divided(shared, first + second - shared)
    return np.where((first > 0) & (second > 0), value, np.nan)


def odds_ratio(n: Floats, bound: Floats, top: Floats, both: Floats) -> Floats:
    """Odds of the highest peaks to be bound, over those of all others.

    With a zero among the four counts, half a peak is added to each (Haldane, 1956; Anscombe, 1956). NaN if a margin of
    the table is 0.
    """
    cells = np.stack(np.broadcast_arrays(both, bound - both, top - both, n - bound - top + both)).astype(np.float64)
    a, b, c, d = cells + 0.5 * (np.abs(cells) < 1e-9).any(axis=0)
    defined = (bound > 0) & (bound < n) & (top > 0) & (top < n)
    return np.where(defined, divided(a * d, b * c), np.nan)


def log10_fisher(n: int, bound: int, top: int, both: int) -> float | None:
    """Logarithm (base 10) of Fisher's exact p, two-sided; ``None`` if a margin of the table is 0.

    The sum over all tables with these margins that are no likelier than the one found (Fisher, 1935), taken on
    logarithms, so that it does not end at 0.
    """
    from scipy.special import gammaln, logsumexp

    if not (0 < bound < n and 0 < top < n):
        return None
    shared = np.arange(max(0, bound + top - n), min(bound, top) + 1)

    def log_binomial(of: int, chosen: npt.NDArray[np.int64]) -> Floats:
        value: Floats = gammaln(of + 1) - gammaln(chosen + 1) - gammaln(of - chosen + 1)
        return value

    density = log_binomial(bound, shared) + log_binomial(n - bound, top - shared)
    density -= logsumexp(density)
    here = density[both - shared[0]]
    return min(0.0, float(logsumexp(density[density <= here + 1e-7]) / np.log(10)))


def area_under_roc(bound_rank: Floats, n_bound: Floats, n: Floats) -> Floats:
    """Chance that a bound peak has a higher score than an unbound one, ties counting half (Mann and Whitney, 1947).

    Parameters
    ----------
    bound_rank
        Sum over the bound peaks of their centred ranks over n (:attr:`Profile.rank`).
    n_bound, n
        Bound peaks, all peaks.
    """
    return 0.5 + divided(bound_rank * n, n_bound * (n - n_bound))


def area_from_groups(bound: Floats | Counts, lower: Floats | Counts, n_peaks: Floats) -> Floats:
    """``(...,)`` the same from counts ``(..., n_groups)`` of bound peaks in groups of falling score.

    Parameters
    ----------
    bound
        Bound peaks of each group.
    lower
        Peaks of lower groups, and half of those of the group, bound or not.
    n_peaks
        ``(...,)`` all peaks.

    Notes
    -----
    Of the pairs of a bound peak with any other that is lower, those with another bound one are half of ``n_bound²``,
    wherever they stand.
    """
    n_bound = bound.sum(axis=-1)
    return divided(np.einsum("...g,...g->...", bound, lower) - n_bound**2 / 2, n_bound * (n_peaks - n_bound))


def lower_peaks(peaks: Grouped) -> Grouped:
    """``(..., n_groups)`` peaks of lower groups and half of the group's own, from counts in groups of falling score."""
    lower: Grouped = peaks.sum(axis=-1, keepdims=True) - np.cumsum(peaks, axis=-1) + peaks / 2
    return lower


def precision_from_groups(bound: Floats | Counts, peaks: Floats | Counts) -> Floats:
    """``(...,)`` average precision from counts ``(..., n_groups)`` of bound peaks, and of all, by falling score.

    ``Σ (R_g - R_{g-1}) P_g`` with recall R and precision P of the peaks down to group g: the area under the
    precision-recall curve without interpolation (Davis and Goadrich, 2006).
    """
    down_to = np.cumsum(peaks, axis=-1, dtype=np.float64)
    weight = np.divide(1, down_to, out=np.zeros(down_to.shape), where=down_to > 0)
    found = np.multiply(np.cumsum(bound, axis=-1), bound)
    return divided(np.einsum("...g,...g->...", found, np.broadcast_to(weight, found.shape)), bound.sum(axis=-1))


def average_precision(binding: Binding, score: Profile) -> float:
    """Average precision of a track by a score, ungrouped: equal scores make one threshold; NaN if nothing is bound."""
    if len(binding.places) == 0:
        return float("nan")
    threshold = np.sort(score.thresholds[binding.places])
    found = np.searchsorted(threshold, threshold, side="right")
    return float((found / threshold).mean())


@dataclass(frozen=True)
class Products:
    """Inner products of a track and a score, one value per draw or only one.

    Attributes
    ----------
    value, rank
        Of the centred values, and of the centred ranks over n.
    top
        Peaks that are among the highest of both.
    bound_top
        Bound peaks among the highest of the score.
    bound_rank
        Sum of the score's centred ranks over n of the bound peaks.
    """

    value: Floats
    rank: Floats
    top: Floats
    bound_top: Floats
    bound_rank: Floats

    @classmethod
    def of(cls, binding: Binding, score: Profile) -> Products:
        """Those of the track as it is."""
        track = binding.profile
        return cls(
            *(
                np.array(float(one @ other))
                for one, other in (
                    (track.centred, score.centred),
                    (track.rank, score.rank),
                    (track.top, score.top),
                    (binding.presence, score.top),
                    (binding.presence, score.rank),
                )
            )
        )


def from_products(binding: Binding, score: Profile, products: Products) -> dict[str, Floats]:
    """Every measure but the average precision, in the shape of the products.

    What does not depend on where the track lies (norms, sizes of sets) is taken from track and score.
    """
    track, n = binding.profile, float(score.n_peaks)
    sizes = [np.array(float(each)) for each in (n, len(binding.places), score.top.sum(), track.top.sum())]
    n_peaks, n_bound, n_top, n_track = sizes
    squares = [each @ each for each in (track.centred, score.centred, track.rank, score.rank, track.value, score.value)]
    tt, xx, rr, ss, plain_t, plain_x = (np.array(float(each)) for each in squares)
    middle = (n + 1) ** 2 / 4 / max(n, 1)  # what centring took from the product of ranks over n
    varied = bool(tt > 0 and xx > 0)
    spearman = cosine(products.rank, rr, ss)
    ranks = cosine(products.rank + middle, rr + middle, ss + middle)
    return {
        "cosine": cosine(products.value + n * track.mean * score.mean, plain_t, plain_x),
        "cosine_of_ranks": ranks if varied else np.full(ranks.shape, np.nan),
        "pearson": cosine(products.value, tt, xx),
        "spearman": spearman if varied else np.full(spearman.shape, np.nan),
        "jaccard_top_n": jaccard(products.top, n_track, n_top),
        "auroc": area_under_roc(products.bound_rank, n_bound, n_peaks),
        "odds_ratio": odds_ratio(n_peaks, n_bound, n_top, products.bound_top),
    }


def measured(binding: Binding, score: Profile) -> dict[str, float | None]:
    """Every measure of a track and a score; ``None`` where one is not defined."""
    values = {name: float(value) for name, value in from_products(binding, score, Products.of(binding, score)).items()}
    values["auprc"] = average_precision(binding, score)
    return {name: values[name] if np.isfinite(values[name]) else None for name in MEASURES}
