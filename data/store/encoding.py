"""The links of a cell as its storage has them, compiled by numba: the other way round from ``decoding``.

To be imported where it is first called.
"""

from __future__ import annotations

import numpy as np

from bi2scope.data.store import halves
from bi2scope.data.store.decoding import compiled, rank_starts

SOUND, NO_OWN_PEAK, NOT_DESCENDING, NO_LOGIT = range(4)
"""What :func:`encode` says of the links; all but the first are refusals."""

_LARGEST = halves.logits()[halves.LARGEST]
_SMALLEST_NORMAL = np.float32(2.0**-14)
_SUBNORMAL_UNITS = np.float32(2.0**24)


@compiled
def encode(links, own_peaks, position, visible, planes):  # type: ignore[no-untyped-def]
    """Put the links of a cell in the order of its storage: all of rank 1, by row, then all of rank 2, and so on.

    Parameters
    ----------
    links
        ``(n_rows + 1,)`` offsets of the rows; ``(n_links,)`` peaks of the data set and float32 logits.
    own_peaks
        Peaks that the cell has a count of.
    position
        ``(n_peaks,)`` of the peaks of the data set; of those the places among the cell's own, and of others anything
        from 0 on.
    visible
        Least logit whose score exceeds 0.5, and the least bits of such a score (:mod:`bi2scope.data.store.halves`).
    planes
        ``(2, n_links)`` to fill: places of the peaks, and steps of the logits' bits.

    Returns
    -------
    :data:`SOUND`, or what is wrong.
    """
    row_start, peak, logit = links
    n_links = np.diff(row_start)
    start = rank_starts(n_links, n_links.max() if len(n_links) else 0)
    for row in range(len(n_links)):
        bits_before, logit_before = np.int32(0), np.float32(np.inf)
        for rank in range(n_links[row]):
            at, link = start[rank], row_start[row] + rank
            start[rank] = at + 1
            place = position[peak[link]] if 0 <= peak[link] < len(position) else len(own_peaks)
            if place >= len(own_peaks) or own_peaks[place] != peak[link]:
                return NO_OWN_PEAK
            if not 0 < logit[link] < np.inf:
                return NO_LOGIT
            if logit[link] > logit_before:
                return NOT_DESCENDING
            bits, logit_before = _bits(logit[link], visible), logit[link]
            planes[0, at], planes[1, at] = place, bits if rank == 0 else bits_before - bits
            bits_before = bits
    return SOUND


@compiled
def _bits(logit, visible):  # type: ignore[no-untyped-def]
    """:func:`bi2scope.data.store.halves.to_bits` of one logit above 0: the nearest half, of two the even one."""
    least_visible, visible_bits = visible
    if logit >= _SMALLEST_NORMAL:
        single = np.float32(min(logit, _LARGEST)).view(np.uint32)
        single += np.uint32(0x0FFF) + ((single >> np.uint32(13)) & np.uint32(1))
        bits = np.int32(single >> np.uint32(13)) - np.int32(0x1C000)
    else:
        bits = np.int32(np.rint(logit * _SUBNORMAL_UNITS))
    if logit >= least_visible:
        return max(bits, visible_bits)
    return min(max(bits, np.int32(1)), np.int32(visible_bits - 1))
