"""Both modalities out of what Cell Ranger ARC writes: one .h5 file, or a folder with matrix, features and barcodes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import pandas as pd

from bi2scope.data.elements import listed, opened
from bi2scope.data.errors import DatasetError
from bi2scope.data.market import folder_files, read_market
from bi2scope.data.matrices import sparse_counts
from bi2scope.data.modality import Modality, check_tables, divided
from bi2scope.data.textfile import text_lines

_WANTED = "Wanted filtered_feature_bc_matrix.h5 of Cell Ranger ARC."


def read_10x_h5(path: str | Path) -> tuple[Modality, Modality]:
    """Read the RNA and the ATAC of a ``filtered_feature_bc_matrix.h5``.

    Genes are named by their ids; both kinds lie where ``features/interval`` says, which for a gene spans its
    transcription start sites and has no strand.

    Raises
    ------
    DatasetError
        If the file cannot be read, is of another kind, or lacks one of the two kinds of features.
    """
    path = Path(path)
    with opened(path, "a 10x .h5", _WANTED) as file:
        group = file.get("matrix")
        features = group.get("features") if isinstance(group, h5py.Group) else None
        if not isinstance(features, h5py.Group):
            raise DatasetError(
                f"{path} has no matrix/features: it has {listed(sorted(file))}.",
                f"{_WANTED} Files of Cell Ranger 2 hold RNA alone.",
            )
        var = _features(features, path)
        obs = pd.DataFrame(index=pd.Index(_texts(group, "barcodes", path), dtype="object"))
        shape = _shape(group, path)
        if shape != (len(var), len(obs)):
            raise DatasetError(
                f"{path}: the matrix is {shape[0]} features x {shape[1]} barcodes, but there are {len(var)} features "
                f"and {len(obs)} barcodes."
            )
        # features x barcodes by columns is barcodes x features by rows
        try:
            counts = sparse_counts(group, "csr", (shape[1], shape[0]))
        except (TypeError, ValueError, KeyError) as error:
            raise DatasetError(f"{path}: the matrix is damaged ({error}).", "Copy or make the file again.") from error
    if counts is None:
        raise DatasetError(f"{path}: the matrix holds values that are not counts.", _WANTED)
    return _divided(str(path), obs, var, counts)


def read_10x_folder(path: str | Path) -> tuple[Modality, Modality]:
    """Read the RNA and the ATAC of a folder ``filtered_feature_bc_matrix``.

    Raises
    ------
    DatasetError
        If a file of it is missing or cannot be read, or one of the two kinds of features is missing.
    """
    folder = Path(path)
    matrix, features, barcodes = folder_files(folder)
    var = _feature_lines(features)
    lines = text_lines(barcodes, "barcodes")
    obs = pd.DataFrame(index=pd.Index([line.split("\t")[0].strip() for line in lines], dtype="object"))
    counts = read_market(matrix, n_features=len(var), n_cells=len(obs))
    return _divided(str(folder), obs, var, counts)


def _divided(source: str, obs: pd.DataFrame, var: pd.DataFrame, counts: Any) -> tuple[Modality, Modality]:
    check_tables(obs, var, counts.shape, source)
    return divided(Modality(source, obs, var, counts), var["feature_type"].to_numpy().astype(object))


def _shape(group: h5py.Group, path: Path) -> tuple[int, ...]:
    shape = group.get("shape")
    if not isinstance(shape, h5py.Dataset) or shape.shape != (2,) or shape.dtype.kind not in "iu":
        raise DatasetError(f"{path} has no matrix/shape of two numbers.", _WANTED)
    return tuple(int(size) for size in shape[:])


def _features(group: h5py.Group, path: Path) -> pd.DataFrame:
    columns = {key: _texts(group, key, path) for key in ("id", "name", "feature_type")}
    columns |= {key: _texts(group, key, path) for key in ("interval", "genome") if key in group}
    sizes = {key: len(values) for key, values in columns.items()}
    if len(set(sizes.values())) != 1:
        raise DatasetError(f"{path}: the columns of the features differ in length ({sizes}).", _WANTED)
    table = pd.DataFrame(columns, dtype="object").set_index("id").rename(columns={"name": "gene_name"})
    table.index.name = None
    return table


def _texts(group: h5py.Group, key: str, path: Path) -> npt.NDArray[np.object_]:
    dataset = group.get(key)
    if not isinstance(dataset, h5py.Dataset) or dataset.ndim != 1 or dataset.dtype.kind not in "SO":
        raise DatasetError(f"{path} has no list of texts {group.name}/{key}.", _WANTED)
    try:
        return np.array([value.decode() if isinstance(value, bytes) else str(value) for value in dataset[:]], object)
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path}: {group.name}/{key} is not text in UTF-8.", _WANTED) from error


def _feature_lines(path: Path) -> pd.DataFrame:
    """Features of a folder: id, name, type and, when there, chromosome, start and end."""
    rows = [line.split("\t") for line in text_lines(path, "features")]
    short = next((number for number, row in enumerate(rows, start=1) if len(row) < 3), None)
    if short is not None:
        raise DatasetError(
            f"{path}, line {short} has {len(rows[short - 1])} column(s); wanted id, name, type, chromosome, start "
            "and end.",
            "Wanted features.tsv.gz of Cell Ranger ARC; genes.tsv of Cell Ranger 2 holds RNA alone.",
        )
    intervals = [f"{row[3]}:{row[4]}-{row[5]}" if len(row) >= 6 and row[3].strip() else "" for row in rows]
    return pd.DataFrame(
        {
            "gene_name": [row[1] for row in rows],
            "feature_type": [row[2].strip() for row in rows],
            "interval": intervals,
        },
        index=pd.Index([row[0].strip() for row in rows], dtype="object"),
        dtype="object",
    )
