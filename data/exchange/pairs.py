"""What the formats of paired places share: which column is the score, and rows by tabs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from bi2scope.data.exchange.columns import Columns
from bi2scope.data.exchange.csv import ROWS_AT_A_TIME, number_texts

_BREAKING = re.compile(r"[\s\x00-\x1f]+")


def score_name(block: Columns) -> str:
    """The column of a pair's score: of one link, or the mean over the cells with it."""
    return "score" if "score" in block else "mean_score"


def tab_rows(columns: Mapping[str, Any]) -> Iterator[bytes]:
    """Rows with tabs between, a few thousand at a time.

    Parameters
    ----------
    columns
        Columns of one length; a text for one that is everywhere the same; two columns of text to be joined by ``/``.
        In texts, underscores stand for white space, at which many readers of these formats split.
    """
    n_rows = next(len(column) for column in columns.values() if not isinstance(column, str | tuple))
    for start in range(0, n_rows, ROWS_AT_A_TIME):
        stop = min(start + ROWS_AT_A_TIME, n_rows)
        fields = [_fields(column, slice(start, stop)) for column in columns.values()]
        yield "".join("\t".join(row) + "\n" for row in zip(*fields, strict=True)).encode()


def _fields(column: Any, rows: slice) -> Sequence[str]:
    if isinstance(column, str):
        return [column] * (rows.stop - rows.start)
    if isinstance(column, tuple):
        ends = (_fields(each, rows) for each in column)
        return ["/".join(both) for both in zip(*ends, strict=True)]
    part = column[rows]
    if not isinstance(part, pd.Categorical):
        return number_texts(part)
    used, places = np.unique(part.codes, return_inverse=True)
    texts = np.array([plain(text) for text in part.categories.to_numpy(object)[used]], dtype=object)
    named: list[str] = texts[places].tolist()
    return named


def plain(text: str) -> str:
    """A text without white space; ``.`` for an empty one."""
    return _BREAKING.sub("_", text) or "."
