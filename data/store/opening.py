"""Open a store's file, check that its parts fit one another, and say what is wrong where they do not."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pandas as pd

from bi2scope.data.errors import StoreDamagedError, StoreError, StoreFormatError
from bi2scope.data.factors import Factors
from bi2scope.data.store import schema
from bi2scope.data.store.tables import read_columns, text_of

TABLE_COLUMNS = {
    schema.CELLS: schema.CELL_COLUMNS,
    schema.GENES: schema.GENE_COLUMNS,
    schema.PEAKS: schema.PEAK_COLUMNS,
}

RESTORE = "Copy it again from where it is whole, or run `bi2scope precompute` anew."


def open_file(path: Path) -> h5py.File:
    """The open HDF5 file; an exception of :mod:`bi2scope.data.errors` when it cannot be opened as one."""
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


def read_attributes(path: Path, file: h5py.File) -> schema.StoreAttributes:
    """What a store says of itself; an exception of :mod:`bi2scope.data.errors` when it is no store of this format."""
    with intact(path, "the root attributes"):
        magic, found = text_of(file.attrs.get("magic")), file.attrs.get("format_version")
    if magic != schema.MAGIC:
        raise StoreFormatError(
            f"{path} is an HDF5 file, but not an attention store.", "`bi2scope precompute` makes one."
        )
    if not isinstance(found, (int, np.integer)) or int(found) != schema.FORMAT_VERSION:
        raise StoreFormatError(
            f"{path} has store format {found}; this program reads format {schema.FORMAT_VERSION}.",
            _another_format(found),
        )
    with intact(path, "the root attributes"):
        return schema.attributes_from_root({key: _plain(value) for key, value in file.attrs.items()})


def _another_format(found: object) -> str:
    if isinstance(found, (int, np.integer)) and int(found) == 0:
        return "Format 0 was a draft: precompute again with `bi2scope precompute`."
    return "Read it with the version of bi2scope that wrote it, or run `bi2scope precompute` anew."


def _plain(value: Any) -> Any:
    return text_of(value) if isinstance(value, bytes) else value


def read_table(path: Path, file: h5py.File, key: str) -> pd.DataFrame:
    """The table of cells, genes or peaks."""
    with intact(path, key):
        table = read_columns(file[key])
        columns = TABLE_COLUMNS[key]
        further = {schema.CELLS: set(table.columns), schema.PEAKS: {schema.GC_COLUMN}}.get(key, set())
        more = [name for name in table.columns if name in further and name not in columns]
        table = table[[*columns, *more]]
        names = {column: table[column].astype(str) for column in ("chrom", "strand") if column in table}
        return table.assign(**names)


def read_factors(group: h5py.Group, heads: int) -> Factors:
    """The first layer's factors."""
    arrays = {key: group[key][:] for key in schema.FACTOR_ARRAYS}
    return Factors(**arrays, heads=heads, counts=text_of(group.attrs[schema.COUNTS_ATTRIBUTE]))


def lengths(
    file: h5py.File, attributes: schema.StoreAttributes
) -> Iterator[tuple[str, tuple[int, ...], tuple[int, ...]]]:
    """Key, shape found and shape wanted of the arrays that every answer needs; nothing but shapes is read."""
    for table, columns in TABLE_COLUMNS.items():
        file[table].attrs["encoding-type"]  # a table of no known encoding cannot be read
        for column in columns:
            file[f"{table}/{column}"]
    sizes = {key: len(file[f"{key}/{index}"]) for key, index in schema.INDEX_NAMES.items()}
    n_cells, n_peaks = sizes[schema.CELLS], sizes[schema.PEAKS]
    codes = file[f"{schema.CELLS}/cell_type/codes"]
    yield codes.name, codes.shape, (n_cells,)
    for key, n_features in ((schema.RNA, sizes[schema.GENES]), (schema.ATAC, n_peaks)):
        indptr = file[f"{key}/indptr"]
        yield f"{key} (attribute)", tuple(file[key].attrs["shape"]), (n_cells, n_features)
        yield f"{key}/indptr", indptr.shape, (n_cells + 1,)
        for part in ("indices", "data"):
            yield f"{key}/{part}", file[f"{key}/{part}"].shape, (int(indptr[-1]),)
    n_types = len(file[f"{schema.CELLS}/cell_type/categories"])
    yield from _transposed_lengths(file, (n_types, sizes[schema.GENES] + 1), n_cells + 1)
    n_open = file[f"{schema.CUMULATIVE}/{schema.N_OPEN}"]
    yield n_open.name, n_open.shape, (n_types, n_peaks)
    edges = file[f"{schema.CUMULATIVE}/{schema.EDGES}"]
    yield edges.name, edges.shape, (len(schema.EDGE_SCORES),)
    for layer in range(attributes.n_layers):
        for head in range(attributes.n_heads):
            yield from _link_lengths(file[schema.links_path(layer, head)], n_cells)


def _transposed_lengths(
    file: h5py.File, of_genes: tuple[int, int], per_chromosome: int
) -> Iterator[tuple[str, tuple[int, ...], tuple[int, ...]]]:
    for key, counts, position in ((schema.ACROSS_RNA, schema.RNA, "cell"), (schema.ACROSS_ATAC, schema.ATAC, "peak")):
        for part in (position, "count"):
            yield f"{key}/{part}", file[f"{key}/{part}"].shape, file[f"{counts}/data"].shape
    rna, atac = (file[f"{key}/{schema.OFFSET}"] for key in (schema.ACROSS_RNA, schema.ACROSS_ATAC))
    yield rna.name, rna.shape, of_genes
    yield atac.name, atac.shape[1:], (per_chromosome,)


def _link_lengths(group: h5py.Group, n_cells: int) -> Iterator[tuple[str, tuple[int, ...], tuple[int, ...]]]:
    for key, planes in ((schema.LINK, len(schema.LINK_PLANES)), (schema.ROW, len(schema.ROW_PLANES))):
        yield group[key].name, group[key].shape[:2], (n_cells, planes)
    for key in (schema.N_LINKS, schema.DEPTH):
        yield group[key].name, group[key].shape, (n_cells,)


@contextlib.contextmanager
def intact(path: Path, key: str) -> Iterator[None]:
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
            f"{path} is cut short: {int(cut_short[1]):,} of {int(cut_short[2]):,} bytes are there.", RESTORE
        )
    return StoreDamagedError(f"{path} is damaged: {key} cannot be read ({reason}).", RESTORE)
