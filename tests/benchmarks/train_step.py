"""A training step of the block algorithm against the dense twin, and where its time goes.

Simulated cells of the size of PBMC cells, 29,095 x 107,194 embeddings of 256, hidden 128, batches of 16. The twin takes
cells one by one, as published, with the same fused Adam. It is timed twice: as plain code runs, and with the setting
of the allocator that training here uses (:mod:`bi2scope.model.memory`).
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable

import dense_paper
import torch
from pbmc import median_seconds, pbmc_cells
from torch import nn

from bi2scope.model.attention import sum_by_row
from bi2scope.model.batch import GraphBatch, collate
from bi2scope.model.config import ModelConfig
from bi2scope.model.memory import keep_freed_memory
from bi2scope.model.network import Bi2Former
from bi2scope.model.selection import top_peaks

BATCH, REPEATS = 16, 3


def main() -> tuple[dict[str, float], dict[str, float]]:
    """Ratios dense / block per graph, and PyG / block of one sum of messages; milliseconds per graph."""
    layout, cells = pbmc_cells(BATCH)
    torch.manual_seed(0)
    network = Bi2Former(ModelConfig(dropout=0), layout)
    optimiser = torch.optim.Adam(network.parameters(), lr=5e-5, weight_decay=1e-6, fused=True)

    def dense() -> None:
        for cell in cells:
            dense_paper.step(network, optimiser, cell)

    def block() -> None:
        batch = collate(cells, layout.gene_chromosome, layout.peak_chromosome)
        optimiser.zero_grad()
        nn.functional.cross_entropy(network(batch)[0], torch.ones(BATCH, dtype=torch.long)).backward()
        optimiser.step()

    plain = median_seconds(dense, 1) / BATCH
    keep_freed_memory()
    kept = median_seconds(dense, 1) / BATCH
    own = median_seconds(block, REPEATS) / BATCH
    batch = collate(cells, layout.gene_chromosome, layout.peak_chromosome)
    shares = parts(network, optimiser, cells)
    floor = product_floor(network, batch)
    message = message_seconds(network, batch)
    alone = batch_of_one(network, optimiser, cells)
    ratios = {
        "dense_over_block": plain / own,
        "dense_with_kept_memory_over_block": kept / own,
        "block_over_product_floor": own * BATCH / floor,
        "message_pyg_over_block": message["pyg"] / message["block"],
    }
    figures = {"dense_ms_per_graph": plain, "dense_with_kept_memory_ms_per_graph": kept, "block_ms_per_graph": own}
    figures |= {f"{name}_ms_per_graph": seconds / BATCH for name, seconds in shares.items()}
    figures |= {"product_floor_ms_per_graph": floor / BATCH, "adam_ms_per_step": shares["optimiser"]}
    figures |= {f"batch_of_one_{name}_ms": seconds for name, seconds in alone.items()}
    return ratios, {name: seconds * 1e3 for name, seconds in figures.items()}


def parts(network: Bi2Former, optimiser: torch.optim.Optimizer, cells: list) -> dict[str, float]:
    """Seconds of each part of one step on a batch."""
    layout, layer = network.layout, network.layers[0]
    batch = collate(cells, layout.gene_chromosome, layout.peak_chromosome)
    label = torch.ones(len(cells), dtype=torch.long)
    with torch.no_grad():
        genes, peaks = network.inputs(batch)
        query, key = layer.queries_and_keys(genes, peaks)
        attention = layer.attend(genes, peaks, batch)
        found = {
            "collate": lambda: collate(cells, layout.gene_chromosome, layout.peak_chromosome),
            "gather_embeddings": lambda: network.inputs(batch),
            "project_queries_and_keys": lambda: layer.queries_and_keys(genes, peaks),
            "logits_and_top_ten": lambda: top_peaks(query, key, batch, 10),
            "messages_and_means": lambda: layer.means(genes, peaks, attention, batch),
        }
        seconds = {name: median_seconds(work, REPEATS) for name, work in found.items()}

    def backward_seconds() -> float:
        network.zero_grad()
        loss = nn.functional.cross_entropy(network(batch)[0], label)
        began = time.perf_counter()
        loss.backward()
        return time.perf_counter() - began

    seconds["backward"] = sorted(backward_seconds() for _ in range(REPEATS))[REPEATS // 2]
    seconds["optimiser"] = median_seconds(optimiser.step, REPEATS)
    return seconds


def batch_of_one(network: Bi2Former, optimiser: torch.optim.Optimizer, cells: list) -> dict[str, float]:
    """Seconds of a step on one graph, as the published protocol takes them, and those of its optimiser."""
    layout, label, cell = network.layout, torch.ones(1, dtype=torch.long), cells[0]

    def step() -> None:
        optimiser.zero_grad()
        batch = collate([cell], layout.gene_chromosome, layout.peak_chromosome)
        nn.functional.cross_entropy(network(batch)[0], label).backward()
        optimiser.step()

    return {"step": median_seconds(step, REPEATS), "adam": median_seconds(optimiser.step, REPEATS)}


def product_floor(network: Bi2Former, batch: GraphBatch) -> float:
    """Seconds of the matrix products that a step cannot do without, on matrices of their sizes.

    Projection to queries and keys once per distinct feature, and twice its work back; the logits of every block; the
    weighted sums over the inputs (for message and self term of each side) and twice their work back.
    """
    id_dim, hidden, graphs = network.config.id_dim, network.config.hidden, batch.n_graphs
    work: list[Callable[[], object]] = []
    for nodes, static in ((batch.genes, network.gene_static), (batch.peaks, network.peak_static)):
        inputs = torch.randn(len(nodes.feature), id_dim + 1 + static.shape[1])
        weight, out = torch.randn(inputs.shape[1], hidden), torch.randn(len(inputs), hidden)
        rows, sums = torch.randn(2 * graphs, len(inputs)), torch.randn(2 * graphs, inputs.shape[1])
        work += [lambda i=inputs, w=weight: i @ w, lambda i=inputs, o=out: i.T @ o, lambda w=weight, o=out: o @ w.T]
        work += [lambda r=rows, i=inputs: r @ i, lambda r=rows, s=sums: r.T @ s, lambda s=sums, i=inputs: s @ i.T]
    _, n_genes, _, n_peaks = batch.blocks.tolist()
    blocks = [(torch.randn(g, hidden), torch.randn(hidden, p)) for g, p in zip(n_genes, n_peaks, strict=True)]
    work.append(lambda: [one @ other for one, other in blocks])
    return sum(median_seconds(each, REPEATS) for each in work)


def message_seconds(network: Bi2Former, batch: GraphBatch) -> dict[str, float]:
    """Messages to the genes over the surviving links, forward and backward: PyG's gather and scatter, or fused sums."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # torch.jit.script, at import
        from torch_geometric.utils import scatter
    with torch.no_grad():
        attention = network.attention(batch)[0]
    n, value = len(batch.genes.slot), torch.randn(len(batch.peaks.slot), 128, requires_grad=True)
    links, peak, weight = attention.links(), attention.peak.clamp(min=0).flatten(0, 1), attention.weight.flatten(0, 1)

    def by_pyg() -> None:
        scatter(value[links.peak] * links.weight[:, None], links.gene, dim=0, dim_size=n, reduce="sum").sum().backward()

    def by_rows() -> None:
        sum_by_row(weight, value, peak).sum().backward()

    return {"pyg": median_seconds(by_pyg, REPEATS), "block": median_seconds(by_rows, REPEATS)}
