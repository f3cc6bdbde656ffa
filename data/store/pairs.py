"""Pairs of a gene and a peak that are linked in enough of some cells, counted from the links.

A counter for each pair would fill memory; but a pair that is linked in some number of cells has a gene and a peak that
are seen in as many. What is left is counted gene by gene, as many genes at a time as :data:`COUNTER_BYTES` hold, with
one pass over the cells for each.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from bi2scope.data.attention import Cut, Ints
from bi2scope.data.store import halves, schema
from bi2scope.data.store.cumulative import asked_of, beyond
from bi2scope.data.store.links import StoredCounts, StoredLinks

COUNTER_BYTES = 1 << 28
"""Counters in memory at a time; one gene's at least."""

CELLS_AT_A_TIME = 1 << 13
"""Cells whose genes and peaks are held against each other at once, a bit for each."""

Bits = npt.NDArray[np.uint64]
Ints64 = npt.NDArray[np.int64]


@dataclass(frozen=True)
class LinkedPairs:
    """Pairs with their links over some cells; columns of one length, by gene and then by peak.

    Attributes
    ----------
    gene, peak
        Positions in the data set.
    n_cells
        Cells with the link.
    n_both
        Cells in which gene and peak both have a count, whether linked or not.
    score, weight
        Sums over the cells with the link, in units of :data:`schema.UNITS`.
    """

    gene: Ints64
    peak: Ints64
    n_cells: Ints64
    n_both: Ints64
    score: Ints64
    weight: Ints64

    def means(self) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """``(n_pairs,)`` mean score and mean weight over the cells with the link."""
        return self.score / (self.n_cells * schema.SCORE_UNIT), self.weight / (self.n_cells * schema.WEIGHT_UNIT)


@dataclass(frozen=True)
class PairSources:
    """Where pairs are counted from.

    Attributes
    ----------
    links
        Those of a layer and head.
    rna, atac
        Counts of all cells.
    gene_chromosome, peak_chromosome
        ``(n_genes,)`` and ``(n_peaks,)`` codes, of which those of the peaks ascend.
    """

    links: StoredLinks
    rna: StoredCounts
    atac: StoredCounts
    gene_chromosome: Ints
    peak_chromosome: Ints

    def seen(self, cells: Ints) -> tuple[Ints64, Ints64]:
        """``(n_genes,)`` and ``(n_peaks,)`` in how many of the cells each has a count."""
        genes, peaks = (np.zeros(len(codes), np.int64) for codes in (self.gene_chromosome, self.peak_chromosome))
        for cell in cells:
            genes[self.rna.indices(int(cell), int(cell) + 1)] += 1
            peaks[self.atac.indices(int(cell), int(cell) + 1)] += 1
        return genes, peaks


def linked_pairs(sources: PairSources, cells: Ints, cut: Cut, least: int) -> Iterator[LinkedPairs]:
    """Pairs that are linked under a cut in some number of cells, a run of genes at a time.

    Parameters
    ----------
    sources
        Links, counts and chromosomes.
    cells
        Positions of the cells.
    cut
        Which links count.
    least
        Cells that a pair is linked in at least, 1 or more.

    Raises
    ------
    ValueError
        If the parts of a cell disagree.
    """
    from bi2scope.data.store import pair_counting

    seen_genes, seen_peaks = sources.seen(cells)
    genes, peaks = np.flatnonzero(seen_genes >= least), np.flatnonzero(seen_peaks >= least)
    gene_code, peak_code = (codes.astype(np.int64) for codes in (sources.gene_chromosome, sources.peak_chromosome))
    first = np.searchsorted(peak_code[peaks], gene_code[genes])
    widths = np.searchsorted(peak_code[peaks], gene_code[genes], side="right") - first
    place = np.full(len(peak_code), -1)
    place[peaks] = np.arange(len(peaks))
    presence = _Presence(sources, cells, genes, peaks)
    dtype = np.dtype(np.uint32 if len(cells) < 1 << 16 else np.uint64)  # a weight has 17 bits
    for start, stop in runs_within(widths, COUNTER_BYTES // (3 * dtype.itemsize)):
        run = slice(start, stop)
        of_gene = np.full((len(gene_code), 2), -1)
        of_gene[genes[run]] = np.stack([np.cumsum(widths[run]) - widths[run], first[run]], axis=1)
        counters = np.zeros((int(widths[run].sum()), 3), dtype=dtype)
        _count(sources, cells, cut, (of_gene, place, gene_code, peak_code), counters)
        gene, at, found = pair_counting.frequent_pairs(counters, widths[run], first[run], least)
        n_cells, score, weight = np.ascontiguousarray(found.T)
        n_both = np.zeros(len(gene), dtype=np.int64)
        for gene_bits, peak_bits in presence:
            pair_counting.add_common(gene + start, at, gene_bits, peak_bits, n_both)
        yield LinkedPairs(genes[run][gene], peaks[at], n_cells, n_both, score, weight)


class _Presence:
    """Which of some genes and peaks have a count in which of some cells, as bits, a block of cells at a time.

    Iterating gives ``(n_genes, n_words)`` and ``(n_peaks, n_words)`` uint64 of each block; that of few cells is kept.
    """

    def __init__(self, sources: PairSources, cells: Ints, genes: Ints64, peaks: Ints64) -> None:
        self._sources, self._cells = sources, cells
        self._features = (genes, len(sources.gene_chromosome)), (peaks, len(sources.peak_chromosome))
        self._only: tuple[Bits, Bits] | None = None

    def __iter__(self) -> Iterator[tuple[Bits, Bits]]:
        if self._only is not None:
            yield self._only
            return
        for start in range(0, len(self._cells), CELLS_AT_A_TIME):
            bits = self._bits(self._cells[start : start + CELLS_AT_A_TIME])
            if len(self._cells) <= CELLS_AT_A_TIME:
                self._only = bits
            yield bits

    def _bits(self, cells: Ints) -> tuple[Bits, Bits]:
        from bi2scope.data.store import pair_counting

        made = []
        for counts, (features, n) in zip((self._sources.rna, self._sources.atac), self._features, strict=True):
            place = np.full(n, -1)
            place[features] = np.arange(len(features))
            bits = np.zeros((len(features), -(-len(cells) // 64)), dtype=np.uint64)
            for at, cell in enumerate(cells):
                pair_counting.mark(counts.indices(int(cell), int(cell) + 1), place, at, bits)
            made.append(bits)
        return made[0], made[1]


def _count(
    sources: PairSources, cells: Ints, cut: Cut, layout: tuple[Ints64, ...], counters: npt.NDArray[np.unsignedinteger]
) -> None:
    from bi2scope.data.store import pair_counting

    asked, tables = asked_of(sources.links, cut), (*halves.tables(), halves.bits())
    for cell in cells:
        genes = sources.rna.indices(int(cell), int(cell) + 1).astype(np.int64)
        stored, depth = sources.links.stored(int(cell), cut.top_k)
        if not pair_counting.count_pairs(stored, depth, asked, tables, genes, layout, counters):
            raise beyond(int(cell))


def runs_within(sizes: Ints64, most: int) -> Iterator[tuple[int, int]]:
    """Runs of neighbours whose sizes add up to ``most`` at most; a single one may be larger."""
    edges, reached = [0], np.concatenate([[0], np.cumsum(sizes)])
    while edges[-1] < len(sizes):
        fits = int(np.searchsorted(reached, reached[edges[-1]] + most, side="right")) - 1
        edges.append(max(fits, edges[-1] + 1))
    return pairwise(edges)
