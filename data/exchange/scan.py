"""A regulatory map under a cut, made from the links of a cell type's cells, some chromosomes at a time."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from bi2scope.data.exchange.selection import Part
from bi2scope.data.store.links import StoredCounts
from bi2scope.data.store.opening import intact
from bi2scope.data.store.regulatory import LinkedPairs, chromosome_passes, least_cells, linked_pairs
from bi2scope.data.store.schema import SCORE_UNIT, WEIGHT_UNIT

CELLS_AT_A_TIME = 256

Ints = npt.NDArray[np.int64]


def scanned_pairs(part: Part, cell_type: str) -> Iterator[pd.DataFrame]:
    """Pairs of a type that survive the part's cut, as :meth:`StoredMap.pairs` gives them, by gene and then by peak.

    Memory grows with the pairs of some chromosomes and with a block of links, not with the cells.
    """
    reader = part.reader
    links, cells = reader.stored_links(part.layer, part.head), reader.cells_of(cell_type)
    least, (rna, atac) = least_cells(len(cells)), reader.counts
    chromosome = np.unique(reader.genes["chrom"], return_inverse=True)[1]
    runs_of_one = np.cumsum(np.diff(chromosome, prepend=chromosome[:1]) != 0)
    for runs in chromosome_passes(runs_of_one, int(links.n_links[cells].sum()), reader.n_peaks):
        genes = runs[0][0], runs[-1][1]
        genes_of = (rna.indices(int(cell), int(cell) + 1) for cell in cells)
        with intact(reader.path, f"the links of {cell_type}"):
            pairs = linked_pairs(links, cells, genes_of, reader.n_peaks, part.cut, genes)
            pairs = pairs.where(pairs.n_cells >= least)
            n_both = cells_with_both(pairs, cells, rna, atac)
        yield pd.DataFrame(
            {
                "gene": pairs.gene,
                "peak": pairs.peak,
                "n_cells": pairs.n_cells,
                "n_both": n_both,
                "score": pairs.score / (pairs.n_cells * SCORE_UNIT),
                "weight": pairs.weight / (pairs.n_cells * WEIGHT_UNIT),
            }
        )


def cells_with_both(pairs: LinkedPairs, cells: npt.NDArray[np.intp], rna: StoredCounts, atac: StoredCounts) -> Ints:
    """``(n_pairs,)`` cells in which gene and peak both have a count, added up over blocks of cells."""
    both = np.zeros(len(pairs.gene), dtype=np.int64)
    if not len(both):
        return both
    genes, peaks = (int(pairs.gene[0]), int(pairs.gene[-1]) + 1), (int(pairs.peak.min()), int(pairs.peak.max()) + 1)
    wanted = (pairs.gene - genes[0]) * (peaks[1] - peaks[0]) + (pairs.peak - peaks[0])
    for start in range(0, len(cells), CELLS_AT_A_TIME):
        block = cells[start : start + CELLS_AT_A_TIME]
        together = sparse.csr_matrix(_present(rna, block, genes).T @ _present(atac, block, peaks))
        together.sort_indices()
        gene = np.repeat(np.arange(together.shape[0], dtype=np.int64), np.diff(together.indptr))
        key = gene * together.shape[1] + together.indices
        place = np.minimum(np.searchsorted(key, wanted), max(len(key) - 1, 0))
        if len(key):
            both += np.where(key[place] == wanted, together.data[place], 0)
    return both


def _present(counts: StoredCounts, cells: npt.NDArray[np.intp], run: tuple[int, int]) -> sparse.csr_matrix:
    """``(n_cells, run)`` ones where a cell has a count of a feature of a run."""
    own = [counts.indices(int(cell), int(cell) + 1) for cell in cells]
    own = [each[(each >= run[0]) & (each < run[1])] - run[0] for each in own]
    indptr = np.concatenate([[0], np.cumsum([len(each) for each in own])])
    indices = np.concatenate(own)
    return sparse.csr_matrix((np.ones(len(indices), np.int32), indices, indptr), shape=(len(cells), run[1] - run[0]))
