"""Published checkpoints and the files that they were trained on, whose order is not that of the genome."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import anndata
import numpy as np
import pandas as pd
import torch
from scipy import sparse

from bi2scope.data.graph import CellGraph
from bi2scope.model.batch import collate
from bi2scope.model.config import ModelConfig
from bi2scope.model.network import Bi2Former, FeatureLayout

NAMES = ("chr7", "chrX", "chr10", "chr2", "chr1", "chr21")
"""Chromosomes by code; natural order is another one, and so is that of the alphabet."""


@dataclass(frozen=True)
class Published:
    """A network whose features stand in the order of the files, and cells."""

    network: Bi2Former
    cells: list[CellGraph]

    def logits(self, cells: list[CellGraph] | None = None) -> torch.Tensor:
        """``(n_cells, 2)`` by the network as it is, in the order of the files."""
        layout = self.network.layout
        with torch.no_grad():
            return self.network.eval()(collate(cells or self.cells, layout.gene_chromosome, layout.peak_chromosome))[0]


def random_published(seed: int, *, layers: int = 1, heads: int = 1, n_genes: int = 40, n_peaks: int = 90) -> Published:
    """Small, with weights large enough that the logits differ; every chromosome has genes and peaks."""
    rng = np.random.default_rng(seed)
    attributes = np.column_stack([rng.random((n_genes, 2)), rng.integers(0, 2, (n_genes, 2))]).astype(np.float32)
    codes = (np.sort(np.resize(np.arange(len(NAMES)), n)) for n in (n_genes, n_peaks))
    layout = FeatureLayout(*codes, len(NAMES), attributes)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Bi2Former(ModelConfig(id_dim=5, hidden=8, layers=layers, heads=heads), layout)
    cells = []
    for _ in range(6):
        gene, peak = (np.sort(rng.choice(n, n // 2, replace=False)) for n in (n_genes, n_peaks))
        counts = (rng.integers(1, 5, len(index)).astype(np.float32) for index in (gene, peak))
        cells.append(CellGraph(gene, next(counts), peak, next(counts)))
    return Published(network, cells)


def write_files(folder: Path, published: Published) -> dict[str, Path]:
    """``rna`` and ``atac`` as .h5ad: places drawn at random, so that genome order is another one in each chromosome."""
    layout, rng = published.network.layout, np.random.default_rng(3)
    obs = pd.DataFrame(
        {"cell_type": np.resize(["B", "T"], len(published.cells))}, index=[f"c{i}" for i in range(len(published.cells))]
    )
    genes = _places(layout.gene_chromosome, rng, "g").assign(
        means=layout.gene_attributes[:, 0].astype(np.float64),
        variances_norm=layout.gene_attributes[:, 1].astype(np.float64),
        strand=np.where(layout.gene_attributes[:, 2] > 0, "+", "-"),
        highly_variable=layout.gene_attributes[:, 3] > 0,
    )
    peaks = _places(layout.peak_chromosome, rng, "p")
    rna = _matrix([(cell.gene_index, cell.gene_count) for cell in published.cells], len(genes))
    atac = _matrix([(cell.peak_index, cell.peak_count) for cell in published.cells], len(peaks))
    paths = {"rna": folder / "rna.h5ad", "atac": folder / "atac.h5ad"}
    anndata.AnnData(rna, obs=obs, var=genes).write_h5ad(paths["rna"])
    anndata.AnnData(atac, obs=obs, var=peaks).write_h5ad(paths["atac"])
    return paths


def _places(codes: np.ndarray, rng: np.random.Generator, prefix: str) -> pd.DataFrame:
    start = rng.permutation(len(codes)) * 1000
    return pd.DataFrame(
        {"chrom": [NAMES[code] for code in codes], "chromStart": start, "chromEnd": start + 500},
        index=[f"{prefix}{number}" for number in range(len(codes))],
    )


def _matrix(rows: list[tuple[np.ndarray, np.ndarray]], width: int) -> sparse.csr_matrix:
    dense = np.zeros((len(rows), width), dtype=np.float32)
    for number, (index, count) in enumerate(rows):
        dense[number, index] = count
    return sparse.csr_matrix(dense)
