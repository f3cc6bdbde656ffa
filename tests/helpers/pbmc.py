"""Cells for benchmarks, of the size of PBMC cells, and a watch."""

import functools
import statistics
import time
from collections.abc import Callable

import numpy as np

from bi2scope.data.graph import CellGraph, cell_graph
from bi2scope.data.multiome import Multiome
from bi2scope.data.simulator import simulate
from bi2scope.model.features import Normalisation, feature_layout
from bi2scope.model.network import FeatureLayout


@functools.cache
def pbmc_multiome(n_cells: int) -> Multiome:
    """Simulated cells over 29,095 genes and 107,194 peaks, about 1,900 and 7,600 of them in a cell."""
    multiome = simulate("pbmc10k", n_cells=max(n_cells, 48), seed=0).multiome
    return multiome.take_cells(np.arange(n_cells))


@functools.cache
def pbmc_cells(n_cells: int) -> tuple[FeatureLayout, list[CellGraph]]:
    """The same cells as graphs."""
    multiome = pbmc_multiome(n_cells)
    layout = feature_layout(multiome.genes, multiome.peaks, Normalisation())
    return layout, [cell_graph(multiome, cell, cell) for cell in range(n_cells)]


def median_seconds(work: Callable[[], object], repeats: int) -> float:
    """Seconds of a piece of work, after one round to warm up."""
    work()
    seconds = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds)
