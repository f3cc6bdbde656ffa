"""Verify an attention store: every invariant of ``docs/store-format.md`` that can be seen in the file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import h5py
import numpy as np
import numpy.typing as npt
import pandas as pd

from bi2scope.data.attention import Cut
from bi2scope.data.candidates import Window
from bi2scope.data.errors import StoreDamagedError
from bi2scope.data.store import schema
from bi2scope.data.store.check_across import violations_of_counts, violations_of_index
from bi2scope.data.store.check_cells import violations_of_cell
from bi2scope.data.store.check_sums import violations_of_type
from bi2scope.data.store.opening import intact
from bi2scope.data.store.reader import StoreReader

MOST_VIOLATIONS = 50


@dataclass(frozen=True)
class CheckOptions:
    """How much is verified beyond the checksums, which always are.

    Parameters
    ----------
    cells
        Cells, chosen at random, whose counts and links are held against the invariants and recomputed.
    full
        Every cell, and the sums and maps of every cell type instead of the smallest alone.
    seed
        Of the choice.
    """

    cells: int = 50
    full: bool = False
    seed: int = 0


def check_store(path: str | os.PathLike[str], options: CheckOptions | None = None) -> list[str]:
    """Read a store from end to end and say what is wrong with it.

    Every checksum is verified by reading; cells' counts and links are held against the invariants and, where the store
    has factors, recomputed from them; the counts turned round are held against the counts; the
    cumulative scores, the regulatory map and what is kept by gene of the smallest cell type are made anew from its
    links.

    Parameters
    ----------
    path
        The file.
    options
        How much is verified; the defaults when left out.

    Returns
    -------
    Sentences, each with the HDF5 path that it is about, at most fifty and a last one if there are more; empty when the
    store is sound.

    Raises
    ------
    StoreError
        If the file cannot be opened as a store at all.
    """
    violations: list[str] = []
    with StoreReader.open(path) as reader:
        for violation in _violations(reader, options or CheckOptions()):
            if len(violations) == MOST_VIOLATIONS:
                violations.append("There are more; these are the first.")
                break
            violations.append(violation)
    return violations


def _violations(reader: StoreReader, options: CheckOptions) -> Iterator[str]:
    """Each stage stands on the one before it: a later one runs when the earlier found nothing."""
    for stage in (_of_checksums, _of_tables, _of_numbers, _of_cells, _of_sums):
        found = False
        try:
            for violation in stage(reader, options):
                found = True
                yield violation
        except StoreDamagedError as error:
            found = True
            yield error.message
        if found:
            return


def _of_checksums(reader: StoreReader, options: CheckOptions) -> Iterator[str]:
    """Read every chunk of every array."""
    names: list[str] = []
    with h5py.File(reader.path, "r", locking=False) as file:
        with intact(reader.path, "the list of arrays"):
            file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
        for name in names:
            try:
                with intact(reader.path, name):
                    _read_all(file[name])
            except StoreDamagedError as error:
                yield error.message


def _read_all(dataset: h5py.Dataset) -> None:
    if dataset.chunks is None or not dataset.size:
        dataset[()]
        return
    offsets: list[tuple[int, ...]] = []  # all at once: to find a chunk by its number, HDF5 counts from the first
    dataset.id.chunk_iter(lambda chunk: offsets.append(chunk.chunk_offset))
    for offset in offsets:
        dataset[tuple(slice(start, start + length) for start, length in zip(offset, dataset.chunks, strict=True))]


def _of_tables(reader: StoreReader, options: CheckOptions) -> Iterator[str]:
    from bi2scope.data.regions import natural_chromosome_order

    for key, table in ((schema.CELLS, reader.cells), (schema.GENES, reader.genes), (schema.PEAKS, reader.peaks)):
        if not table.index.is_unique:
            yield f"{key}: names are given twice, {table.index[table.index.duplicated()][0]} among them"
    order = {name: i for i, name in enumerate(natural_chromosome_order({*reader.genes.chrom, *reader.peaks.chrom}))}
    for key, table in ((schema.GENES, reader.genes), (schema.PEAKS, reader.peaks)):
        yield from _of_places(key, table, order)
    if not np.isfinite(reader.cells[["umap_1", "umap_2"]].to_numpy()).all():
        yield f"{schema.CELLS}: the embedding is not finite"
    if (reader.cells["cell_type"].cat.codes < 0).any():
        yield f"{schema.CELLS}/cell_type: a cell has no type"
    pooled = reader.pooled()
    if pooled is not None and not (len(pooled) == reader.n_cells and np.isfinite(pooled).all()):
        yield f"{schema.POOLED}: not one row of finite numbers per cell"


def _of_places(key: str, table: pd.DataFrame, order: dict[str, int]) -> Iterator[str]:
    code, start = table["chrom"].map(order).to_numpy(), table["start"].to_numpy()
    if (np.diff(code) < 0).any() or ((np.diff(code) == 0) & (np.diff(start) < 0)).any():
        yield f"{key}: not in genome order"
    if (table["end"].to_numpy() <= start).any():
        yield f"{key}: an interval ends before it starts"
    if (start < 0).any():
        yield f"{key}/start: below 0"


def _of_numbers(reader: StoreReader, options: CheckOptions) -> Iterator[str]:
    for key, counts in zip((schema.RNA, schema.ATAC), reader.counts, strict=True):
        if counts.indptr[0] != 0 or (np.diff(counts.indptr) < 0).any():
            yield f"{key}/indptr: does not ascend from 0"
    for layer, head in reader.layers_and_heads():
        where, links = schema.links_path(layer, head), reader.stored_links(layer, head)
        if (links.n_links < 0).any() or (links.depth > reader.attributes.k_max).any():
            yield f"{where}/{schema.DEPTH}: a row is longer than k_max, {reader.attributes.k_max}"


def _of_cells(reader: StoreReader, options: CheckOptions) -> Iterator[str]:
    window = Window.of(reader.genes, reader.peaks, reader.attributes.max_distance)
    for cell in _chosen(reader.n_cells, options):
        try:
            yield from (f"cell {reader.cells.index[cell]}: {what}" for what in violations_of_cell(reader, cell, window))
        except StoreDamagedError as error:
            yield error.message
    yield from violations_of_counts(reader, _chosen(reader.n_cells, options))


def _chosen(n_cells: int, options: CheckOptions) -> npt.NDArray[np.int64]:
    if options.full or options.cells >= n_cells:
        return np.arange(n_cells)
    return np.sort(np.random.default_rng(options.seed).choice(n_cells, options.cells, replace=False))


def _of_sums(reader: StoreReader, options: CheckOptions) -> Iterator[str]:
    sizes = {name: len(reader.cells_of(name)) for name in reader.cell_types}
    names = sorted(sizes, key=lambda name: sizes[name])
    for name in names if options.full else names[:1]:
        yield from violations_of_type(reader, name)
        yield from violations_of_index(reader, name)
    for control in reader.controls:
        for layer, head in reader.layers_and_heads():
            for name in names if options.full else names[:1]:
                sums = reader.cumulative(name, Cut(), layer, head, control)
                if sums.links[sums.n_open == 0].any():
                    yield f"{schema.CONTROLS}/{control}: links to peaks that no cell of {name} has"
