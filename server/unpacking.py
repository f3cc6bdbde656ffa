"""How much an uploaded file holds, counted while it is unpacked piece by piece, before anything is made of it."""

from __future__ import annotations

import gzip
import io
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from bi2scope.server.errors import UploadTooLargeError

PIECE = 1 << 20
"""Bytes that are looked at in one go."""

FIELDS_A_LINE = 12
"""Columns a line on the average: those of BED12, and more than narrowPeak or bedGraph have."""


@dataclass(frozen=True)
class Most:
    """Lines of an uploaded file, and seconds that reading it may take."""

    lines: int
    seconds: float


def require_bounded(contents: bytes, name: str, most: Most) -> None:
    """Check that a plain or gzipped text is within bounds.

    Memory and time of what reads it later are bounded by the number of its lines and fields. A file that cannot be
    unpacked passes: what reads it says why.

    Raises
    ------
    UploadTooLargeError
        If it has too many lines or fields, too long a line, or takes too long.
    """
    until = time.monotonic() + most.seconds
    lines = fields = open_line = 0
    for piece in _pieces(contents):
        ends = max(piece.count(b"\n"), piece.count(b"\r"))
        lines, fields = lines + ends, fields + piece.count(b"\t") + piece.count(b" ")
        open_line = len(piece) - 1 - max(piece.rfind(b"\n"), piece.rfind(b"\r")) if ends else open_line + len(piece)
        if lines > most.lines:
            raise _refused(f"{name} has more than the {most.lines:,} lines that this service takes.")
        if fields > FIELDS_A_LINE * most.lines:
            raise _refused(f"{name} has more than {FIELDS_A_LINE * most.lines:,} columns in all of its lines.")
        if open_line > PIECE:
            raise _refused(f"{name} has a line of more than {PIECE:,} bytes.")
        if time.monotonic() > until:
            raise _refused(f"Reading {name} takes longer than {most.seconds:g} seconds.")


def _pieces(contents: bytes) -> Iterator[bytes]:
    if contents[:2] != b"\x1f\x8b":
        for start in range(0, len(contents), PIECE):
            yield contents[start : start + PIECE]
        return
    try:
        with gzip.open(io.BytesIO(contents)) as packed:
            while piece := packed.read(PIECE):
                yield piece
    except (OSError, EOFError, zlib.error):
        return


def _refused(message: str) -> UploadTooLargeError:
    return UploadTooLargeError(
        message, "Keep the intervals and columns that are needed, or raise BI2SCOPE_MAX_UPLOAD_LINES."
    )
