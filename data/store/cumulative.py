"""Cumulative scores: sums over a cell type's cells of their surviving links, for one cut or for a grid of cuts.

Three definitions, per peak: ``links`` sums 1, ``score`` the score, ``weight`` the model's pruned attention.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bi2scope.data.attention import Cut, Floats, pruned_weight, score_of
from bi2scope.data.store.links import LinkBlock

Sums = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CumulativeScores:
    """Cumulative scores of every peak in one cell type, for one cut, layer and head.

    Attributes
    ----------
    links, score, weight
        ``(n_peaks,)`` float64: sums over the type's cells and their genes, over surviving links.
    n_open
        ``(n_peaks,)`` int64, cells of the type with a non-zero count of the peak.
    n_cells
        Cells of the type.
    truncated
        Whether links that would have survived in some cell were cut off when the store was made.
    """

    links: Sums
    score: Sums
    weight: Sums
    n_open: npt.NDArray[np.int64]
    n_cells: int
    truncated: bool


@dataclass(frozen=True, slots=True)
class CutSums:
    """Sums of one cut: three arrays ``(n_peaks,)``, and whether rows were cut short."""

    links: Sums
    score: Sums
    weight: Sums
    truncated: bool


@dataclass(frozen=True, slots=True)
class GridSums:
    """Sums of every cut of a grid.

    Attributes
    ----------
    links, score, weight
        ``(n_thresholds, n_k, n_peaks)`` float64.
    truncated
        ``(n_thresholds, n_k + 1)`` bool; the last column is for no cut on the rank.
    """

    links: Sums
    score: Sums
    weight: Sums
    truncated: npt.NDArray[np.bool_]


def cut_sums(blocks: Iterable[LinkBlock], n_peaks: int, cut: Cut) -> CutSums:
    """Sum the surviving links of blocks of cells, peak by peak; one block in memory at a time."""
    links, score, weight = np.zeros((3, n_peaks))
    truncated = False
    for block in blocks:
        block_score, rank = score_of(block.logit), block.rank
        kept = cut.keeps(block_score, rank)
        peak, kept_score = block.peak[kept], block_score[kept]
        kept_weight = pruned_weight(kept_score, rank[kept], block.denominator[block.row[kept]])
        links += np.bincount(peak, minlength=n_peaks)
        score += np.bincount(peak, kept_score, n_peaks)
        weight += np.bincount(peak, kept_weight, n_peaks)
        truncated = truncated or bool((_last_score_cut_off(block, cut.top_k) > np.float32(cut.threshold)).any())
    return CutSums(links, score, weight, truncated)


def grid_sums(
    blocks: Iterable[LinkBlock], n_peaks: int, thresholds: tuple[float, ...], top_k: tuple[int, ...]
) -> GridSums:
    """Sum the surviving links of blocks of cells for every pair of a threshold and a rank at once.

    Each link falls into one bin (peak, highest threshold it exceeds, lowest rank cut it survives); the sums of the
    cuts are the cumulative sums over the bins, from the highest threshold down and from the lowest rank cut up.

    Parameters
    ----------
    blocks
        Links of the cells.
    n_peaks
        Peaks of the data set.
    thresholds, top_k
        Ascending cuts; no link ranks above the last ``top_k``.
    """
    shape = (len(thresholds), len(top_k), n_peaks)
    sums = np.zeros((3, *shape))
    truncated = np.zeros((len(thresholds), len(top_k) + 1), dtype=bool)
    limits = np.asarray(thresholds, dtype=np.float32)
    for block in blocks:
        for total, values in zip(sums, _binned(block, shape, limits, top_k), strict=True):
            total += values
        for column, k in enumerate((*top_k, None)):
            last = _last_score_cut_off(block, k)
            truncated[:, column] |= last.max(initial=-np.inf) > limits
    for total in sums:
        total[:] = np.cumsum(np.cumsum(total[::-1], axis=0)[::-1], axis=1)
    links, score, weight = sums
    return GridSums(links, score, weight, truncated)


def _binned(
    block: LinkBlock, shape: tuple[int, int, int], limits: Floats, top_k: tuple[int, ...]
) -> tuple[npt.NDArray[Any], ...]:
    """Number, score and weight of the links that fall into each bin; arrays of ``shape``."""
    score, rank = score_of(block.logit), block.rank
    weight = pruned_weight(score, rank, block.denominator[block.row])
    level = np.searchsorted(limits, score, side="left") - 1  # the highest threshold that s > t exceeds; -1 is none
    step = np.searchsorted(top_k, rank, side="left")
    kept = level >= 0
    code = np.ravel_multi_index((level[kept], step[kept], block.peak[kept]), shape)
    size = int(np.prod(shape))
    return (
        np.bincount(code, minlength=size).reshape(shape),
        np.bincount(code, score[kept], size).reshape(shape),
        np.bincount(code, weight[kept], size).reshape(shape),
    )


def _last_score_cut_off(block: LinkBlock, top_k: int | None) -> Floats:
    """Last kept score of each row that was cut at k_max although ``top_k`` asks for more.

    A row whose last kept link survives a threshold may miss links; the same rule as
    :meth:`bi2scope.data.attention.CellAttention.links` states for one cell.
    """
    open_rows = block.n_above > block.n_links
    if top_k is not None:
        open_rows &= block.n_links < top_k
    end = np.cumsum(block.n_links)[open_rows]
    last = np.full(len(end), np.inf, dtype=np.float32)  # a row with no link kept but links above the floor misses them
    has_link = block.n_links[open_rows] > 0
    last[has_link] = score_of(block.logit[end[has_link] - 1])
    return last
