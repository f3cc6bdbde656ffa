"""The regulatory map of a cell type: which genes are linked to which peaks, in how many cells, and how strongly.

Built some genes at a time (:mod:`bi2scope.data.store.pairs`), so memory is bounded, however many cells there are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np
import numpy.typing as npt
import pandas as pd

from bi2scope.data.attention import Cut, Ints
from bi2scope.data.multiome import Multiome
from bi2scope.data.store import schema
from bi2scope.data.store.growing import GrowingArray
from bi2scope.data.store.opening import intact
from bi2scope.data.store.pairs import PairSources, linked_pairs
from bi2scope.data.store.tables import write_array

if TYPE_CHECKING:
    from scipy import sparse

PAIR_CHUNK = 1 << 14

Ints64 = npt.NDArray[np.int64]


def least_cells(n_cells: int) -> int:
    """Cells that a pair of a type's map is linked in at least: 1 in 100, rounded up, and 2 of more than 20 cells."""
    return max(1 if n_cells <= schema.MAP_FEW_CELLS else 2, int(np.ceil(n_cells * schema.MAP_LEAST_SHARE)))


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


def write_map(group: h5py.Group, sources: PairSources, cells: Ints) -> None:
    """Build and write the map of one cell type."""
    least = least_cells(len(cells))
    group.attrs[schema.LEAST_CELLS] = least
    arrays = {key: GrowingArray(group, key, dtype, PAIR_CHUNK) for key, dtype in schema.map_arrays(len(cells)).items()}
    per_gene = np.zeros(len(sources.gene_chromosome), dtype=np.int64)
    for pairs in linked_pairs(sources, cells, Cut(), least):
        per_gene += np.bincount(pairs.gene, minlength=len(per_gene))
        starts = np.flatnonzero(np.diff(pairs.gene, prepend=-1))
        gap = np.diff(pairs.peak, prepend=0)
        gap[starts] = pairs.peak[starts]
        score, weight = (np.minimum(np.rint(mean * MEAN_UNIT), MEAN_UNIT) for mean in pairs.means())
        for key, values in zip(arrays, (gap, pairs.n_cells, pairs.n_both, score, weight), strict=True):
            arrays[key].append(values)
    for array in arrays.values():
        array.flush()
    write_array(group, schema.GENE_OFFSET, np.concatenate([[0], np.cumsum(per_gene)]).astype("<i8"))


MEAN_UNIT = (1 << 16) - 1


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
        self._arrays = {key: group[key] for key in schema.MAP_KEYS}
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
        per_gene = np.diff(self._offset[genes[0] : genes[1] + 1])
        gene, reached = np.repeat(np.arange(*genes), per_gene), np.cumsum(columns["peak"])
        before = np.concatenate([[0], reached])[self._offset[genes[0] : genes[1]] - begin]
        columns["peak"] = reached - np.repeat(before, per_gene)
        table = pd.DataFrame({"gene": gene, **columns})
        table["score"], table["weight"] = table["score"] / MEAN_UNIT, table["weight"] / MEAN_UNIT
        if peaks is not None:
            table = table[(table["peak"] >= peaks[0]) & (table["peak"] < peaks[1])].reset_index(drop=True)
        return table
