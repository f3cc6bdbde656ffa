"""What a plain method makes of the same pairs: the nearest cell-type centroid of each modality.

A pair is called matched when the type nearest to its RNA is the type nearest to its ATAC. Centroids are fitted on the
training cells alone.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import sparse

NAME = "nearest centroid"

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


def nearest_types(counts: sparse.csr_matrix, codes: Ints, train: Ints, cells: Ints) -> Ints:
    """Type of each of ``cells`` by the centroid with the highest cosine.

    Counts are divided by the cell's total, scaled to the median total, ``log1p``, and centred on the mean over the
    training cells.

    Parameters
    ----------
    counts
        ``(n_cells, n_features)``.
    codes
        ``(n_cells,)`` type of each cell, known for the training cells.
    train, cells
        Positions of the cells to fit on, and of those to call.
    """
    values = log_normalised(counts)
    types = np.unique(codes[train])
    means = np.vstack([np.asarray(values[train[codes[train] == kind]].mean(axis=0)) for kind in types])
    centre = np.asarray(values[train].mean(axis=0))
    centroids = _unit(means - centre)
    # The norm of a cell does not change which centroid is nearest: (x - centre) . c is enough.
    nearest = (values[cells] @ centroids.T - centre @ centroids.T).argmax(axis=1)
    called: Ints = types[np.asarray(nearest).ravel()]
    return called


def log_normalised(counts: sparse.csr_matrix) -> sparse.csr_matrix:
    """Counts of each cell divided by their total, times the median total, ``log(1 + x)``; sparse."""
    total = np.asarray(counts.sum(axis=1)).ravel()
    median = np.median(total[total > 0]) if (total > 0).any() else 1.0
    scaled = sparse.csr_matrix(sparse.diags(median / np.maximum(total, 1e-12)) @ counts)
    scaled.data = np.log1p(scaled.data)
    return scaled


def _unit(rows: Floats) -> Floats:
    norm = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: Floats = np.divide(rows, norm, out=np.zeros_like(rows), where=norm > 0)
    return unit


def predict_matched(
    rna: sparse.csr_matrix, atac: sparse.csr_matrix, codes: Ints, train: Ints, pairs: tuple[Ints, Ints]
) -> npt.NDArray[np.bool_]:
    """Whether the nearest types of RNA and ATAC agree, pair by pair.

    Parameters
    ----------
    rna, atac
        Counts of all cells.
    codes
        ``(n_cells,)`` cell types.
    train
        Cells to fit on.
    pairs
        Cells of the RNA and of the ATAC profiles, ``(n_pairs,)`` each.
    """
    rna_cell, atac_cell = pairs
    agree: npt.NDArray[np.bool_] = nearest_types(rna, codes, train, rna_cell) == nearest_types(
        atac, codes, train, atac_cell
    )
    return agree
