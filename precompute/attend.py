"""The attention of one cell as the store keeps it: the highest links of every gene, layer by layer and head by head."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from bi2scope.data.attention import WEIGHTED_PER_ROW, CellAttention, score_of, softmax_denominator
from bi2scope.data.graph import CellGraph
from bi2scope.model.attention import TopPeaks, top_peaks
from bi2scope.model.batch import GraphBatch, collate
from bi2scope.model.checkpoint import Trained


@torch.no_grad()
def attend(trained: Trained, graph: CellGraph, k_max: int) -> list[list[CellAttention]]:
    """Attention of one cell.

    Parameters
    ----------
    trained
        The model.
    graph
        The cell, its features positions in the model's genes and peaks (:meth:`Trained.align`).
    k_max
        Links kept per gene: the highest by logit, of those with a logit above 0, ties in genome order.

    Returns
    -------
    One :class:`CellAttention` per layer and head: ``attention[layer][head]``.
    """
    layout = trained.network.layout
    batch = collate([graph], layout.gene_chromosome, layout.peak_chromosome, layout.window)
    places = max(k_max, WEIGHTED_PER_ROW)
    attention = []
    for query, key in _queries_and_keys(trained, batch):
        top = top_peaks(query, key, batch.buckets, places, counted=True)
        attention.append([_of_head(graph, top, head, k_max, batch.n_elsewhere) for head in range(query.shape[1])])
    return attention


def _queries_and_keys(trained: Trained, batch: GraphBatch) -> list[tuple[Tensor, Tensor]]:
    """Queries ``(n_genes, heads, d)`` and keys ``(n_peaks, heads, d)`` of each layer.

    Those of the first layer come from factors computed once for all cells; only a deeper model has to be run.
    """
    network = trained.network
    if trained.model_config.layers > 1:
        return [(attention.query, attention.key) for attention in network.attention(batch)]
    factors, heads = trained.factors, trained.model_config.heads
    gene, peak = batch.genes.feature[batch.genes.slot], batch.peaks.feature[batch.peaks.slot]
    query = factors.query[gene] + network.scaled(batch.genes.count)[:, None] * factors.query_per_count
    key = factors.key[peak] + network.scaled(batch.peaks.count)[:, None] * factors.key_per_count
    width = query.shape[1] // heads
    return [(query.view(len(query), heads, width), key.view(len(key), heads, width))]


def _of_head(graph: CellGraph, top: TopPeaks, head: int, k_max: int, n_elsewhere: Tensor) -> CellAttention:
    """One head's rows, ragged: the kept links alone."""
    logit, peak = top.logit[:, head].numpy(), top.peak[:, head].numpy()  # (n_genes, places)
    kept = logit[:, :k_max] > 0
    elsewhere = n_elsewhere.numpy()  # (n_genes,) peaks that are no candidates
    denominator = softmax_denominator(
        score_of(logit[:, :WEIGHTED_PER_ROW]), len(graph.peak_index) - elsewhere, elsewhere
    )
    return CellAttention(
        gene=graph.gene_index.astype(np.int32),
        row_start=np.concatenate(([0], np.cumsum(kept.sum(axis=1)))).astype(np.int64),
        peak=graph.peak_index[peak[:, :k_max][kept]].astype(np.int32),
        logit=logit[:, :k_max][kept].astype(np.float32),
        n_above=top.n_above[:, head].numpy().astype(np.int32),
        denominator=denominator,
    )
