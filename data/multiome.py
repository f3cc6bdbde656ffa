"""Paired cells in memory: RNA and ATAC counts of the same cells, genes and peaks in genome order.

This is the contract between whatever reads data and whatever uses it. Tables are checked where they are read
(:mod:`bi2scope.data.readers`) and trusted afterwards.
"""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

if TYPE_CHECKING:
    from scipy import sparse

GENE_ATTRIBUTES = ("means", "variances_norm", "highly_variable")
"""Columns of the genes that the model reads beside the strand (scanpy's ``seurat_v3`` names)."""

_BLOCK = 2**22
"""Numbers hashed at a time."""

DNA_LENGTH = 256
"""Bases of each peak that are kept when a data set carries sequences."""


@dataclass(frozen=True)
class Multiome:
    """RNA and ATAC counts of the same cells.

    Attributes
    ----------
    cells
        ``(n_cells,)`` rows; index the cell names (barcodes), column ``cell_type`` (categorical, natural order).
    genes
        ``(n_genes,)`` rows in genome order (natural chromosome order, then start); index the gene ids; columns
        ``name`` (symbol), ``chrom``, ``start``, ``end`` (0-based, half-open), ``strand`` (``+``, ``-`` or ``.``),
        ``means``, ``variances_norm`` (float64) and ``highly_variable`` (bool).
    peaks
        ``(n_peaks,)`` rows in genome order; index ``chrom:start-end``; columns ``chrom``, ``start``, ``end``.
    rna, atac
        ``(n_cells, n_genes)`` and ``(n_cells, n_peaks)`` counts, CSR float32, indices sorted, no stored zeros.
    notes
        Sentences on what reading changed (genes without a place dropped, attributes computed, ...).
    peak_dna
        ``(n_peaks, 256)`` float32, the first bases of each peak as numbers (:mod:`bi2scope.data.dna`); ``None`` when
        the data set carries no sequences.
    """

    cells: pd.DataFrame
    genes: pd.DataFrame
    peaks: pd.DataFrame
    rna: sparse.csr_matrix
    atac: sparse.csr_matrix
    notes: tuple[str, ...] = ()
    peak_dna: npt.NDArray[np.float32] | None = None

    @property
    def n_cells(self) -> int:
        """Number of cells."""
        return len(self.cells)

    @property
    def n_genes(self) -> int:
        """Number of genes."""
        return len(self.genes)

    @property
    def n_peaks(self) -> int:
        """Number of peaks."""
        return len(self.peaks)

    @property
    def cell_types(self) -> list[str]:
        """Names of the cell types, in natural order."""
        return [str(name) for name in self.cells["cell_type"].cat.categories]

    @functools.cached_property
    def chromosomes(self) -> tuple[str, ...]:
        """Chromosomes that hold a gene or a peak, in natural order."""
        from bi2scope.data.regions import natural_chromosome_order

        return tuple(natural_chromosome_order({*self.genes["chrom"], *self.peaks["chrom"]}))

    @functools.cached_property
    def gene_chromosome(self) -> npt.NDArray[np.int64]:
        """``(n_genes,)`` code of each gene's chromosome in :attr:`chromosomes`; non-decreasing."""
        return self._codes(self.genes)

    @functools.cached_property
    def peak_chromosome(self) -> npt.NDArray[np.int64]:
        """``(n_peaks,)`` code of each peak's chromosome in :attr:`chromosomes`; non-decreasing."""
        return self._codes(self.peaks)

    def _codes(self, table: pd.DataFrame) -> npt.NDArray[np.int64]:
        return pd.Index(self.chromosomes).get_indexer(pd.Index(table["chrom"].astype(str))).astype(np.int64)

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 over cell names, types, feature names, places, counts and, when there, sequences of the peaks."""
        sha = hashlib.sha256()
        for table in (self.cells, self.genes[["chrom", "start", "end", "strand"]], self.peaks):
            sha.update(table.to_csv(lineterminator="\n").encode())
        for counts in (self.rna, self.atac):
            for array, dtype in ((counts.indptr, "<i8"), (counts.indices, "<i8"), (counts.data, "<f4")):
                for start in range(0, len(array), _BLOCK):
                    sha.update(np.ascontiguousarray(array[start : start + _BLOCK], dtype=dtype).data)
        if self.peak_dna is not None:
            sha.update(np.ascontiguousarray(self.peak_dna, dtype="<f4").data)
        return sha.hexdigest()

    def take_cells(self, positions: npt.ArrayLike) -> Multiome:
        """The same genes and peaks for a choice of cells, in the order given."""
        chosen = np.asarray(positions)
        return replace(self, cells=self.cells.iloc[chosen], rna=self.rna[chosen], atac=self.atac[chosen])

    def take_features(self, genes: npt.ArrayLike, peaks: npt.ArrayLike) -> Multiome:
        """The same cells over a choice of genes and peaks (ascending positions, so that genome order stays)."""
        kept_genes, kept_peaks = np.asarray(genes), np.asarray(peaks)
        return replace(
            self,
            genes=self.genes.iloc[kept_genes],
            peaks=self.peaks.iloc[kept_peaks],
            rna=self.rna[:, kept_genes],
            atac=self.atac[:, kept_peaks],
            peak_dna=None if self.peak_dna is None else self.peak_dna[kept_peaks],
        )
