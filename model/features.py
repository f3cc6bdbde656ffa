"""From tables of genes and peaks to what the network reads of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from bi2scope.data.candidates import Window
from bi2scope.data.regions import natural_chromosome_order
from bi2scope.model.network import FeatureLayout

GENE_COLUMNS = ("name", "chrom", "start", "end", "strand", "means", "variances_norm", "highly_variable")
"""Columns of the genes that a checkpoint keeps."""

PEAK_COLUMNS = ("chrom", "start", "end")
"""Columns of the peaks that a checkpoint keeps."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Normalisation:
    """What is taken off the gene attributes, and what they are then divided by: ``(4,)`` each.

    The attributes are, in order, means, variances_norm, strand (+ is 1) and highly_variable.
    """

    location: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0)
    scale: tuple[float, ...] = (1.0, 1.0, 1.0, 1.0)

    @classmethod
    def standard(cls, genes: pd.DataFrame) -> Normalisation:
        """Mean 0 and standard deviation 1 over the genes; an attribute that does not vary is only centred."""
        values = gene_attributes(genes)
        deviation = values.std(axis=0)
        scale = np.where(deviation > 0, deviation, 1.0)
        return cls(tuple(values.mean(axis=0).tolist()), tuple(scale.tolist()))


def gene_attributes(genes: pd.DataFrame) -> Floats:
    """``(n_genes, 4)`` means, variances_norm, strand (+ is 1) and highly_variable."""
    columns = (genes["means"], genes["variances_norm"], genes["strand"] == "+", genes["highly_variable"])
    return np.column_stack([np.asarray(column, dtype=np.float64) for column in columns])


def feature_layout(
    genes: pd.DataFrame, peaks: pd.DataFrame, normalisation: Normalisation, max_distance: int | None = None
) -> FeatureLayout:
    """Chromosome codes and attributes of genes and peaks, both in genome order, and their places when those count."""
    chromosomes = natural_chromosome_order({*genes["chrom"], *peaks["chrom"]})
    code = {name: number for number, name in enumerate(chromosomes)}
    attributes = (gene_attributes(genes) - np.array(normalisation.location)) / np.array(normalisation.scale)
    return FeatureLayout(
        gene_chromosome=np.array([code[name] for name in genes["chrom"]], dtype=np.int64),
        peak_chromosome=np.array([code[name] for name in peaks["chrom"]], dtype=np.int64),
        n_chromosomes=len(chromosomes),
        gene_attributes=attributes.astype(np.float32),
        window=Window.of(genes, peaks, max_distance),
    )
