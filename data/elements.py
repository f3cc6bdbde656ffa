"""Elements of HDF5 files that anndata and its relatives write: opening, tables, matrices, each with its messages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin  # noqa: F401  (files may be compressed with its filters)
import pandas as pd
from scipy import sparse

from bi2scope.data.counts import as_csr
from bi2scope.data.errors import Bi2scopeError, DatasetError

DAMAGED = "It may be cut short or damaged; copy or make it again."

_WRITE_AGAIN = "Open the file with anndata, put counts there and write it again."


@contextmanager
def opened(path: Path, wanted: str, hint: str) -> Iterator[h5py.File]:
    """An HDF5 file open for reading.

    Parameters
    ----------
    path
        The file.
    wanted
        What it should be, for the messages: ``"an .h5ad"``.
    hint
        What to do if it is not an HDF5 file.

    Raises
    ------
    DatasetError
        If the file is missing, a folder, not HDF5, cut short or damaged.
    """
    check_file(path, wanted, hint)
    try:
        with h5py.File(path, "r") as file:
            yield file
    except Bi2scopeError:
        raise
    except (OSError, RuntimeError, KeyError) as error:  # what h5py raises for damaged files
        raise DatasetError(f"{path} cannot be read: {first_line(error)}.", DAMAGED) from error


def check_file(path: Path, wanted: str, hint: str) -> None:
    """Check that a path is an HDF5 file.

    Raises
    ------
    DatasetError
        If not.
    """
    if not path.exists():
        raise DatasetError(f"There is no file {path}.", "Check the path.")
    if path.is_dir():
        raise DatasetError(f"{path} is a folder; wanted {wanted} file.")
    try:
        is_hdf5 = h5py.is_hdf5(path)
        with path.open("rb") as file:
            beginning = file.read(2)
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror or error}.") from error
    if beginning == b"\x1f\x8b" and not is_hdf5:
        raise DatasetError(f"{path} is packed with gzip; wanted {wanted} file.", "Unpack it first: gunzip.")
    if not is_hdf5:
        state = "is empty" if not beginning else f"is not an HDF5 file, so not {wanted}"
        raise DatasetError(f"{path} {state}.", hint)


def element(parent: h5py.Group, key: str, where: str) -> Any:
    """One element, decoded by anndata.

    Raises
    ------
    DatasetError
        If anndata cannot make sense of it.
    """
    from anndata.io import read_elem

    try:
        return read_elem(parent[key])
    except Exception as error:  # whatever a damaged or foreign element makes anndata raise
        raise DatasetError(f"{where}: {spoken(key)} cannot be read ({first_line(error)}).", _WRITE_AGAIN) from error


def table(parent: h5py.Group, key: str, where: str) -> pd.DataFrame:
    """One table, its index as text.

    Raises
    ------
    DatasetError
        If the element is not a table, or cannot be read.
    """
    found = element(parent, key, where)
    if not isinstance(found, pd.DataFrame):
        raise DatasetError(f"{where}: {key} is not a table.", "Write the file with anndata: write_h5ad(path).")
    found.index = found.index.astype(str)
    return found


def matrix(parent: h5py.Group, slot: str, where: str) -> sparse.csr_matrix:
    """One matrix, whatever its numbers, in their own precision.

    Raises
    ------
    DatasetError
        If it is not a matrix of numbers.
    """
    try:
        return as_csr(element(parent, slot, where))
    except (TypeError, ValueError) as error:
        raise DatasetError(not_a_matrix(slot, where, error), _WRITE_AGAIN) from error


def not_a_matrix(slot: str, where: str, error: BaseException) -> str:
    """The message on an element that should be a matrix and is not."""
    return f"{where}: {spoken(slot)} is not a matrix of numbers ({first_line(error)})."


def spoken(slot: str) -> str:
    """A slot of a file in words: ``X``, ``layer 'counts'``."""
    return f"layer {slot.removeprefix('layers/')!r}" if slot.startswith("layers/") else slot


def listed(names: Any) -> str:
    """Names with commas between them; ``none`` when there are none."""
    return ", ".join(str(name) for name in names) or "none"


def first_line(error: BaseException) -> str:
    """First line of an exception's message, without its full stop; the name of its class when it has none."""
    return str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else type(error).__name__
