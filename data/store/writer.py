"""Write an attention store: cell by cell, under a temporary name, renamed when it is whole.

Use::

    with StoreWriter(path, multiome, attributes) as writer:
        writer.write_embedding(embedding)
        for cell in range(multiome.n_cells):
            writer.write_cell(attention_of(cell))        # [layer][head]

When the block ends without an exception the cell types are summarised, the file is synced to the disk and takes its
name; on any exception, Ctrl-C included, the temporary file is removed and what stood at ``path`` stands there still.
Memory does not grow with the number of cells but for the offsets, eight bytes per cell and array.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Self

import h5py
import numpy as np

from bi2scope.data.attention import FLOOR, CellAttention
from bi2scope.data.errors import ConfigurationError, StoreError
from bi2scope.data.factors import Factors
from bi2scope.data.multiome import Multiome
from bi2scope.data.store import schema
from bi2scope.data.store.cells_table import Embedding, cells_table
from bi2scope.data.store.controls import copy_control, copy_sums
from bi2scope.data.store.disk import DiskFile
from bi2scope.data.store.growing import GrowingLinks, LinkLayout, chunk_length
from bi2scope.data.store.links import StoredCounts, StoredLinks
from bi2scope.data.store.null import CellPlaces
from bi2scope.data.store.parts import copy_tree
from bi2scope.data.store.regulatory import TypeCells
from bi2scope.data.store.sums import SumSources, group_of, kinds_of, write_sums
from bi2scope.data.store.tables import COMPRESSED, LARGEST_CHUNK, fixed_text, write_array, write_table
from bi2scope.data.store.transposed import write_transposed
from bi2scope.data.tracks.matching import gc_share


class StoreWriter:
    """Writes one store; a context manager.

    Parameters
    ----------
    path
        Where the store shall stand.
    multiome
        The cells, exactly those and in the order in which they will be written.
    attributes
        What the store says of itself; generator, date and format version are stamped here.
    overwrite
        Whether a file at ``path`` may be replaced.

    Raises
    ------
    ConfigurationError
        If ``k_max`` is out of its range.
    StoreError
        If ``path`` exists and may not be replaced, or the folder cannot be written to, or the disk is full.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        multiome: Multiome,
        attributes: schema.StoreAttributes,
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
            dataset_digest=attributes.dataset_digest or multiome.digest,
            format_version=schema.FORMAT_VERSION,
        )
        check_limits(self._attributes)
        self._refuse_existing()
        self._temporary = self.path.with_name(f"{self.path.name}.partial-{secrets.token_hex(4)}")
        self._n_written = 0
        self._summed: set[int] = set()
        self._disk = self._create()
        self._file = h5py.File(self._disk, "w", libver=(schema.LIBVER, schema.LIBVER))
        try:
            with self._writing():
                self._begin()
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

    def write_embedding(self, embedding: Embedding) -> None:
        """Write the cells with their embedding; once, before the end.

        Raises
        ------
        ValueError
            If the embedding does not have one row per cell.
        StoreError
            If it cannot be written.
        """
        cells = cells_table(self._multiome, embedding)
        with self._writing():
            if embedding.pooled is not None:
                write_array(self._file, schema.POOLED, np.asarray(embedding.pooled, dtype="<f4"))
            write_table(self._file, schema.CELLS, cells)
            self._file[schema.CELLS].attrs[schema.EMBEDDING_METHOD] = fixed_text(embedding.method)

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
                links.append(one, own_peaks)
        self._n_written += 1

    def take_shard(self, shard: str | os.PathLike[str]) -> None:
        """Append the cells of a shard (:mod:`bi2scope.data.store.parts`), which are the next ones.

        Raises
        ------
        ValueError
            If it does not fit the store.
        StoreError
            If it cannot be written.
        """
        with h5py.File(shard, "r", locking=False) as file, self._writing():
            for links, (layer, head) in zip(self._links, self._layers_and_heads(), strict=True):
                links.take(file[schema.links_path(layer, head)])
        self._n_written = len(self._links[0])

    def take_sums(self, type_code: int, parts: Iterable[str | os.PathLike[str]]) -> None:
        """Take over the sums of a cell type, made elsewhere, in place of :meth:`write_cumulative`.

        Raises
        ------
        StoreError
            If they cannot be written.
        """
        with self._writing():
            for part in parts:
                with h5py.File(part, "r", locking=False) as file:
                    copy_tree(file, self._file)
            self._write_n_open(type_code)
        self._summed.add(type_code)

    def write_factors(self, factors: Factors) -> None:
        """Write the first layer's factors, from which any cell's attention can be recomputed; once, before any sums.

        Raises
        ------
        ValueError
            If they are not of the store's genes, peaks and heads, or cell types are summed already.
        StoreError
            If they cannot be written.
        """
        wanted = (self._multiome.n_genes, self._multiome.n_peaks, self._attributes.n_heads)
        if (len(factors.query), len(factors.key), factors.heads) != wanted:
            raise ValueError("The factors are of other genes, peaks or heads.")
        if self._summed:
            raise ValueError("Cell types are summed already; what is kept of them depends on the factors.")
        with self._writing():
            group = self._file.create_group(schema.FACTORS)
            group.attrs[schema.COUNTS_ATTRIBUTE] = fixed_text(factors.counts)
            for key in schema.FACTOR_ARRAYS:
                write_array(group, key, getattr(factors, key).astype("<f4"))

    def write_control(self, name: str, store: str | os.PathLike[str]) -> None:
        """Take over the cumulative scores of a control model from its own store, over the same cells and peaks.

        Raises
        ------
        StoreError
            If that store is of other cells, types or peaks, or nothing can be written.
        """
        with self._writing():
            copy_control(self._file, name, store)

    def take_control(self, name: str, parts: Iterable[str | os.PathLike[str]]) -> None:
        """Take over the sums of a control model over all cell types, made elsewhere; once those of the model are here.

        Raises
        ------
        StoreError
            If the name cannot be one, or they cannot be written.
        """
        with self._writing():
            copy_sums(self._file, name, parts)

    def write_cumulative(self, type_code: int) -> None:
        """Sum one cell type, once every cell is written; types left out are summed at the end.

        Parameters
        ----------
        type_code
            Position of the type in the data set's cell types.
        """
        self._close_links()
        multiome = self._multiome
        of_type = TypeCells.of(multiome, type_code)
        places = CellPlaces.of(multiome.genes, multiome.peaks, self._attributes.max_distance)
        with self._writing():
            counts = StoredCounts(self._file[schema.RNA]), StoredCounts(self._file[schema.ATAC])
            factors = schema.FACTORS in self._file and self._attributes.attention != "random"
            sources = SumSources(counts, places, factors)
            for layer, head in self._layers_and_heads():
                links = StoredLinks(self._file[schema.links_path(layer, head)], *counts, self._attributes.attention)
                for kind in kinds_of(links, of_type.cells):
                    group = group_of(self._file, kind, layer, head, type_code)
                    write_sums(group, kind, links, of_type, sources, layer)
            self._write_n_open(type_code)
        self._summed.add(type_code)

    def _write_n_open(self, type_code: int) -> None:
        of_type = (self._multiome.cells["cell_type"].cat.codes == type_code).to_numpy()
        n_open = np.asarray((self._multiome.atac[of_type] != 0).sum(axis=0)).ravel()
        self._file[f"{schema.CUMULATIVE}/{schema.N_OPEN}"][type_code] = n_open

    def _refuse_existing(self) -> None:
        refuse_existing(self.path, self._overwrite)

    def _create(self) -> DiskFile:
        try:
            return DiskFile(self._temporary)
        except OSError as error:
            raise self._unwritable(error) from error

    def _begin(self) -> None:
        """Write everything that is known before the first cell, and make room for the rest."""
        for key, value in schema.attributes_to_root(self._attributes).items():
            self._file.attrs[key] = fixed_text(value) if isinstance(value, str) else value
        self._write_tables()
        layout = LinkLayout.of(self._multiome, self._attributes.k_max)
        self._links = [
            GrowingLinks(self._file.create_group(schema.links_path(layer, head)), self._multiome.n_cells, layout)
            for layer, head in self._layers_and_heads()
        ]
        self._make_sums()

    def _layers_and_heads(self) -> Iterator[tuple[int, int]]:
        for layer in range(self._attributes.n_layers):
            for head in range(self._attributes.n_heads):
                yield layer, head

    def _write_tables(self) -> None:
        from anndata.io import write_elem

        multiome = self._multiome
        genes, peaks = multiome.genes[list(schema.GENE_COLUMNS)], multiome.peaks[list(schema.PEAK_COLUMNS)]
        if multiome.peak_dna is not None:
            peaks = peaks.assign(**{schema.GC_COLUMN: gc_share(multiome.peak_dna).astype(np.float32)})
        for key, table in ((schema.GENES, genes), (schema.PEAKS, peaks)):
            write_table(self._file, key, table)
        for key, counts in ((schema.RNA, multiome.rna), (schema.ATAC, multiome.atac)):
            chunk = chunk_length(counts.nnz / max(multiome.n_cells, 1))
            write_elem(self._file, key, counts, dataset_kwargs={"chunks": (chunk,), **COMPRESSED})
        write_transposed(self._file, multiome)

    def _make_sums(self) -> None:
        n_types, n_peaks = len(self._multiome.cell_types), self._multiome.n_peaks
        group = self._file.create_group(schema.CUMULATIVE)
        write_array(group, schema.EDGES, np.asarray(schema.EDGE_SCORES, dtype="<f8"))
        shape, chunks = (n_types, n_peaks), (1, max(min(n_peaks, LARGEST_CHUNK), 1))
        group.create_dataset(schema.N_OPEN, shape, "<u4", maxshape=(None, None), chunks=chunks, **COMPRESSED)

    def _close_links(self) -> None:
        if self._n_written != self._multiome.n_cells:
            raise ValueError(f"{self._n_written} of {self._multiome.n_cells} cells are written.")
        with self._writing():
            for links in self._links:
                links.close()

    def _finish(self) -> None:
        if schema.CELLS not in self._file:
            raise ValueError("The embedding is not written.")
        for type_code in range(len(self._multiome.cell_types)):
            if type_code not in self._summed:
                self.write_cumulative(type_code)
        with self._writing():
            self._close_links()
            self._file.close()
        with self._writing():
            self._disk.sync()
            self._disk.close()
            self._refuse_existing()
            self._temporary.replace(self.path)

    def _discard(self) -> None:
        """Close and remove the temporary file, if it is still there, whatever state it is in."""
        self._file.close()
        self._disk.close()
        self._temporary.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """Say what could not be written, and that nothing was changed."""
        try:
            yield
        except OSError as error:
            raise self._unwritable(error) from error
        if self._disk.error is not None:
            raise self._unwritable(self._disk.error) from self._disk.error

    def _unwritable(self, error: OSError) -> StoreError:
        return StoreError(
            f"The store {self.path} cannot be written: {error.strerror or error}.",
            "It needs a folder that exists, the right to write there and room on the disk. Nothing was changed.",
        )


def refuse_existing(path: Path, overwrite: bool) -> None:
    """Refuse a path where something stands that may not be replaced; a :class:`StoreError`."""
    if not overwrite and path.exists():
        raise StoreError(f"{path} exists already.", "Give another path, or allow it to be overwritten.")


def check_limits(attributes: schema.StoreAttributes) -> None:
    """Refuse a k_max or a floor that no store has; a :class:`ConfigurationError`."""
    if not 1 <= attributes.k_max <= schema.LARGEST_K_MAX:
        raise ConfigurationError(
            f"k_max is {attributes.k_max}; a store keeps 1 to {schema.LARGEST_K_MAX} links per gene."
        )
    if not FLOOR <= attributes.floor < 1:
        raise ConfigurationError(f"The floor is {attributes.floor:g}; it is a score of {FLOOR:g} or more and below 1.")
