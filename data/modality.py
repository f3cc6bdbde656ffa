"""One modality of paired cells: what every reader gives, whatever the format it reads."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from bi2scope.data.errors import DatasetError

_BLOCK = 2**22
"""Indices renamed at a time."""


@dataclass(frozen=True)
class Modality:
    """Counts of one kind, RNA or ATAC.

    Attributes
    ----------
    source
        Where they come from, for messages: the path, with the place in the file when there are several.
    obs
        ``(n_cells,)`` rows; index the cell names, no two the same.
    var
        ``(n_features,)`` rows; index the feature names, no two the same.
    counts
        ``(n_cells, n_features)`` CSR float32, indices sorted, no stored zeros. Whoever joins two modalities takes
        the counts over and may reorder them in place.
    """

    source: str
    obs: pd.DataFrame
    var: pd.DataFrame
    counts: sparse.csr_matrix


def check_tables(obs: pd.DataFrame, var: pd.DataFrame, shape: tuple[int, ...], source: str, slot: str = "") -> None:
    """Check that a matrix and its tables are of one size, with some cells and features, each named once.

    Parameters
    ----------
    obs, var, shape
        The tables and the matrix's rows and columns.
    source, slot
        Where they come from and where in it the matrix stands, for messages.

    Raises
    ------
    DatasetError
        If they are not.
    """
    if shape != (len(obs), len(var)):
        what = f"{source} ({slot})" if slot else source
        size = " x ".join(map(str, shape))
        raise DatasetError(f"{what} is {size}, but obs has {len(obs)} rows and var {len(var)}.")
    if 0 in shape:
        raise DatasetError(f"{source} holds {len(obs)} cells and {len(var)} features; wanted some of each.")
    for table, kind in ((obs, "cell"), (var, "feature")):
        check_unique(table.index, kind, source)


def check_unique(names: pd.Index, kind: str, source: str) -> None:
    """Check that no two cells or features share a name.

    Raises
    ------
    DatasetError
        With the number of names that stand more than once, and examples.
    """
    if names.is_unique:
        return
    twice = names[names.duplicated()].unique()
    raise DatasetError(
        f"{source}: {len(twice)} {kind} name(s) stand more than once, such as {', '.join(map(str, twice[:3]))}.",
        f"Make them unique ({'obs' if kind == 'cell' else 'var'}_names_make_unique() of anndata).",
    )


def divided(both: Modality, feature_types: npt.NDArray[np.object_]) -> tuple[Modality, Modality]:
    """RNA and ATAC out of one matrix over both kinds of features, as 10x writes them.

    Parameters
    ----------
    both
        All features; its counts are not touched.
    feature_types
        ``(n_features,)`` ``"Gene Expression"``, ``"Peaks"`` or another kind, which is left out.

    Raises
    ------
    DatasetError
        If one of the two kinds is missing.
    """
    found = pd.Series(feature_types, dtype="object").value_counts()
    for kind in ("Gene Expression", "Peaks"):
        if kind not in found.index:
            listed = ", ".join(f"{number:,} {name or 'without a type'}" for name, number in found.items())
            raise DatasetError(
                f"{both.source} has no features of the type {kind!r}; it has {listed or 'none'}.",
                "Wanted RNA and ATAC of the same cells, as Cell Ranger ARC writes them.",
            )
    return (
        _with_features(both, feature_types == "Gene Expression", "RNA"),
        _with_features(both, feature_types == "Peaks", "ATAC"),
    )


def _with_features(both: Modality, chosen: npt.NDArray[np.bool_], what: str) -> Modality:
    source = f"{both.source} ({what})"
    var = both.var[chosen]
    check_tables(both.obs, var, (len(both.obs), len(var)), source)
    return Modality(source, both.obs, var, with_columns(both.counts, chosen))


def with_columns(counts: sparse.csr_matrix, chosen: npt.NDArray[np.bool_]) -> sparse.csr_matrix:
    """The chosen columns of a matrix, in their order; what is copied is what is kept."""
    kept = chosen[counts.indices]
    lengths = np.zeros(counts.shape[0], dtype=np.int64)
    filled = np.flatnonzero(np.diff(counts.indptr))
    if len(filled):
        lengths[filled] = np.add.reduceat(kept.view(np.uint8), counts.indptr[filled], dtype=np.int64)
    indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(counts.indptr.dtype)
    position = np.cumsum(chosen, dtype=counts.indices.dtype) - 1
    indices = counts.indices[kept]
    _rename(indices, position)
    return sparse.csr_matrix((counts.data[kept], indices, indptr), shape=(counts.shape[0], int(chosen.sum())))


def take_columns(counts: sparse.csr_matrix, columns: npt.NDArray[np.int64]) -> sparse.csr_matrix:
    """Columns in the order asked for, each at most once; indices sorted.

    When all columns are asked for, the matrix is reordered in place and returned.
    """
    n_columns = counts.shape[1]
    if len(columns) < n_columns:
        chosen = np.zeros(n_columns, dtype=bool)
        chosen[columns] = True
        return take_columns(with_columns(counts, chosen), np.argsort(np.argsort(columns)))
    if np.array_equal(columns, np.arange(n_columns)):
        return counts
    position = np.empty(n_columns, dtype=counts.indices.dtype)
    position[columns] = np.arange(n_columns)
    _rename(counts.indices, position)
    counts.has_sorted_indices = False
    counts.sort_indices()
    return counts


def _rename(indices: npt.NDArray[np.integer], position: npt.NDArray[np.integer]) -> None:
    """Put each index's position in its place, a block at a time, so that no copy of them is made."""
    for start in range(0, len(indices), _BLOCK):
        block = slice(start, start + _BLOCK)
        indices[block] = position[indices[block]]
