"""A floor above the model's own: links of that score and below are not kept."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bi2scope.data.attention import FLOOR, CellAttention
from bi2scope.data.store.halves import lowest_above, to_bits


def above_floor(attention: CellAttention, floor: float) -> CellAttention:
    """The links that exceed a floor once they are rounded as the store rounds them.

    So a store with a floor holds exactly those links of a store without one that survive the floor as threshold.
    Weights stay those of the model. ``n_above`` counts what exceeds the floor; of a row from which nothing was taken
    because it was cut at k_max, what exceeds 0.5.
    """
    if floor <= FLOOR:
        return attention
    row, kept = attention.row, to_bits(attention.logit) >= lowest_above(floor)
    before, n_links = np.diff(attention.row_start), np.bincount(row[kept], minlength=len(attention.gene))
    return replace(
        attention,
        row_start=np.concatenate([[0], np.cumsum(n_links)]).astype(np.int64),
        peak=attention.peak[kept],
        logit=attention.logit[kept],
        n_above=np.where(n_links < before, n_links, attention.n_above).astype(np.int32),
        floor=floor,
    )
