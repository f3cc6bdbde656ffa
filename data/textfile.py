"""Text files that users bring: plain or gzipped, with or without a byte-order mark, whatever ends their lines."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TextIO, cast

from bi2scope.data.errors import DatasetError

GZIP = b"\x1f\x8b"


@contextmanager
def open_bytes(path: Path, what: str) -> Iterator[BinaryIO]:
    """A plain or gzipped file open for reading bytes, unpacked; told apart by content, not by name.

    Parameters
    ----------
    path
        The file.
    what
        What it should be, for messages: ``"labels"``.

    Raises
    ------
    DatasetError
        If it is missing, a folder, or a damaged gzip file, also when that shows only while it is read.
    """
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == GZIP
            raw.seek(0)
            if packed:
                with gzip.open(raw) as unpacked:
                    yield cast(BinaryIO, unpacked)
            else:
                yield raw
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DatasetError(f"{path} is a damaged gzip file ({error}).", "Fetch or pack it again.") from error
    except FileNotFoundError as error:
        raise DatasetError(f"There is no file {path}; wanted {what}.", "Check the path.") from error
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror or error}; wanted {what}.") from error


@contextmanager
def open_text(path: Path, what: str) -> Iterator[TextIO]:
    """A plain or gzipped text file in UTF-8 (a byte-order mark is skipped), with any of the three line ends.

    Raises
    ------
    DatasetError
        As :func:`open_bytes`, and if it is not text in UTF-8.
    """
    with open_bytes(path, what) as raw:
        text = io.TextIOWrapper(raw, encoding="utf-8-sig", newline=None)
        try:
            yield text
        except UnicodeDecodeError as error:
            raise DatasetError(f"{path} is not text in UTF-8; wanted {what}.", "Save it as UTF-8.") from error


def text_lines(path: Path, what: str) -> list[str]:
    """Lines of a small text file, without their ends; empty ones at the end left out.

    Raises
    ------
    DatasetError
        As :func:`open_text`, and if it holds NUL bytes.
    """
    with open_text(path, what) as text:
        content = text.read()
    if "\0" in content:
        raise DatasetError(f"{path} is not a text file; wanted {what}.")
    lines = content.split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    return lines
