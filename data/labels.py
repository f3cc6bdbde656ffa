"""Cell types from outside the counts: a table of barcodes and labels, or a column under another name."""

from __future__ import annotations

import csv
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from bi2scope.data.errors import DatasetError
from bi2scope.data.modality import Modality
from bi2scope.data.textfile import text_lines

BARCODE_COLUMNS = ("barcode", "barcodes", "cellbarcode", "cell", "cells", "cellid", "cellname", "index", "obsnames", "")
"""What the first column of a header may be called, without regard to case, blanks and punctuation."""

LABEL_COLUMNS = ("celltype", "celltypes", "label", "labels", "annotation", "cluster", "clusters")
"""Which column is taken when there are several beside the barcodes, in this order."""

_MISSING = ("", "NA", "NaN", "nan")
_HINT = "Wanted a CSV with two columns: barcode,label."


def read_labels(path: str | Path) -> pd.Series:
    """Labels of cells from a CSV or TSV with a barcode and a label in each line.

    A header is optional; with more than two columns it is needed, and one column must be called ``cell_type``,
    ``label``, ``annotation`` or ``cluster``. Plain or gzipped, UTF-8, any line ends.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    labels
        Index the barcodes, no two the same; values the labels, none empty.

    Raises
    ------
    DatasetError
        If the file cannot be read, a line has another number of columns than the first, a barcode is empty or has
        two labels, or no cell has a label.
    """
    path = Path(path)
    lines = [line for line in text_lines(path, "labels of cells") if line.strip() and not line.startswith("#")]
    if not lines:
        raise DatasetError(f"{path} is empty.", _HINT)
    rows = _rows(lines, path)
    column, rows = _columns(rows, path)
    labels = pd.Series([row[column].strip() for row in rows], index=[row[0].strip() for row in rows], dtype="object")
    if (labels.index == "").any():
        raise DatasetError(f"{path}: {int((labels.index == '').sum())} lines have a label and no barcode.", _HINT)
    labels = labels[~labels.isin(_MISSING)]
    if labels.empty:
        raise DatasetError(f"{path} has no labels in its column {column + 1}.", _HINT)
    labels = labels[~pd.MultiIndex.from_arrays([labels.index, labels]).duplicated()]
    if not labels.index.is_unique:
        twice = labels.index[labels.index.duplicated()][0]
        raise DatasetError(f"{path}: {twice} has two labels, {' and '.join(labels[[twice]][:2])}.", "Keep one of them.")
    return labels


def _rows(lines: list[str], path: Path) -> list[list[str]]:
    delimiter = "\t" if "\t" in lines[0] else ";" if ";" in lines[0] and "," not in lines[0] else ","
    try:
        rows = list(csv.reader(lines, delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise DatasetError(f"{path} is not a table ({error}).", _HINT) from error
    for number, row in enumerate(rows, start=1):
        if len(row) != len(rows[0]) or len(row) < 2:
            raise DatasetError(
                f"{path}: row {number} has {len(row)} column(s); wanted {max(2, len(rows[0]))}, as many in each row.",
                _HINT,
            )
    return rows


def _columns(rows: list[list[str]], path: Path) -> tuple[int, list[list[str]]]:
    """Which column holds the labels, and the rows without the header."""
    header = [_bare(name) for name in rows[0]]
    has_header = header[0] in BARCODE_COLUMNS
    if len(header) == 2:
        return 1, rows[1:] if has_header else rows
    named = [header.index(name) for name in LABEL_COLUMNS if name in header[1:]]
    if not has_header or not named:
        raise DatasetError(
            f"{path} has {len(header)} columns ({', '.join(rows[0])}) and none called cell_type or label.", _HINT
        )
    return named[0], rows[1:]


def _bare(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).casefold()


def with_labels(modality: Modality, labels: pd.Series, path: str | Path, notes: list[str]) -> Modality:
    """A modality of the labelled cells alone, with their labels as ``obs["cell_type"]``.

    Raises
    ------
    DatasetError
        If no cell of the modality is labelled.
    """
    names = modality.obs.index
    labelled = np.flatnonzero(names.isin(labels.index))
    if len(labelled) == 0:
        raise DatasetError(
            f"{path} labels none of the cells of {modality.source}: it has {labels.index[0]!r}, "
            f"the cells have {names[0]!r}.",
            "Barcodes must be written as in the counts; look for suffixes such as -1.",
        )
    if len(labelled) < len(names):
        notes.append(f"{len(names) - len(labelled)} of {len(names)} cells have no label in {path}: left out.")
    if (unknown := len(labels) - len(labelled)) > 0:
        notes.append(f"{unknown} of {len(labels)} labels of {path} are of cells that are not there.")
    obs = modality.obs.iloc[labelled].copy()
    obs["cell_type"] = labels.reindex(obs.index).to_numpy()
    counts = modality.counts if len(labelled) == len(names) else modality.counts[labelled]
    return replace(modality, obs=obs, counts=counts)


def with_column(modality: Modality, column: str) -> Modality:
    """A modality with the named column of its cells as ``obs["cell_type"]``; without it, with no cell types."""
    obs = modality.obs.drop(columns="cell_type", errors="ignore")
    if column in modality.obs.columns:
        obs = obs.assign(cell_type=modality.obs[column])
    return replace(modality, obs=obs)


def cell_type_column(modality: Modality) -> str | None:
    """The column of the cells that plainly is their types: ``cell_type``, or the one spelling of it there is."""
    if "cell_type" in modality.obs.columns:
        return "cell_type"
    spelled = [str(name) for name in modality.obs.columns if _bare(str(name)) in LABEL_COLUMNS[:2]]
    return spelled[0] if len(spelled) == 1 else None
