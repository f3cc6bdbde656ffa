"""A track and a score over the peaks, prepared once for everything that is measured of the two.

All measures but the area under the precision-recall curve are functions of inner products of the same few vectors, of
length n_peaks: one, value, rank and set of highest peaks of the track, bound or not, and value, rank and set of the
score. Values and ranks are centred, so that correlations lose no digits.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

TOP_N = 10_000
"""Size of the paper's sets of highest peaks, of its 107,194."""

ENOUGH_PEAKS = 10 * TOP_N
"""With fewer peaks than this the sets hold a tenth of them."""

GROUPS = 512
"""Groups of peaks of nearly equal score, small ones at the top, in which draws are counted."""


def top_n_of(n_peaks: int) -> int:
    """Size of the sets of highest peaks: 10,000, or a tenth of fewer than 100,000 peaks (but one at least)."""
    return TOP_N if n_peaks >= ENOUGH_PEAKS else max(1, n_peaks // 10)


def highest(values: Floats, top_n: int) -> Mask:
    """``(n,)`` whether a value is above 0 and no lower than the ``top_n``-th highest; more are if they tie with it."""
    if len(values) == 0:
        return np.zeros(0, dtype=bool)
    at = max(len(values) - top_n, 0)
    edge = np.partition(values, at)[at]
    chosen: Mask = (values >= edge) & (values > 0)
    return chosen


def scaled(values: npt.ArrayLike) -> Floats:
    """The values over their largest size, so that no square overflows; zeros as they are."""
    plain = np.asarray(values, dtype=np.float64)
    size = np.abs(plain).max(initial=0.0)
    return plain / size if size > 0 else plain


@dataclass(frozen=True)
class Profile:
    """One value per peak, with what measures need of it.

    Attributes
    ----------
    value
        ``(n_peaks,)`` float64.
    """

    value: Floats

    @classmethod
    def of(cls, values: npt.ArrayLike) -> Profile:
        """Profile of values of any scale."""
        return cls(scaled(values))

    @property
    def n_peaks(self) -> int:
        """Number of peaks."""
        return len(self.value)

    @functools.cached_property
    def mean(self) -> float:
        """Mean value."""
        return float(self.value.mean()) if len(self.value) else 0.0

    @functools.cached_property
    def centred(self) -> Floats:
        """``(n_peaks,)`` values less their mean; exactly 0 if they are all the same."""
        if len(self.value) == 0 or np.ptp(self.value) == 0:
            return np.zeros(len(self.value))
        return self.value - self.mean

    @functools.cached_property
    def rank(self) -> Floats:
        """``(n_peaks,)`` average ranks, 1 for the lowest, less their mean ``(n + 1) / 2``, over n."""
        from scipy.stats import rankdata  # half a second to load, and only wanted here

        n = max(len(self.value), 1)
        ranks: Floats = (rankdata(self.value) - (n + 1) / 2) / n
        return ranks

    @functools.cached_property
    def top(self) -> Floats:
        """``(n_peaks,)`` 1 for the highest peaks, 0 for the others (:func:`highest`)."""
        return highest(self.value, top_n_of(self.n_peaks)).astype(np.float64)

    @functools.cached_property
    def thresholds(self) -> Ints:
        """``(n_peaks,)`` how many peaks have the value of each or a higher one."""
        order = np.argsort(-self.value, kind="stable")
        falling = self.value[order]
        last = np.concatenate([np.flatnonzero(np.diff(falling)) + 1, [len(falling)]]) if len(falling) else np.zeros(1)
        counts = np.empty(len(falling), dtype=np.int64)
        counts[order] = np.repeat(last, np.diff(last, prepend=0)) if len(falling) else 0
        return counts

    @functools.cached_property
    def group(self) -> npt.NDArray[np.int32]:
        """``(n_peaks,)`` group of each peak, 0 the highest; equal values share one.

        With up to 512 peaks each value has its own; with more, the group of the peak with p as high or higher is
        ``512 sqrt(p / n)``, so that groups are small where precision moves.
        """
        place = self.thresholds - 1
        if len(place) <= GROUPS:
            return place.astype(np.int32)
        grouped: npt.NDArray[np.int32] = np.floor(GROUPS * np.sqrt(place / len(place))).astype(np.int32)
        return grouped

    @functools.cached_property
    def group_size(self) -> Floats:
        """``(n_groups,)`` peaks of each group."""
        return np.bincount(self.group, minlength=min(max(self.n_peaks, 1), GROUPS)).astype(np.float64)


@dataclass(frozen=True)
class Binding:
    """A track over the peaks: a profile, and which peaks are bound.

    Attributes
    ----------
    profile
        Signal of the track.
    bound
        ``(n_peaks,)`` whether the peak has an interval of the track.
    """

    profile: Profile
    bound: Mask

    @functools.cached_property
    def places(self) -> Ints:
        """``(n_bound,)`` positions of the bound peaks."""
        return np.flatnonzero(self.bound)

    @functools.cached_property
    def presence(self) -> Floats:
        """``(n_peaks,)`` 1 for bound peaks, 0 for the others."""
        return self.bound.astype(np.float64)


@dataclass(frozen=True)
class Attended:
    """A score over the peaks, with the accessibility that it is held against.

    Attributes
    ----------
    score
        Cumulative score.
    accessibility
        Accessibility in the same cells.
    """

    score: Profile
    accessibility: Profile

    @functools.cached_property
    def residual(self) -> Profile:
        """Rank of the score less what accessibility predicts of it, by isotonic regression.

        The rank is regressed on accessibility with the least squares among functions that never fall (pool adjacent
        violators; Barlow et al., 1972, "Statistical inference under order restrictions"), whatever their shape.
        """
        from scipy.optimize import isotonic_regression

        if self.score.n_peaks == 0:
            return self.score
        _, level, size = np.unique(self.accessibility.value, return_inverse=True, return_counts=True)
        mean = np.bincount(level, self.score.rank) / size
        fitted = isotonic_regression(mean, weights=size.astype(np.float64)).x
        left = self.score.rank - fitted[level]
        return Profile(np.round(left, 12))  # what is equal but for rounding ties

    @functools.cached_property
    def correlations(self) -> tuple[float, float]:
        """Pearson's and Spearman's correlation of score and accessibility; NaN where not defined."""
        found = []
        for one, other in (
            (self.score.centred, self.accessibility.centred),
            (self.score.rank, self.accessibility.rank),
        ):
            size = float(np.sqrt((one @ one) * (other @ other)))
            found.append(float(one @ other) / size if size > 0 else float("nan"))
        return found[0], found[1]
