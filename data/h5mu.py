"""Both modalities out of a MuData (.h5mu) file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import h5py
import pandas as pd

from bi2scope.data.elements import listed, opened, table
from bi2scope.data.errors import DatasetError
from bi2scope.data.h5ad import Slot, modality_of
from bi2scope.data.modality import Modality

RNA_NAMES = ("rna", "scrna", "snrna", "gex", "gene expression", "gene_expression", "expression")
ATAC_NAMES = (
    "atac",
    "scatac",
    "snatac",
    "peaks",
    "chromatin accessibility",
    "chromatin_accessibility",
    "accessibility",
)
"""What the modalities may be called, without regard to case; the first that is there counts."""


def read_h5mu(path: str | Path, rna: Slot, atac: Slot) -> tuple[Modality, Modality]:
    """Read the RNA and the ATAC of an .h5mu file.

    Columns of the ``obs`` of the whole stand beside those of the RNA's own ``obs``, and win where both have one.

    Parameters
    ----------
    path
        A file that mudata or muon wrote.
    rna, atac
        Which matrix of each modality holds the counts.

    Raises
    ------
    DatasetError
        If the file cannot be read, lacks one of the modalities, or what they hold are not counts.
    """
    path = Path(path)
    with opened(path, "an .h5mu", "Write one with mudata: mdata.write(path).") as file:
        if not isinstance(file.get("mod"), h5py.Group):
            raise DatasetError(f"{path} has no modalities: it has {listed(sorted(file))}; wanted mod/rna and mod/atac.")
        of_rna = _modality(file, path, RNA_NAMES, "RNA", rna)
        of_atac = _modality(file, path, ATAC_NAMES, "ATAC", atac)
        return _with_shared_columns(file, path, of_rna), of_atac


def _modality(file: h5py.File, path: Path, names: tuple[str, ...], what: str, slot: Slot) -> Modality:
    there = {str(name).casefold(): str(name) for name in file["mod"]}
    name = next((there[name] for name in names if name in there), None)
    if name is None:
        raise DatasetError(
            f"{path} has no modality of {what}: it has {listed(sorted(there.values()))}; "
            f"wanted one called {', '.join(names)}.",
            "Rename it: mudata.MuData({'rna': ..., 'atac': ...}).",
        )
    group, where = file["mod"][name], f"{path}, {name}"
    for part in ("obs", "var"):
        if not isinstance(group, h5py.Group) or not isinstance(group.get(part), h5py.Group):
            raise DatasetError(f"{where} has no table {part}.", "Write the file again with mudata: mdata.write(path).")
    return modality_of(group, where, slot)


def _with_shared_columns(file: h5py.File, path: Path, rna: Modality) -> Modality:
    """The RNA with the columns that the whole file has for its cells."""
    if "obs" not in file:
        return rna
    shared = table(file, "obs", str(path))
    if not shared.index.is_unique or not rna.obs.index.isin(shared.index).all():
        return rna
    shared = shared.reindex(rna.obs.index)
    # mudata before 0.3 copies columns of the modalities under their names: rna:cell_type
    own = rna.source.rsplit(", ", 1)[-1] + ":"
    copies = {column: column.removeprefix(own) for column in shared.columns if str(column).startswith(own)}
    copied = shared[list(copies)].rename(columns=copies)
    whole = shared[[column for column in shared.columns if ":" not in str(column)]]
    return replace(rna, obs=_beside(_beside(whole, rna.obs), copied))


def _beside(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """Columns of both tables, those of the first where both have one."""
    return first.join(second[[column for column in second.columns if column not in first.columns]])
