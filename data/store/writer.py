"""Write an attention store: cell by cell, under a temporary name, renamed when it is whole.

Use::

    with StoreWriter(path, multiome, attributes, embedding) as writer:
        for cell in range(multiome.n_cells):
            writer.write_cell(attention_of(cell))        # [layer][head]

When the block ends without an exception the cumulative scores are summed, the file is synced to the disk and takes its
name; on any exception, Ctrl-C included, the temporary file is removed and what stood at ``path`` stands there still.
Memory does not grow with the number of cells but for the offsets, eight bytes per cell and array.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import h5py
import hdf5plugin
import numpy as np
import numpy.typing as npt
import pandas as pd

from bi2scope.data.attention import CellAttention, Floats
from bi2scope.data.errors import StoreError
from bi2scope.data.multiome import Multiome
from bi2scope.data.store import schema
from bi2scope.data.store.cumulative import GridSums, grid_sums
from bi2scope.data.store.links import StoredCounts, StoredLinks

COMPRESSED: dict[str, Any] = {"fletcher32": True, **hdf5plugin.Bitshuffle(cname="lz4")}
"""Filters of every large array: bits shuffled, LZ4, and a checksum, since LZ4 alone lets flipped bits pass."""

SMALLEST_CHUNK, LARGEST_CHUNK = 1 << 12, 1 << 17


@dataclass(frozen=True)
class Embedding:
    """Two-dimensional embedding of the cells.

    Attributes
    ----------
    coordinates
        ``(n_cells, 2)``.
    method
        How it was made, in words for the screen.
    """

    coordinates: Floats
    method: str


class StoreWriter:
    """Writes one store; a context manager.

    Parameters
    ----------
    path
        Where the store shall stand.
    multiome
        The cells, exactly those and in the order in which they will be written.
    attributes
        What the store says of itself; generator, date, version and digest of the data set are stamped here.
    embedding
        Embedding of the cells.
    overwrite
        Whether a file at ``path`` may be replaced.

    Raises
    ------
    StoreError
        If ``path`` exists and may not be replaced, or the folder cannot be written to, or the disk is full.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        multiome: Multiome,
        attributes: schema.StoreAttributes,
        embedding: Embedding,
        *,
        overwrite: bool = False,
    ) -> None:
        self.path = Path(path)
        self._multiome = multiome
        self._overwrite = overwrite
        self._attributes = replace(
            attributes,
            generator=f"bi2scope {version('bi2scope')}",
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            dataset_digest=multiome.digest,
            format_version=schema.FORMAT_VERSION,
        )
        _check(self._attributes, multiome, embedding)
        self._refuse_existing()
        self._temporary = self.path.with_name(f"{self.path.name}.partial-{secrets.token_hex(4)}")
        self._n_written = 0
        self._summed: set[int] = set()
        self._file = self._create()
        try:
            with self._writing():
                self._begin(embedding)
        except BaseException:
            self._discard()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self._finish()
        finally:
            self._discard()

    def write_cell(self, attention: Sequence[Sequence[CellAttention]]) -> None:
        """Append the next cell.

        Parameters
        ----------
        attention
            Per layer and head the cell's links, its rows and peaks among those of its counts.

        Raises
        ------
        ValueError
            If the attention does not fit the cell or the store.
        StoreError
            If it cannot be written.
        """
        cell = self._n_written
        if cell == self._multiome.n_cells:
            raise ValueError(f"All {cell} cells of the store are written already.")
        if [len(heads) for heads in attention] != [self._attributes.n_heads] * self._attributes.n_layers:
            raise ValueError(
                "The attention of a cell is indexed [layer][head], with every layer and head of the store."
            )
        atac = self._multiome.atac
        own_peaks = atac.indices[atac.indptr[cell] : atac.indptr[cell + 1]]
        with self._writing():
            for links, one in zip(self._links, (one for heads in attention for one in heads), strict=True):
                links.append(one, own_peaks, self._attributes.k_max)
        self._n_written += 1

    def write_cumulative(self, type_code: int) -> None:
        """Sum the cumulative scores of one cell type, once every cell is written; types left out are summed at the end.

        Parameters
        ----------
        type_code
            Position of the type in the data set's cell types.
        """
        self._close_links()
        multiome, top_k = self._multiome, schema.grid_top_k(self._attributes.k_max)
        cells = np.flatnonzero(multiome.cells["cell_type"].cat.codes == type_code)
        with self._writing():
            counts = StoredCounts(self._file[schema.ATAC])
            for layer, head in self._layers_and_heads():
                links = StoredLinks(self._file[schema.links_path(layer, head)], counts)
                sums = grid_sums(links.blocks(cells), multiome.n_peaks, schema.GRID_THRESHOLDS, top_k)
                self._write_grid(schema.cumulative_path(layer, head), type_code, sums)
            n_open = np.asarray((multiome.atac[cells] != 0).sum(axis=0)).ravel()
            self._file[f"{schema.CUMULATIVE}/{schema.N_OPEN}"][type_code] = n_open
        self._summed.add(type_code)

    def _refuse_existing(self) -> None:
        if not self._overwrite and self.path.exists():
            raise StoreError(f"{self.path} exists already.", "Give another path, or allow it to be overwritten.")

    def _create(self) -> h5py.File:
        try:
            return h5py.File(self._temporary, "x", libver=(schema.LIBVER, schema.LIBVER))
        except OSError as error:
            raise self._unwritable(error) from error

    def _begin(self, embedding: Embedding) -> None:
        """Write everything that is known before the first cell, and make room for the rest."""
        self._file.attrs.update(schema.attributes_to_root(self._attributes))
        self._write_tables(embedding)
        self._links = [
            _LinkAppender(self._file.create_group(schema.links_path(layer, head)), self._multiome, self._attributes)
            for layer, head in self._layers_and_heads()
        ]
        self._make_grid()

    def _layers_and_heads(self) -> Iterator[tuple[int, int]]:
        for layer in range(self._attributes.n_layers):
            for head in range(self._attributes.n_heads):
                yield layer, head

    def _write_tables(self, embedding: Embedding) -> None:
        from anndata.io import write_elem

        multiome = self._multiome
        cells = pd.DataFrame(
            {
                "cell_type": multiome.cells["cell_type"].cat.rename_categories(lambda name: str(name)),
                "n_genes": np.diff(multiome.rna.indptr).astype(np.int32),
                "n_peaks": np.diff(multiome.atac.indptr).astype(np.int32),
                "umap_1": embedding.coordinates[:, 0].astype(np.float32),
                "umap_2": embedding.coordinates[:, 1].astype(np.float32),
            },
            index=multiome.cells.index,
        )
        genes, peaks = multiome.genes[list(schema.GENE_COLUMNS)], multiome.peaks[list(schema.PEAK_COLUMNS)]
        for key, table in ((schema.CELLS, cells), (schema.GENES, genes), (schema.PEAKS, peaks)):
            write_elem(self._file, key, _plain(table, schema.INDEX_NAMES[key]))
        self._file[schema.CELLS].attrs[schema.EMBEDDING_METHOD] = embedding.method
        for key, counts in ((schema.RNA, multiome.rna), (schema.ATAC, multiome.atac)):
            chunk = _chunk(counts.nnz / max(multiome.n_cells, 1))
            write_elem(self._file, key, counts, dataset_kwargs={"chunks": (chunk,), **COMPRESSED})

    def _make_grid(self) -> None:
        n_types, n_peaks = len(self._multiome.cell_types), self._multiome.n_peaks
        thresholds, top_k = schema.GRID_THRESHOLDS, schema.grid_top_k(self._attributes.k_max)
        group = self._file.create_group(schema.CUMULATIVE)
        group[schema.THRESHOLDS] = np.asarray(thresholds, dtype="<f8")
        group[schema.TOP_K] = np.asarray(top_k, dtype="<i4")
        chunk = (max(min(n_peaks, LARGEST_CHUNK), 1),)
        group.create_dataset(schema.N_OPEN, (n_types, n_peaks), "<u4", chunks=(1, *chunk), **COMPRESSED)
        for layer, head in self._layers_and_heads():
            one = self._file.create_group(schema.cumulative_path(layer, head))
            one.create_dataset(schema.TRUNCATED, (n_types, len(thresholds), len(top_k) + 1), "u1")
            for name, dtype in schema.DEFINITIONS.items():
                shape = (n_types, len(thresholds), len(top_k), n_peaks)
                one.create_dataset(name, shape, dtype, chunks=(1, 1, 1, *chunk), **COMPRESSED)

    def _write_grid(self, path: str, type_code: int, sums: GridSums) -> None:
        group = self._file[path]
        group[schema.TRUNCATED][type_code] = sums.truncated
        for name, dtype in schema.DEFINITIONS.items():
            group[name][type_code] = getattr(sums, name).astype(dtype)

    def _close_links(self) -> None:
        if self._n_written != self._multiome.n_cells:
            raise ValueError(f"{self._n_written} of {self._multiome.n_cells} cells are written.")
        with self._writing():
            for links in self._links:
                links.close()

    def _finish(self) -> None:
        for type_code in range(len(self._multiome.cell_types)):
            if type_code not in self._summed:
                self.write_cumulative(type_code)
        with self._writing():
            self._close_links()
            self._file.close()
            _sync(self._temporary)
            self._refuse_existing()
            self._temporary.replace(self.path)
            _sync(self.path.parent)

    def _discard(self) -> None:
        """Close and remove the temporary file, if it is still there, whatever state it is in."""
        with contextlib.suppress(OSError, RuntimeError, ValueError):
            self._file.close()
        self._temporary.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except (OSError, RuntimeError) as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: Exception) -> StoreError:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        return StoreError(
            f"The store {self.path} cannot be written: {reason}.",
            "It needs a folder that exists, the right to write there and room on the disk. Nothing was changed.",
        )


class _LinkAppender:
    """The arrays of one layer and head while they grow."""

    def __init__(self, group: h5py.Group, multiome: Multiome, attributes: schema.StoreAttributes) -> None:
        genes, peaks = np.diff(multiome.rna.indptr), np.diff(multiome.atac.indptr)
        per_gene = min(attributes.k_max, peaks.mean() / max(len(multiome.chromosomes), 1)) if len(peaks) else 0
        row_chunk, link_chunk = _chunk(genes.mean() if len(genes) else 0), _chunk(genes.mean() * per_gene)
        types = {"peak": schema.peak_dtype(int(peaks.max(initial=0))), "logit": schema.LOGIT_DTYPE}
        self._rows = {key: _Appender(group, key, dtype, row_chunk) for key, dtype in schema.ROW_ARRAYS.items()}
        self._columns = {key: _Appender(group, key, dtype, link_chunk) for key, dtype in types.items()}
        self._group = group
        self._n_rows, self._n_links = [0], [0]
        self._closed = False

    def append(self, attention: CellAttention, own_peaks: npt.NDArray[Any], k_max: int) -> None:
        n_links = np.diff(attention.row_start)
        peak = np.searchsorted(own_peaks, attention.peak)
        _check_cell(attention, n_links, own_peaks, peak, k_max)
        self._rows["gene"].append(attention.gene)
        self._rows["n_links"].append(n_links)
        self._rows["n_above"].append(attention.n_above)
        self._rows["denominator"].append(attention.denominator)
        self._columns["peak"].append(peak)
        self._columns["logit"].append(attention.logit)
        self._n_rows.append(self._n_rows[-1] + len(n_links))
        self._n_links.append(self._n_links[-1] + len(peak))

    def close(self) -> None:
        if self._closed:
            return
        for appender in (*self._rows.values(), *self._columns.values()):
            appender.flush()
        for key, offsets in ((schema.ROW_OFFSET, self._n_rows), (schema.LINK_OFFSET, self._n_links)):
            values = np.asarray(offsets, dtype="<i8")
            self._group.create_dataset(key, data=values, chunks=(min(len(values), LARGEST_CHUNK),), **COMPRESSED)
        self._closed = True


class _Appender:
    """One array that grows: buffered, and written in whole chunks so that none is compressed twice."""

    def __init__(self, group: h5py.Group, key: str, dtype: np.dtype[Any], chunk: int) -> None:
        self._dataset = group.create_dataset(key, (0,), dtype, maxshape=(None,), chunks=(chunk,), **COMPRESSED)
        self._chunk = chunk
        self._pending: list[npt.NDArray[Any]] = []
        self._n_pending = 0

    def append(self, values: npt.NDArray[Any]) -> None:
        self._pending.append(values.astype(self._dataset.dtype))
        self._n_pending += len(values)
        if self._n_pending >= 4 * self._chunk:
            self._write(self._n_pending - self._n_pending % self._chunk)

    def flush(self) -> None:
        self._write(self._n_pending)

    def _write(self, count: int) -> None:
        if not count:
            return
        values = np.concatenate(self._pending)
        start = len(self._dataset)
        self._dataset.resize((start + count,))
        self._dataset[start:] = values[:count]
        self._pending = [values[count:]]
        self._n_pending -= count


def _chunk(per_cell: float) -> int:
    """Entries of a chunk: about those of one cell, so that one cell is one or two chunk reads."""
    return int(np.clip(1 << int(np.ceil(np.log2(max(per_cell, 1)))), SMALLEST_CHUNK, LARGEST_CHUNK))


def _plain(table: pd.DataFrame, index_name: str) -> pd.DataFrame:
    """The table with names as plain objects and few-valued columns as categories, the same under pandas 2 and 3."""
    plain = table.copy()
    plain.index = pd.Index(table.index.astype(str).to_numpy(dtype=object), dtype=object, name=index_name)
    for column in ("chrom", "strand"):
        if column in plain:
            plain[column] = pd.Categorical(table[column].astype(str).to_numpy(dtype=object))
    if "name" in plain:
        plain["name"] = table["name"].astype(str).to_numpy(dtype=object)
    return plain


def _check(attributes: schema.StoreAttributes, multiome: Multiome, embedding: Embedding) -> None:
    if not 1 <= attributes.k_max <= schema.LARGEST_K_MAX:
        raise StoreError(f"k_max is {attributes.k_max}; a store keeps 1 to {schema.LARGEST_K_MAX} links per gene.")
    if embedding.coordinates.shape != (multiome.n_cells, 2):
        raise ValueError(f"The embedding has shape {embedding.coordinates.shape}, wanted {(multiome.n_cells, 2)}.")


def _check_cell(
    attention: CellAttention,
    n_links: npt.NDArray[Any],
    own_peaks: npt.NDArray[Any],
    position: npt.NDArray[Any],
    k_max: int,
) -> None:
    """Refuse attention that would make a store that cannot be read: lengths, ranks and peaks."""
    rows = {len(attention.gene), len(n_links), len(attention.n_above), len(attention.denominator)}
    if len(rows) != 1 or {len(attention.peak), len(attention.logit)} != {int(n_links.sum())}:
        raise ValueError("The arrays of the cell's attention differ in length.")
    if n_links.max(initial=0) > k_max:
        raise ValueError(f"A row has {n_links.max()} links, the store keeps {k_max}.")
    if len(position) and (position.max() >= len(own_peaks) or not np.array_equal(own_peaks[position], attention.peak)):
        raise ValueError("A link points to a peak that the cell has no count of.")


def _sync(path: Path) -> None:
    """Have the operating system write a file, or a folder's entries, to the disk."""
    if os.name == "nt" and path.is_dir():
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
