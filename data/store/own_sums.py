"""Sums of one cell's surviving links, compiled by numba: for each of its own peaks, or each of its genes.

Imported where it is first called, as :mod:`bi2scope.data.store.decoding` is, whose rules hold here too.
"""

from __future__ import annotations

import numpy as np

from bi2scope.data.attention import WEIGHTED_PER_ROW
from bi2scope.data.store.decoding import DAMAGED, compiled, last_cut, rank_starts, sound, unrolled, whole_weight

LINKS, SCORE, WEIGHT = range(3)
"""What is summed; the places of :data:`bi2scope.data.store.schema.DEFINITIONS`."""


@compiled
def own_sums(cell, depth, cut, tables, wanted):  # type: ignore[no-untyped-def]
    """Sums of a cell's surviving links.

    Parameters
    ----------
    cell, depth
        Its storage as far as the cut asks for, and the highest rank there.
    cut
        Lowest bits that survive, the k asked for, and whether all links weigh the same.
    tables
        ``(65536,)`` whole score and ``exp(s)`` of every bits.
    wanted
        What is summed, whether over each row rather than each peak, and the number of peaks of the data set.

    Returns
    -------
    ``(n_rows,)`` or ``(n_own_peaks,)`` int64 in whole units, and :func:`~bi2scope.data.store.decoding.last_cut`; or
    nothing and :data:`~bi2scope.data.store.decoding.DAMAGED` if a link points where there is no peak.
    """
    what, by_row, n_peaks = wanted
    if not sound(cell, n_peaks):
        return np.zeros(0, np.int64), np.int64(DAMAGED)
    (lowest, below, uniform), (whole_scores, exponentials) = cut, tables
    row, bits, last = unrolled(cell.n_links, cell.planes[1], depth)
    sums = np.zeros(len(cell.n_links) if by_row else len(cell.own_peaks), np.int64)
    counted = rank_starts(cell.n_links, min(depth, WEIGHTED_PER_ROW))[-1] if what == WEIGHT else len(bits)
    for at in range(counted):
        if bits[at] >= lowest:
            place = np.int64(row[at]) if by_row else np.int64(cell.planes[0, at])
            if what == LINKS:
                sums[place] += 1
            elif what == SCORE:
                sums[place] += np.int64(whole_scores[bits[at]])
            else:
                sums[place] += whole_weight(exponentials[bits[at]], cell.denominator[row[at]], uniform)
    return sums, np.int64(last_cut(cell, last, below))
