"""One modality of paired cells in the layout of anndata: an .h5ad file, or one modality of an .h5mu file.

Only what is needed is read (``obs``, ``var`` and one matrix), element by element, so that embeddings and graphs
in the file cost nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import h5py
import pandas as pd
from scipy import sparse

from bi2scope.data.counts import fault_in_counts, normalisation_of
from bi2scope.data.elements import element, listed, matrix, not_a_matrix, opened, spoken, table
from bi2scope.data.errors import DatasetError
from bi2scope.data.matrices import read_counts
from bi2scope.data.modality import Modality, check_tables

IDS = "gene_ids"
"""Column in which readers of 10x files keep the ids of genes (and of peaks, their names)."""

WRITE_ONE = "Write one with anndata: adata.write_h5ad(path)."


@dataclass(frozen=True)
class Slot:
    """Which matrix of a modality holds the counts.

    Attributes
    ----------
    layer
        Name of the layer; ``None`` for ``X``.
    option
        Name of the option that chooses it, for hints: ``"rna_layer"``.
    """

    layer: str | None
    option: str

    @property
    def key(self) -> str:
        """Where the matrix stands in the file."""
        return "X" if self.layer is None else f"layers/{self.layer}"


def read_modality(path: str | Path, slot: Slot) -> Modality:
    """Read one .h5ad file.

    Parameters
    ----------
    path
        An .h5ad file of anndata 0.7 or later.
    slot
        Which matrix holds the counts.

    Raises
    ------
    DatasetError
        If the file is missing, cut short or not an .h5ad, or what it holds are not counts.
    """
    path = Path(path)
    with opened(path, "an .h5ad", WRITE_ONE) as file:
        _check_layout(file, path)
        return modality_of(file, str(path), slot)


def modality_of(group: h5py.Group, where: str, slot: Slot) -> Modality:
    """Read the modality that a group holds: ``obs``, ``var`` and one matrix.

    Parameters
    ----------
    group
        An open .h5ad file, or one modality of an .h5mu file.
    where
        What to call it in messages.
    slot
        Which matrix holds the counts.

    Raises
    ------
    DatasetError
        As :func:`read_modality`.
    """
    obs, var = table(group, "obs", where), _named_once(table(group, "var", where))
    if slot.key not in group:
        raise DatasetError(
            f"{where} has no {spoken(slot.key)}; its layers: {listed(_layers(group))}.",
            f"Choose one with {slot.option}.",
        )
    counts = _counts(group, slot, where, (obs, var))
    check_tables(obs, var, counts.shape, where, spoken(slot.key))
    return Modality(where, obs, var, counts)


def _named_once(var: pd.DataFrame) -> pd.DataFrame:
    """The features under their ids where symbols stand for several of them, as in what scanpy reads of 10x files."""
    if var.index.is_unique or IDS not in var.columns or not var[IDS].astype(str).is_unique:
        return var
    named = var if "gene_name" in var.columns else var.assign(gene_name=var.index.to_numpy())
    return named.set_index(pd.Index(var[IDS].astype(str), name=None))


def _counts(group: h5py.Group, slot: Slot, where: str, tables: tuple[pd.DataFrame, pd.DataFrame]) -> sparse.csr_matrix:
    try:
        counts = read_counts(group[slot.key])
    except (TypeError, ValueError) as error:
        raise DatasetError(
            not_a_matrix(slot.key, where, error), "Open the file with anndata, put counts there and write it again."
        ) from error
    except (OSError, RuntimeError, KeyError):
        element(group, slot.key, where)  # says what is wrong with it
        raise
    if counts is None:
        _refuse(group, slot, where, tables)
    return counts


def _refuse(group: h5py.Group, slot: Slot, where: str, tables: tuple[pd.DataFrame, pd.DataFrame]) -> NoReturn:
    """Say why a matrix is none of counts, and where in the file there are some."""
    found = matrix(group, slot.key, where)
    source = f"{where} ({spoken(slot.key)})"
    check_tables(*tables, found.shape, where, spoken(slot.key))
    fault = fault_in_counts(found, tables[0].index, tables[1].index) or "holds a matrix of a kind that is not read"
    kind = normalisation_of(found)
    raise DatasetError(f"{source} {fault}{f'; it looks {kind}' if kind else ''}.", _hint(group, slot, where))


def _check_layout(file: h5py.File, path: Path) -> None:
    if "obs" in file and "var" in file:
        if all(isinstance(file[key], h5py.Group) for key in ("obs", "var")):
            return
        raise DatasetError(
            f"{path} is an .h5ad of anndata before 0.7.", "Open it with anndata and write it again: write_h5ad(path)."
        )
    kind = {"mod": "a MuData (.h5mu) file", "matrix": "a 10x .h5 file"}
    found = next((name for key, name in kind.items() if key in file), f"an HDF5 file with {listed(sorted(file))}")
    raise DatasetError(
        f"{path} is {found}, not an .h5ad: it has no obs and var.",
        "One file that holds both RNA and ATAC is read as --cells." if found in kind.values() else "",
    )


def _layers(group: h5py.Group) -> list[str]:
    return sorted(group["layers"]) if "layers" in group else []


def _hint(group: h5py.Group, slot: Slot, where: str) -> str:
    """Where else in the file counts stand."""
    keys = [f"layers/{name}" for name in _layers(group)]
    counts = [key.removeprefix("layers/") for key in keys if key != slot.key and _holds_counts(group, key, where)]
    if counts:
        return f"Layers that hold counts: {listed(counts)}; choose one with {slot.option}={counts[0]!r}."
    if slot.key != "X" and "X" in group and _holds_counts(group, "X", where):
        return f"X holds counts: leave {slot.option} out."
    if "raw/X" in group and _holds_counts(group, "raw/X", where):
        return "raw.X holds counts: write adata.raw.to_adata() to a file and read that."
    return "No layer of the file holds counts; the raw counts are needed."


def _holds_counts(group: h5py.Group, key: str, where: str) -> bool:
    try:
        found = matrix(group, key, where)
    except DatasetError:
        return False
    cells, features = (pd.RangeIndex(size) for size in found.shape)
    return not fault_in_counts(found, cells, features)
