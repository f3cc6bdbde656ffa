"""The counts of all cells in one file of the work folder, of which every task reads its own cells."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any, Self

import h5py
import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from bi2scope.data.errors import StoreError
from bi2scope.data.multiome import Multiome
from bi2scope.data.store.links import StoredCounts
from bi2scope.data.store.parts import PartFile, find_part
from bi2scope.data.store.regulatory import TypeCells
from bi2scope.data.store.tables import COMPRESSED, write_array
from bi2scope.model.checkpoint import Trained

_STEM = "counts"
_TYPES = "type_codes"
_CHUNK = 1 << 16
_CELLS_AT_ONCE = 1024


def write_counts(folder: Path, multiome: Multiome) -> None:
    """Write the counts over the model's features and the cell types; nothing is done when they are there."""
    from anndata.io import write_elem

    if find_part(folder, _STEM) is not None:
        return
    with PartFile(folder, _STEM) as file:
        for key, counts in (("rna", multiome.rna), ("atac", multiome.atac)):
            write_elem(file, key, counts, dataset_kwargs={"chunks": (_CHUNK,), **COMPRESSED})
        write_array(file, _TYPES, multiome.cells["cell_type"].cat.codes.to_numpy(dtype="<i4"))


class CountsFile:
    """The counts, opened for reading; a context manager.

    Parameters
    ----------
    folder
        The work folder.
    trained
        The model that the counts are aligned to.

    Raises
    ------
    StoreError
        If they are not there.
    """

    def __init__(self, folder: Path, trained: Trained) -> None:
        self._trained = trained
        path = next(iter(sorted(folder.glob(f"{_STEM}.????????.h5"))), None)
        if path is None:
            raise StoreError(f"{folder} holds no counts.", "It was changed while it was in use: run with --overwrite.")
        self._file = h5py.File(path, "r", locking=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    @functools.cached_property
    def stored(self) -> tuple[StoredCounts, StoredCounts]:
        """RNA and ATAC of all cells, to be read cell by cell."""
        return StoredCounts(self._file["rna"]), StoredCounts(self._file["atac"])

    @property
    def n_cells(self) -> int:
        """Number of cells."""
        return len(self._type_codes)

    @functools.cached_property
    def _type_codes(self) -> npt.NDArray[np.int32]:
        codes: npt.NDArray[np.int32] = self._file[_TYPES][:]
        return codes

    def cells(self, first: int, stop: int) -> Multiome:
        """The cells ``first`` to ``stop``; their names are their positions."""
        codes = self._type_codes[first:stop]
        names = pd.Index([str(code) for code in range(int(self._type_codes.max()) + 1)])
        types = pd.Categorical.from_codes(codes, names)
        return Multiome(
            cells=pd.DataFrame({"cell_type": types}, index=pd.Index([str(cell) for cell in range(first, stop)])),
            genes=self._trained.genes,
            peaks=self._trained.peaks,
            rna=_rows(self._file["rna"], first, stop),
            atac=_rows(self._file["atac"], first, stop),
        )

    def of_type(self, type_code: int) -> TypeCells:
        """The cells of one type; besides their counts a block of all cells is in memory at a time."""
        chosen = self._type_codes == type_code
        rna, atac = (self._chosen_rows(key, chosen) for key in ("rna", "atac"))
        return TypeCells(np.flatnonzero(chosen), rna, atac, self._trained.network.layout.gene_chromosome)

    def _chosen_rows(self, key: str, chosen: npt.NDArray[np.bool_]) -> sparse.csr_matrix:
        group = self._file[key]
        blocks = [
            _rows(group, first, min(first + _CELLS_AT_ONCE, len(chosen)))[chosen[first : first + _CELLS_AT_ONCE]]
            for first in range(0, len(chosen), _CELLS_AT_ONCE)
        ]
        return sparse.csr_matrix(sparse.vstack(blocks, format="csr"))


def _rows(group: Any, first: int, stop: int) -> sparse.csr_matrix:
    indptr = group["indptr"][first : stop + 1]
    own = slice(int(indptr[0]), int(indptr[-1]))
    shape = (stop - first, int(group.attrs["shape"][1]))
    return sparse.csr_matrix((group["data"][own], group["indices"][own], indptr - indptr[0]), shape=shape)
