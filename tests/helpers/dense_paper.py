"""The dense twin as the paper's formula states it: one cell, an N x M matrix, its mask, ``topk`` of whole rows."""

import dense_network
import torch
from torch.nn.functional import cross_entropy, linear


def topk_weight(logit, same, places=10):
    """(heads, N, M) pruned attention, chosen by ``torch.topk`` as published: equal scores in any order."""
    score = torch.sigmoid(torch.where(same, logit, 0.0))
    top = score.topk(places, dim=-1)
    share = torch.where(top.values > 0.5, torch.softmax(top.values, -1), 0.0)
    return torch.zeros_like(score).scatter(-1, top.indices, share)


def forward(network, graph):
    """(1, 2) logits of a cell."""
    kept, dense_network.dense_weight = dense_network.dense_weight, topk_weight
    try:
        return dense_network.dense_forward(network, graph)[0]
    finally:
        dense_network.dense_weight = kept


def step(network, optimiser, graph):
    """One training step on one matched cell."""
    optimiser.zero_grad()
    cross_entropy(forward(network, graph), torch.ones(1, dtype=torch.long)).backward()
    optimiser.step()


@torch.no_grad()
def highest(network, graph, places):
    """Scores and peaks (N, places) of a cell's highest links, one layer and head."""
    p, prefix = dict(network.named_parameters()), "cross_attention_layers.0."
    x, y, same = dense_network.dense_inputs(network, graph)
    query = linear(x, p[f"{prefix}rna_query.weight"], p[f"{prefix}rna_query.bias"])
    key = linear(y, p[f"{prefix}atac_key.weight"], p[f"{prefix}atac_key.bias"])
    return torch.sigmoid(torch.where(same, query @ key.mT, 0.0)).topk(places, dim=-1)
