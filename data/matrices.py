"""Counts out of an HDF5 file, block by block.

What the file holds in double precision, or densely, is never whole in memory. Each block is checked and made float32
at once. A block with anything but counts ends the reading; the caller then says what is wrong from the matrix as it
is (:mod:`bi2scope.data.counts`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
from scipy import sparse

from bi2scope.data.counts import LARGEST, in_kept_form

_BLOCK = 2**22
"""Numbers read at a time."""

_FORMATS = {"csr": sparse.csr_matrix, "csc": sparse.csc_matrix}


def read_counts(node: Any) -> sparse.csr_matrix | None:
    """Counts of an element of anndata: CSR, CSC or dense.

    Returns
    -------
    counts
        CSR float32 with sorted indices, no duplicates, no stored zeros; ``None`` if the element is none of the
        three, or holds anything but counts.

    Raises
    ------
    ValueError
        If offsets or positions of a sparse matrix are not of its shape.
    """
    if isinstance(node, h5py.Dataset):
        return _dense_counts(node) if node.ndim == 2 else None
    encoding = str(node.attrs.get("encoding-type", node.attrs.get("h5sparse_format", ""))).removesuffix("_matrix")
    shape = node.attrs.get("shape", node.attrs.get("h5sparse_shape"))
    if encoding not in _FORMATS or shape is None or len(shape) != 2:
        return None
    n_rows, n_columns = (int(size) for size in shape)
    return sparse_counts(node, encoding, (n_rows, n_columns))


def sparse_counts(group: h5py.Group, encoding: str, shape: tuple[int, int]) -> sparse.csr_matrix | None:
    """Counts of a group with ``data``, ``indices`` and ``indptr``; ``None`` if they are no counts.

    Parameters
    ----------
    group
        Holds the three data sets.
    encoding
        ``"csr"`` or ``"csc"``.
    shape
        Rows and columns.

    Raises
    ------
    ValueError
        If offsets or positions are not of that shape.
    """
    wide = shape[encoding == "csr"]
    values, positions, offsets = (group[key] for key in ("data", "indices", "indptr"))
    _check_lengths(values, positions, offsets, shape[encoding == "csc"])
    stored = values.shape[0]
    index_type = np.int32 if max(stored, *shape) < 2**31 else np.int64
    data, indices = np.empty(stored, dtype=np.float32), np.empty(stored, dtype=index_type)
    for block in _blocks(stored, _BLOCK):
        found = values[block]
        if not are_counts(found):
            return None
        data[block] = found
        places = positions[block]
        if places.min() < 0 or places.max() >= wide:
            raise ValueError(f"positions reach from {places.min()} to {places.max()}, of {wide}")
        indices[block] = places
    matrix = _FORMATS[encoding]((data, indices, offsets[:].astype(index_type)), shape=shape)
    matrix.check_format(full_check=True)
    return _checked(in_kept_form(matrix.tocsr()))


def _check_lengths(values: h5py.Dataset, positions: h5py.Dataset, offsets: h5py.Dataset, n_compressed: int) -> None:
    for dataset, name in ((values, "data"), (positions, "indices"), (offsets, "indptr")):
        if not isinstance(dataset, h5py.Dataset) or dataset.ndim != 1:
            raise ValueError(f"{name} is not one row of numbers")
        if name != "data" and dataset.dtype.kind not in "iu":
            raise ValueError(f"{name} holds {dataset.dtype}, not whole numbers")
    if values.shape != positions.shape:
        raise ValueError(f"data has {values.shape[0]} numbers, indices {positions.shape[0]}")
    if offsets.shape[0] != n_compressed + 1:
        raise ValueError(f"indptr has {offsets.shape[0]} offsets; wanted {n_compressed + 1}")
    found = offsets[:]
    if found[0] != 0 or found[-1] != values.shape[0] or (found[1:] < found[:-1]).any():
        raise ValueError(f"indptr does not rise from 0 to {values.shape[0]}")


def _dense_counts(node: h5py.Dataset) -> sparse.csr_matrix | None:
    n_rows, n_columns = node.shape
    if n_rows == 0 or n_columns == 0:
        return sparse.csr_matrix(node.shape, dtype=np.float32)
    blocks = []
    for rows in _blocks(n_rows, max(1, _BLOCK // n_columns)):
        found = node[rows]
        if not are_counts(found):
            return None
        blocks.append(sparse.csr_matrix(found.astype(np.float32)))
    return in_kept_form(sparse.csr_matrix(sparse.vstack(blocks, format="csr")))


def _blocks(length: int, size: int) -> Iterator[slice]:
    return (slice(start, min(start + size, length)) for start in range(0, length, size))


def are_counts(values: npt.NDArray[Any]) -> bool:
    """Whether all values are whole numbers from 0 to 2**24, which float32 holds exactly."""
    if values.dtype.kind not in "biuf":
        return False
    if values.dtype.kind == "b" or values.size == 0:
        return True
    # NaN fails every comparison; infinity is above the largest
    inside = bool(values.min() >= 0) and bool(values.max() <= LARGEST)
    return inside and (values.dtype.kind != "f" or bool((values == np.floor(values)).all()))


def _checked(counts: sparse.csr_matrix) -> sparse.csr_matrix | None:
    """The counts, unless adding up entries of one place made one too large to be exact."""
    return counts if counts.data.max(initial=0) <= LARGEST else None
