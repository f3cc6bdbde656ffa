"""Pruned cross-attention of genes to peaks: which links a gene keeps, and what they weigh.

The full logits are computed block by block without gradient, to choose each gene's ten highest; only the chosen links
carry gradient. That is exact: a logit outside the ten has no part in the output.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from bi2scope.data.attention import FLOOR, WEIGHTED_PER_ROW
from bi2scope.model.batch import GraphBatch, PaddedBlocks


@dataclass(frozen=True, slots=True)
class TopPeaks:
    """The highest candidate peaks of each gene and head, by logit and then in genome order.

    Attributes
    ----------
    peak
        ``(n_genes, heads, places)`` positions in the batch; -1 where the gene has no more candidates.
    logit
        ``(n_genes, heads, places)``, descending; ``-inf`` where there is no peak.
    n_above
        ``(n_genes, heads)`` candidates with a logit above 0, among the places or not.
    """

    peak: Tensor
    logit: Tensor
    n_above: Tensor


@dataclass(frozen=True, slots=True)
class Attention:
    """Attention of one layer over a batch.

    Attributes
    ----------
    query, key
        ``(n_genes, heads, d)`` and ``(n_peaks, heads, d)``; a logit is their product.
    gene, peak, head
        ``(n_links,)`` the links that enter the softmax, positions in the batch, by gene, head and rank.
    logit, score, weight
        ``(n_links,)``; the weight is 0 where the score is not above 0.5.
    """

    query: Tensor
    key: Tensor
    gene: Tensor
    peak: Tensor
    head: Tensor
    logit: Tensor
    score: Tensor
    weight: Tensor


@torch.no_grad()
def top_peaks(
    query: Tensor, key: Tensor, buckets: tuple[PaddedBlocks, ...], places: int, *, counted: bool = False
) -> TopPeaks:
    """Choose the ``places`` highest peaks of each gene and head; memory grows with the largest bucket only.

    ``n_above`` is filled where it is asked for by ``counted``.
    """
    n_genes, heads, _ = query.shape
    peak = torch.full((n_genes, heads, places), -1, dtype=torch.int64, device=query.device)
    logit = query.new_full((n_genes, heads, places), -math.inf)
    n_above = torch.zeros((n_genes, heads), dtype=torch.int64, device=query.device)
    for bucket in buckets:
        product = block_logits(query, key, bucket)
        values, place = _ordered_top(product, places)  # (n_blocks, heads, g, k)
        found = bucket.peak[:, :1, None, None] + place  # a block's peaks are a run
        genes = bucket.gene.flatten()[bucket.real]
        k = values.shape[-1]
        peak[:, :, :k].index_copy_(0, genes, _of_real_genes(found, bucket))
        logit[:, :, :k].index_copy_(0, genes, _of_real_genes(values, bucket))
        if counted:
            n_above.index_copy_(0, genes, _of_real_genes((product > 0).sum(-1), bucket))
    return TopPeaks(peak.masked_fill_(logit == -math.inf, -1), logit, n_above)


def block_logits(query: Tensor, key: Tensor, bucket: PaddedBlocks) -> Tensor:
    """``(n_blocks, heads, g, p)`` logits of a bucket; ``-inf`` where peaks are padding or no candidates."""
    heads, d = query.shape[1:]
    n_blocks, g = bucket.gene.shape
    queries = query.index_select(0, bucket.gene.flatten()).view(n_blocks, g, heads, d).transpose(1, 2)
    keys = key.index_select(0, bucket.peak.flatten()).view(n_blocks, -1, heads, d).permute(0, 2, 3, 1)
    return (queries @ keys).masked_fill_(bucket.no_candidate()[:, None], -math.inf)


def _of_real_genes(values: Tensor, bucket: PaddedBlocks) -> Tensor:
    """``(n_blocks, heads, g, ...)`` to ``(n_real, heads, ...)``, without the genes that are padding."""
    return values.transpose(1, 2).flatten(0, 1).index_select(0, bucket.real)


def _ordered_top(product: Tensor, places: int) -> tuple[Tensor, Tensor]:
    """The ``places`` highest of the last axis, equal values in their order there.

    ``torch.topk`` leaves the order of equal values open, so one value more is taken to see whether a row has any,
    and only such rows are sorted.
    """
    values, place = product.topk(min(places + 1, product.shape[-1]))
    tied = ((values[..., 1:] == values[..., :-1]) & (values[..., 1:] > -math.inf)).any(-1)
    if tied.any():
        in_order = product[tied].sort(dim=-1, descending=True, stable=True)
        values[tied] = in_order.values[:, : values.shape[-1]]
        place[tied] = in_order.indices[:, : values.shape[-1]]
    return values[..., :places], place[..., :places]


def attend(query: Tensor, key: Tensor, batch: GraphBatch) -> Attention:
    """Pruned attention of every gene of a batch.

    Per gene and head the published model takes the ten highest scores over all open peaks of the cell, those on
    other chromosomes scoring 0.5, their softmax, and then sets to 0 the weights of scores up to 0.5. Peaks of the
    chromosome that lie too far away count as those on other chromosomes (:mod:`bi2scope.data.candidates`).

    Parameters
    ----------
    query, key
        ``(n_genes, heads, d)`` and ``(n_peaks, heads, d)``.
    """
    heads = query.shape[1]
    top = top_peaks(query, key, batch.buckets, WEIGHTED_PER_ROW)
    filled, pads = _places(top.logit, batch.n_elsewhere)
    place = filled.flatten().nonzero().squeeze(1)  # (n_links,) in (n_genes * heads * places,)
    row = place // WEIGHTED_PER_ROW  # gene * heads + head
    head = row % heads
    peak = top.peak.flatten()[place]
    logit: Tensor = LinkLogits.apply(  # type: ignore[no-untyped-call]
        query.flatten(0, 1), key.flatten(0, 1), row, peak * heads + head, top.logit.flatten()[place]
    )
    score = torch.sigmoid(logit)
    exponential = torch.exp(score)
    pad_sum = pads.flatten().to(score.dtype) * math.exp(FLOOR)
    denominator = pad_sum.index_add(0, row, exponential)
    weight = torch.where(score > FLOOR, exponential / denominator[row], 0)
    return Attention(query, key, row // heads, peak, head, logit, score, weight)


def _places(top_logit: Tensor, n_elsewhere: Tensor) -> tuple[Tensor, Tensor]:
    """Which of a row's ten places its candidates fill, and how many the pads of 0.5 fill.

    Scores above 0.5 come first, then the pads, then, if there are too few peaks elsewhere, the next scores of the
    candidates (:func:`bi2scope.data.attention.softmax_denominator` states the same rule for arrays).
    """
    exists = top_logit > -math.inf
    above = (exists & (torch.sigmoid(top_logit) > FLOOR)).sum(-1)  # (n_genes, heads)
    pads = torch.minimum(WEIGHTED_PER_ROW - above, n_elsewhere[:, None])
    place = torch.arange(WEIGHTED_PER_ROW, device=top_logit.device)
    return exists & (place < (WEIGHTED_PER_ROW - pads)[..., None]), pads


class LinkLogits(torch.autograd.Function):
    """Logits of chosen links, with gradient to queries and keys.

    The values are known from choosing the links; the backward pass is two sparse sums, fused gather, scale and add
    (``embedding_bag``), several times faster on a CPU than gathering ``(n_links, d)`` rows and scattering them back.
    """

    @staticmethod
    def forward(ctx: Any, query: Tensor, key: Tensor, row: Tensor, column: Tensor, logit: Tensor) -> Tensor:
        """``query[row] . key[column]``, given as ``logit``; ``row`` ascending."""
        ctx.save_for_backward(query, key, row, column)
        return logit.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of query and key."""
        query, key, row, column = ctx.saved_tensors
        order = torch.argsort(column, stable=True)
        to_query = sum_links(gradients[0], key, row, column)
        to_key = sum_links(gradients[0][order], query, column[order], row[order])
        return _like(to_query, query), _like(to_key, key), None, None, None


def _like(summed: Tensor, node: Tensor) -> Tensor:
    """Rows of zeros for the nodes past the last that has a link."""
    return F.pad(summed, (0, 0, 0, len(node) - len(summed)))


def sum_links(weight: Tensor, value: Tensor, row: Tensor, column: Tensor, n_rows: int | None = None) -> Tensor:
    """``sum of weight * value[column]`` per row; ``row`` ascending.

    Parameters
    ----------
    weight, row, column
        ``(n_links,)``.
    value
        ``(n, d)``.
    n_rows
        Rows of the result; as many as are needed when not given.
    """
    size = torch.bincount(row, minlength=n_rows or 0)
    return F.embedding_bag(column, value, size.cumsum(0) - size, mode="sum", per_sample_weights=weight)
