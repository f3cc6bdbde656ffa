"""Small random data sets, in memory and as pairs of .h5ad files."""

from __future__ import annotations

from pathlib import Path

import anndata
import numpy as np
import pandas as pd
from scipy import sparse

from bi2scope.data.multiome import Multiome
from bi2scope.data.regions import genome_order


def random_multiome(
    seed: int = 0,
    *,
    n_cells: int = 12,
    n_genes: int = 15,
    n_peaks: int = 30,
    chromosomes: tuple[str, ...] = ("chr1", "chr2", "chr10", "chrX"),
    cell_types: tuple[str, ...] = ("B", "NK", "T cell"),
    density: float = 0.4,
) -> Multiome:
    """A valid data set: every cell has a gene and a peak, every type a cell, every chromosome genes and peaks."""
    rng = np.random.default_rng(seed)
    genes = _intervals(rng, n_genes, chromosomes, 50_000)
    genes.insert(0, "name", [f"GENE{number}" for number in range(n_genes)])
    genes["strand"] = rng.choice(["+", "-", "."], n_genes)
    genes["means"] = rng.random(n_genes)
    genes["variances_norm"] = rng.random(n_genes) * 3
    genes["highly_variable"] = rng.random(n_genes) < 0.4
    genes.index = pd.Index([f"ENSG{number:05d}" for number in range(n_genes)])
    peaks = _intervals(rng, n_peaks, chromosomes, 500)
    peaks.index = pd.Index(
        [f"{c}:{s}-{e}" for c, s, e in zip(peaks["chrom"], peaks["start"], peaks["end"], strict=True)]
    )
    types = np.resize(np.array(cell_types, dtype=object), n_cells)
    names = [f"{''.join(rng.choice(list('ACGT'), 12))}-{number}" for number in range(n_cells)]
    cells = pd.DataFrame({"cell_type": pd.Categorical(types, categories=list(cell_types))}, index=pd.Index(names))
    return Multiome(
        cells=cells,
        genes=genes.iloc[genome_order(genes)],
        peaks=peaks.iloc[genome_order(peaks)],
        rna=_counts(rng, n_cells, n_genes, density),
        atac=_counts(rng, n_cells, n_peaks, density),
    )


def _intervals(rng: np.random.Generator, n: int, chromosomes: tuple[str, ...], length: int) -> pd.DataFrame:
    start = rng.choice(np.arange(1000, 10_000_000, 100), n, replace=False)
    chrom = np.resize(np.array(chromosomes, dtype=object), n)
    return pd.DataFrame({"chrom": chrom, "start": start, "end": start + rng.integers(100, length, n)})


def _counts(rng: np.random.Generator, n_cells: int, n_features: int, density: float) -> sparse.csr_matrix:
    counts = rng.poisson(2, (n_cells, n_features)) * (rng.random((n_cells, n_features)) < density)
    counts[np.arange(n_cells), rng.integers(0, n_features, n_cells)] += 1
    return sparse.csr_matrix(counts.astype(np.float32))


def as_anndata(multiome: Multiome) -> tuple[anndata.AnnData, anndata.AnnData]:
    """RNA and ATAC of a data set, in the shape that scGLUE users have."""
    places = {"start": "chromStart", "end": "chromEnd"}
    rna = anndata.AnnData(
        X=multiome.rna.copy(),
        obs=multiome.cells.copy(),
        var=multiome.genes.rename(columns={"name": "gene_name", **places}),
    )
    atac = anndata.AnnData(X=multiome.atac.copy(), obs=multiome.cells.copy(), var=multiome.peaks.rename(columns=places))
    return rna, atac


def write_pair(folder: Path, rna: anndata.AnnData, atac: anndata.AnnData) -> tuple[Path, Path]:
    """Write both and return their paths."""
    paths = (folder / "rna.h5ad", folder / "atac.h5ad")
    for adata, path in zip((rna, atac), paths, strict=True):
        adata.write_h5ad(path)
    return paths


def write_h5ad_pair(folder: Path, multiome: Multiome) -> tuple[Path, Path]:
    """Write a data set as the two files that :func:`bi2scope.data.readers.read_h5ad_pair` takes."""
    return write_pair(folder, *as_anndata(multiome))
