"""Average precision of a track in every draw of a null model, compiled by numba.

Imported where it is first called: numba takes half a second to load.
"""

from __future__ import annotations

import numpy as np

from bi2scope.data.store.decoding import compiled


@compiled
def rotated_precision(bound, block, offset, group, one_over):  # type: ignore[no-untyped-def]
    """Count the bound peaks of each draw in the groups of a score, and take the average precision of the counts.

    Parameters
    ----------
    bound, block
        ``(n_bound,)`` uint32 places of the bound peaks among ``group``, unrotated, and the block of each.
    offset
        ``(n_draws, n_blocks)`` uint32 by how much each draw rotates each block.
    group
        ``(2 * n_peaks,)`` uint16 group of the score of the peak at each place, 0 the highest; each block stands there
        twice, so that no rotation has to look for its end.
    one_over
        ``(n_groups,)`` one over the peaks of a group and all above it.

    Returns
    -------
    ``(n_draws,)``, as :func:`bi2scope.data.tracks.measures.precision_from_groups`.
    """
    precision = np.empty(len(offset))
    # neighbours often fall into one group; two tables, so that one need not wait for the other
    even, odd = np.empty(len(one_over), np.int32), np.empty(len(one_over), np.int32)
    for draw in range(len(offset)):
        even[:], odd[:], by = 0, 0, offset[draw]
        for pair in range(len(bound) // 2):
            i, k = np.uint64(2 * pair), np.uint64(2 * pair + 1)
            even[group[np.uint32(bound[i] + by[block[i]])]] += np.int32(1)
            odd[group[np.uint32(bound[k] + by[block[k]])]] += np.int32(1)
        if len(bound) % 2:
            even[group[np.uint32(bound[-1] + by[block[-1]])]] += np.int32(1)
        found, total = 0, 0.0
        for each in range(len(one_over)):
            count = even[each] + odd[each]
            found += count
            total += found * count * one_over[each]
        precision[draw] = total / found if found else np.nan
    return precision
