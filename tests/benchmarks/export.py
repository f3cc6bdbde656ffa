"""Working out the highest 50 links of every gene of a cell: all cells at once against the dense twin, cell by cell.

Simulated cells of the size of PBMC cells, 29,095 x 107,194 embeddings of 256, hidden 128. There are two twins: the
forward pass as published, whose attention one would keep, and the least that a dense matrix takes, the N x M logits,
their mask and the 50 highest scores of each row. The floor are the products of the blocks alone.
"""

from __future__ import annotations

import time
import tracemalloc
from dataclasses import replace

import dense_paper
import numpy as np
import pandas as pd
import torch
from pbmc import median_seconds, pbmc_cells, pbmc_multiome

from bi2scope.data.multiome import Multiome
from bi2scope.model.batch import GraphBatch, collate
from bi2scope.model.checkpoint import Trained
from bi2scope.model.config import ModelConfig, protocol_defaults
from bi2scope.model.features import Normalisation
from bi2scope.model.memory import keep_freed_memory
from bi2scope.model.network import Bi2Former
from bi2scope.precompute.attend import attend, attend_cells

K_MAX, SWEPT, SHARD, ALONE, REPEATS = 50, 2_560, 768, 16, 3
FEW, MANY = 1_024, 20_480
"""Cells, some of them taken over and over, to see that memory and cost per cell stay."""


def main() -> tuple[dict[str, float], dict[str, float]]:
    """Ratios dense / own per cell, own / products of the blocks, and of many cells over few."""
    multiome, (layout, cells) = pbmc_multiome(SWEPT), pbmc_cells(SWEPT)
    torch.manual_seed(0)
    network = Bi2Former(ModelConfig(dropout=0), layout).eval()
    training = protocol_defaults("paper")[1]
    trained = Trained(network, network.config, training, multiome.genes, multiome.peaks, Normalisation())
    some = cells[:: SWEPT // ALONE]

    @torch.no_grad()
    def forward() -> None:
        for cell in some:
            dense_paper.forward(network, cell)

    def highest() -> None:
        for cell in some:
            dense_paper.highest(network, cell, K_MAX)

    dense = {"forward": median_seconds(forward, 1) / ALONE, "highest": median_seconds(highest, 1) / ALONE}
    keep_freed_memory()
    dense |= {"forward_with_kept_memory": median_seconds(forward, 1) / ALONE}
    alone = median_seconds(lambda: [attend(trained, cell, K_MAX) for cell in some], REPEATS) / ALONE
    swept = median_seconds(lambda: _sweep(trained, multiome, range(SWEPT)), REPEATS) / SWEPT
    batches = [collate([cell], layout.gene_chromosome, layout.peak_chromosome) for cell in some]
    products = sum(map(_product_seconds, batches)) / ALONE
    shard = median_seconds(lambda: _sweep(trained, multiome, range(SHARD)), REPEATS) / SHARD
    taken = {number: _taken(trained, multiome, number) for number in (FEW, MANY)}
    few, many = taken[FEW], taken[MANY]
    ratios = {
        **{f"dense_{name}_over_swept": value / swept for name, value in dense.items()},
        "dense_forward_over_one_by_one": dense["forward"] / alone,
        "swept_over_block_products": swept / products,
        "cost_per_cell_of_20480_over_1024_cells": many[0] / few[0],
        "memory_of_20480_over_1024_cells": many[1] / few[1],
    }
    figures = {f"dense_{name}": value for name, value in dense.items()} | {"one_by_one": alone, "swept": swept}
    figures |= {"swept_as_a_shard_of_768": shard, "block_products": products, "of_20480_cells": many[0]}
    return ratios, {
        **{f"{name}_ms_per_cell": value * 1e3 for name, value in figures.items()},
        **{f"peak_mib_of_arrays_of_{number}_cells": taken[number][1] / 2**20 for number in taken},
    }


def _sweep(trained: Trained, multiome: Multiome, cells: range) -> None:
    for _ in attend_cells(trained, multiome, K_MAX, cells, torch.get_num_threads()):
        pass


def _taken(trained: Trained, multiome: Multiome, number: int) -> tuple[float, float]:
    """Seconds per cell of so many cells, and the most memory that arrays take beside the counts."""
    order = np.resize(np.arange(multiome.n_cells), number)
    many = replace(
        multiome,
        cells=multiome.cells.iloc[order].set_axis(pd.Index([f"cell-{i}" for i in range(number)])),
        rna=multiome.rna[order],
        atac=multiome.atac[order],
    )
    tracemalloc.start()
    began = time.perf_counter()
    _sweep(trained, many, range(many.n_cells))
    seconds = time.perf_counter() - began
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return seconds / many.n_cells, most


def _product_seconds(batch: GraphBatch) -> float:
    _, n_genes, _, n_peaks = batch.blocks.tolist()
    blocks = [(torch.randn(g, 128), torch.randn(128, p)) for g, p in zip(n_genes, n_peaks, strict=True)]
    return median_seconds(lambda: [one @ other for one, other in blocks], REPEATS)
