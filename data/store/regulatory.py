"""The regulatory map of a cell type: which genes are linked to which peaks, in how many cells, and how strongly.

Built chromosome by chromosome where the links are many, so memory is bounded by the distinct pairs of some chromosomes
and a block of links, however many cells there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from itertools import pairwise
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from bi2scope.data.attention import Cut, Ints
from bi2scope.data.multiome import Multiome
from bi2scope.data.store import halves, schema
from bi2scope.data.store.growing import GrowingArray
from bi2scope.data.store.links import StoredLinks
from bi2scope.data.store.opening import intact
from bi2scope.data.store.packed import KEYS, WAITING_LINKS, Adding
from bi2scope.data.store.tables import write_array

PAIR_CHUNK = 1 << 14

Ints64 = npt.NDArray[np.int64]


@dataclass(frozen=True)
class LinkedPairs:
    """Pairs of a gene and a peak with their links over some cells; columns of one length, by gene and then by peak.

    Attributes
    ----------
    gene, peak
        Positions in the data set.
    n_cells
        Cells with the link.
    score, weight
        Sums over those cells, in units of :data:`schema.UNITS`.
    """

    gene: Ints64
    peak: Ints64
    n_cells: Ints64
    score: Ints64
    weight: Ints64

    def where(self, mask: npt.NDArray[np.bool_]) -> LinkedPairs:
        """The pairs under a mask."""
        return LinkedPairs(*(getattr(self, field.name)[mask] for field in fields(self)))


def linked_pairs(
    links: StoredLinks, cells: Ints, genes_of: Iterable[Ints], n_peaks: int, cut: Cut, genes: tuple[int, int]
) -> LinkedPairs:
    """The pairs that are linked under a cut in any of some cells.

    Parameters
    ----------
    links
        Those of a layer and head.
    cells
        Positions of the cells.
    genes_of
        Per cell, the genes that it expresses.
    n_peaks
        Peaks of the data set.
    cut
        Which links count.
    genes
        First gene, and the one after the last.
    """
    lowest, adding = halves.lowest_above(cut.threshold), Adding()
    for cell, own in zip(cells, genes_of, strict=True):
        one = links.ranked(int(cell), cut.top_k)
        gene = own[one.row].astype(np.int64)
        kept = (one.bits >= lowest) & (gene >= genes[0]) & (gene < genes[1])
        one = one.where(kept)
        adding.add(one, (gene[kept] - genes[0]) * n_peaks + one.peak)
    sums = adding.sums()
    found, peak = np.divmod(sums.key, n_peaks)
    return LinkedPairs(found + genes[0], peak, sums.links, sums.score, sums.weight)


def cells_with_both(pairs: LinkedPairs, rna: sparse.csr_matrix, atac: sparse.csr_matrix) -> Ints64:
    """``(n_pairs,)`` cells in which gene and peak both have a count, whether linked or not.

    Parameters
    ----------
    pairs
        The pairs, by gene and then by peak.
    rna, atac
        Counts of the cells.
    """
    both = np.zeros(len(pairs.gene), dtype=np.int64)
    if not len(both):
        return both
    first, stop = int(pairs.gene[0]), int(pairs.gene[-1]) + 1
    low, high = int(pairs.peak.min()), int(pairs.peak.max()) + 1
    expressed, open_peaks = _ones(rna[:, first:stop]), _ones(atac[:, low:high])
    together = sparse.csr_matrix(expressed.T @ open_peaks)
    together.sort_indices()
    width = high - low
    key = np.repeat(np.arange(stop - first), np.diff(together.indptr)) * width + together.indices
    places = np.searchsorted(key, (pairs.gene - first) * width + (pairs.peak - low))
    found: Ints64 = together.data[places].astype(np.int64)
    return found


def _ones(counts: sparse.csr_matrix) -> sparse.csr_matrix:
    return sparse.csr_matrix((np.ones(counts.nnz, dtype=np.int32), counts.indices, counts.indptr), shape=counts.shape)


def least_cells(n_cells: int) -> int:
    """Cells that a pair of a type's map is linked in at least: 1 in 100, rounded up."""
    return max(1, int(np.ceil(n_cells * schema.MAP_LEAST_SHARE)))


def chromosome_passes(chromosome: Ints, n_links: int, n_peaks: int) -> Iterator[list[tuple[int, int]]]:
    """Runs of genes by chromosome, in groups that one pass over the cells takes.

    Parameters
    ----------
    chromosome
        ``(n_genes,)`` codes, non-decreasing.
    n_links
        Links of all chromosomes together.
    n_peaks
        Peaks of the data set.
    """
    starts = np.flatnonzero(np.diff(chromosome, prepend=-1))
    runs = list(zip(starts.tolist(), [*starts[1:].tolist(), len(chromosome)], strict=True))
    per_pass = max(1, int(len(runs) * WAITING_LINKS / max(n_links, 1)))
    group: list[tuple[int, int]] = []
    for run in runs:
        if group and (len(group) == per_pass or (run[1] - group[0][0]) * n_peaks > KEYS):
            yield group
            group = []
        group.append(run)
    if group:
        yield group


@dataclass(frozen=True)
class TypeCells:
    """The cells of one type, with their counts and the chromosomes of the genes.

    Attributes
    ----------
    cells
        Positions.
    rna, atac
        Their counts.
    gene_chromosome
        ``(n_genes,)`` codes, non-decreasing.
    """

    cells: Ints
    rna: sparse.csr_matrix
    atac: sparse.csr_matrix
    gene_chromosome: Ints

    @classmethod
    def of(cls, multiome: Multiome, type_code: int) -> TypeCells:
        """The cells of a type by its position among the data set's types."""
        cells = np.flatnonzero(multiome.cells["cell_type"].cat.codes == type_code)
        return cls(cells, multiome.rna[cells], multiome.atac[cells], multiome.gene_chromosome)

    @property
    def genes_of(self) -> list[Ints]:
        """Per cell, the genes that it expresses."""
        return [self.rna.indices[start:stop] for start, stop in pairwise(self.rna.indptr)]


def write_map(group: h5py.Group, links: StoredLinks, of: TypeCells) -> None:
    """Build and write the map of one cell type."""
    n_genes, n_peaks = of.rna.shape[1], of.atac.shape[1]
    least = least_cells(len(of.cells))
    group.attrs[schema.LEAST_CELLS] = least
    arrays = {key: GrowingArray(group, key, dtype, PAIR_CHUNK) for key, dtype in schema.MAP_ARRAYS.items()}
    per_gene = np.zeros(n_genes, dtype=np.int64)
    for runs in chromosome_passes(of.gene_chromosome, int(links.n_links[of.cells].sum()), n_peaks):
        pairs = linked_pairs(links, of.cells, of.genes_of, n_peaks, Cut(), (runs[0][0], runs[-1][1]))
        pairs = pairs.where(pairs.n_cells >= least)
        per_gene += np.bincount(pairs.gene, minlength=n_genes)
        for start, stop in runs:
            chosen = pairs.where((pairs.gene >= start) & (pairs.gene < stop))
            arrays["peak"].append(chosen.peak)
            arrays["n_cells"].append(chosen.n_cells)
            arrays["n_both"].append(cells_with_both(chosen, of.rna, of.atac))
            arrays["score"].append(_mean(chosen.score, chosen.n_cells, schema.SCORE_UNIT))
            arrays["weight"].append(_mean(chosen.weight, chosen.n_cells, schema.WEIGHT_UNIT))
    for array in arrays.values():
        array.flush()
    write_array(group, schema.GENE_OFFSET, np.concatenate([[0], np.cumsum(per_gene)]).astype("<i8"))


MEAN_UNIT = (1 << 16) - 1


def _mean(total: Ints64, n_cells: Ints64, unit: int) -> Ints64:
    return np.minimum(np.rint(total / (n_cells * unit) * MEAN_UNIT), MEAN_UNIT).astype(np.int64)


class StoredMap:
    """The map of one cell type, layer and head.

    Parameters
    ----------
    group
        Its HDF5 group.
    path
        The file, for messages.
    """

    def __init__(self, group: h5py.Group, path: Path) -> None:
        self._path, self._name = path, str(group.name)
        self._arrays = {key: group[key] for key in schema.MAP_ARRAYS}
        self._offset: Ints64 = group[schema.GENE_OFFSET][:]
        self.least_cells = int(group.attrs[schema.LEAST_CELLS])
        if {array.shape for array in self._arrays.values()} != {(len(self),)}:
            raise ValueError("the arrays of the map differ in length")

    def __len__(self) -> int:
        return int(self._offset[-1])

    def gene_runs(self, most: int) -> Iterator[tuple[int, int]]:
        """Runs of genes, one after the other, with at most ``most`` pairs each; a single gene may have more."""
        start, n_genes = 0, len(self._offset) - 1
        while start < n_genes:
            fits = int(np.searchsorted(self._offset, self._offset[start] + most, side="right")) - 1
            stop = min(max(fits, start + 1), n_genes)
            yield start, stop
            start = stop

    def pairs(self, genes: tuple[int, int], peaks: tuple[int, int] | None = None) -> pd.DataFrame:
        """Pairs of a run of genes, by gene and then by peak; of those, the ones of a run of peaks.

        Returns
        -------
        Columns ``gene`` and ``peak`` (positions), ``n_cells`` (with the link), ``n_both`` (in which gene and peak both
        have a count), ``score`` and ``weight`` (means over the cells with the link).

        Raises
        ------
        StoreDamagedError
            If the file fails its checksums there.
        """
        begin, end = int(self._offset[genes[0]]), int(self._offset[genes[1]])
        with intact(self._path, self._name):
            columns = {key: array[begin:end].astype(np.int64) for key, array in self._arrays.items()}
        gene = np.repeat(np.arange(*genes), np.diff(self._offset[genes[0] : genes[1] + 1]))
        table = pd.DataFrame({"gene": gene, **columns})
        table["score"], table["weight"] = table["score"] / MEAN_UNIT, table["weight"] / MEAN_UNIT
        if peaks is not None:
            table = table[(table["peak"] >= peaks[0]) & (table["peak"] < peaks[1])].reset_index(drop=True)
        return table
