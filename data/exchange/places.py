"""Names and places of cells, genes and peaks beside the links that are made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from bi2scope.data.attention import Ints
from bi2scope.data.exchange.columns import Column, Lazy, coded, narrow, picked
from bi2scope.data.regions import tss

if TYPE_CHECKING:
    from bi2scope.data.store.reader import StoreReader


class Places:
    """The columns of a store's cells, genes and peaks, their texts as codes; numbers are int32 where they fit.

    Parameters
    ----------
    reader
        An open store.

    Attributes
    ----------
    cells
        ``(n_cells,)`` columns ``cell_id`` and ``cell_type``.
    genes
        ``(n_genes,)`` columns ``gene_id``, ``gene_name``, ``gene_chrom``, ``gene_tss``, ``gene_strand``.
    peaks
        ``(n_peaks,)`` columns ``peak``, ``peak_chrom``, ``peak_start``, ``peak_end``.
    """

    def __init__(self, reader: StoreReader) -> None:
        genes, peaks = reader.genes, reader.peaks
        self.cells: dict[str, Column] = {
            "cell_id": coded(reader.cells.index),
            "cell_type": coded(reader.cells["cell_type"]),
        }
        self.genes: dict[str, Column] = {
            "gene_id": coded(genes.index),
            "gene_name": coded(genes["name"]),
            "gene_chrom": coded(genes["chrom"]),
            "gene_tss": narrow(tss(genes)),
            "gene_strand": coded(genes["strand"]),
        }
        self.peaks: dict[str, Column] = {
            "peak": coded(peaks.index),
            "peak_chrom": coded(peaks["chrom"]),
            "peak_start": narrow(peaks["start"].to_numpy(np.int64)),
            "peak_end": narrow(peaks["end"].to_numpy(np.int64)),
        }
        # of distance_to_tss, with what depends on the gene or the peak alone done once
        self._sign = np.where(genes["strand"].to_numpy(object) == "-", -1, 1).astype(np.int32)
        self._tss = np.asarray(self.genes["gene_tss"])
        middle = (peaks["start"].to_numpy(np.int64) + peaks["end"].to_numpy(np.int64)) // 2
        self._middle = narrow(middle)

    def columns(self, gene: Ints, peak: Ints) -> Lazy:
        """Columns ``gene_id`` to ``distance_to_tss`` of pairs, from positions of genes and peaks of one length."""
        gene, peak = gene.astype(np.intp, copy=False), peak.astype(np.intp, copy=False)  # once, not for each column
        own = {**picked(self.genes, gene), **picked(self.peaks, peak)}
        return Lazy({**own, "distance_to_tss": lambda: self.distance(gene, peak)})

    def distance(self, gene: Ints, peak: Ints) -> npt.NDArray[np.integer]:
        """``(n_pairs,)`` bases as :func:`bi2scope.data.regions.distance_to_tss` gives them, from positions."""
        distance: npt.NDArray[np.integer] = (self._middle[peak] - self._tss[gene]) * self._sign[gene]
        return distance
