"""Counts out of the Matrix Market file of a 10x folder, a stretch of lines at a time."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from bi2scope.data.counts import LARGEST, in_kept_form
from bi2scope.data.elements import first_line
from bi2scope.data.errors import DatasetError
from bi2scope.data.matrices import are_counts
from bi2scope.data.textfile import open_bytes

Array = npt.NDArray[Any]

_LINES = 2**20
"""Lines read at a time."""

_PARTS = {
    "matrix": ("matrix.mtx.gz", "matrix.mtx"),
    "features": ("features.tsv.gz", "features.tsv", "genes.tsv.gz", "genes.tsv"),
    "barcodes": ("barcodes.tsv.gz", "barcodes.tsv"),
}
_HINT = "Wanted the folder filtered_feature_bc_matrix of Cell Ranger ARC, as it was written."


def folder_files(folder: Path) -> tuple[Path, Path, Path]:
    """Matrix, features and barcodes of a 10x folder; their names may have something before them (``GSM1_matrix.mtx``).

    Raises
    ------
    DatasetError
        If one is missing, or there are several.
    """
    found = []
    for part, endings in _PARTS.items():
        files = [path for path in sorted(folder.iterdir()) if path.is_file() and path.name.endswith(endings)]
        files = [path for path in files if path.name in endings] or files
        if not files:
            listed = ", ".join(path.name for path in sorted(folder.iterdir())[:6]) or "nothing"
            raise DatasetError(f"{folder} has no {endings[0]}; it has {listed}.", _HINT)
        if len({path.name.removesuffix(".gz") for path in files}) > 1:
            raise DatasetError(f"{folder} has several {part} files: {', '.join(path.name for path in files)}.", _HINT)
        found.append(files[0])
    return found[0], found[1], found[2]


def read_market(path: Path, n_features: int, n_cells: int) -> sparse.csr_matrix:
    """Counts of a Matrix Market file of features by cells.

    Lines are taken as they come when they are ordered by cell, as 10x writes them, so that nothing but the result
    and a stretch of lines is in memory.

    Parameters
    ----------
    path
        ``matrix.mtx``, plain or gzipped.
    n_features, n_cells
        Rows and columns that it must have.

    Returns
    -------
    counts
        ``(n_cells, n_features)`` CSR float32, indices sorted, no stored zeros.

    Raises
    ------
    DatasetError
        If it is damaged, of another size, or holds anything but counts.
    """
    with open_bytes(path, "a Matrix Market file") as file:
        n_rows, n_columns, n_entries = _header(file, path)
        if (n_rows, n_columns) != (n_features, n_cells):
            turned = " It may be turned on its side." if (n_columns, n_rows) == (n_features, n_cells) else ""
            raise DatasetError(
                f"{path} is {n_rows} x {n_columns}, but there are {n_features} features and {n_cells} barcodes."
                f"{turned}",
                _HINT,
            )
        cells, features, values = _entries(file, path, (n_rows, n_columns, n_entries))
    lengths = np.zeros(n_cells, dtype=np.int64)
    for start in range(0, n_entries, _LINES):
        lengths += np.bincount(cells[start : start + _LINES], minlength=n_cells)
    if (cells[1:] < cells[:-1]).any():
        order = np.argsort(cells, kind="stable")
        features, values = features[order], values[order]
    del cells
    indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(features.dtype)
    counts = in_kept_form(sparse.csr_matrix((values, features, indptr), shape=(n_cells, n_features)))
    if counts.data.max(initial=0) > LARGEST:
        raise DatasetError(f"{path} holds counts above {LARGEST:,}.", _HINT)
    return counts


def _header(file: BinaryIO, path: Path) -> tuple[int, int, int]:
    banner = file.readline(1000).decode("utf-8", "replace").strip().lower().split()
    if banner[:1] != ["%%matrixmarket"]:
        raise DatasetError(f"{path} is not a Matrix Market file: it does not begin with %%MatrixMarket.", _HINT)
    if (
        len(banner) != 5
        or banner[1:3] != ["matrix", "coordinate"]
        or banner[4] != "general"
        or (banner[3] not in {"integer", "real"})
    ):
        raise DatasetError(
            f"{path} is a Matrix Market file of another kind ({' '.join(banner[1:])}); "
            "wanted 'matrix coordinate integer general'.",
            _HINT,
        )
    line = b"%"
    while line.startswith(b"%") or (line and not line.strip()):
        line = file.readline(100_000)
    sizes = line.split()
    if len(sizes) != 3 or not all(size.isdigit() for size in sizes):
        raise DatasetError(f"{path} does not say its size; wanted features, barcodes and entries in one line.", _HINT)
    n_rows, n_columns, n_entries = (int(size) for size in sizes)
    if n_entries > n_rows * n_columns:
        raise DatasetError(f"{path} is said to hold {n_entries:,} entries in {n_rows:,} x {n_columns:,} places.", _HINT)
    return n_rows, n_columns, n_entries


def _entries(file: BinaryIO, path: Path, sizes: tuple[int, int, int]) -> tuple[Array, Array, Array]:
    """Cell (from 0), feature (from 0) and count of each line."""
    n_rows, n_columns, n_entries = sizes
    cells, features, values = _room(path, n_entries)
    found = 0
    for block in _blocks(file, path):
        start, found = found, found + len(block)
        if found > n_entries:
            raise DatasetError(f"{path} says it holds {n_entries:,} entries, and more are there.", _HINT)
        for column, size, places in (("feature", n_rows, features), ("barcode", n_columns, cells)):
            numbers = block[column].to_numpy()
            if numbers.min() < 1 or numbers.max() > size:
                wrong = numbers.min() if numbers.min() < 1 else numbers.max()
                raise DatasetError(f"{path} has an entry for {column} {wrong}, of {size}.", _HINT)
            places[start:found] = numbers - 1
        if not are_counts(block["value"].to_numpy()):
            raise DatasetError(f"{path} holds values that are not counts (whole numbers from 0).", _HINT)
        values[start:found] = block["value"].to_numpy()
    if found < n_entries:
        raise DatasetError(
            f"{path} says it holds {n_entries:,} entries, and {found:,} are there.", "It may be cut short."
        )
    return cells, features, values


def _room(path: Path, n_entries: int) -> tuple[Array, Array, Array]:
    """Arrays for cells, features and counts."""
    types = (np.int32, np.int32 if n_entries < 2**31 else np.int64, np.float32)
    try:
        cells, features, values = (np.empty(n_entries, dtype=dtype) for dtype in types)
    except (MemoryError, ValueError) as error:
        raise DatasetError(
            f"{path} says it holds {n_entries:,} entries, for which there is no memory.", _HINT
        ) from error
    return cells, features, values


def _blocks(file: BinaryIO, path: Path) -> Iterator[pd.DataFrame]:
    types = {"feature": np.int64, "barcode": np.int64, "value": np.float64}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)  # a fourth number in a line
            with pd.read_csv(
                file,
                sep=r"\s+",
                header=None,
                names=list(types),
                dtype=types,
                index_col=False,
                chunksize=_LINES,
            ) as reader:
                yield from reader
    except pd.errors.EmptyDataError:
        return
    except (ValueError, OverflowError, pd.errors.ParserError, pd.errors.ParserWarning) as error:
        raise DatasetError(
            f"{path} has a line that is not feature, barcode, count ({first_line(error)}).", _HINT
        ) from error
