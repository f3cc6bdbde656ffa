"""The links of several heads of one layer as one: the mean over the heads, or the highest of them.

A pair of a gene and a peak that is kept in any head is a link. A head in which it is not kept counts with the score
0.5, the logit 0 and the weight 0: the model itself prunes scores of 0.5 and below. Ranks are places among these links
in the gene's row, by score, then logit, then genome order.

A worked case. Of two heads the first keeps peak 4 (score 0.9) and peak 7 (0.6) of a gene, the second peak 7 alone
(0.8). The means are 0.7 for both; the highest are 0.9 and 0.8. Both rank peak 4 first, the mean by the logits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import numpy.typing as npt

from bi2scope.data.attention import FLOOR, WEIGHTED_PER_ROW, CellAttention, Cut, Floats, Links

Over = Literal["mean", "max"]


def needed(over: Over, cut: Cut) -> Cut:
    """What of each head has to be there for a cut.

    The highest ``k`` by the highest head are among the highest ``k`` of some head, and weights end at rank ten; a mean
    needs all of every head.
    """
    if over == "mean":
        return Cut()
    return Cut(cut.threshold, None if cut.top_k is None else max(cut.top_k, WEIGHTED_PER_ROW))


def over_heads(heads: Sequence[CellAttention], over: Over, cut: Cut) -> Links:
    """The links of some heads as one, under a cut on their common score and rank.

    Parameters
    ----------
    heads
        Attention of the same genes of one cell, with all that :func:`needed` says.
    over
        What a link has of its scores, logits and weights in the heads.
    cut
        Which links survive.

    Returns
    -------
    ``truncated`` says that links which were not kept would have changed the answer: for ``mean`` they could have
    added to any link, for ``max`` only those that survive the cut count.
    """
    of_heads = [head.links(Cut(FLOOR, needed(over, cut).top_k)) for head in heads]
    row = np.concatenate([np.searchsorted(heads[0].gene, links.gene) for links in of_heads])
    key = (row.astype(np.int64) << 32) | np.concatenate([links.peak for links in of_heads]).astype(np.int64)
    order = np.argsort(key, kind="stable")
    start = np.flatnonzero(np.diff(key[order], prepend=-1))
    pair = key[order][start]

    def joined(values: list[Floats], absent: float) -> Floats:
        given = np.concatenate(values)[order].astype(np.float64) - absent
        if not len(start):
            return given.astype(np.float32)
        found = np.maximum.reduceat(given, start) if over == "max" else np.add.reduceat(given, start) / len(heads)
        return (found + absent).astype(np.float32)

    score = joined([links.score for links in of_heads], FLOOR)
    logit = joined([links.logit for links in of_heads], 0.0)
    weight = joined([links.weight for links in of_heads], 0.0)
    by_rank = np.lexsort((pair, -logit, -score, pair >> 32))
    row, peak = (pair >> 32)[by_rank], (pair & 0xFFFFFFFF)[by_rank].astype(np.int32)
    links = Links(
        gene=heads[0].gene[row],
        peak=peak,
        logit=logit[by_rank],
        score=score[by_rank],
        rank=_places_in_row(row),
        weight=weight[by_rank],
        truncated=any(head.cut_off(cut if over == "max" else Cut()) for head in heads),
    )
    return links.where(cut.keeps(links.score, links.rank))


def _places_in_row(row: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
    """Place of each link in its row, from 1; rows ascend."""
    first = np.flatnonzero(np.diff(row, prepend=-1))
    length = np.diff(first, append=len(row))
    return (np.arange(len(row)) - np.repeat(first, length) + 1).astype(np.int32)
