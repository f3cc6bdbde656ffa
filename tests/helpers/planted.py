"""Stores of simulated cells whose attention is made of the planted truth, so that what should be found is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from stores import kept_links, tiny_attributes

from bi2scope.data.graph import cell_graph
from bi2scope.data.simulation.truth import BETWEEN
from bi2scope.data.simulator import Simulated
from bi2scope.data.store.cells_table import Embedding
from bi2scope.data.store.writer import StoreWriter

K_MAX = 20


def planted_store(path: Path, truth: Simulated, strength: float = 6.0, seed: int = 0) -> Path:
    """Noise for every pair, and ``strength`` more for the planted links that are at work in the type of the cell."""
    multiome = truth.multiome
    rng = np.random.default_rng(seed)
    with StoreWriter(path, multiome, tiny_attributes(name="planted", k_max=K_MAX)) as writer:
        writer.write_embedding(Embedding(rng.normal(size=(multiome.n_cells, 2)), "two random numbers per cell"))
        at_work = {name: planted_pairs(truth, name) for name in multiome.cells["cell_type"].cat.categories}
        for cell, name in enumerate(multiome.cells["cell_type"]):
            graph = cell_graph(multiome, cell, cell)
            logits = rng.normal(-1, 1, (len(graph.gene_index), len(graph.peak_index)))
            logits += strength * at_work[name][graph.gene_index][:, graph.peak_index]
            same = multiome.gene_chromosome[graph.gene_index][:, None] == multiome.peak_chromosome[graph.peak_index]
            writer.write_cell([[kept_links(logits.astype(np.float32), same, graph, K_MAX)]])
    return path


def planted_pairs(truth: Simulated, cell_type: str) -> np.ndarray:
    """``(n_genes, n_peaks)`` whether a planted link is at work in a type."""
    found = np.zeros((truth.multiome.n_genes, truth.multiome.n_peaks), dtype=bool)
    own = truth.links[[cell_type in each.split(BETWEEN) for each in truth.links["cell_types"]]]
    gene = pd.Index(truth.multiome.genes.index).get_indexer(own["gene_id"])
    peak = pd.Index(truth.multiome.peaks.index).get_indexer(own["peak"])
    found[gene, peak] = True
    return found
