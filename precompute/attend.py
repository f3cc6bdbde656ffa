"""Attention as the store keeps it: the highest links of every gene of a cell, layer by layer and head by head."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from bi2scope.data.attention import WEIGHTED_PER_ROW, CellAttention, score_of, softmax_denominator
from bi2scope.data.graph import CellGraph, cell_graph
from bi2scope.data.multiome import Multiome
from bi2scope.model.batch import GraphBatch, collate
from bi2scope.model.checkpoint import Trained
from bi2scope.model.selection import TopPeaks, top_peaks, top_peaks_at_random
from bi2scope.precompute.sweep import Sweep, can_sweep


def attend_cells(
    trained: Trained, multiome: Multiome, k_max: int, cells: range, threads: int = 1
) -> Iterator[list[list[CellAttention]]]:
    """Attention of one cell after another, each as :func:`attend` gives it; many at once where the model allows it.

    Parameters
    ----------
    trained
        The model.
    multiome
        Cells over the model's features (:meth:`Trained.align`).
    k_max
        Links kept per gene.
    cells
        Positions of the cells, one after another.
    threads
        Threads that share the work of a sweep.
    """
    if not can_sweep(trained):
        for cell in cells:
            yield attend(trained, cell_graph(multiome, cell, cell), k_max)
        return
    swept = Sweep(trained, multiome, k_max, threads).attend(cells)
    for cell, attention in zip(cells, swept, strict=True):
        yield attention or attend(trained, cell_graph(multiome, cell, cell), k_max)


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
    return [
        [_of_head(graph, top, head, k_max, batch.n_elsewhere) for head in range(trained.model_config.heads)]
        for top in _highest(trained, batch, places)
    ]


def _highest(trained: Trained, batch: GraphBatch, places: int) -> list[TopPeaks]:
    """The highest peaks of each layer."""
    config = trained.model_config
    if config.attention == "random":
        return [top_peaks_at_random(batch, config.heads, places)] * config.layers
    if config.layers == 1:
        return [top_peaks(*trained.network.first_queries_and_keys(batch, trained.tables), batch, places)]
    attention = trained.network.attention(batch, trained.tables)
    return [top_peaks(layer.query, layer.key, batch, places) for layer in attention]


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
