"""Scores of the intervals that overlap each peak, without listing the overlaps.

Two half-open intervals share a base exactly if one of them starts inside the other. So the intervals that overlap a
peak are those that start after the peak's start and before its end, and those that reach over the peak's start. Both
kinds are ranges once intervals or peaks are sorted by start, and a sparse table (one row per power of two) answers
for ranges: reading a maximum in the first case, spreading one in the second. Time and memory grow with
``(peaks + intervals) log(peaks + intervals)``, however many of them overlap.

A sum is simpler: of the intervals that start before the peak's end, all but those that end at or before its start.
Only a wanted share of both lengths (``reciprocal``) needs the pairs themselves; it bounds the lengths of what can
match, so that there are few.

A worked case. Peaks [10, 20) and [30, 40); intervals A [5, 12) scores 3, B [12, 35) scores 7. A and B start before
or inside the first peak and share bases with it: highest 7, sum 10. B reaches over the start of the second: 7 and 7.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from bi2scope.data.errors import ConfigurationError, RegionError

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

Kind = Literal["any", "summit", "reciprocal"]
Aggregate = Literal["max", "sum"]

LEAST_SHARE = 0.05
"""Smallest reciprocal share: it bounds how many peaks an interval is compared with."""

PAIRS_AT_A_TIME = 1 << 20


@dataclass(frozen=True, slots=True)
class OverlapRule:
    """When an interval counts for a peak, and what becomes of several.

    Attributes
    ----------
    kind
        ``"any"``: they share a base or more; ``"summit"``: the interval's summit lies in the peak; ``"reciprocal"``:
        they share at least ``share`` of the interval and of the peak.
    share
        Of both lengths, from 0.05 to 1; for ``"reciprocal"`` alone.
    aggregate
        A peak takes the ``"max"`` or the ``"sum"`` of the scores of its intervals.

    Raises
    ------
    ConfigurationError
        If the share is out of its range.
    """

    kind: Kind = "any"
    share: float = 0.5
    aggregate: Aggregate = "max"

    def __post_init__(self) -> None:
        if not LEAST_SHARE <= self.share <= 1:
            raise ConfigurationError(f"The reciprocal share is {self.share}; it must lie from {LEAST_SHARE} to 1.")

    @property
    def words(self) -> str:
        """The rule as a clause: "overlap the peak by 1 bp or more"."""
        return {
            "any": "overlap the peak by 1 bp or more",
            "summit": "have their summit in the peak",
            "reciprocal": f"share {self.share:g} or more of their length and of the peak's",
        }[self.kind]


@dataclass(frozen=True, slots=True)
class Track:
    """Intervals with a score, laid over peaks.

    Attributes
    ----------
    score
        ``(n_peaks,)`` highest score (or sum of the scores) of the intervals of each peak; 0 without one.
    bound
        ``(n_peaks,)`` whether the peak has an interval.
    used
        ``(n_intervals,)`` whether the interval counts for any peak.
    """

    score: Floats
    bound: Mask
    used: Mask


def lay_over(intervals: pd.DataFrame, peaks: pd.DataFrame, rule: OverlapRule | None = None) -> Track:
    """Lay intervals over peaks.

    Parameters
    ----------
    intervals
        Columns ``chrom``, ``start``, ``end`` and ``score``, in any order of rows; ``summit`` (bases after the start,
        negative where unknown) when the rule asks for it.
    peaks
        Columns ``chrom``, ``start`` and ``end``, in any order of rows; they may overlap each other.
    rule
        When an interval counts for a peak; 1 bp and the highest score, unless given.

    Raises
    ------
    RegionError
        If summits are asked for and an interval has none, or sums and the scores add up to no number.
    """
    rule = rule or OverlapRule()
    if rule.aggregate == "sum":
        with np.errstate(over="ignore"):
            total = intervals["score"].to_numpy(np.float64).sum()
        if not np.isfinite(total):
            raise RegionError("The scores of the track add up to more than a number can hold.", "Use aggregate=max.")
    if rule.kind == "summit":
        intervals = at_summits(intervals)
    score, bound = np.zeros(len(peaks)), np.zeros(len(peaks), dtype=bool)
    used = np.zeros(len(intervals), dtype=bool)
    peaks_of = _rows_by_chromosome(peaks)
    for chrom, chosen in _rows_by_chromosome(intervals).items():
        if chrom in peaks_of:
            there = peaks_of[chrom]
            one, other = intervals.iloc[chosen], peaks.iloc[there]
            starts, ends = one["start"].to_numpy(np.int64), one["end"].to_numpy(np.int64)
            places = other["start"].to_numpy(np.int64), other["end"].to_numpy(np.int64)
            marked = _Marked(starts, ends, one["score"].to_numpy(np.float64))
            score[there], bound[there], used[chosen] = _of_chromosome(*places, marked, rule)
    return Track(score, bound, used)


def at_summits(intervals: pd.DataFrame) -> pd.DataFrame:
    """The base at the summit of each interval, in the place of the interval.

    Raises
    ------
    RegionError
        If there is no column ``summit``, or an interval's is unknown or lies outside of it.
    """
    if "summit" not in intervals:
        raise RegionError("The track has no summits.", "Give a narrowPeak with ten columns, or overlap=any.")
    start, summit = intervals["start"].to_numpy(np.int64), intervals["summit"].to_numpy(np.int64)
    outside = (summit < 0) | (start + summit >= intervals["end"].to_numpy(np.int64))
    if outside.any():
        raise RegionError(
            f"{int(outside.sum()):,} of {len(intervals):,} intervals have no summit within them (column 10).",
            "Call summits again, or use overlap=any.",
        )
    return intervals.assign(start=start + summit, end=start + summit + 1)


def _rows_by_chromosome(table: pd.DataFrame) -> dict[str, Ints]:
    rows = pd.Series(np.arange(len(table)), dtype=np.int64).groupby(table["chrom"].astype(str).to_numpy())
    return {str(chrom): positions.to_numpy() for chrom, positions in rows}


@dataclass(frozen=True, slots=True)
class _Marked:
    """``(n_intervals,)`` starts, ends and scores of the intervals of one chromosome."""

    starts: Ints
    ends: Ints
    scores: Floats


def _of_chromosome(start: Ints, end: Ints, marked: _Marked, rule: OverlapRule) -> tuple[Floats, Mask, Mask]:
    """Scores and presence by peak, use by interval, on one chromosome."""
    if rule.kind == "reciprocal":
        return _reciprocal(start, end, marked, rule)
    used = any_overlapping(marked.starts, marked.ends, start, end)
    if rule.aggregate == "max":
        highest = highest_overlapping(start, end, marked.starts, marked.ends, marked.scores)
        bound = np.isfinite(highest)
        return np.where(bound, highest, 0.0), bound, used
    bound = any_overlapping(start, end, marked.starts, marked.ends)
    total = total_overlapping(start, end, marked.starts, marked.ends, marked.scores)
    return np.where(bound, total, 0.0), bound, used


def _reciprocal(start: Ints, end: Ints, marked: _Marked, rule: OverlapRule) -> tuple[Floats, Mask, Mask]:
    length, lengths = end - start, marked.ends - marked.starts
    order = np.argsort(start, kind="stable")
    possible = np.flatnonzero(lengths * rule.share <= length.max(initial=0))
    first = np.searchsorted(start[order], marked.starts[possible] - length.max(initial=0), side="right")
    count = np.searchsorted(start[order], marked.ends[possible], side="left") - first
    score = np.full(len(start), -np.inf if rule.aggregate == "max" else 0.0)
    bound, used = np.zeros(len(start), dtype=bool), np.zeros(len(lengths), dtype=bool)
    gather = np.maximum.at if rule.aggregate == "max" else np.add.at
    pieces = np.searchsorted(np.cumsum(count), np.arange(PAIRS_AT_A_TIME, count.sum(), PAIRS_AT_A_TIME))
    for part in np.split(np.arange(len(possible)), np.unique(pieces)):
        interval = np.repeat(possible[part], count[part])
        step = np.arange(len(interval)) - np.repeat(np.cumsum(count[part]) - count[part], count[part])
        peak = order[np.repeat(first[part], count[part]) + step]
        shared = np.minimum(end[peak], marked.ends[interval]) - np.maximum(start[peak], marked.starts[interval])
        kept = shared >= rule.share * np.maximum(length[peak], lengths[interval])
        gather(score, peak[kept], marked.scores[interval[kept]])
        bound[peak[kept]], used[interval[kept]] = True, True
    return np.where(bound, score, 0.0), bound, used


def total_overlapping(start: Ints, end: Ints, starts: Ints, ends: Ints, scores: Floats) -> Floats:
    """``(n_peaks,)`` sum of the scores of the intervals that overlap each peak, on one chromosome."""
    by_start, by_end = np.argsort(starts, kind="stable"), np.argsort(ends, kind="stable")
    begun = np.concatenate([[0.0], np.cumsum(scores[by_start])])[np.searchsorted(starts[by_start], end, side="left")]
    over = np.concatenate([[0.0], np.cumsum(scores[by_end])])[np.searchsorted(ends[by_end], start, side="right")]
    total: Floats = begun - over
    return total


def highest_overlapping(start: Ints, end: Ints, starts: Ints, ends: Ints, scores: Floats) -> Floats:
    """``(n_peaks,)`` highest score of the intervals that overlap each peak, on one chromosome; -inf without one.

    Parameters
    ----------
    start, end
        ``(n_peaks,)`` of the peaks, half-open.
    starts, ends, scores
        ``(n_intervals,)`` of the intervals, half-open.
    """
    by_start = np.argsort(start, kind="stable")
    order = np.argsort(starts, kind="stable")
    inside = range_maximum(
        scores[order],
        np.searchsorted(starts[order], start, side="right"),
        np.searchsorted(starts[order], end, side="left"),
    )
    over_start = np.empty_like(inside)
    over_start[by_start] = spread_maximum(
        len(start),
        np.searchsorted(start[by_start], starts, side="left"),
        np.searchsorted(start[by_start], ends, side="left"),
        scores,
    )
    return np.maximum(inside, over_start)


def any_overlapping(start: Ints, end: Ints, starts: Ints, ends: Ints) -> Mask:
    """``(n,)`` whether each interval ``[start, end)`` overlaps any of ``[starts, ends)``, on one chromosome."""
    if len(starts) == 0:
        return np.zeros(len(start), dtype=bool)
    order = np.argsort(starts, kind="stable")
    reach = np.maximum.accumulate(ends[order])  # how far the intervals up to each one reach
    before = np.searchsorted(starts[order], end, side="left")
    reached = np.where(before > 0, reach[np.maximum(before - 1, 0)], np.iinfo(np.int64).min)
    return reached > start


def range_maximum(values: Floats, first: Ints, stop: Ints) -> Floats:
    """``(n_ranges,)`` maximum of ``values[first:stop]`` of each range; -inf of an empty one."""
    result = np.full(len(first), -np.inf)
    table, width = values, 1
    while width <= len(values):
        here = (stop - first >= width) & (stop - first < 2 * width)
        result[here] = np.maximum(table[first[here]], table[stop[here] - width])
        if 2 * width <= len(values):
            table = np.maximum(table[:-width], table[width:])  # table[i] = max of values[i : i + 2 * width]
        width *= 2
    return result


def spread_maximum(size: int, first: Ints, stop: Ints, values: Floats) -> Floats:
    """``(size,)`` at each place the maximum of the values whose range ``first:stop`` covers it; -inf without one."""
    spread = np.full(size, -np.inf)
    width = 1 << max(size.bit_length() - 1, 0)
    while width >= 1:
        here = (stop - first >= width) & (stop - first < 2 * width)
        np.maximum.at(spread, first[here], values[here])
        np.maximum.at(spread, stop[here] - width, values[here])
        if width > 1:
            half = width // 2  # what covers a width from i on covers a half from i and from i + half on
            spread[half:] = np.maximum(spread[half:], spread[:-half])
        width //= 2
    return spread
