"""Pruned cross-attention of genes to peaks: which links a gene keeps, and what they weigh.

The full logits are computed block by block without gradient, to choose each gene's ten highest; only the chosen links
carry gradient. That is exact: a logit outside the ten has no part in the output.

Every gene and head has ten places, filled or not, so that sizes are known beforehand and a device need not be asked.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from bi2scope.data.attention import FLOOR, WEIGHTED_PER_ROW
from bi2scope.model.batch import GraphBatch
from bi2scope.model.config import AttentionKind
from bi2scope.model.selection import top_peaks, top_peaks_at_random


@dataclass(frozen=True, slots=True)
class Projected:
    """Queries or keys of the nodes of a batch, in two parts: ``table[slot] + count * per_count``.

    Attributes
    ----------
    table
        ``(n_distinct, heads, d)``.
    slot, count
        ``(n_nodes,)`` row of the table and count of each node.
    per_count
        ``(heads, d)``.
    """

    table: Tensor
    slot: Tensor
    count: Tensor
    per_count: Tensor

    @property
    def heads(self) -> int:
        """Number of heads."""
        return self.table.shape[1]

    def nodes(self) -> Tensor:
        """``(n_nodes, heads, d)`` of every node."""
        return torch.addcmul(self.table.index_select(0, self.slot), self.count[:, None, None], self.per_count[None])

    def full(self) -> Projected:
        """The same in float32 at least: what mixed precision must not touch."""
        if self.table.dtype in (torch.float32, torch.float64):
            return self
        return Projected(self.table.float(), self.slot, self.count.float(), self.per_count.float())


@dataclass(frozen=True, slots=True)
class Attention:
    """Attention of one layer over a batch: the places that enter each row's softmax, ten for a gene and head.

    Attributes
    ----------
    query, key
        Of the genes and of the peaks; a logit is their product.
    peak
        ``(n_genes, heads, 10)`` positions in the batch, by rank; -1 where the place is not filled by a candidate.
    logit, score, weight
        ``(n_genes, heads, 10)``; ``-inf``, 0 and 0 where the place is not filled. The weight is 0 where the score is
        not above 0.5.
    """

    query: Projected
    key: Projected
    peak: Tensor
    logit: Tensor
    score: Tensor
    weight: Tensor

    def links(self) -> Links:
        """The filled places alone, one after another."""
        gene, head, place = (self.peak >= 0).nonzero(as_tuple=True)
        at = (gene, head, place)
        return Links(gene, self.peak[at], head, self.logit[at], self.score[at], self.weight[at])


@dataclass(frozen=True, slots=True)
class Links:
    """Links one after another, by gene, head and rank: ``(n_links,)`` each.

    Attributes
    ----------
    gene, peak
        Positions in the batch.
    head, logit, score, weight
        As in :class:`Attention`.
    """

    gene: Tensor
    peak: Tensor
    head: Tensor
    logit: Tensor
    score: Tensor
    weight: Tensor


def attend(query: Projected, key: Projected, batch: GraphBatch, kind: AttentionKind = "learned") -> Attention:
    """Pruned attention of every gene of a batch.

    Per gene and head the published model takes the ten highest scores over all open peaks of the cell, those on
    other chromosomes scoring 0.5, their softmax, and then sets to 0 the weights of scores up to 0.5. Peaks of the
    chromosome that lie too far away count as those on other chromosomes (:mod:`bi2scope.data.candidates`).

    Parameters
    ----------
    query, key
        Of the genes and of the peaks.
    batch
        The graphs.
    kind
        ``uniform``: the same places, and a weight of 0.1 for each with a score above 0.5; queries and keys get no
        gradient. ``random``: the places and their logits are random (:mod:`bi2scope.model.random_attention`).
    """
    query, key = query.full(), key.full()
    if kind == "random":
        top = top_peaks_at_random(batch, query.heads, WEIGHTED_PER_ROW)
    else:
        top = top_peaks(query, key, batch, WEIGHTED_PER_ROW)
    filled, pads = _places(top.logit, batch.n_elsewhere)
    peak, logit = top.peak.masked_fill(~filled, -1), top.logit.masked_fill(~filled, -math.inf)
    if kind == "learned":
        logit = LinkLogits.apply(  # type: ignore[no-untyped-call]
            query.table, query.per_count, key.table, key.per_count, query, key, peak, logit
        )
    score = torch.sigmoid(logit)
    above = filled & (score > FLOOR)
    if kind == "uniform":
        return Attention(query, key, peak, logit, score, above.to(score.dtype) / WEIGHTED_PER_ROW)
    exponential = torch.where(filled, torch.exp(score), 0)
    denominator = exponential.sum(-1, keepdim=True) + pads[..., None].to(score.dtype) * math.exp(FLOOR)
    return Attention(query, key, peak, logit, score, torch.where(above, exponential / denominator, 0))


def _places(top_logit: Tensor, n_elsewhere: Tensor) -> tuple[Tensor, Tensor]:
    """Which of a row's ten places its candidates fill, and how many the pads of 0.5 fill.

    Scores above 0.5 come first, then the pads, then, if there are too few peaks elsewhere, the next scores of the
    candidates (:func:`bi2scope.data.attention.softmax_denominator` states the same rule for arrays).
    """
    exists = top_logit > -math.inf
    above = (exists & (torch.sigmoid(top_logit) > FLOOR)).sum(-1)  # (n_genes, heads)
    pads = torch.minimum(WEIGHTED_PER_ROW - above, n_elsewhere[:, None])
    place = torch.arange(WEIGHTED_PER_ROW, device=top_logit.device)
    return (exists | top_logit.isnan()) & (place < (WEIGHTED_PER_ROW - pads)[..., None]), pads


class LinkLogits(torch.autograd.Function):
    """Logits of chosen links, with gradient to the parts of queries and keys.

    The values are known from choosing the links. With ``g`` the gradient of a link's logit, the gene's query gets
    ``sum g key`` over its links and the peak's key ``sum g query``; both sums go at once to the rows of the tables,
    as fused gather, scale and add (``embedding_bag``), never to the nodes of every graph.
    """

    @staticmethod
    def forward(
        ctx: Any,
        query_table: Tensor,
        query_per_count: Tensor,
        key_table: Tensor,
        key_per_count: Tensor,
        query: Projected,
        key: Projected,
        peak: Tensor,
        logit: Tensor,
    ) -> Tensor:
        """The logits of ``peak``, ``(n_genes, heads, places)``, given as ``logit``; the first four take gradient."""
        ctx.save_for_backward(query_table, query_per_count, key_table, key_per_count)
        ctx.slots = query.slot, query.count, key.slot, key.count
        ctx.peak = peak
        return logit.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of the two tables and of what a count adds."""
        query_table, query_per_count, key_table, key_per_count = ctx.saved_tensors
        query_slot, query_count, key_slot, key_count = ctx.slots
        n_genes, heads, places = ctx.peak.shape
        head = torch.arange(heads, device=ctx.peak.device)[:, None]
        peak = ctx.peak.clamp(min=0)
        gradient = gradients[0].masked_fill(ctx.peak < 0, 0)
        row = (key_slot[peak] * heads + head).flatten(0, 1)  # (n_genes * heads, places) in the table of keys
        by_count = (gradient * key_count[peak]).sum(-1)[..., None]  # (n_genes, heads, 1)
        to_gene = sum_by_row(gradient.flatten(0, 1), key_table.flatten(0, 1), row).view(
            n_genes, heads, key_table.shape[2]
        )
        to_gene = torch.addcmul(to_gene, by_count, key_per_count)
        query = Projected(query_table, query_slot, query_count, query_per_count).nodes()
        to_key_table = sum_by_column(gradient.flatten(), query.flatten(0, 1), row.flatten(), places, key_table.shape)
        return (
            torch.zeros_like(query_table).index_add(0, query_slot, to_gene),
            (query_count[:, None, None] * to_gene).sum(0),
            to_key_table,
            (by_count * query).sum(0),
            None,
            None,
            None,
            None,
        )


def sum_by_row(weight: Tensor, value: Tensor, column: Tensor) -> Tensor:
    """``(n_rows, d)`` sums of ``weight * value[column]``, as precise as ``weight``.

    ``weight`` and ``column`` are ``(n_rows, places)``.
    """
    if not len(value):
        return value.new_zeros(len(column), value.shape[1])
    return F.embedding_bag(column, value.to(weight.dtype), mode="sum", per_sample_weights=weight)


def sum_by_column(weight: Tensor, value: Tensor, column: Tensor, places: int, shape: torch.Size) -> Tensor:
    """``sum of weight * value[row]`` per column, for rows of ``places`` links each, as precise as ``weight``.

    Parameters
    ----------
    weight, column
        ``(n_rows * places,)``.
    value
        ``(n_rows, d)``.
    shape
        ``(..., d)`` of the result, its first axes flattened into columns.
    """
    n_columns = math.prod(shape[:-1])
    if not n_columns:
        return value.new_zeros(shape)
    order = torch.argsort(column)
    size = torch.zeros(n_columns, dtype=torch.int64, device=column.device).index_add(0, column, torch.ones_like(column))
    row = order.div(places, rounding_mode="floor")
    start = size.cumsum(0) - size
    value = value.to(weight.dtype)
    return F.embedding_bag(row, value, start, mode="sum", per_sample_weights=weight[order]).view(shape)
