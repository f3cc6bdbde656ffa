"""The table of cells: type, features, embedding and columns of quality control."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from bi2scope.data.attention import Floats
from bi2scope.data.multiome import Multiome


@dataclass(frozen=True)
class Embedding:
    """Two-dimensional embedding of the cells.

    Attributes
    ----------
    coordinates
        ``(n_cells, 2)``.
    method
        How it was made, in words for the screen.
    pooled
        ``(n_cells, 2 * hidden)`` the model's own representation of each cell, when it is known.
    quality
        Columns of numbers for each cell, such as counts in all and their share on mitochondria.
    """

    coordinates: Floats
    method: str
    pooled: Floats | None = None
    quality: pd.DataFrame | None = None


def cells_table(multiome: Multiome, embedding: Embedding) -> pd.DataFrame:
    """The table as it is stored.

    Raises
    ------
    ValueError
        If what comes with the embedding does not have one row per cell, or is not what a column can be.
    """
    if embedding.coordinates.shape != (multiome.n_cells, 2):
        raise ValueError(f"The embedding has shape {embedding.coordinates.shape}, wanted {(multiome.n_cells, 2)}.")
    if embedding.pooled is not None and len(embedding.pooled) != multiome.n_cells:
        raise ValueError("The pooled representation does not have one row per cell.")
    cells = pd.DataFrame(
        {
            "cell_type": multiome.cells["cell_type"],
            "n_genes": np.diff(multiome.rna.indptr).astype(np.int32),
            "n_peaks": np.diff(multiome.atac.indptr).astype(np.int32),
            "umap_1": embedding.coordinates[:, 0].astype(np.float32),
            "umap_2": embedding.coordinates[:, 1].astype(np.float32),
        },
        index=multiome.cells.index,
    )
    return cells if embedding.quality is None else cells.join(_quality(embedding.quality, cells))


def _quality(columns: pd.DataFrame, cells: pd.DataFrame) -> pd.DataFrame:
    """Columns for the table of cells, checked: numbers, one row per cell, no name that is taken."""
    taken = [str(name) for name in columns if name in cells]
    if len(columns) != len(cells) or taken or not all(pd.api.types.is_numeric_dtype(kind) for kind in columns.dtypes):
        raise ValueError(f"The quality columns must be numbers, one per cell, and not named {', '.join(taken)}.")
    return columns.set_axis(cells.index)
