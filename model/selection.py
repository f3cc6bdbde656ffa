"""The choice of each gene's highest peaks: by the compiled kernel on a CPU, by padded batched products elsewhere."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from bi2scope.model import kernel
from bi2scope.model.batch import GraphBatch, PaddedBlocks
from bi2scope.model.blocks import Blocks
from bi2scope.model.random_attention import node_hashes, random_logits

if TYPE_CHECKING:
    from bi2scope.model.attention import Projected

Array = npt.NDArray[Any]


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


@torch.no_grad()
def top_peaks(query: Projected, key: Projected, batch: GraphBatch, places: int) -> TopPeaks:
    """Choose the ``places`` highest peaks of each gene and head; memory grows with the largest block only."""
    if query.table.device.type == "cpu":
        return _chosen(batch, _arrays(query), _arrays(key), places)
    queries, keys = query.nodes(), key.nodes()
    return padded_top(batch, batch.buckets, (query.heads, places), lambda bucket: block_logits(queries, keys, bucket))


@torch.no_grad()
def top_peaks_at_random(batch: GraphBatch, heads: int, places: int) -> TopPeaks:
    """The same with logits drawn at random (:mod:`bi2scope.model.random_attention`)."""
    gene, peak = node_hashes(batch, heads)
    if gene.device.type == "cpu":
        return _chosen(batch, _hashes(gene), _hashes(peak), places, random=True)
    return padded_top(batch, batch.buckets, (heads, places), lambda bucket: block_random_logits(gene, peak, bucket))


def padded_top(
    batch: GraphBatch,
    buckets: tuple[PaddedBlocks, ...],
    shape: tuple[int, int],
    logits: Callable[[PaddedBlocks], Tensor],
) -> TopPeaks:
    """Choose by padded blocks, one bucket after another; the twin of the kernel, on any device.

    Parameters
    ----------
    batch, buckets
        The graphs, and their blocks padded.
    shape
        Heads and places.
    logits
        ``(n_blocks, heads, g, p)`` logits of a bucket, those of the padding whatever they are.
    """
    n_genes, (heads, places) = len(batch.genes.slot), shape
    found: list[tuple[Tensor, Tensor, Tensor, Tensor]] = []
    for bucket in buckets:
        product = logits(bucket)
        product = product.masked_fill(bucket.no_candidate(batch.places)[:, None], -math.inf)
        values, place = ordered_top(product, places)  # (n_blocks, heads, g, k)
        peaks = bucket.peak[:, :1, None, None] + place  # a block's peaks are a run
        genes = bucket.gene.flatten()[bucket.real]
        peaks, values, above = (_of_real_genes(x, bucket) for x in (peaks, values, (product > 0).sum(-1)))
        found.append((genes, peaks, values, above))
    dtype, device = found[0][2].dtype if found else batch.genes.count.dtype, batch.n_elsewhere.device
    peak = torch.full((n_genes, heads, places), -1, dtype=torch.int64, device=device)
    logit = torch.full((n_genes, heads, places), -math.inf, dtype=dtype, device=device)
    n_above = torch.zeros((n_genes, heads), dtype=torch.int64, device=device)
    for genes, peaks, values, above in found:
        k = peaks.shape[-1]
        peak[:, :, :k].index_copy_(0, genes, peaks)
        logit[:, :, :k].index_copy_(0, genes, values)
        n_above.index_copy_(0, genes, above)
    return TopPeaks(peak.masked_fill_(logit == -math.inf, -1), logit, n_above)


def block_logits(query: Tensor, key: Tensor, bucket: PaddedBlocks) -> Tensor:
    """``(n_blocks, heads, g, p)`` products of queries and keys, ``(n, heads, d)`` each."""
    heads, d = query.shape[1:]
    n_blocks, g = bucket.gene.shape
    queries = query.index_select(0, bucket.gene.flatten()).view(n_blocks, g, heads, d).transpose(1, 2)
    keys = key.index_select(0, bucket.peak.flatten()).view(n_blocks, -1, heads, d).permute(0, 2, 3, 1)
    return queries @ keys


def block_random_logits(gene: Tensor, peak: Tensor, bucket: PaddedBlocks) -> Tensor:
    """``(n_blocks, heads, g, p)`` logits at random from the hashes ``(n, heads)`` of the nodes."""
    return random_logits(gene[bucket.gene].transpose(1, 2)[..., None], peak[bucket.peak].transpose(1, 2)[:, :, None])


def ordered_top(product: Tensor, places: int) -> tuple[Tensor, Tensor]:
    """The ``places`` highest of the last axis, equal values in their order there.

    ``torch.topk`` leaves the order of equal values open. In float32 a value and its place make one whole number of
    64 bits, all different, whose order is by value and then by place: no row has to be looked at again.
    """
    k = min(places, product.shape[-1])
    if product.dtype != torch.float32:
        in_order = product.sort(dim=-1, descending=True, stable=True)
        return in_order.values[..., :k], in_order.indices[..., :k]
    bits = (product + 0.0).view(torch.int32).long()  # + 0.0: the two zeros are equal
    ascending = torch.where(bits >= 0, bits, -(2**31) - bits - 1)
    behind = 2**31 - 1 - torch.arange(product.shape[-1], device=product.device)
    place = (ascending * 2**32 + behind).topk(k).indices
    return product.gather(-1, place), place


def _of_real_genes(values: Tensor, bucket: PaddedBlocks) -> Tensor:
    """``(n_blocks, heads, g, ...)`` to ``(n_real, heads, ...)``, without the genes that are padding."""
    return values.transpose(1, 2).flatten(0, 1).index_select(0, bucket.real)


_Nodes = tuple[Array, Array, Array, Array]


def _chosen(batch: GraphBatch, query: _Nodes, key: _Nodes, places: int, random: bool = False) -> TopPeaks:
    near = (np.zeros(0, np.int64), np.zeros(0, np.int64), -1)
    if batch.places is not None:
        near = (batch.places.gene_tss.numpy(), batch.places.peak_middle.numpy(), batch.places.max_distance)
    return TopPeaks(
        *map(torch.from_numpy, kernel.choose(Blocks(*batch.blocks.numpy()), query, key, near, places, random))
    )


def _arrays(projected: Projected) -> _Nodes:
    parts = (projected.table, projected.slot, projected.count, projected.per_count)
    table, slot, count, per_count = (part.detach().contiguous().numpy() for part in parts)
    return table, slot, count, per_count


def _hashes(value: Tensor) -> _Nodes:
    """Hashes of nodes in the shape of queries or keys."""
    table = value[..., None].contiguous().numpy()  # (n_nodes, heads, 1)
    return table, np.arange(len(table)), np.zeros(len(table), np.float32), table[:0, :, 0]
