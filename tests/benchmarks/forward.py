"""The forward pass of the block algorithm against the dense twin, in time and in memory.

Simulated cells of the size of PBMC cells, 29,095 x 107,194 embeddings of 256, hidden 128. The network is not trained
meanwhile, so that what depends on a gene or a peak alone is computed once (``Bi2Former.tables``); that time stands by
itself. The twin takes cells one by one and is timed twice: as plain code runs, and with the setting of the allocator
that long computations here use (:mod:`bi2scope.model.memory`). Memory is what a process needs at its peak, forward
and backward, above what it held before (Linux: VmHWM).
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import re
from collections.abc import Callable
from pathlib import Path

import dense_paper
import psutil
import torch
from pbmc import median_seconds, pbmc_cells

from bi2scope.model.batch import collate
from bi2scope.model.config import ModelConfig
from bi2scope.model.memory import keep_freed_memory
from bi2scope.model.network import Bi2Former

BATCH, REPEATS = 16, 9


def main() -> tuple[dict[str, float], dict[str, float]]:
    """Ratios dense / block per cell."""
    layout, cells = pbmc_cells(BATCH)
    memory = {name: _peak_bytes(name) for name in ("dense", "block")}  # first: a fork does not mix well with threads
    network = _network()
    with torch.no_grad():

        def dense() -> None:
            for cell in cells:
                dense_paper.forward(network, cell)

        plain = median_seconds(dense, 2) / BATCH
        keep_freed_memory()
        kept = median_seconds(dense, 2) / BATCH
        tables = network.tables()
        batch = collate(cells, layout.gene_chromosome, layout.peak_chromosome)
        own = median_seconds(lambda: network(batch, tables), REPEATS) / BATCH
        made = median_seconds(lambda: collate(cells, layout.gene_chromosome, layout.peak_chromosome), REPEATS) / BATCH
        whole = median_seconds(lambda: network(batch, network.tables()), 3) - own * BATCH
        _, n_genes, _, n_peaks = batch.blocks.tolist()
        blocks = [(torch.randn(g, 128), torch.randn(128, p)) for g, p in zip(n_genes, n_peaks, strict=True)]
        floor = median_seconds(lambda: [one @ other for one, other in blocks], REPEATS) / BATCH
    ratios = {
        "dense_over_block": plain / own,
        "dense_with_kept_memory_over_block": kept / own,
        "block_over_block_products": own / floor,
        "block_memory_over_dense": memory["block"] / memory["dense"],
    }
    figures = {"dense": plain, "dense_with_kept_memory": kept, "block": own, "collate": made, "block_products": floor}
    return ratios, {
        **{f"{name}_ms_per_cell": seconds * 1e3 for name, seconds in figures.items()},
        "tables_ms_once": whole * 1e3,
        **{f"{name}_peak_mib_per_graph": size / 2**20 for name, size in memory.items()},
    }


def _network() -> Bi2Former:
    torch.manual_seed(0)
    return Bi2Former(ModelConfig(dropout=0), pbmc_cells(BATCH)[0]).eval()


def _peak_bytes(name: str) -> float:
    """Bytes per graph of a forward and backward pass above what stood before, in a fresh process.

    The dense twin takes its largest cell, the block algorithm a batch of all: per graph, its share of the batch.
    """
    context = multiprocessing.get_context("fork")
    receive, send = context.Pipe(duplex=False)
    process = context.Process(target=_measure, args=(name, send))
    process.start()
    size: float = receive.recv()
    process.join()
    return size


def _measure(name: str, send: multiprocessing.connection.Connection) -> None:
    torch.set_num_threads(1)  # a forked process has none of its parent's threads
    network, (layout, cells) = _network(), pbmc_cells(BATCH)
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)  # the gradients of the embeddings are no part of a graph
    work: dict[str, Callable[[], torch.Tensor]] = {
        "dense": lambda: dense_paper.forward(network, max(cells, key=lambda c: len(c.gene_index) * len(c.peak_index))),
        "block": lambda: network(collate(cells, layout.gene_chromosome, layout.peak_chromosome))[0],
    }
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts anew
    before = psutil.Process().memory_info().rss
    work[name]().sum().backward()
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert peak is not None
    send.send((int(peak[1]) * 1024 - before) / (BATCH if name == "block" else 1))
