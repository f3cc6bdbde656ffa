"""What the store has of every cell beside its counts: the columns to sort by, and the numbers to show."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bi2scope.data.errors import NotFoundError

NAME = "cell_id"
"""What the index of the table of cells is called in answers."""


def quality_columns(cells: pd.DataFrame) -> list[str]:
    """Names of all columns of numbers, such as the embedding and those of quality control."""
    return [str(name) for name in cells if pd.api.types.is_numeric_dtype(cells[name].dtype)]


def ordered(cells: pd.DataFrame, sort: str | None) -> pd.DataFrame:
    """Cells by a column, the lowest first, or with a minus sign before its name the highest first.

    Equal ones stay in the order they come in; cells without the number come last either way.

    Raises
    ------
    NotFoundError
        If there is no such column.
    """
    if sort is None:
        return cells
    falling, name = sort.startswith("-"), sort.removeprefix("-")
    known = [NAME, "cell_type", *quality_columns(cells)]
    if name not in known:
        raise NotFoundError("column of the cells", name, known)
    values = cells.index if name == NAME else cells[name]
    by_text = name in known[:2]
    number = pd.Series(values.astype(str)).rank(method="dense") if by_text else values
    key = np.asarray(number, dtype=np.float64)
    return cells.iloc[np.argsort(-key if falling else key, kind="stable")]


def quality_of(cells: pd.DataFrame) -> list[dict[str, float | None]]:
    """All numbers of each cell by the names of their columns; ``None`` where there is none."""
    table = cells[quality_columns(cells)].astype(np.float64)
    return [
        {str(name): float(value) if np.isfinite(value) else None for name, value in row.items()}
        for row in table.to_dict("records")
    ]
