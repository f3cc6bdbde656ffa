"""Numbers of every cell, for quality control, and what they say of the model together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from bi2scope.data.multiome import Multiome
from bi2scope.data.store import schema
from bi2scope.model.checkpoint import Trained
from bi2scope.precompute.represent import Representation


def read_shards(
    shards: Sequence[Path], layers_and_heads: Sequence[tuple[int, int]]
) -> tuple[Representation, npt.NDArray[np.int64]]:
    """What the shards hold of each cell beside its links: its representation, and how many links it has in all."""
    parts, n_links = [], []
    for path in shards:
        with h5py.File(path, "r", locking=False) as file:
            parts.append(Representation.read(file))
            heads = [file[f"{schema.links_path(*place)}/{schema.N_LINKS}"][:] for place in layers_and_heads]
            n_links.append(np.sum(heads, axis=0))
    return Representation.joined(parts), np.concatenate(n_links)


def quality_of(
    read: Multiome, aligned: Multiome, representation: Representation, n_links: npt.NDArray[np.int64]
) -> pd.DataFrame:
    """Columns of the cells beside their type, features and embedding (``docs/store-format.md``).

    Parameters
    ----------
    read
        The cells with all features that were read.
    aligned
        The same over the model's features.
    representation, n_links
        Of each cell (:func:`read_shards`).
    """
    return pd.DataFrame(
        {
            "rna_counts": _totals(aligned.rna),
            "atac_counts": _totals(aligned.atac),
            "n_genes_read": np.diff(read.rna.indptr).astype(np.int32),
            "n_peaks_read": np.diff(read.atac.indptr).astype(np.int32),
            "rna_counts_read": _totals(read.rna),
            "atac_counts_read": _totals(read.atac),
            schema.MATCHED_COLUMN: representation.matched,
            schema.LINKS_COLUMN: n_links,
        },
        index=read.cells.index,
    )


def metrics_of(
    matched: npt.NDArray[np.float32], cell_type: pd.Series, controls: Mapping[str, Trained]
) -> dict[str, Any]:
    """What a store says of its model beyond the training report.

    Parameters
    ----------
    matched
        ``(n_cells,)`` probability of each cell that its own RNA and ATAC are matched.
    cell_type
        Of each cell, categorical.
    controls
        Control models by name.

    Returns
    -------
    ``own_pairs``, of all cells, and ``own_pairs_by_type``: ``n_cells``, ``mean_probability`` of being matched, and the
    share ``called_matched``, above one half. ``controls``: of each what it is, its digest, and the metrics of its own
    test pairs, where it has a report.
    """
    codes = cell_type.cat.codes.to_numpy()
    by_type = {str(name): _own_pairs(matched[codes == code]) for code, name in enumerate(cell_type.cat.categories)}
    return {
        "own_pairs": _own_pairs(matched),
        "own_pairs_by_type": by_type,
        "controls": {name: _of_control(control) for name, control in controls.items()},
    }


def _own_pairs(matched: npt.NDArray[np.float32]) -> dict[str, Any]:
    if not len(matched):
        return {"n_cells": 0, "mean_probability": None, "called_matched": None}
    return {
        "n_cells": len(matched),
        "mean_probability": float(matched.mean(dtype=np.float64)),
        "called_matched": float((matched > 0.5).mean()),
    }


def _of_control(control: Trained) -> dict[str, Any]:
    report = control.training_report or {}
    return {
        "control": control.training_config.control,
        "attention": control.model_config.attention,
        "model_digest": control.digest,
        "test": report.get("test"),
    }


def _totals(counts: sparse.csr_matrix) -> npt.NDArray[np.float64]:
    """``(n_cells,)`` sum of each cell's counts."""
    return np.asarray(counts.sum(axis=1, dtype=np.float64)).ravel()
