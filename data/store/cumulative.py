"""Cumulative scores summed from the links themselves, for any cells and any cut.

Three definitions, per peak: ``links`` sums 1, ``score`` the score, ``weight`` the model's pruned attention. Scores and
weights are summed as whole numbers (:data:`bi2scope.data.store.schema.UNITS`), so that a sum is the same in whatever
order, and from whatever parts, it is made.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bi2scope.data.attention import Cut, Ints
from bi2scope.data.store import halves, schema
from bi2scope.data.store.links import RankedLinks, StoredLinks, batches, concatenated

Sums = npt.NDArray[np.float64]
WholeSums = npt.NDArray[np.int64]

BATCH_LINKS = 1 << 20
"""Links that a sum over cells holds in memory at a time; a single cell may have more."""


@dataclass(frozen=True, slots=True)
class CumulativeScores:
    """Cumulative scores of every peak over some cells, for one cut, layer and head.

    Attributes
    ----------
    links, score, weight
        ``(n_peaks,)`` float64: sums over the cells and their genes, over surviving links.
    n_open
        ``(n_peaks,)`` int64, cells with a non-zero count of the peak.
    n_cells
        The cells.
    truncated
        Whether links that would have survived in some cell were cut off when the store was made.
    """

    links: Sums
    score: Sums
    weight: Sums
    n_open: npt.NDArray[np.int64]
    n_cells: int
    truncated: bool

    @classmethod
    def of(cls, sums: WholeSums, n_open: npt.NDArray[np.int64], n_cells: int, truncated: bool) -> CumulativeScores:
        """Scores from sums of whole numbers; the arrays cannot be written to."""
        links, score, weight = (sums[i] / schema.UNITS[name] for i, name in enumerate(schema.DEFINITIONS))
        for array in (links, score, weight, n_open):
            array.flags.writeable = False
        return cls(links, score, weight, n_open, n_cells, truncated)


def cut_sums(links: StoredLinks, cells: Ints, n_peaks: int, cut: Cut) -> tuple[WholeSums, bool]:
    """Sum the surviving links of some cells, peak by peak; a bounded number of links in memory at a time.

    Returns
    -------
    ``(3, n_peaks)`` sums, by :data:`schema.DEFINITIONS`, and whether links that would have survived are missing.
    """
    sums = np.zeros((len(schema.DEFINITIONS), n_peaks), dtype=np.int64)
    lowest, truncated = halves.lowest_above(cut.threshold), cut.threshold < links.floor
    for batch in batches(links, cells, cut.top_k, BATCH_LINKS):
        kept = [one.where(one.bits >= lowest) for one in batch]
        peak = concatenated([one.peak for one in kept])
        score = concatenated([halves.whole_scores()[one.bits] for one in kept])
        weight = concatenated([one.whole_weights() for one in kept])
        for total, values in zip(sums, (None, score, weight), strict=True):
            total += np.bincount(peak, values, n_peaks).astype(np.int64)
        truncated = truncated or any(cut_off(one, cut) for one in batch)
    return sums, truncated


def cut_off(one: RankedLinks, cut: Cut) -> bool:
    """Whether a row was cut at k_max although its last kept link survives and k asks for more.

    The rule of :meth:`bi2scope.data.attention.CellAttention.links`.
    """
    open_rows = one.n_above > one.n_links
    if cut.top_k is not None:
        open_rows &= one.n_links < cut.top_k
    return last_bits(one, open_rows) >= halves.lowest_above(cut.threshold)


def last_bits(one: RankedLinks, rows: npt.NDArray[np.bool_]) -> int:
    """Highest bits of the last link of some rows; a row without any counts as the highest there can be."""
    if not rows.any():
        return 0
    if (rows & (one.n_links == 0)).any():
        return int(halves.LARGEST)
    last = rows[one.row] & (one.rank == one.n_links[one.row])
    return int(one.bits[last].max(initial=0))
