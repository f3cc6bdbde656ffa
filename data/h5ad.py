"""One modality of paired cells out of an .h5ad file: cells, features and checked counts.

Only what is needed is read (``obs``, ``var`` and one matrix), element by element, so that embeddings and graphs
in the file cost nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import pandas as pd
from scipy import sparse

from bi2scope.data.counts import as_csr, fault_in_counts, kept_form, normalisation_of
from bi2scope.data.errors import DatasetError

_MATRIX_HINT = "Open the file with anndata, put counts there and write it again."


@dataclass(frozen=True)
class Modality:
    """Counts of one kind, RNA or ATAC.

    Attributes
    ----------
    source
        Where they come from, for messages: the path, with the slot of the file when there is one.
    obs
        ``(n_cells,)`` rows; index the cell names, no two the same.
    var
        ``(n_features,)`` rows; index the feature names, no two the same.
    counts
        ``(n_cells, n_features)`` CSR float32, indices sorted, no stored zeros.
    """

    source: str
    obs: pd.DataFrame
    var: pd.DataFrame
    counts: sparse.csr_matrix


def read_modality(path: str | Path, layer: str | None, option: str) -> Modality:
    """Read one .h5ad file.

    Parameters
    ----------
    path
        An .h5ad file of anndata 0.7 or later.
    layer
        Name of the layer with the counts; ``None`` for ``X``.
    option
        Name of the option that chooses the layer, for hints: ``"rna_layer"``.

    Raises
    ------
    DatasetError
        If the file is missing, cut short or not an .h5ad, or what it holds are not counts.
    """
    path = Path(path)
    _check_file(path)
    try:
        with h5py.File(path, "r") as file:
            return _read(file, path, layer, option)
    except OSError as error:
        raise DatasetError(
            f"{path} cannot be read: {_first_line(error)}.", "It may be cut short or damaged; copy or make it again."
        ) from error


def _check_file(path: Path) -> None:
    if not path.exists():
        raise DatasetError(f"There is no file {path}.", "Check the path.")
    if path.is_dir():
        raise DatasetError(f"{path} is a folder; wanted an .h5ad file.")
    try:
        is_hdf5 = h5py.is_hdf5(path)
        empty = path.stat().st_size == 0
        with path.open("rb"):
            pass
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror or error}.") from error
    if not is_hdf5:
        state = "is empty" if empty else "is not an HDF5 file, so not an .h5ad"
        raise DatasetError(f"{path} {state}.", "Write one with anndata: adata.write_h5ad(path).")


def _read(file: h5py.File, path: Path, layer: str | None, option: str) -> Modality:
    _check_layout(file, path)
    obs, var = _table(file, "obs", path), _table(file, "var", path)
    slot = "X" if layer is None else f"layers/{layer}"
    if slot not in file:
        raise DatasetError(
            f"{path} has no {_spoken(slot)}; its layers: {_listed(_layers(file))}.", f"Choose one with {option}."
        )
    matrix = _matrix(file, slot, path)
    source = f"{path} ({_spoken(slot)})"
    if matrix.shape != (len(obs), len(var)):
        raise DatasetError(
            f"{source} is {matrix.shape[0]} x {matrix.shape[1]}, but obs has {len(obs)} rows and var {len(var)}."
        )
    if 0 in matrix.shape:
        raise DatasetError(f"{path} holds {len(obs)} cells and {len(var)} features; wanted some of each.")
    for table, kind in ((obs, "cell"), (var, "feature")):
        check_unique(table.index, kind, str(path))
    fault = fault_in_counts(matrix, obs.index, var.index)
    if fault:
        kind = normalisation_of(matrix)
        raise DatasetError(f"{source} {fault}{f'; it looks {kind}' if kind else ''}.", _hint(file, slot, path, option))
    return Modality(str(path), obs, var, kept_form(matrix))


def _check_layout(file: h5py.File, path: Path) -> None:
    if "obs" in file and "var" in file:
        if all(isinstance(file[key], h5py.Group) for key in ("obs", "var")):
            return
        raise DatasetError(
            f"{path} is an .h5ad of anndata before 0.7.", "Open it with anndata and write it again: write_h5ad(path)."
        )
    kind = {"mod": "a MuData (.h5mu) file", "matrix": "a 10x .h5 file"}
    found = next((name for key, name in kind.items() if key in file), f"an HDF5 file with {_listed(sorted(file))}")
    raise DatasetError(f"{path} is {found}, not an .h5ad: it has no obs and var.")


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
        f"{source}: {len(twice)} {kind} name(s) stand more than once, such as {_listed(twice[:3])}.",
        f"Make them unique ({'obs' if kind == 'cell' else 'var'}_names_make_unique() of anndata).",
    )


def _element(file: h5py.File, key: str, path: Path) -> Any:
    from anndata.io import read_elem

    try:
        return read_elem(file[key])
    except Exception as error:  # whatever a damaged or foreign element makes anndata raise
        raise DatasetError(f"{path}: {_spoken(key)} cannot be read ({_first_line(error)}).", _MATRIX_HINT) from error


def _table(file: h5py.File, key: str, path: Path) -> pd.DataFrame:
    table = _element(file, key, path)
    if not isinstance(table, pd.DataFrame):
        raise DatasetError(f"{path}: {key} is not a table.", "Write the file with anndata: write_h5ad(path).")
    table.index = table.index.astype(str)
    return table


def _matrix(file: h5py.File, slot: str, path: Path) -> sparse.csr_matrix:
    try:
        return as_csr(_element(file, slot, path))
    except (TypeError, ValueError) as error:
        raise DatasetError(
            f"{path}: {_spoken(slot)} is not a matrix of numbers ({_first_line(error)}).", _MATRIX_HINT
        ) from error


def _layers(file: h5py.File) -> list[str]:
    return sorted(file["layers"]) if "layers" in file else []


def _hint(file: h5py.File, slot: str, path: Path, option: str) -> str:
    """Where else in the file counts stand."""
    counts = [
        name for name in _layers(file) if f"layers/{name}" != slot and _holds_counts(file, f"layers/{name}", path)
    ]
    if counts:
        return f"Layers that hold counts: {_listed(counts)}; choose one with {option}={counts[0]!r}."
    if slot != "X" and "X" in file and _holds_counts(file, "X", path):
        return f"X holds counts: leave {option} out."
    if "raw/X" in file and _holds_counts(file, "raw/X", path):
        return "raw.X holds counts: write adata.raw.to_adata() to a file and read that."
    return "No layer of the file holds counts; the raw counts are needed."


def _holds_counts(file: h5py.File, key: str, path: Path) -> bool:
    try:
        matrix = _matrix(file, key, path)
    except DatasetError:
        return False
    cells, features = (pd.RangeIndex(size) for size in matrix.shape)
    return not fault_in_counts(matrix, cells, features)


def _spoken(slot: str) -> str:
    return f"layer {slot.removeprefix('layers/')!r}" if slot.startswith("layers/") else slot


def _listed(names: Any) -> str:
    return ", ".join(str(name) for name in names) or "none"


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0].rstrip(".") if str(error).strip() else type(error).__name__
