"""What a cell type's peaks would collect by chance, cell by cell (:class:`bi2scope.data.expectation.CellNull`)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import h5py
import numpy as np
import numpy.typing as npt
import pandas as pd

from bi2scope.data.attention import AttentionKind, Cut, Ints
from bi2scope.data.candidates import Window
from bi2scope.data.expectation import CellNull, Floats
from bi2scope.data.factors import Factors, Recompute
from bi2scope.data.store import halves, schema
from bi2scope.data.store.cumulative import last_bits
from bi2scope.data.store.links import RankedLinks, StoredCounts, StoredLinks
from bi2scope.data.store.tables import write_array


@dataclass(frozen=True)
class NullSums:
    """Expected cumulative scores and their variances, ``(3, n_peaks)`` float64 by :data:`schema.DEFINITIONS`.

    ``last_cut`` are the highest bits of the last kept link of any row that was cut at k_max; 0 when none was.
    """

    expected: Floats
    variance: Floats
    last_cut: int = 0


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

    def of_cell(self, genes: Ints, peaks: Ints) -> CellNull:
        """One cell by its own genes and peaks."""
        window, near = self.window, None
        if window is not None:

            def near(rows: Ints, places: Ints) -> npt.NDArray[np.bool_]:
                return window.near(genes[rows][:, None], peaks[places])

        n_codes = int(max(self.gene_chromosome.max(initial=0), self.peak_chromosome.max(initial=0))) + 1
        return CellNull(peaks, self.peak_chromosome[peaks], self.gene_chromosome[genes], n_codes, near)


def null_sums(
    links: StoredLinks,
    cells: Ints,
    counts: tuple[StoredCounts, StoredCounts],
    places: CellPlaces,
    cut: Cut | None = None,
) -> NullSums:
    """Expected cumulative scores of some cells, and variances.

    Parameters
    ----------
    links
        Those of a layer and head.
    cells
        Positions of the cells.
    counts
        RNA and ATAC.
    places
        Of genes and peaks.
    cut
        Which links are thrown anew; all kept ones when left out.
    """
    cut = cut or Cut()
    lowest = halves.lowest_above(cut.threshold)
    shape = (len(schema.DEFINITIONS), len(places.peak_chromosome))
    sums, last = NullSums(np.zeros(shape), np.zeros(shape)), 0
    for cell in cells:
        one = links.ranked(int(cell), cut.top_k)
        last = max(last, last_bits(one, one.n_above > one.n_links))
        one = one.where(one.bits >= lowest)
        genes, peaks = (array.indices(int(cell), int(cell) + 1) for array in counts)
        null = places.of_cell(genes, peaks)
        for row, values in enumerate(_values(one)):
            total = np.bincount(one.row, values, len(genes)).astype(float)
            squares = np.bincount(one.row, values**2, len(genes)).astype(float)
            expected, variance = null.expected(total, squares)
            sums.expected[row, peaks] += expected
            sums.variance[row, peaks] += variance
    return replace(sums, last_cut=last)


def _values(one: RankedLinks) -> tuple[Floats, Floats, Floats]:
    """Values of the links in the three definitions."""
    score, weight = halves.whole_scores()[one.bits] / schema.SCORE_UNIT, one.whole_weights() / schema.WEIGHT_UNIT
    return np.ones(len(one.peak)), score, weight


def write_null(group: h5py.Group, sums: NullSums) -> None:
    """Write them, rounded to float32."""
    group.attrs[schema.LAST_CUT] = sums.last_cut
    write_array(group, schema.EXPECTED, sums.expected.astype("<f4"))
    write_array(group, schema.VARIANCE, sums.variance.astype("<f4"))


def read_null(group: h5py.Group) -> NullSums:
    """Read them back."""
    expected, variance = (group[key][:].astype(np.float64) for key in (schema.EXPECTED, schema.VARIANCE))
    return NullSums(expected, variance, int(group.attrs[schema.LAST_CUT]))
