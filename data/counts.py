"""Matrices of counts: what is and what is not one, and the one form in which they are kept."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

LARGEST = 2**24
"""Whole numbers up to this one are exact in float32."""

_ROWS_LOOKED_AT = 200


def as_csr(matrix: Any) -> sparse.csr_matrix:
    """Any dense or sparse matrix as CSR in its own precision: no duplicates, checked offsets and positions.

    Raises
    ------
    ValueError
        If the offsets or the positions of a sparse matrix are not of its shape.
    """
    csr = sparse.csr_matrix(matrix)
    csr.check_format(full_check=True)
    csr.sum_duplicates()
    return csr


def kept_form(counts: sparse.csr_matrix) -> sparse.csr_matrix:
    """CSR float32 with sorted indices and without stored zeros; the counts themselves are not touched."""
    return in_kept_form(counts.astype(np.float32))


def in_kept_form(counts: sparse.csr_matrix) -> sparse.csr_matrix:
    """The matrix itself, its indices sorted, entries of one place added up, stored zeros dropped, all in place."""
    counts.sum_duplicates()
    counts.eliminate_zeros()
    counts.sort_indices()
    return counts


def fault_in_counts(matrix: sparse.csr_matrix, cells: pd.Index, features: pd.Index) -> str:
    """What keeps a matrix from being counts, with one example; empty when nothing does.

    Parameters
    ----------
    matrix
        ``(n_cells, n_features)`` numbers of any type.
    cells, features
        Names of rows and columns, for the example.
    """
    data = matrix.data
    if data.dtype.kind not in "biuf":
        return f"holds {data.dtype}, not numbers"
    with np.errstate(invalid="ignore"):
        tests = (
            (~np.isfinite(data), "values that are not finite (NaN or infinite)"),
            (data < 0, "negative values"),
            (data != np.floor(data), "values that are not whole numbers"),
            (data > LARGEST, f"values above {LARGEST:,}"),
        )
    for bad, fault in tests:
        if bad.any():
            share = f"{int(bad.sum()):,} of {len(data):,}"
            return f"holds {fault} ({share}), {_example(matrix, bad, cells, features)}; wanted counts"
    return ""


def _example(matrix: sparse.csr_matrix, bad: npt.NDArray[np.bool_], cells: pd.Index, features: pd.Index) -> str:
    place = int(np.flatnonzero(bad)[0])
    row = int(np.searchsorted(matrix.indptr, place, side="right")) - 1
    return f"such as {matrix.data[place]:.6g} for {features[matrix.indices[place]]} in cell {cells[row]}"


def normalisation_of(matrix: sparse.csr_matrix) -> str:
    """What non-negative values with fractions look like: ``"log-normalised"``, ``"normalised"`` or nothing known.

    Dividing a cell's counts by their sum makes all its values multiples of the smallest (that of a count of 1);
    after a logarithm the same holds once it is undone. Cells without two different values say nothing.
    """
    if matrix.data.dtype.kind not in "biuf" or not np.isfinite(matrix.data).all() or (matrix.data < 0).any():
        return ""
    if _multiples_of_smallest(matrix, np.asarray):
        return "normalised"
    if matrix.data.max(initial=0) < 50 and _multiples_of_smallest(matrix, np.expm1):
        return "log-normalised"
    return ""


def _multiples_of_smallest(matrix: sparse.csr_matrix, undo: Any) -> bool:
    """Whether, in cells that have two different values, nearly all are whole multiples of the cell's smallest."""
    near = total = 0
    for row in range(min(matrix.shape[0], _ROWS_LOOKED_AT)):
        values = undo(matrix.data[matrix.indptr[row] : matrix.indptr[row + 1]].astype(np.float64))
        values = values[values > 0]
        if len(values) == 0 or np.ptp(values) < 1e-6 * values.min():
            continue
        ratio = values / values.min()
        ratio = ratio[(ratio > 1.001) & (ratio < 50)]
        near += int((np.abs(ratio - np.round(ratio)) < 0.02).sum())
        total += len(ratio)
    return total > 0 and near > 0.9 * total
