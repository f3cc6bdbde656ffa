"""Highest score of the intervals that overlap each peak, without listing the overlaps.

Two half-open intervals share a base exactly if one of them starts inside the other. So the intervals that overlap a
peak are those that start after the peak's start and before its end, and those that reach over the peak's start. Both
kinds are ranges once intervals or peaks are sorted by start, and a sparse table (one row per power of two) answers
for ranges: reading a maximum in the first case, spreading one in the second. Time and memory grow with
``(peaks + intervals) log(peaks + intervals)``, however many of them overlap.

A worked case. Peaks [10, 20) and [30, 40); intervals A [5, 12) scores 3, B [12, 35) scores 7. A and B start before
or inside the first peak and share bases with it: 7. B reaches over the start of the second: 7.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Track:
    """Intervals with a score, laid over peaks.

    Attributes
    ----------
    score
        ``(n_peaks,)`` highest score of the intervals that overlap each peak by a base or more; 0 without one.
    bound
        ``(n_peaks,)`` whether any interval overlaps the peak.
    used
        ``(n_intervals,)`` whether the interval overlaps any peak.
    """

    score: Floats
    bound: Mask
    used: Mask


def lay_over(intervals: pd.DataFrame, peaks: pd.DataFrame) -> Track:
    """Lay intervals over peaks.

    Parameters
    ----------
    intervals
        Columns ``chrom``, ``start``, ``end`` and ``score``, in any order of rows.
    peaks
        Columns ``chrom``, ``start`` and ``end``, in any order of rows; they may overlap each other.
    """
    score = np.full(len(peaks), -np.inf)
    used = np.zeros(len(intervals), dtype=bool)
    peaks_of = _rows_by_chromosome(peaks)
    for chrom, chosen in _rows_by_chromosome(intervals).items():
        if chrom in peaks_of:
            there = peaks_of[chrom]
            one, other = intervals.iloc[chosen], peaks.iloc[there]
            starts, ends = one["start"].to_numpy(np.int64), one["end"].to_numpy(np.int64)
            places = other["start"].to_numpy(np.int64), other["end"].to_numpy(np.int64)
            score[there] = highest_overlapping(*places, starts, ends, one["score"].to_numpy(np.float64))
            used[chosen] = any_overlapping(starts, ends, *places)
    bound = np.isfinite(score)
    return Track(np.where(bound, score, 0.0), bound, used)


def _rows_by_chromosome(table: pd.DataFrame) -> dict[str, Ints]:
    rows = pd.Series(np.arange(len(table)), dtype=np.int64).groupby(table["chrom"].astype(str).to_numpy())
    return {str(chrom): positions.to_numpy() for chrom, positions in rows}


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
