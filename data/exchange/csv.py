"""CSV that explains itself: comment lines, one header row, tidy rows.

Comment lines (``#``) first; RFC 4180 (CRLF, doubled quotes), numbers to full precision, empty where there is none.
``pandas.read_csv(file, comment="#")`` reads it back.

Spreadsheets take a text that starts with ``=``, ``+``, ``-`` or ``@`` for a formula: such a name gets an apostrophe
before it. Numbers do not, and neither does the strand, whose ``+``, ``-`` and ``.`` alone are no formula.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import orjson

from bi2scope.data.exchange.columns import Coded, Column, Columns

ROWS_AT_A_TIME = 8192
VERBATIM = frozenset({"gene_strand"})
"""Columns of text whose few values are known to be harmless."""

_FORMULA = tuple("=+-@\t\r")
_QUOTED = re.compile(r'[,"\r\n#]|^\s|\s$')


def text_field(text: str, *, verbatim: bool = False) -> str:
    """A text as one field: safe for spreadsheets unless ``verbatim``, quoted where a reader would misread it.

    ``#`` is quoted too, or readers that skip comments would drop the rest of the line.
    """
    if not verbatim and text.startswith(_FORMULA):
        text = f"'{text}"
    return '"{}"'.format(text.replace('"', '""')) if _QUOTED.search(text) else text


def csv_stream(comments: Iterable[str], columns: Columns) -> Iterator[bytes]:
    """A CSV file in pieces.

    Parameters
    ----------
    comments
        Lines to stand first, without their ``#``.
    columns
        Columns of one length by name.
    """
    yield csv_head(comments, columns)
    yield from csv_rows(columns)


def csv_head(comments: Iterable[str], names: Iterable[str]) -> bytes:
    """The comment lines and the header row."""
    return "".join(f"{line}\r\n" for line in [*comment_lines(comments), ",".join(names)]).encode()


def comment_lines(comments: Iterable[str]) -> list[str]:
    """Comments as lines that start with ``#``; a control character in one becomes a space."""
    return [f"# {_one_line(comment)}" for comment in comments]


def csv_rows(columns: Columns) -> Iterator[bytes]:
    """The rows of some columns, a few thousand at a time."""
    n_rows = len(next(iter(columns.values())))
    for start in range(0, n_rows, ROWS_AT_A_TIME):
        fields = [_fields(name, column[start : start + ROWS_AT_A_TIME]) for name, column in columns.items()]
        yield "".join(f"{','.join(row)}\r\n" for row in zip(*fields, strict=True)).encode()


def _fields(name: str, column: Column) -> Sequence[str]:
    if isinstance(column, Coded):
        used, codes = column.used()
        fields = [text_field(text, verbatim=name in VERBATIM) for text in column.words.texts[used]]
        named: list[str] = np.array(fields, dtype=object)[codes].tolist()
        return named
    if column.dtype != object:
        return number_texts(column)
    known = {text: text_field(text, verbatim=name in VERBATIM) for text in set(column)}
    return [known[text] for text in column]


def number_texts(column: np.ndarray[Any, Any]) -> list[str]:
    """Numbers as JSON writes them, so the shortest text that reads back as the same number; empty if not finite."""
    if len(column) == 0:
        return []
    written = orjson.dumps(np.ascontiguousarray(column), option=orjson.OPT_SERIALIZE_NUMPY)[1:-1].decode()
    return written.replace("null", "").split(",")


def _one_line(text: str) -> str:
    return re.sub(r"[\x00-\x1f\x7f\x85\u2028\u2029]+", " ", text)
