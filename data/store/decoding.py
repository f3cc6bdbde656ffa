"""Links straight from a cell's storage, compiled by numba: summed peak by peak, or put in order row by row.

Imported where it is first called: numba takes half a second to load. Nothing here reads or writes past its arrays,
whatever a damaged file holds: a link beyond the cell's own peaks, or a peak beyond the data set's, is told; that the
numbers of links add up is for the caller to see to.

A cell's storage (:class:`bi2scope.data.store.links.StoredCell`) lists its links rank by rank, each with the step down
from the logit of its row's link before.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba
import numpy as np

from bi2scope.data.attention import WEIGHTED_PER_ROW
from bi2scope.data.store import halves, schema

DAMAGED = -1
"""What a sum answers when a link points beyond the cell's own peaks, or one of those beyond the data set's."""

_LARGEST = int(halves.LARGEST)
_WEIGHT_UNIT = float(schema.WEIGHT_UNIT)
SCORE_BITS = 34
"""Of the number of some links and their scores together, packed in 64 bits, the lower ones, which the scores take."""

ONE_LINK = np.uint64(1 << SCORE_BITS)
_SHIFT = np.uint64(SCORE_BITS)
_SCORE = np.uint64((1 << SCORE_BITS) - 1)


def compiled(function: Callable[..., Any]) -> Any:
    """Compile at the first call, without the interpreter's lock; kept on disk where there is a place to keep it."""
    try:
        return numba.njit(nogil=True, cache=True)(function)
    except RuntimeError:
        return numba.njit(nogil=True)(function)


@compiled
def rank_starts(n_links, depth):  # type: ignore[no-untyped-def]
    """``(depth + 1,)`` where the links of each rank start, and where the last ones end, from ``(n_rows,)`` lengths."""
    ending, longer = np.zeros(depth + 1, np.int64), len(n_links)
    for row in range(len(n_links)):
        ending[min(n_links[row], depth)] += 1
    start = np.zeros(depth + 1, np.int64)
    for rank in range(depth):
        longer -= ending[rank]
        start[rank + 1] = start[rank] + longer
    return start


@compiled
def unrolled(n_links, step, depth):  # type: ignore[no-untyped-def]
    """Row and bits of each link up to a rank, as they lie.

    Parameters
    ----------
    n_links
        ``(n_rows,)`` links of each row, all of them.
    step
        ``(n_stored,)`` steps of the links up to the rank.
    depth
        That rank, at most the longest row's.

    Returns
    -------
    ``(n_stored,)`` rows and bits, and ``(n_rows,)`` bits of each row's last link up to the rank, 0 without one.
    """
    row, bits, last = np.empty(len(step), np.int32), np.empty(len(step), np.uint16), np.zeros(len(n_links), np.uint16)
    (rows, here), (other_rows, other_here) = all_rows(len(n_links)), all_rows(len(n_links))
    (order, start), n_rows, at = by_length(n_links, depth), len(n_links), 0
    for rank in range(1, depth + 1):
        if start[rank] > start[rank - 1]:
            ended = order[start[rank - 1] : start[rank]]
            n_rows = without(ended, (rows[:n_rows], here[:n_rows]), (other_rows, other_here), last)
            rows, other_rows, here, other_here = other_rows, rows, other_here, here
        step_down(step[at : at + n_rows], rank == 1, here[:n_rows])
        row[at : at + n_rows], bits[at : at + n_rows] = rows[:n_rows], here[:n_rows]
        at += n_rows
    for i in range(n_rows):
        last[rows[i]] = here[i]
    return row, bits, last


@compiled
def all_rows(n_rows):  # type: ignore[no-untyped-def]
    """Every row, and room for the bits of its link."""
    return np.arange(n_rows).astype(np.int32), np.zeros(n_rows, np.uint16)


@compiled
def by_length(n_links, depth):  # type: ignore[no-untyped-def]
    """Rows by the number of their links up to a rank, then by place; and where those of each number start."""
    start, order = np.zeros(depth + 2, np.int64), np.empty(len(n_links), np.int32)
    for row in range(len(n_links)):
        start[min(n_links[row], depth) + 1] += 1
    for length in range(depth + 1):
        start[length + 1] += start[length]
    to = start.copy()
    for row in range(len(n_links)):
        length = min(n_links[row], depth)
        order[to[length]] = row
        to[length] += 1
    return order, start


@compiled
def without(ended, links, kept, last):  # type: ignore[no-untyped-def]
    """Copy rows and bits but for the rows that ended, both ascending; how many are left.

    From one pair of arrays to another, and in runs, which takes a processor a fraction of what it takes to move each
    row to its place.

    Parameters
    ----------
    ended
        The rows that ended, all of them among those of the links.
    links, kept
        Rows and bits; and room for what is left of them.
    last
        To fill: the bits of the rows that ended.
    """
    (rows, here), (kept_rows, kept_here) = links, kept
    to, begin = 0, 0
    for row in ended:
        end = begin + np.searchsorted(rows[begin:], row)
        last[row] = here[end]
        copy(rows[begin:end], kept_rows[to:])
        copy(here[begin:end], kept_here[to:])
        to, begin = to + end - begin, end + 1
    copy(rows[begin:], kept_rows[to:])
    copy(here[begin:], kept_here[to:])
    return to + len(rows) - begin


@compiled
def copy(some, to):  # type: ignore[no-untyped-def]
    """Copy the numbers of one row to the beginning of another."""
    for i in range(len(some)):
        to[i] = some[i]


@compiled
def step_down(step, first, here):  # type: ignore[no-untyped-def]
    """Go from the bits of one rank to those of the next, in place; the highest of them."""
    highest = np.uint16(0)
    for i in range(len(step)):
        here[i] = step[i] if first else here[i] - step[i]
        highest = max(highest, here[i])
    return highest


@compiled
def whole_weight(exponential, denominator, uniform):  # type: ignore[no-untyped-def]
    """Weight of a link of the first ranks in whole units, from ``exp(s)`` and the denominator of its row in float32."""
    weight = np.float32(1 / WEIGHTED_PER_ROW) if uniform else np.float32(exponential / denominator)
    whole = np.rint(np.float64(weight) * _WEIGHT_UNIT)
    return np.int64(whole) if 0 <= whole <= _WEIGHT_UNIT else np.int64(0)  # what no sound denominator gives


@compiled
def sound(cell, n_peaks):  # type: ignore[no-untyped-def]
    """Whether all links point to the cell's own peaks, and those to peaks of the data set."""
    lowest, highest = np.int32(0), np.int32(-1)
    for own in cell.own_peaks:
        lowest, highest = min(lowest, np.int32(own)), max(highest, np.int32(own))
    return lowest >= 0 and highest < n_peaks and within(cell.planes[0], len(cell.own_peaks))


@compiled
def last_cut(cell, last, below):  # type: ignore[no-untyped-def]
    """Highest bits of the last link of the rows that were cut at k_max and have fewer links than ``below``.

    A row without any counts as the highest there can be; 0 when there is no such row.
    """
    highest = np.int64(0)
    for row in range(len(last)):
        if cell.n_links[row] < cell.n_above[row] and cell.n_links[row] < below:
            highest = max(highest, np.int64(last[row] if cell.n_links[row] else _LARGEST))
    return highest


@compiled
def cut_short(cell, depth, below):  # type: ignore[no-untyped-def]
    """:func:`last_cut` of a cell read up to a rank."""
    return last_cut(cell, unrolled(cell.n_links, cell.planes[1], depth)[2], below)


@compiled
def by_row(cell, depth, table):  # type: ignore[no-untyped-def]
    """The links of a cell up to a rank, row by row.

    Parameters
    ----------
    cell, depth
        Its storage as far as the rank, and the rank.
    table
        ``(65536,)`` what is asked of each link's bits.

    Returns
    -------
    ``(n_rows + 1,)`` offsets of the rows, and ``(n_links,)`` peaks of the data set and what the table has for their
    bits; whether they are sound.
    """
    peak, step, own_peaks = cell.planes[0], cell.planes[1], cell.own_peaks
    offset = np.zeros(len(cell.n_links) + 1, np.int64)
    found, asked = np.empty(len(peak), np.int32), np.empty(len(peak), table.dtype)
    if not within(peak, len(own_peaks)):
        return offset, found, asked, False
    start, to = rank_starts(cell.n_links, depth), 0
    for row in range(len(cell.n_links)):
        bits = np.uint16(0)
        for rank in range(min(cell.n_links[row], depth)):
            at = start[rank]
            start[rank] = at + 1
            bits = np.uint16(step[at]) if rank == 0 else np.uint16(bits - np.uint16(step[at]))
            found[to], asked[to] = own_peaks[peak[at]], table[bits]
            to += 1
        offset[row + 1] = to
    return offset, found, asked, True


@compiled
def within(peak, n_own):  # type: ignore[no-untyped-def]
    """Whether all links point to the cell's own peaks."""
    highest = np.uint32(0)  # narrow: many at a time
    for i in range(len(peak)):
        highest = max(highest, np.uint32(peak[i]))
    return len(peak) == 0 or highest < n_own
