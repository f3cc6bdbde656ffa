"""The table of peaks as an AnnData: cell types by peaks, as scanpy opens it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bi2scope.data.exchange.columns import Columns
from bi2scope.data.exchange.selection import Table

if TYPE_CHECKING:
    from anndata import AnnData

LAYERS = ("links", "score", "weight", "lift", "accessibility", "n_open")
PEAK_COLUMNS = ("chrom", "chromStart", "chromEnd")


def write_h5ad(table: Table, path: Path) -> None:
    """Write the table of peaks; memory grows with cell types times peaks."""
    anndata_of(table).write_h5ad(path, compression="gzip")


def anndata_of(table: Table) -> AnnData:
    """Cell types by peaks: ``X`` is the cumulative score, and every layer a column of the table.

    ``lift`` is NaN where nothing is expected. ``uns["bi2scope"]`` holds the comment lines.
    """
    from anndata import AnnData

    blocks: list[Columns] = list(table.blocks)
    first = blocks[0]
    var = pd.DataFrame(
        {name: np.asarray(first[name]) for name in PEAK_COLUMNS}, index=pd.Index(np.asarray(first["peak"]))
    )
    obs = pd.DataFrame(
        {"n_cells": [int(np.asarray(block["n_cells"])[0]) for block in blocks]},
        index=pd.Index([str(np.asarray(block["cell_type"][:1])[0]) for block in blocks], dtype=object),
    )
    layers = {name: np.stack([np.asarray(block[name], dtype=np.float64) for block in blocks]) for name in LAYERS}
    uns = {"bi2scope": "\n".join(table.comments)}
    return AnnData(X=layers["score"].copy(), obs=obs, var=var, layers=layers, uns=uns)
