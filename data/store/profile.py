"""What a cut leaves, counted: links, genes with none, links per gene, distances. Of cell types without their links.

A row is one expressed gene of one cell. Scores fall along a row, so its link of rank ``r`` survives a threshold exactly
when at least ``r`` of its links do: the number of surviving links of a rank is the number of rows with at least that
many. Links are counted by rank and bin of the score when a store is made, which says all this of a whole cell type.

A worked case: rows with 3, 0 and 2 surviving links have ``at_least`` ``[2, 2, 1]``: two rows with one or more, two with
two or more, one with three. Its sum, 5, is the number of links.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from bi2scope.data.attention import Cut, Ints
from bi2scope.data.regions import distance_to_tss
from bi2scope.data.store import halves
from bi2scope.data.store.bins import BINS, bin_of_bits, bin_of_threshold

if TYPE_CHECKING:  # both load h5py
    from bi2scope.data.store.links import StoredLinks
    from bi2scope.data.store.null import RankLinks

Counts = npt.NDArray[np.int64]

DISTANCE_EDGES = tuple(step * 10**power for power in range(3, 9) for step in (1, 2, 5))[:-2]
"""Bases that part the bins of the distance profile: 1 kb, 2 kb, 5 kb and so on, up to 100 Mb."""

DISTANCE_BINS = len(DISTANCE_EDGES) + 1


@dataclass(frozen=True, slots=True)
class LinkCounts:
    """Links of a cell type, layer and head by rank and bin of the score.

    Attributes
    ----------
    surviving
        ``(depth, n_bins + 1)``: links of each rank (from 1) in each bin of the score or a higher one; the last is 0.
    last_cut
        Bits of the highest logit at which a row was cut at k_max; see :meth:`truncates`.
    """

    surviving: Counts
    last_cut: int

    @classmethod
    def of(cls, counted: RankLinks) -> LinkCounts:
        """From the links of each rank in each bin alone."""
        surviving = np.zeros((len(counted.frames), BINS + 1), dtype=np.int64)
        surviving[:, :BINS] = np.cumsum(counted.frames[:, ::-1], axis=1)[:, ::-1]
        return cls(surviving, counted.last_cut)

    def at_least(self, cut: Cut) -> Counts | None:
        """``(depth,)`` rows with at least 1, 2, ... surviving links; ``None`` when the threshold parts a bin."""
        first = bin_of_threshold(cut.threshold)
        return None if first is None else self.surviving[: cut.top_k, first]

    def truncates(self, cut: Cut) -> bool:
        """Whether links that survive the cut were cut off when the store was made."""
        asks = cut.top_k is None or cut.top_k > len(self.surviving)
        return asks and self.last_cut >= halves.lowest_above(cut.threshold)


def rows_with_at_least(per_row: Ints) -> Counts:
    """``(longest,)`` rows with at least 1, 2, ... links, from the ``(n_rows,)`` links of each."""
    counted = np.bincount(per_row)
    return np.cumsum(counted[::-1])[::-1][1:].astype(np.int64)


def at_least_of_cells(links: StoredLinks, cells: Ints, cut: Cut) -> Counts:
    """Rows of some cells with at least 1, 2, ... surviving links, counted from the links; any threshold will do."""
    lowest, total = halves.lowest_above(cut.threshold), np.zeros(0, dtype=np.int64)
    for cell in cells:
        one = links.ranked(int(cell), cut.top_k)
        counted = np.bincount(one.rank[one.bits >= lowest])[1:].astype(np.int64)
        longer, shorter = (counted, total) if len(counted) > len(total) else (total, counted)
        total = longer.copy()
        total[: len(shorter)] += shorter
    return total


@dataclass(frozen=True, slots=True)
class Places:
    """Where genes and peaks lie, to measure how far apart they are.

    Attributes
    ----------
    gene_tss, peak_start, peak_end
        ``(n_genes,)``, ``(n_peaks,)``, ``(n_peaks,)`` int64.
    gene_span, peak_span
        ``(n_chromosomes + 1,)`` offsets of the chromosomes among genes and among peaks.
    max_distance
        Bases between a gene and a candidate peak, at most; ``None`` is no limit.
    """

    gene_tss: Counts
    peak_start: Counts
    peak_end: Counts
    gene_span: Counts
    peak_span: Counts
    max_distance: int | None

    def bins(self, gene: Ints, peak: Ints) -> Counts:
        """Bin of the distance of each pair, whichever side of the gene the peak is on."""
        distance = distance_to_tss(self.gene_tss[gene], "+", self.peak_start[peak], self.peak_end[peak])
        return np.searchsorted(DISTANCE_EDGES, np.abs(distance), side="right").astype(np.int64)

    def profile(self, gene: Ints, peak: Ints) -> Counts:
        """``(n_distance_bins,)`` pairs in each bin."""
        return np.bincount(self.bins(gene, peak), minlength=DISTANCE_BINS).astype(np.int64)

    def candidates(self, gene: Ints, peak: Ints) -> Counts:
        """``(n_distance_bins,)`` pairs of a cell's genes and open peaks that may be links, both ascending."""
        limit = self.max_distance
        edges = [edge if limit is None else min(edge, limit + 1) for edge in (*DISTANCE_EDGES, 1 << 40)]
        below = np.zeros(len(edges), dtype=np.int64)
        middles = distance_to_tss(0, "+", self.peak_start[peak], self.peak_end[peak])
        genes, peaks = np.searchsorted(gene, self.gene_span), np.searchsorted(peak, self.peak_span)
        for code in range(len(genes) - 1):
            own = self.gene_tss[gene[genes[code] : genes[code + 1]]][:, None]
            there = np.sort(middles[peaks[code] : peaks[code + 1]])
            # Bins are half-open, |distance| < edge.
            above = np.searchsorted(there, own + np.array(edges), side="left")
            below += (above - np.searchsorted(there, own - np.array(edges), side="right")).sum(axis=0)
        return np.diff(below, prepend=0)


@dataclass(frozen=True, slots=True)
class DistanceCounts:
    """Distances of the links of some cells, for any cut whose threshold is an edge of the histogram.

    Attributes
    ----------
    surviving
        ``(n_bins + 1, depth, n_distance_bins)``: links in a bin of the score or higher, of a rank or better.
    candidates
        ``(n_distance_bins,)`` pairs of the same cells that may be links.
    n_cells
        The cells.
    """

    surviving: Counts
    candidates: Counts
    n_cells: int

    @classmethod
    def of(cls, links: StoredLinks, cells: Iterable[tuple[int, Ints, Ints]], places: Places) -> DistanceCounts:
        """Count the links of cells, each given by its position, genes and peaks."""
        given = list(cells)
        depth = int(max((links.depth[cell] for cell, _, _ in given), default=0))
        counted = np.zeros((BINS, depth, DISTANCE_BINS), dtype=np.int64)
        candidates = np.zeros(DISTANCE_BINS, dtype=np.int64)
        for cell, genes, peaks in given:
            one = links.ranked(cell)
            one = one.where(bin_of_bits()[one.bits] >= 0)
            key = bin_of_bits()[one.bits].astype(np.int64) * depth + one.rank - 1
            key = key * DISTANCE_BINS + places.bins(genes[one.row], one.peak)
            counted += np.bincount(key, minlength=counted.size).reshape(counted.shape)
            candidates += places.candidates(genes, peaks)
        surviving = np.zeros((BINS + 1, depth, DISTANCE_BINS), dtype=np.int64)
        surviving[:BINS] = np.cumsum(counted[::-1], axis=0)[::-1].cumsum(axis=1)
        return cls(surviving, candidates, len(given))

    def profile(self, cut: Cut) -> Counts | None:
        """``(n_distance_bins,)`` surviving links; ``None`` when the threshold parts a bin."""
        first, depth = bin_of_threshold(cut.threshold), self.surviving.shape[1]
        if first is None:
            return None
        rank = depth if cut.top_k is None else min(cut.top_k, depth)
        return self.surviving[first, rank - 1] if rank else np.zeros(DISTANCE_BINS, dtype=np.int64)
