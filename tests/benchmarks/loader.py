"""Batches of 10,000 random cells with as many genes and peaks as PBMC cells, and a million pairs of them.

A step is timed on the network of the default protocol, so that one sees whether workers can pay at all: they can hide
no more than the time that making a batch takes beside it.
"""

from __future__ import annotations

import time
from itertools import islice

import numpy as np
import pandas as pd
import psutil
import torch
from scipy import sparse

from bi2scope.data.multiome import Multiome
from bi2scope.data.pairs import Mismatches, Pairs, labelled_pairs
from bi2scope.model.config import protocol_defaults
from bi2scope.model.features import Normalisation, feature_layout
from bi2scope.model.loader import PairLoader
from bi2scope.model.memory import keep_freed_memory
from bi2scope.model.network import Bi2Former, FeatureLayout

N_CELLS, N_GENES, N_PEAKS, N_CHROMOSOMES = 10_000, 29_000, 107_000, 24
GENES_OF_A_CELL, PEAKS_OF_A_CELL = 1_800, 7_500
BATCH, DROPOUT = 16, 0.5
BATCHES, STEPS = 60, 3
WORKERS = (0, 1, 2)


def main() -> tuple[dict[str, float], dict[str, float]]:
    """Ratios of batches per second, workers over none, and of a step over making its batch; the first batch."""
    keep_freed_memory()
    rng = np.random.default_rng(0)
    multiome, pairs_s = _multiome(rng), _million_pairs_s()
    began = time.perf_counter()
    types = multiome.cells["cell_type"].cat.codes.to_numpy()
    pairs = labelled_pairs(np.arange(N_CELLS), types, rng, Mismatches(1, 0.5))
    layout = feature_layout(multiome.genes, multiome.peaks, Normalisation())
    prepared = time.perf_counter() - began
    rate, figures = {}, {"million_pairs_s": pairs_s}
    for workers in WORKERS:
        first, rate[workers], own = _timed(PairLoader(multiome, layout, BATCH, workers), pairs)
        figures[f"first_batch_{workers}_workers_s"] = prepared + first
        figures[f"batches_per_s_{workers}_workers"] = rate[workers]
        if workers:
            figures[f"own_memory_of_a_worker_{workers}_workers_mib"] = own / 2**20
    figures["counts_mib"] = _bytes(multiome) / 2**20
    step = _step_s(multiome, layout, pairs)
    figures["step_ms"] = step * 1e3
    ratios = {f"batches_{workers}_workers_over_0": rate[workers] / rate[0] for workers in WORKERS if workers}
    return ratios | {"step_over_batch": step * rate[0]}, figures


def _multiome(rng: np.random.Generator) -> Multiome:
    """Cells whose genes and peaks are drawn evenly; only what batches are made of is filled in."""
    tables = []
    for n in (N_GENES, N_PEAKS):
        start = np.arange(n) * 1000
        chrom = np.array([f"chr{number + 1}" for number in range(N_CHROMOSOMES)])[np.arange(n) * N_CHROMOSOMES // n]
        tables.append(pd.DataFrame({"chrom": chrom, "start": start, "end": start + 500}))
    genes, peaks = tables
    genes = genes.assign(strand="+", means=rng.random(N_GENES), variances_norm=1.0, highly_variable=True)
    cells = pd.DataFrame({"cell_type": pd.Categorical(rng.integers(0, 20, N_CELLS))})
    rna, atac = (_counts(rng, *size) for size in ((N_GENES, GENES_OF_A_CELL), (N_PEAKS, PEAKS_OF_A_CELL)))
    return Multiome(cells, genes, peaks, rna, atac)


def _counts(rng: np.random.Generator, n_features: int, per_cell: int) -> sparse.csr_matrix:
    """About ``per_cell`` features of every cell, one from each of as many stretches, so that no cell needs sorting."""
    stretch = n_features / per_cell
    places = (np.arange(per_cell) + rng.random((N_CELLS, per_cell), dtype=np.float32)) * stretch
    indices = np.minimum(places, n_features - 1).astype(np.int32).ravel()
    indptr = np.arange(0, len(indices) + 1, per_cell)
    counts = rng.integers(1, 5, len(indices), dtype=np.int8).astype(np.float32)
    return sparse.csr_matrix((counts, indices, indptr), shape=(N_CELLS, n_features))


def _bytes(multiome: Multiome) -> int:
    return sum(part.nbytes for m in (multiome.rna, multiome.atac) for part in (m.data, m.indices, m.indptr))


def _million_pairs_s() -> float:
    types = np.random.default_rng(1).integers(0, 20, N_CELLS)
    began = time.perf_counter()
    labelled_pairs(np.arange(N_CELLS), types, np.random.default_rng(2), Mismatches(99, 0.5))
    return time.perf_counter() - began


def _timed(loader: PairLoader, pairs: Pairs) -> tuple[float, float, int]:
    """Seconds to the first batch, batches per second after it, and the largest worker's unshared bytes."""
    began = time.perf_counter()
    batches = loader.batches(pairs, node_dropout=DROPOUT, rng=np.random.default_rng(3))
    next(batches)
    first = time.perf_counter()
    for _ in islice(batches, BATCHES):
        pass
    rate = BATCHES / (time.perf_counter() - first)
    workers = psutil.Process().children()
    return first - began, rate, max((worker.memory_full_info().uss for worker in workers), default=0)


def _step_s(multiome: Multiome, layout: FeatureLayout, pairs: Pairs) -> float:
    """Forward and backward pass of a batch that is made already."""
    torch.manual_seed(0)
    network = Bi2Former(protocol_defaults("bi2scope")[0], layout)
    loader = PairLoader(multiome, layout, BATCH)
    batches = list(islice(loader.batches(pairs, node_dropout=DROPOUT, rng=np.random.default_rng(3)), STEPS + 1))
    began = 0.0
    for number, (batch, label) in enumerate(batches):
        if number == 1:  # the first warms up
            began = time.perf_counter()
        network.zero_grad()
        torch.nn.functional.cross_entropy(network(batch)[0], label).backward()
    return (time.perf_counter() - began) / STEPS
