"""Small valid stores with random but self-consistent attention, made without torch."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
from scipy import sparse

from bi2scope.data.attention import (
    WEIGHTED_PER_ROW,
    CellAttention,
    score_of,
    softmax_denominator,
)
from bi2scope.data.candidates import Window
from bi2scope.data.factors import Factors
from bi2scope.data.graph import CellGraph, cell_graph
from bi2scope.data.multiome import Multiome
from bi2scope.data.store import histogram_writer
from bi2scope.data.store.cells_table import Embedding
from bi2scope.data.store.schema import StoreAttributes
from bi2scope.data.store.writer import StoreWriter

CHROMOSOMES = ("chr1", "chr2", "chr10", "chrX")
CELL_TYPES = ("B cell", "CD4 naive", "CD14 monocyte")


@dataclasses.dataclass(frozen=True)
class RandomModel:
    """Queries and keys of every gene and peak; ``z = q·k`` on one chromosome, per layer and head."""

    query: np.ndarray  # (layers, heads, n_genes, d)
    key: np.ndarray  # (layers, heads, n_peaks, d)
    bias: np.ndarray  # (n_genes,): some genes have no link at all, some saturate
    window: Window | None = None

    @classmethod
    def of(
        cls,
        multiome: Multiome,
        rng: np.random.Generator,
        layers: int = 1,
        heads: int = 1,
        max_distance: int | None = None,
    ) -> RandomModel:
        shape, d = (layers, heads), 8
        return cls(
            rng.normal(size=(*shape, multiome.n_genes, d)).astype(np.float32),
            rng.normal(size=(*shape, multiome.n_peaks, d)).astype(np.float32),
            rng.normal(scale=4, size=multiome.n_genes).astype(np.float32),
            Window.of(multiome.genes, multiome.peaks, max_distance),
        )

    def logits(self, graph: CellGraph, layer: int, head: int) -> np.ndarray:
        """``(n_genes, n_peaks)`` of the graph, whether or not the chromosomes agree."""
        query, key = self.query[layer, head, graph.gene_index], self.key[layer, head, graph.peak_index]
        return query @ key.T + self.bias[graph.gene_index, None]

    def factors(self) -> Factors:
        """The same logits as factors of the first layer: the bias is one more dimension; counts have no part."""
        heads = range(self.query.shape[1])
        bias, one = self.bias[:, None], np.ones((self.key.shape[2], 1), dtype=np.float32)
        query = np.concatenate([column for h in heads for column in (self.query[0, h], bias)], axis=1)
        key = np.concatenate([column for h in heads for column in (self.key[0, h], one)], axis=1)
        nothing = np.zeros(query.shape[1], dtype=np.float32)
        return Factors(query, nothing, key, nothing, len(heads), "raw")

    def attend(self, multiome: Multiome, graph: CellGraph, k_max: int) -> list[list[CellAttention]]:
        """Attention of one cell, ``[layer][head]``."""
        layers, heads = self.query.shape[:2]
        same = multiome.gene_chromosome[graph.gene_index][:, None] == multiome.peak_chromosome[graph.peak_index]
        if self.window is not None:
            same &= self.window.near(graph.gene_index[:, None], graph.peak_index)
        return [
            [kept_links(self.logits(graph, layer, head), same, graph, k_max) for head in range(heads)]
            for layer in range(layers)
        ]


def kept_links(logits: np.ndarray, same: np.ndarray, graph: CellGraph, k_max: int) -> CellAttention:
    """The dense logits of one cell as rows of links, plainly, gene by gene."""
    peaks, values, n_above, top = [], [], [], np.zeros((len(logits), WEIGHTED_PER_ROW), dtype=np.float32)
    for row, (logit, possible) in enumerate(zip(logits, same, strict=True)):
        own = np.flatnonzero(possible)
        own = own[np.argsort(-logit[own], kind="stable")]
        best = score_of(logit[own[:WEIGHTED_PER_ROW]])
        top[row, : len(best)] = best
        above = own[score_of(logit[own]) > np.float32(0.5)]
        n_above.append(len(above))
        peaks.append(graph.peak_index[above[:k_max]])
        values.append(logit[above[:k_max]])
    return CellAttention(
        gene=graph.gene_index.astype(np.int32),
        row_start=np.concatenate([[0], np.cumsum([len(row) for row in peaks], dtype=np.int64)]),
        peak=np.concatenate([np.zeros(0), *peaks]).astype(np.int32),
        logit=np.concatenate([np.zeros(0), *values]).astype(np.float32),
        n_above=np.asarray(n_above, dtype=np.int32),
        denominator=softmax_denominator(top, same.sum(axis=1), (~same).sum(axis=1)),
    )


def tiny_multiome(
    n_cells: int = 60, n_genes: int = 80, n_peaks: int = 300, density: float = 0.3, seed: int = 0
) -> Multiome:
    """Random cells of three types over four chromosomes, each type with open features of its own."""
    rng = np.random.default_rng(seed)
    types = np.sort(rng.permutation(np.arange(n_cells) % len(CELL_TYPES)))
    rng.shuffle(types)
    cells = pd.DataFrame(
        {"cell_type": pd.Categorical.from_codes(types, list(CELL_TYPES))},
        index=pd.Index(["".join(rng.choice(list("ACGT"), 12)) + f"-{i}" for i in range(n_cells)], dtype=object),
    )
    genes = _places(n_genes, 2_000, 40_000)
    genes["strand"] = rng.choice(["+", "-"], n_genes)
    genes.insert(0, "name", [f"GENE{i}" for i in range(n_genes)])
    genes["means"] = rng.gamma(1, size=n_genes)
    genes["variances_norm"] = rng.gamma(2, size=n_genes)
    genes["highly_variable"] = rng.random(n_genes) < 0.3
    genes.index = pd.Index([f"ENSG{i:05d}" for i in range(n_genes)], dtype=object)
    peaks = _places(n_peaks, 500, 10_000)
    peaks.index = pd.Index([f"{row.chrom}:{row.start}-{row.end}" for row in peaks.itertuples()], dtype=object)
    return Multiome(cells, genes, peaks, _counts(rng, types, n_genes, density), _counts(rng, types, n_peaks, density))


def _places(count: int, length: int, step: int) -> pd.DataFrame:
    """``count`` features spread over the chromosomes, in genome order."""
    code = np.sort(np.arange(count) % len(CHROMOSOMES))
    start = np.concatenate([np.arange(n) for n in np.bincount(code)]) * step + 1_000
    return pd.DataFrame({"chrom": np.asarray(CHROMOSOMES, dtype=object)[code], "start": start, "end": start + length})


def _counts(rng: np.random.Generator, types: np.ndarray, n_features: int, density: float) -> sparse.csr_matrix:
    rate = rng.beta(1, 1 / density - 1, size=(len(CELL_TYPES), n_features))
    counts = (rng.random((len(types), n_features)) < rate[types]) * rng.integers(1, 6, (len(types), n_features))
    return sparse.csr_matrix(counts.astype(np.float32))


def training_report(epochs: int = 3) -> dict[str, Any]:
    """A training report in the shape of ``server.wire.TrainingReport``."""
    metrics = {
        "n_pairs": 24, "loss": 0.61, "accuracy": 0.75, "auroc": 0.81,
        "precision_matched": 0.77, "recall_matched": 0.71, "precision_mismatched": 0.73, "recall_mismatched": 0.79,
    }  # fmt: skip
    history = [
        {
            "epoch": epoch, "seconds": 0.4, "train_loss": 0.7 - 0.04 * epoch, "train_accuracy": 0.55 + 0.06 * epoch,
            "validation_loss": 0.69 - 0.03 * epoch, "validation_accuracy": 0.52 + 0.07 * epoch, "validation_auroc": 0.6,
        }
        for epoch in range(1, epochs + 1)
    ]  # fmt: skip
    return {
        "protocol": "bi2scope", "split": "cells", "n_train": 96, "n_validation": 24, "n_test": 24,
        "best_epoch": epochs, "history": history, "validation": metrics, "test": metrics,
        "baseline_name": "nearest centroid of each modality", "baseline_accuracy": 0.83, "chance": 0.5,
    }  # fmt: skip


def tiny_attributes(**changes: Any) -> StoreAttributes:
    """What a tiny store says of itself."""
    attributes = StoreAttributes(
        name="tiny", model_digest="0" * 64, n_layers=1, n_heads=1, n_parameters=1234, k_max=50,
        notes=("2 genes without a place were dropped.",), configuration={"model": {"hidden": 8}},
        training=training_report(),
    )  # fmt: skip
    return dataclasses.replace(attributes, **changes)


@contextmanager
def histograms_of_all_types(entries_between_keys: int = 6_000) -> Iterator[None]:
    """Few cells are not worth a histogram: make them all the same, with several key cuts."""
    few = mock.patch.object(histogram_writer, "FEW_LINKS", -1)
    with few, mock.patch.object(histogram_writer, "MOST_BETWEEN_KEYS", entries_between_keys):
        yield


def write_store(
    path: Path,
    multiome: Multiome,
    model: RandomModel,
    attributes: StoreAttributes,
    *,
    overwrite: bool = False,
    factors: bool = False,
) -> Path:
    """Write the store of a random model over given cells, with a histogram of every cell type."""
    coordinates = np.random.default_rng(1).normal(size=(multiome.n_cells, 2))
    embedding = Embedding(coordinates, "two random numbers per cell")
    writing = StoreWriter(path, multiome, attributes, overwrite=overwrite)
    with histograms_of_all_types(), writing as writer:
        writer.write_embedding(embedding)
        if factors:
            writer.write_factors(model.factors())
        for cell in range(multiome.n_cells):
            graph = cell_graph(multiome, cell, cell)
            writer.write_cell(model.attend(multiome, graph, attributes.k_max))
    return path


def tiny_store(
    path: Path,
    *,
    n_cells: int = 60,
    layers: int = 1,
    heads: int = 1,
    k_max: int = 50,
    seed: int = 0,
    max_distance: int | None = None,
    factors: bool = False,
) -> Path:
    """Write a small valid store: 60 cells of three types, 80 genes and 300 peaks on four chromosomes.

    ``k_max`` of 8 or so makes rows that were cut short. The same seed gives the same store (but for its date).
    """
    multiome = tiny_multiome(n_cells, seed=seed)
    model = RandomModel.of(multiome, np.random.default_rng(seed), layers, heads, max_distance)
    attributes = tiny_attributes(n_layers=layers, n_heads=heads, k_max=k_max, max_distance=max_distance)
    return write_store(path, multiome, model, attributes, factors=factors)
