"""Genes, peaks and chromosomes as the files of a data set list them, before they are put into genome order.

A model that was trained elsewhere has its features in this order.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd

from bi2scope.data.places import gene_table, peak_table


@dataclass(frozen=True, eq=False)
class FileOrder:
    """The features of two modalities, row by row of their ``var``.

    Parameters
    ----------
    gene_var, peak_var
        ``var`` of the RNA and of the ATAC, in the order of the file.
    """

    gene_var: pd.DataFrame = field(repr=False)
    peak_var: pd.DataFrame = field(repr=False)

    @property
    def genes(self) -> pd.Index:
        """``(n_genes,)`` ids of all genes, those without a place as well."""
        return self.gene_var.index

    @functools.cached_property
    def placed(self) -> npt.NDArray[np.bool_]:
        """``(n_genes,)`` which genes have a place on a chromosome."""
        return self._gene_table[1]

    @functools.cached_property
    def peaks(self) -> pd.Index:
        """``(n_peaks,)`` names of the peaks, ``chrom:start-end``."""
        return self._peak_table.index

    @functools.cached_property
    def chromosomes(self) -> tuple[str, ...]:
        """Chromosomes in the order in which they first appear: along the placed genes, then along the peaks."""
        names = pd.concat([self._gene_table[0]["chrom"], self._peak_table["chrom"]]).astype(str)
        return tuple(str(name) for name in names.unique())

    @functools.cached_property
    def _gene_table(self) -> tuple[pd.DataFrame, npt.NDArray[np.bool_]]:
        return gene_table(self.gene_var, "the RNA")

    @functools.cached_property
    def _peak_table(self) -> pd.DataFrame:
        return peak_table(self.peak_var, "the ATAC")
