"""What a cell type's peaks would collect by chance, cell by cell (:mod:`bi2scope.data.expectation`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import pandas as pd

from bi2scope.data.attention import AttentionKind, Cut, Ints
from bi2scope.data.candidates import Window
from bi2scope.data.expectation import Floats
from bi2scope.data.factors import Factors, Recompute
from bi2scope.data.store import halves, schema
from bi2scope.data.store.bins import BINS, bin_of_bits
from bi2scope.data.store.cumulative import asked_of, beyond
from bi2scope.data.store.links import StoredCounts, StoredLinks
from bi2scope.data.store.tables import write_array

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class NullSums:
    """Expected cumulative scores and their variances, ``(3, n_peaks)`` float64 by :data:`schema.DEFINITIONS`."""

    expected: Floats
    variance: Floats


@dataclass(frozen=True)
class RankLinks:
    """Links of some cells by rank and bin of the score.

    Attributes
    ----------
    frames
        ``(depth, n_bins)`` links of each rank in each bin, over all peaks.
    last_cut
        Highest bits of the last kept link of any row that was cut at k_max; 0 when none was.
    """

    frames: Counts
    last_cut: int


@dataclass(frozen=True)
class CountedNull:
    """The null sums of some cells, and the surviving links counted on the way."""

    sums: NullSums
    links: RankLinks


@dataclass(frozen=True)
class CellPlaces:
    """Where genes and peaks lie.

    Attributes
    ----------
    gene_chromosome, peak_chromosome
        ``(n_genes,)`` and ``(n_peaks,)`` codes in natural order, non-decreasing.
    window
        How far apart a gene and a peak may be; ``None`` is no limit.
    """

    gene_chromosome: npt.NDArray[np.int64]
    peak_chromosome: npt.NDArray[np.int64]
    window: Window | None

    @classmethod
    def of(cls, genes: pd.DataFrame, peaks: pd.DataFrame, max_distance: int | None) -> CellPlaces:
        """Of tables as in :class:`bi2scope.data.multiome.Multiome`."""
        from bi2scope.data.regions import natural_chromosome_order

        code = {name: i for i, name in enumerate(natural_chromosome_order({*genes["chrom"], *peaks["chrom"]}))}
        of_genes, of_peaks = (
            np.asarray(table["chrom"].astype(str).map(code), dtype=np.int64) for table in (genes, peaks)
        )
        return cls(of_genes, of_peaks, Window.of(genes, peaks, max_distance))

    def recompute(self, factors: Factors, kind: AttentionKind) -> Recompute:
        """First-layer attention of any cell from the factors."""
        return Recompute(factors, self.gene_chromosome, self.peak_chromosome, self.window, kind)

    def arrays(self) -> tuple[Any, ...]:
        """As :func:`bi2scope.data.store.chance.shared_out` takes them."""
        gene, peak = (code.astype(np.int64) for code in (self.gene_chromosome, self.peak_chromosome))
        n_codes = int(max(gene.max(initial=0), peak.max(initial=0))) + 1
        if self.window is None:
            nowhere = np.zeros(0, dtype=np.int64)
            return gene, peak, n_codes, nowhere, nowhere, -1
        tss, middle = (place.astype(np.int64) for place in (self.window.gene_tss, self.window.peak_middle))
        return gene, peak, n_codes, tss, middle, self.window.max_distance


def null_sums(
    links: StoredLinks,
    cells: Ints,
    rna: StoredCounts,
    places: CellPlaces,
    cut: Cut | None = None,
) -> CountedNull:
    """Expected cumulative scores of some cells, and variances.

    Parameters
    ----------
    links
        Those of a layer and head.
    cells
        Positions of the cells.
    rna
        Counts of the genes.
    places
        Of genes and peaks.
    cut
        Which links are thrown anew; all kept ones when left out.

    Raises
    ------
    ValueError
        If the parts of a cell disagree.
    """
    from bi2scope.data.store import chance, decoding

    cut, depth = cut or Cut(), int(links.depth[cells].max(initial=0))
    sums = np.zeros((2, len(schema.DEFINITIONS), len(places.peak_chromosome)))
    frames, last = np.zeros((depth if cut.top_k is None else min(depth, cut.top_k), BINS), dtype=np.int64), 0
    tables, arrays = (*halves.tables(), bin_of_bits()), places.arrays()
    for cell in cells:
        genes = rna.indices(int(cell), int(cell) + 1).astype(np.int64)
        stored, reached = links.stored(int(cell), cut.top_k)
        highest = chance.add_chance(stored, reached, asked_of(links, cut), tables, genes, arrays, sums, frames)
        if highest == decoding.DAMAGED:
            raise beyond(int(cell))
        last = max(last, int(highest))
    return CountedNull(NullSums(sums[0], sums[1]), RankLinks(frames, last))


def write_null(group: h5py.Group, counted: CountedNull) -> None:
    """Write them, expected scores and variances rounded to float32."""
    group.attrs[schema.LAST_CUT] = counted.links.last_cut
    write_array(group, schema.EXPECTED, counted.sums.expected.astype("<f4"))
    write_array(group, schema.VARIANCE, counted.sums.variance.astype("<f4"))
    write_array(group, schema.RANK_LINKS, counted.links.frames.astype("<i8"))


def read_null(group: h5py.Group) -> NullSums:
    """Read the null sums back."""
    expected, variance = (group[key][:].astype(np.float64) for key in (schema.EXPECTED, schema.VARIANCE))
    return NullSums(expected, variance)


def read_rank_links(group: h5py.Group) -> RankLinks:
    """Read back what was counted."""
    frames: Counts = group[schema.RANK_LINKS][:]
    if frames.shape[1:] != (BINS,):
        raise ValueError("its links are counted in other bins")
    return RankLinks(frames, int(group.attrs[schema.LAST_CUT]))
