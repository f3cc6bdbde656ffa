"""Read an attention store: one cell's graph and links, a cell type's cumulative scores.

A reader keeps the tables and the offsets in memory and reads the rest when asked, so its memory does not grow with the
number of links. It may be shared by threads.
"""

from __future__ import annotations

import contextlib
import os
import re
import threading
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import h5py
import hdf5plugin  # noqa: F401  registers the compression filter; without it no array can be read
import numpy as np
import pandas as pd

from bi2scope.data.attention import CellAttention, Cut
from bi2scope.data.errors import NotFoundError, StoreDamagedError, StoreError, StoreFormatError
from bi2scope.data.graph import CellGraph
from bi2scope.data.store import schema
from bi2scope.data.store.cumulative import CumulativeScores, CutSums, cut_sums
from bi2scope.data.store.links import StoredCounts, StoredLinks
from bi2scope.data.store.tables import text_of

KEPT_SUMS_BYTES = 64 << 20
"""Cumulative scores that a reader keeps for the next request of the same cut."""


class StoreReader:
    """An open attention store; a context manager, safe to share between threads.

    Made by :meth:`open`.

    Attributes
    ----------
    path
        The file.
    attributes
        What the store says of itself.
    cells
        ``(n_cells,)`` rows; index ``cell_id``; ``cell_type`` (categorical), ``n_genes``, ``n_peaks``, ``umap_1``,
        ``umap_2``.
    genes, peaks
        Tables as in :class:`bi2scope.data.multiome.Multiome`.
    cell_types
        Names of the cell types, in natural order.
    embedding_method
        How ``umap_1`` and ``umap_2`` were made.
    """

    def __init__(self, path: Path, file: h5py.File) -> None:
        self.path = path
        self._file = file
        self.attributes = _attributes(path, file)
        self.cells, self.genes, self.peaks = (
            _table(path, file, key) for key in (schema.CELLS, schema.GENES, schema.PEAKS)
        )
        self.cell_types = [str(name) for name in self.cells["cell_type"].cat.categories]
        self._type_code = self.cells["cell_type"].cat.codes.to_numpy()
        with _intact(path, "the counts and links"):
            self.embedding_method = text_of(file[schema.CELLS].attrs[schema.EMBEDDING_METHOD])
            self._rna, self._atac = StoredCounts(file[schema.RNA]), StoredCounts(file[schema.ATAC])
            self._links = [
                [
                    StoredLinks(file[schema.links_path(layer, head)], self._atac)
                    for head in range(self.attributes.n_heads)
                ]
                for layer in range(self.attributes.n_layers)
            ]
            self._grid = file[schema.CUMULATIVE]
            self._thresholds = self._grid[schema.THRESHOLDS][:].tolist()
            self._top_k = self._grid[schema.TOP_K][:].tolist()
        self._check_lengths()
        self._sums: OrderedDict[tuple[Any, ...], CumulativeScores] = OrderedDict()
        self._lock = threading.Lock()

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Self:
        """Open a store.

        Raises
        ------
        StoreError
            If there is no such file or it may not be read.
        StoreFormatError
            If it is no HDF5 file, no attention store, or one of another format version.
        StoreDamagedError
            If it is cut short or its parts disagree.
        """
        file = _open(Path(path))
        try:
            return cls(Path(path), file)
        except BaseException:
            file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; the tables stay."""
        self._file.close()

    @property
    def n_cells(self) -> int:
        """Number of cells."""
        return len(self.cells)

    def cell_position(self, cell_id: str) -> int:
        """Position of a cell by its name.

        Raises
        ------
        NotFoundError
            If there is no cell of that name; the nearest names are offered.
        """
        position = self.cells.index.get_indexer(pd.Index([cell_id], dtype=object))[0]
        if position < 0:
            raise NotFoundError("cell", cell_id, self.cells.index)
        return int(position)

    def graph(self, cell: int) -> CellGraph:
        """The counts of one cell: its genes and peaks that are not zero."""
        self._check_cell(cell)
        with _intact(self.path, f"the counts of cell {cell}"):
            return CellGraph(
                gene_index=self._rna.indices(cell, cell + 1).astype(np.int64),
                gene_count=self._rna.data(cell),
                peak_index=self._atac.indices(cell, cell + 1).astype(np.int64),
                peak_count=self._atac.data(cell),
            )

    def attention(self, cell: int, layer: int = 0, head: int = 0) -> CellAttention:
        """The kept links of one cell in one layer and head.

        Raises
        ------
        NotFoundError
            If there is no such cell, layer or head.
        StoreDamagedError
            If the file fails its checksums there.
        """
        self._check_cell(cell)
        links = self.stored_links(layer, head)
        with _intact(self.path, f"{schema.links_path(layer, head)}, cell {cell}"):
            return links.cell(cell)

    def cumulative(self, cell_type: str, cut: Cut, layer: int = 0, head: int = 0) -> CumulativeScores:
        """Cumulative scores of a cell type: read from the stored grid when the cut is on it, else summed.

        A sum takes the type's cells a bounded number of links at a time; the last few are kept. The arrays are
        shared and cannot be written to.

        Raises
        ------
        NotFoundError
            If there is no such cell type, layer or head.
        StoreDamagedError
            If the file fails its checksums on the way.
        """
        if cell_type not in self.cell_types:
            raise NotFoundError("cell type", cell_type, self.cell_types)
        links = self.stored_links(layer, head)
        key = (cell_type, cut, layer, head)
        kept = self._recall(key)
        if kept is None:
            with _intact(self.path, f"the cumulative scores of {cell_type}"):
                kept = self._cumulative(self.cell_types.index(cell_type), cut, links, (layer, head))
            self._keep(key, kept)
        return kept

    def _cumulative(self, code: int, cut: Cut, links: StoredLinks, place: tuple[int, int]) -> CumulativeScores:
        cells = np.flatnonzero(self._type_code == code)
        if cut.threshold in self._thresholds and (cut.top_k in self._top_k or _past(cut, self._top_k[-1])):
            sums = self._from_grid(code, cut, place)
        else:
            sums = cut_sums(links.blocks(cells), len(self.peaks), cut)
        n_open = self._grid[schema.N_OPEN][code].astype(np.int64)
        for array in (sums.links, sums.score, sums.weight, n_open):
            array.flags.writeable = False
        return CumulativeScores(sums.links, sums.score, sums.weight, n_open, len(cells), sums.truncated)

    def _from_grid(self, code: int, cut: Cut, place: tuple[int, int]) -> CutSums:
        """The sums of a cut on the grid; a k past k_max is no cut at all."""
        group = self._file[schema.cumulative_path(*place)]
        row = self._thresholds.index(cut.threshold)
        past = _past(cut, self._top_k[-1])
        column = len(self._top_k) - 1 if past else self._top_k.index(cut.top_k)
        sums = {name: group[name][code, row, column].astype(np.float64) for name in schema.DEFINITIONS}
        return CutSums(**sums, truncated=bool(group[schema.TRUNCATED][code, row, column + past]))

    def _recall(self, key: tuple[Any, ...]) -> CumulativeScores | None:
        with self._lock:
            if key in self._sums:
                self._sums.move_to_end(key)
            return self._sums.get(key)

    def _keep(self, key: tuple[Any, ...], scores: CumulativeScores) -> None:
        room = max(1, KEPT_SUMS_BYTES // max(4 * scores.links.nbytes, 1))
        with self._lock:
            self._sums[key] = scores
            while len(self._sums) > room:
                self._sums.popitem(last=False)

    def stored_links(self, layer: int, head: int) -> StoredLinks:
        """The links of one layer and head, to be read in blocks.

        Raises
        ------
        NotFoundError
            If there is no such layer or head.
        """
        for kind, number, count in (
            ("layer", layer, self.attributes.n_layers),
            ("head", head, self.attributes.n_heads),
        ):
            if not 0 <= number < count:
                raise NotFoundError(kind, str(number), [str(known) for known in range(count)])
        return self._links[layer][head]

    def _check_cell(self, cell: int) -> None:
        if not 0 <= cell < self.n_cells:
            raise NotFoundError("cell", f"position {cell}")

    def _check_lengths(self) -> None:
        """Refuse a file whose arrays do not fit one another, before anything is read from them."""
        with _intact(self.path, "the arrays"):
            for key, found, wanted in _lengths(self._file, self):
                if found != wanted:
                    raise StoreDamagedError(
                        f"{self.path} is damaged: {key} has shape {found}, wanted {wanted}.", _RESTORE
                    )


_RESTORE = "Copy it again from where it is whole, or run `bi2scope precompute` anew."


def _past(cut: Cut, k_max: int) -> bool:
    """Whether the cut on the rank asks for all links, kept or not."""
    return cut.top_k is None or cut.top_k > k_max


def _open(path: Path) -> h5py.File:
    if path.is_dir() or not path.exists():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise StoreError(f"{path} {what}; wanted an attention store.", "`bi2scope precompute` makes one.")
    try:
        with path.open("rb") as content:
            size = len(content.read(8))
        if not h5py.is_hdf5(path):
            found = "is empty" if not size else "is not an HDF5 file"
            raise StoreFormatError(f"{path} {found}; wanted an attention store.", "`bi2scope precompute` makes one.")
        return h5py.File(path, "r", locking=False)  # a store never changes under its name: no lock is needed
    except PermissionError as error:
        raise StoreError(f"{path} may not be read.", "Ask its owner for the right to read it.") from error
    except (OSError, RuntimeError) as error:
        raise _damaged(path, "the file", error) from error


def _attributes(path: Path, file: h5py.File) -> schema.StoreAttributes:
    with _intact(path, "the root attributes"):
        magic, found = text_of(file.attrs.get("magic")), file.attrs.get("format_version")
    if magic != schema.MAGIC:
        raise StoreFormatError(
            f"{path} is an HDF5 file, but not an attention store.", "`bi2scope precompute` makes one."
        )
    if not isinstance(found, (int, np.integer)) or found != schema.FORMAT_VERSION:
        raise StoreFormatError(
            f"{path} has store format {found}; this program reads format {schema.FORMAT_VERSION}.",
            "Read it with the version of bi2scope that wrote it, or run `bi2scope precompute` anew.",
        )
    with _intact(path, "the root attributes"):
        return schema.attributes_from_root({key: _plain(value) for key, value in file.attrs.items()})


def _plain(value: Any) -> Any:
    return text_of(value) if isinstance(value, bytes) else value


def _table(path: Path, file: h5py.File, key: str) -> pd.DataFrame:
    from anndata.io import read_elem

    with _intact(path, key):
        table: pd.DataFrame = read_elem(file[key])
        columns = {schema.CELLS: schema.CELL_COLUMNS, schema.GENES: schema.GENE_COLUMNS}.get(key, schema.PEAK_COLUMNS)
        table = table[list(columns)]
        names = {column: table[column].astype(str) for column in ("chrom", "strand") if column in table}
        return table.assign(**names)


def _lengths(file: h5py.File, reader: StoreReader) -> Iterator[tuple[str, tuple[int, ...], tuple[int, ...]]]:
    """Key, shape found and shape wanted of every array."""
    tables = {schema.RNA: reader.genes, schema.ATAC: reader.peaks}
    n_cells, n_peaks, n_types = len(reader.cells), len(reader.peaks), len(reader.cell_types)
    for key, features in tables.items():
        indptr = file[f"{key}/indptr"]
        yield f"{key} (attribute)", tuple(file[key].attrs["shape"]), (n_cells, len(features))
        yield f"{key}/indptr", indptr.shape, (n_cells + 1,)
        for part in ("indices", "data"):
            yield f"{key}/{part}", file[f"{key}/{part}"].shape, (int(indptr[-1]),)
    cuts = (len(file[f"{schema.CUMULATIVE}/{schema.THRESHOLDS}"]), len(file[f"{schema.CUMULATIVE}/{schema.TOP_K}"]))
    yield f"{schema.CUMULATIVE}/{schema.N_OPEN}", file[f"{schema.CUMULATIVE}/{schema.N_OPEN}"].shape, (n_types, n_peaks)
    for layer in range(reader.attributes.n_layers):
        for head in range(reader.attributes.n_heads):
            yield from _link_lengths(file[schema.links_path(layer, head)], n_cells)
            group = file[schema.cumulative_path(layer, head)]
            for name in schema.DEFINITIONS:
                yield group[name].name, group[name].shape, (n_types, *cuts, n_peaks)
            yield group[schema.TRUNCATED].name, group[schema.TRUNCATED].shape, (n_types, cuts[0], cuts[1] + 1)


def _link_lengths(group: h5py.Group, n_cells: int) -> Iterator[tuple[str, tuple[int, ...], tuple[int, ...]]]:
    for offset, keys in ((schema.ROW_OFFSET, schema.ROW_ARRAYS), (schema.LINK_OFFSET, schema.LINK_ARRAYS)):
        yield group[offset].name, group[offset].shape, (n_cells + 1,)
        for key in keys:
            yield group[key].name, group[key].shape, (int(group[offset][-1]),)


@contextlib.contextmanager
def _intact(path: Path, key: str) -> Iterator[None]:
    """Say which part of which file is damaged, instead of what HDF5 says."""
    try:
        yield
    except StoreDamagedError:
        raise
    except (OSError, RuntimeError, LookupError, ValueError, TypeError, AttributeError) as error:
        raise _damaged(path, key, error) from error
    except Exception as error:  # what anndata raises of its own for an element of no known encoding
        if type(error).__module__.startswith("anndata"):
            raise _damaged(path, key, error) from error
        raise


def _damaged(path: Path, key: str, error: Exception) -> StoreDamagedError:
    reason = str(error).strip("\"'").splitlines()[0] if str(error) else type(error).__name__
    cut_short = re.search(r"truncated file: eof = (\d+), .*stored_eof = (\d+)", reason)
    if cut_short:
        return StoreDamagedError(
            f"{path} is cut short: {int(cut_short[1]):,} of {int(cut_short[2]):,} bytes are there.", _RESTORE
        )
    return StoreDamagedError(f"{path} is damaged: {key} cannot be read ({reason}).", _RESTORE)
