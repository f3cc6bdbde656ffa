"""The bipartite graph of one cell, built on the fly from its counts; nothing is written to disk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from bi2scope.data.multiome import Multiome

if TYPE_CHECKING:
    from scipy import sparse


@dataclass(frozen=True, slots=True)
class CellGraph:
    """Nodes of one graph: the genes of an RNA profile and the peaks of an ATAC profile that are not zero.

    The edges are implied: a gene may attend to every peak of its own chromosome, or to those of them that lie near
    enough (:mod:`bi2scope.data.candidates`).

    Attributes
    ----------
    gene_index, peak_index
        ``(n_genes,)`` and ``(n_peaks,)`` int64, ascending positions in the data set, so genome order.
    gene_count, peak_count
        ``(n_genes,)`` and ``(n_peaks,)`` float32 counts, none zero.
    """

    gene_index: npt.NDArray[np.int64]
    gene_count: npt.NDArray[np.float32]
    peak_index: npt.NDArray[np.int64]
    peak_count: npt.NDArray[np.float32]


def cell_graph(multiome: Multiome, rna_cell: int, atac_cell: int) -> CellGraph:
    """The graph of one RNA profile with one ATAC profile; of one cell when both positions are the same."""
    genes, gene_counts = _row(multiome.rna, rna_cell)
    peaks, peak_counts = _row(multiome.atac, atac_cell)
    return CellGraph(genes, gene_counts, peaks, peak_counts)


def _row(counts: sparse.csr_matrix, cell: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    row = slice(counts.indptr[cell], counts.indptr[cell + 1])
    return counts.indices[row].astype(np.int64), counts.data[row].astype(np.float32)
