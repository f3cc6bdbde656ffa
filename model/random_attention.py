"""Attention at random, for a control model: logits that depend on which gene, peak and graph, and on nothing learned.

The logit of a pair is a number spread evenly over (0, 6), made by mixing a hash of the gene with one of the peak; the
gene's takes in the head and all genes and peaks of its graph, so that another cell draws another number. It is the same
on every device and in every run. The mixer is the multiply and xor-shift of integer hash functions, in 32 bits.
"""

from __future__ import annotations

import torch
from torch import Tensor

from bi2scope.model.batch import GraphBatch, Nodes

LARGEST = 6.0
"""Logits at random lie below this: scores from 0.5 to 0.998."""

MULTIPLIER = 0x45D9F3B
MASK = 0xFFFFFFFF
ROUNDS = 2

_GENE, _PEAK, _HEAD = 0x9E3779B9, 0x85EBCA6B, 0xC2B2AE35


def mixed(value: Tensor) -> Tensor:
    """Mix integers, as int64 tensors that hold 32 bits."""
    value = value & MASK
    for _ in range(ROUNDS):
        value = (value * MULTIPLIER) & MASK
        value = value ^ (value >> 16)
    return value


def random_logits(gene: Tensor, peak: Tensor) -> Tensor:
    """Logits of pairs from the hashes of their nodes, which are broadcast; float32."""
    steps = (mixed(gene ^ peak) >> 10) * 2 + 1  # odd and below 2^23: a float32 holds it
    return steps.float() * (LARGEST / 2**23)


def node_hashes(batch: GraphBatch, heads: int) -> tuple[Tensor, Tensor]:
    """Hashes ``(n_genes, heads)`` and ``(n_peaks, heads)`` of the nodes of a batch."""
    gene, peak = (
        mixed(nodes.feature[nodes.slot] + salt) for nodes, salt in ((batch.genes, _GENE), (batch.peaks, _PEAK))
    )
    of_graph = mixed(_sum(gene, batch.genes) ^ _sum(peak, batch.peaks))
    head = torch.arange(heads, device=gene.device) * _HEAD
    own = mixed((gene + of_graph[batch.genes.graph])[:, None] + head)
    return own, peak[:, None].expand(-1, heads)


def _sum(value: Tensor, nodes: Nodes) -> Tensor:
    """``(n_graphs,)`` sum over the nodes of each graph."""
    return value.new_zeros(len(nodes.size)).index_add(0, nodes.graph, value)
