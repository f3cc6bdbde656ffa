"""One training step of the block algorithm against the dense twin, on random cells of the size of PBMC cells.

The twin chooses its ten highest by ``torch.topk``, as the published code does. Neither side has an optimiser in it.
"""

from __future__ import annotations

import statistics
import time
import warnings
from collections.abc import Callable

import dense_network
import numpy as np
import torch
from networks import random_layout

from bi2scope.data.graph import CellGraph
from bi2scope.model.attention import sum_links
from bi2scope.model.batch import collate
from bi2scope.model.config import ModelConfig
from bi2scope.model.memory import keep_freed_memory
from bi2scope.model.network import Bi2Former, FeatureLayout

N_GENES, N_PEAKS, N_CHROMOSOMES = 8_000, 30_000, 24
GENES_OF_A_CELL, PEAKS_OF_A_CELL = 1_800, 7_500
CELLS = 4
REPEATS = 3


def main() -> tuple[dict[str, float], dict[str, float]]:
    """Ratios dense / block of a forward pass and of a step, and PyG / block of one sum of messages."""
    keep_freed_memory()
    rng = np.random.default_rng(0)
    layout = random_layout(rng, N_GENES, N_PEAKS, N_CHROMOSOMES)
    torch.manual_seed(0)
    network = Bi2Former(ModelConfig(id_dim=64, hidden=128, dropout=0), layout)
    cells = [_cell(rng) for _ in range(CELLS)]
    dense_network.dense_weight = _topk_weight
    seconds = {
        "block_forward": _median(lambda: _forward_blocks(network, layout, cells)),
        "dense_forward": _median(lambda: _forward_dense(network, cells)),
        "block_step": _median(lambda: _step(network, _blocks(network, layout, cells))),
        "dense_step": _median(lambda: _steps_dense(network, cells)),
    }
    message = _message_seconds(network, layout, cells)
    ratios = {
        "forward_dense_over_block": seconds["dense_forward"] / seconds["block_forward"],
        "step_dense_over_block": seconds["dense_step"] / seconds["block_step"],
        "message_pyg_over_block": message["pyg"] / message["block"],
    }
    figures = {f"{name}_ms_per_cell": value / CELLS * 1e3 for name, value in seconds.items()}
    return ratios, figures | {f"message_{name}_ms": value * 1e3 for name, value in message.items()}


def _cell(rng: np.random.Generator) -> CellGraph:
    parts = []
    for n, size in ((N_GENES, GENES_OF_A_CELL), (N_PEAKS, PEAKS_OF_A_CELL)):
        parts += [np.sort(rng.choice(n, size, replace=False)), rng.integers(1, 5, size).astype(np.float32)]
    return CellGraph(*parts)


def _topk_weight(logit: torch.Tensor, same: torch.Tensor, places: int = 10) -> torch.Tensor:
    score = torch.sigmoid(torch.where(same, logit, 0.0))
    top = score.topk(places, dim=-1)
    share = torch.where(top.values > 0.5, torch.softmax(top.values, -1), 0.0)
    return torch.zeros_like(score).scatter(-1, top.indices, share)


def _blocks(network: Bi2Former, layout: FeatureLayout, cells: list[CellGraph]) -> torch.Tensor:
    return network(collate(cells, layout.gene_chromosome, layout.peak_chromosome))[0]


@torch.no_grad()
def _forward_blocks(network: Bi2Former, layout: FeatureLayout, cells: list[CellGraph]) -> None:
    _blocks(network, layout, cells)


@torch.no_grad()
def _forward_dense(network: Bi2Former, cells: list[CellGraph]) -> None:
    for cell in cells:
        dense_network.dense_forward(network, cell)


def _step(network: Bi2Former, logits: torch.Tensor) -> None:
    network.zero_grad()
    torch.nn.functional.cross_entropy(logits, torch.ones(len(logits), dtype=torch.long)).backward()


def _steps_dense(network: Bi2Former, cells: list[CellGraph]) -> None:
    for cell in cells:  # one at a time: the dense matrices of a batch would not fit
        _step(network, dense_network.dense_forward(network, cell)[0])


def _message_seconds(network: Bi2Former, layout: FeatureLayout, cells: list[CellGraph]) -> dict[str, float]:
    """Messages to the genes over the surviving links, forward and backward: gather and scatter, or fused sums."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # torch.jit.script, at import
        from torch_geometric.utils import scatter
    batch = collate(cells, layout.gene_chromosome, layout.peak_chromosome)
    with torch.no_grad():
        attention = network.attention(batch)[0]
    n, value = len(batch.genes.slot), torch.randn(len(batch.peaks.slot), 128, requires_grad=True)

    def by_pyg() -> None:
        messages = value[attention.peak] * attention.weight[:, None]
        scatter(messages, attention.gene, dim=0, dim_size=n, reduce="sum").sum().backward()

    def by_bags() -> None:
        sum_links(attention.weight, value, attention.gene, attention.peak, n).sum().backward()

    return {"pyg": _median(by_pyg), "block": _median(by_bags)}


def _median(work: Callable[[], None]) -> float:
    """Seconds of a piece of work, after one round to warm up."""
    work()
    seconds = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)
