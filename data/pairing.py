"""The same cells in two modalities: which row is which cell, and what type it is of."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from natsort import natsorted, ns

from bi2scope.data.errors import DatasetError
from bi2scope.data.modality import Modality

Rows = npt.NDArray[np.int64]
Names = npt.NDArray[np.object_]


def matching_rows(rna: Modality, atac: Modality, only_shared: bool, notes: list[str]) -> tuple[Rows, Rows]:
    """Rows of the same cells in the RNA and in the ATAC, in the RNA's order.

    Parameters
    ----------
    rna, atac
        The two modalities.
    only_shared
        Whether cells that one of them lacks are left out (and counted in the notes); otherwise they are an error.
    notes
        Grows by a sentence when cells are left out.

    Raises
    ------
    DatasetError
        If no cell is in both, or not all are and all must be.
    """
    rows = atac.obs.index.get_indexer(rna.obs.index).astype(np.int64)
    shared = np.flatnonzero(rows >= 0)
    if len(shared) == 0:
        raise DatasetError(
            f"No cell name is in both files: {rna.source} has {rna.obs.index[0]!r}, "
            f"{atac.source} has {atac.obs.index[0]!r}.",
            "RNA and ATAC must be of the same cells, under the same names; look for suffixes such as -1.",
        )
    if not len(shared) == len(rna.obs) == len(atac.obs):
        only_rna = rna.obs.index[rows < 0]
        only_atac = atac.obs.index.difference(rna.obs.index, sort=False)
        alone = [f"{len(only_rna)} only in {rna.source} (such as {only_rna[0]})"] if len(only_rna) else []
        alone += [f"{len(only_atac)} only in {atac.source} (such as {only_atac[0]})"] if len(only_atac) else []
        found = f"{len(shared)} names are in both, {' and '.join(alone)}"
        if not only_shared:
            raise DatasetError(
                f"The files hold different cells: {found}.",
                "Keep the shared cells in both: rna[shared].write_h5ad(...), atac[shared].write_h5ad(...).",
            )
        notes.append(f"RNA and ATAC hold different cells: {found}. Those in both are kept.")
    return shared.astype(np.int64), rows[shared]


def given_types(rna: Modality, atac: Modality, rows: tuple[Rows, Rows], notes: list[str]) -> Names | None:
    """``(n_cells,)`` cell types of the shared cells, in the RNA's order; ``None`` if neither modality has any.

    Parameters
    ----------
    rna, atac
        The two modalities; ``obs["cell_type"]`` of the RNA counts, or of the ATAC when the RNA has none.
    rows
        Rows of the shared cells in each.
    notes
        Grows by a sentence when the ATAC decides, or disagrees.

    Raises
    ------
    DatasetError
        If some cells have no type.
    """
    of_rna, of_atac = cell_types_of(rna), cell_types_of(atac)
    of_rna = None if of_rna is None else of_rna[rows[0]]
    of_atac = None if of_atac is None else of_atac[rows[1]]
    if of_rna is not None and of_atac is not None and (differ := int((of_rna != of_atac).sum())):
        notes.append(f"{differ} of {len(of_rna)} cells have another cell_type in the ATAC file; the RNA's is used.")
    chosen, source = (of_atac, atac.source) if of_rna is None else (of_rna, rna.source)
    if chosen is None:
        return None
    if of_rna is None:
        notes.append("The cell types are those of the ATAC file; the RNA file has none.")
    if (untyped := int((chosen == "").sum())) > 0:
        names = rna.obs.index[rows[0]]
        raise DatasetError(
            f"{source}: {untyped} of {len(chosen)} cells have no cell_type, such as {names[chosen == ''][0]}.",
            "Give them one ('unknown' will do) or leave them out.",
        )
    return chosen


def refuse_untyped(rna: Modality) -> DatasetError:
    """The error on cells that need types and have none."""
    return DatasetError(
        f"{rna.source}: obs has no column 'cell_type'; it has {', '.join(map(str, rna.obs.columns)) or 'no columns'}.",
        "Name the column of the annotation cell_type, choose it with --cell-type, or give --labels; `bi2scope prepare` "
        "puts clusters in its place.",
    )


def cell_table(names: pd.Index, types: Names) -> pd.DataFrame:
    """Cells with their types, categories in natural order."""
    categories = natsorted(set(types), alg=ns.IGNORECASE)
    return pd.DataFrame(
        {"cell_type": pd.Categorical(types, categories=categories)}, index=pd.Index(names.to_numpy().astype(object))
    )


def cell_types_of(modality: Modality) -> Names | None:
    """``(n_cells,)`` cell types as text, "" where missing; ``None`` without the column."""
    if "cell_type" not in modality.obs.columns:
        return None
    column = modality.obs["cell_type"].astype("object")
    return column.where(column.notna(), "").astype(str).str.strip().to_numpy().astype(object)
