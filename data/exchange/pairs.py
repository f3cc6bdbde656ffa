"""What the formats of paired places share: which column is the score, and rows by tabs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from bi2scope.data.exchange.columns import Coded, Columns
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
        fields = [field_texts(column, slice(start, stop)) for column in columns.values()]
        yield "".join("\t".join(row) + "\n" for row in zip(*fields, strict=True)).encode()


def field_texts(column: Any, rows: slice) -> Sequence[str]:
    """Some rows of a column as texts; see :func:`tab_rows`."""
    if isinstance(column, str):
        return [column] * (rows.stop - rows.start)
    if isinstance(column, tuple):
        ends = (field_texts(each, rows) for each in column)
        return ["/".join(both) for both in zip(*ends, strict=True)]
    part = column[rows]
    if not isinstance(part, Coded):
        return number_texts(part)
    used, codes = part.used()
    named: list[str] = np.array([plain(text) for text in part.words.texts[used]], dtype=object)[codes].tolist()
    return named


def plain(text: str) -> str:
    """A text without white space; ``.`` for an empty one."""
    return _BREAKING.sub("_", text) or "."
