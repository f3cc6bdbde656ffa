"""Links counted by rank, score and peak, and read back, compiled by numba; see :mod:`bi2scope.data.store.decoding`.

A counter holds the links of one peak in one frame in 64 bits, packed by :data:`SCORE_BITS`: their number, and their
scores together, less the edge of their bin for each.
"""

from __future__ import annotations

import numpy as np

from bi2scope.data.attention import WEIGHTED_PER_ROW
from bi2scope.data.store.decoding import ONE_LINK, SCORE_BITS, compiled, rank_starts, sound, unrolled, whole_weight

_SHIFT = np.uint64(SCORE_BITS)
_SCORE = np.uint64((1 << SCORE_BITS) - 1)
_MOST, _MOST_WEIGHT = np.uint64((1 << 16) - 1), np.uint64((1 << 32) - 1)


@compiled
def count_cell(cell, depth, frames, tables, uniform, counts, weights):  # type: ignore[no-untyped-def]
    """Count a cell's links in a run of frames.

    Parameters
    ----------
    cell, depth
        Its storage as far as the frames reach, and the highest rank there.
    frames
        ``(k_max,)`` frame at which each rank's bins start, ``(65536,)`` bin of every bits, -1 for none, ``(n_bins,)``
        edges in units of the score, and the first frame of the run.
    tables, uniform
        As :func:`bi2scope.data.store.own_sums.own_sums` takes them.
    counts, weights
        ``(n_peaks, n_frames)`` uint64 of the run, added to; ``weights`` may have no frames. A cell's links are of few
        peaks, so their counters lie near one another.

    Returns
    -------
    Whether the cell is sound.
    """
    frame_of_rank, bin_of, edges, first = frames
    whole_scores, exponentials = tables
    n_frames, weighted = counts.shape[1], weights.shape[1] > 0
    if not sound(cell, len(counts)):
        return False
    row, bits, _ = unrolled(cell.n_links, cell.planes[1], depth)
    start, peak = rank_starts(cell.n_links, depth), cell.planes[0]
    for rank in range(depth):
        frame = frame_of_rank[rank] - first
        if frame + len(edges) <= 0 or frame >= n_frames:
            continue
        for at in range(start[rank], start[rank + 1]):
            own = cell.own_peaks[peak[at]]
            score_bin = np.int64(bin_of[bits[at]])
            here = frame + score_bin
            if score_bin < 0 or here < 0 or here >= n_frames:
                continue
            counts[own, here] += ONE_LINK + np.uint64(whole_scores[bits[at]] - edges[score_bin])
            if weighted and rank < WEIGHTED_PER_ROW:
                weights[own, here] += np.uint64(
                    whole_weight(exponentials[bits[at]], cell.denominator[row[at]], uniform)
                )
    return True


@compiled
def entries_of(counts, weights):  # type: ignore[no-untyped-def]
    """The entries of one frame as they are stored.

    Parameters
    ----------
    counts, weights
        ``(n_peaks,)`` counters; ``weights`` may be empty.

    Returns
    -------
    Gap, links and score, uint16, and weight, uint32 and empty without weights. What one entry cannot hold stands in
    several: a gap in entries without links, numbers in entries without a gap.
    """
    n = _n_entries(counts, weights)
    gap, links, score = np.zeros(n, np.uint16), np.zeros(n, np.uint16), np.zeros(n, np.uint16)
    weight = np.zeros(n if len(weights) else 0, np.uint32)
    at, before = 0, 0
    for peak in range(len(counts)):
        n_links, of_score = counts[peak] >> _SHIFT, counts[peak] & _SCORE
        of_weight = weights[peak] if len(weights) else np.uint64(0)
        if n_links == 0:
            continue
        while peak - before > int(_MOST):
            gap[at] = _MOST
            before += int(_MOST)
            at += 1
        gap[at], before = peak - before, peak
        while n_links or of_score or of_weight:
            links[at], score[at] = min(n_links, _MOST), min(of_score, _MOST)
            if len(weights):
                weight[at] = min(of_weight, _MOST_WEIGHT)
            n_links -= min(n_links, _MOST)
            of_score -= min(of_score, _MOST)
            of_weight -= min(of_weight, _MOST_WEIGHT)
            at += 1
    return gap, links, score, weight


@compiled
def _n_entries(counts, weights):  # type: ignore[no-untyped-def]
    n, before = np.int64(0), 0
    for peak in range(len(counts)):
        if counts[peak] >> _SHIFT:
            parts = max(_parts(counts[peak] >> _SHIFT, _MOST), _parts(counts[peak] & _SCORE, _MOST))
            if len(weights):
                parts = max(parts, _parts(weights[peak], _MOST_WEIGHT))
            n += np.int64(parts) + max(0, peak - before - 1) // np.int64(_MOST)
            before = peak
    return n


@compiled
def _parts(number, most):  # type: ignore[no-untyped-def]
    return (number + most - np.uint64(1)) // most


@compiled
def add_entries(offset, first_bin, edges, entries, sign, total):  # type: ignore[no-untyped-def]
    """Add a run of frames to sums, or take it away.

    Parameters
    ----------
    offset
        ``(n_frames + 1,)`` of the frames into the entries, ascending from 0.
    first_bin, edges
        Bin of the first frame, and ``(n_bins,)`` edges in units of the score.
    entries
        Gap, links, score, and weight, of as many of the entries as have one.
    sign
        1 or -1.
    total
        ``(3, n_peaks)`` int64, added to.

    Returns
    -------
    Whether all peaks are below ``n_peaks``.
    """
    gap, links, score, weight = entries
    for frame in range(len(offset) - 1):
        edge, peak = edges[(first_bin + frame) % len(edges)], np.int64(0)
        for at in range(offset[frame], offset[frame + 1]):
            peak += np.int64(gap[at])
            if peak >= total.shape[1]:
                return False
            n_links = np.int64(links[at])
            total[0, peak] += sign * n_links
            total[1, peak] += sign * (np.int64(score[at]) + n_links * edge)
            if at < len(weight):
                total[2, peak] += sign * np.int64(weight[at])
    return True
