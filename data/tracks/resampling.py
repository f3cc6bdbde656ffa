"""Intervals of measures by resampling blocks of neighbouring peaks: the block bootstrap.

Neighbouring peaks are not independent, so blocks of them are drawn with replacement (Künsch, 1989), each a stretch of
one chromosome. A replicate is a number of times for each block. All inner products of a replicate are then those of
the blocks, weighted: one matrix product for all replicates. Ranks, sets of highest peaks and residuals are those of
all peaks, not ranked anew in each replicate; areas under curves are computed anew, from counts in groups.
"""

from __future__ import annotations

import functools
import itertools
from dataclasses import dataclass

import numpy as np

from bi2scope.data.tracks import measures
from bi2scope.data.tracks.profiles import Attended, Binding, Counts, Floats, Ints, Profile

BLOCKS = 100
"""Blocks to aim for, over all chromosomes."""

COVERED = (0.025, 0.975)
"""Quantiles of the replicates that bound an interval of 95 %."""

_ROWS = ("one", "t", "x", "a", "rank_t", "rank_x", "rank_a", "top_t", "top_x", "bound")


@dataclass(frozen=True)
class Blocks:
    """Stretches of neighbouring peaks, and how often each stands in a replicate.

    Attributes
    ----------
    start
        ``(n_blocks + 1,)`` offsets; peaks in genome order.
    times
        ``(n_replicates, n_blocks)``.
    """

    start: Ints
    times: Floats

    @classmethod
    def of(cls, chromosome: Ints, n_replicates: int, rng: np.random.Generator) -> Blocks:
        """Stretches of about a hundredth of the peaks each; ``(n_peaks,)`` code of each peak's chromosome, in order."""
        edges = np.flatnonzero(np.diff(chromosome, prepend=-1, append=-1))
        start = [0]
        for first, stop in itertools.pairwise(edges):
            pieces = int(np.clip(round((stop - first) * BLOCKS / len(chromosome)), 1, stop - first))
            start += [int(first + (stop - first) * (piece + 1) // pieces) for piece in range(pieces)]
        n_blocks = len(start) - 1
        times = rng.multinomial(n_blocks, np.full(n_blocks, 1 / max(n_blocks, 1)), n_replicates)
        return cls(np.unique(np.array(start, dtype=np.int64)), times.astype(np.float64))

    def sums(self, rows: Floats) -> Floats:
        """``(n_replicates, n_rows, n_rows)`` inner products of ``(n_rows, n_peaks)`` rows in each replicate."""
        blocks = [rows[:, first:stop] @ rows[:, first:stop].T for first, stop in itertools.pairwise(self.start)]
        flat: Floats = self.times @ np.stack(blocks).reshape(len(blocks), -1)
        return flat.reshape(-1, len(rows), len(rows))

    def counts(self, score: Profile, places: Ints | None = None) -> Counts:
        """``(n_replicates, n_groups)`` peaks of each replicate in the groups of a score, all or at ``places``.

        In single precision, in which whole numbers up to 2²⁴ are exact.
        """
        group, n_groups = score.group.astype(np.int64), len(score.group_size)
        code = np.repeat(np.arange(len(self.start) - 1), np.diff(self.start)) * n_groups + group
        found = np.bincount(code if places is None else code[places], minlength=self.times.shape[1] * n_groups)
        return self.times.astype(np.float32) @ found.reshape(-1, n_groups).astype(np.float32)


@dataclass(frozen=True)
class _Sums:
    """Inner products of a replicate by the names of the rows."""

    of: Floats

    def __call__(self, one: str, other: str = "one") -> Floats:
        return self.of[:, _ROWS.index(one), _ROWS.index(other)]

    def shifted(self, one: str, other: str, first: float, second: float) -> Floats:
        """Inner product of the rows with a constant added to each."""
        return self(one, other) + first * self(other) + second * self(one) + first * second * self("one")

    def correlation(self, one: str, other: str) -> Floats:
        n = self("one")

        def covariance(x: str, y: str) -> Floats:
            return n * self(x, y) - self(x) * self(y)

        def variance(x: str) -> Floats:
            spread = covariance(x, x)
            return np.where(spread > 1e-12 * n * self(x, x), spread, 0)

        return measures.cosine(covariance(one, other), variance(one), variance(other))

    def cosine(self, one: str, other: str, first: float, second: float) -> Floats:
        return measures.cosine(
            self.shifted(one, other, first, second),
            self.shifted(one, one, first, first),
            self.shifted(other, other, second, second),
        )


@dataclass(frozen=True)
class Resampled:
    """A cell type's scores with blocks resampled: what is common to all tracks.

    Attributes
    ----------
    attended
        The scores.
    blocks
        The blocks.
    """

    attended: Attended
    blocks: Blocks

    @functools.cached_property
    def peaks(self) -> Counts:
        """``(n_replicates, n_groups)`` peaks in the groups of the score."""
        return self.blocks.counts(self.attended.score)

    @functools.cached_property
    def lower(self) -> Counts:
        """``(n_replicates, n_groups)`` peaks of lower score, ties counting half."""
        return measures.lower_peaks(self.peaks)

    @functools.cached_property
    def lower_residual(self) -> Counts:
        """The same of the residual."""
        return measures.lower_peaks(self.blocks.counts(self.attended.residual))

    def replicates(self, track: Binding) -> dict[str, Floats]:
        """``(n_replicates,)`` every measure and every gain of a track; NaN where it is not defined."""
        profile, score, opened = track.profile, self.attended.score, self.attended.accessibility
        values = (profile.centred, score.centred, opened.centred, profile.rank, score.rank, opened.rank)
        rows = np.stack([np.ones(score.n_peaks), *values, profile.top, score.top, track.presence])
        sums = _Sums(self.blocks.sums(rows))
        pearson = {pair: sums.correlation(*pair) for pair in (("t", "x"), ("t", "a"), ("x", "a"))}
        spearman = [sums.correlation(f"rank_{one}", f"rank_{other}") for one, other in pearson]
        middle = (score.n_peaks + 1) / 2 / max(score.n_peaks, 1)
        bound, left = (self.blocks.counts(each, track.places) for each in (score, self.attended.residual))
        return {
            "cosine": sums.cosine("t", "x", profile.mean, score.mean),
            "cosine_of_ranks": sums.cosine("rank_t", "rank_x", middle, middle),
            "pearson": pearson["t", "x"],
            "spearman": spearman[0],
            "jaccard_top_n": measures.jaccard(sums("top_t", "top_x"), sums("top_t"), sums("top_x")),
            "auroc": measures.area_from_groups(bound, self.lower, sums("one")),
            "auprc": measures.precision_from_groups(bound, self.peaks),
            "odds_ratio": measures.odds_ratio(sums("one"), sums("bound"), sums("top_x"), sums("bound", "top_x")),
            "partial_pearson": measures.partial(*pearson.values()),
            "partial_spearman": measures.partial(*spearman),
            "residual_auroc": measures.area_from_groups(left, self.lower_residual, sums("one")),
        }


def interval(values: Floats) -> tuple[float | None, float | None]:
    """Bounds of the middle 95 % of ``(n_replicates,)`` values; ``None`` if a tenth or more are not defined."""
    defined = values[np.isfinite(values)]
    if len(defined) <= 0.9 * len(values):
        return None, None
    low, high = np.quantile(defined, COVERED)
    return float(low), float(high)
