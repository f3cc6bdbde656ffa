"""Export a store: one of its tables, in one of the formats that fit it, to a file or to a stream."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, cast, get_args

from bi2scope.data.errors import InputError
from bi2scope.data.exchange.h5ad import write_h5ad
from bi2scope.data.exchange.links import links_table
from bi2scope.data.exchange.map import map_table
from bi2scope.data.exchange.parquet import write_parquet
from bi2scope.data.exchange.peaks_table import peaks_table
from bi2scope.data.exchange.selection import Part, Table
from bi2scope.data.exchange.streams import STREAMS
from bi2scope.data.files import replacing, require_absent

Kind = Literal["links", "map", "peaks"]
Format = Literal["csv", "parquet", "arrow", "bedpe", "interact", "longrange", "h5ad"]

TABLES: Mapping[Kind, Callable[[Part], Table]] = {"links": links_table, "map": map_table, "peaks": peaks_table}

FITTING: Mapping[Kind, tuple[Format, ...]] = {
    "links": ("csv", "parquet", "arrow", "bedpe", "interact", "longrange"),
    "map": ("csv", "parquet", "arrow", "bedpe", "interact", "longrange"),
    "peaks": ("csv", "parquet", "arrow", "h5ad"),
}
"""The formats that each table can be written in."""


WRITERS: Mapping[str, Callable[[Table, Path], None]] = {"parquet": write_parquet, "h5ad": write_h5ad}
"""Formats that need a file."""

_MISFIT = {
    "h5ad": "h5ad holds cell types by peaks",
    "bedpe": "bedpe holds pairs of a gene and a peak",
    "interact": "interact holds pairs of a gene and a peak",
    "longrange": "longrange holds pairs of a gene and a peak",
}


@dataclass(frozen=True)
class Target:
    """Where a table goes, and as what; made by :meth:`of`.

    Attributes
    ----------
    path
        The file; ``None`` is a stream.
    format
        As what.
    """

    path: Path | None
    format: Format

    @classmethod
    def of(cls, kind: Kind, path: Path | None, named: str | None = None) -> Target:
        """The target of a table.

        Parameters
        ----------
        kind
            Which table.
        path
            The file, whose ending tells the format if nothing else does; ``None`` is a stream.
        named
            The format.

        Raises
        ------
        InputError
            If the format is not known, cannot hold the table, or is none of text where one is needed.
        """
        form = named or ("csv" if path is None else _by_ending(path))
        if form not in get_args(Format):
            raise InputError(f"There is no format {form!r}.", f"Wanted one of {', '.join(get_args(Format))}.")
        if form not in FITTING[kind]:
            fits = ", ".join(FITTING[kind])
            raise InputError(f"{form} cannot hold {kind}: {_MISFIT[form]}.", f"Formats that fit {kind}: {fits}.")
        if form in WRITERS and path is None:
            raise InputError(f"{form} cannot go to standard output.", "Name a file, or choose csv.")
        if form in WRITERS and path is not None and path.suffix == ".gz":
            raise InputError(f"{path}: {form} is compressed in itself.", "Leave .gz away.")
        return cls(path, form)


def _by_ending(path: Path) -> str:
    ending = (path.with_suffix("") if path.suffix == ".gz" else path).suffix.removeprefix(".")
    if ending not in get_args(Format):
        known = ", ".join(f".{each}" for each in get_args(Format))
        raise InputError(
            f"The ending of {path} tells no format.", f"Wanted {known}, those of text with .gz after, or --format."
        )
    return ending


def export(part: Part, kind: Kind, target: Target, overwrite: bool = False) -> None:
    """Write a table of a part of a store to a file; all of it or nothing.

    Raises
    ------
    InputError
        If the file is there already, or cannot be written, or the store does not hold what is asked for.
    StoreDamagedError
        If the store fails its checksums on the way.
    """
    assert target.path is not None
    require_absent(target.path, overwrite)
    table = TABLES[kind](part)
    try:
        with replacing(target.path) as temporary:
            if target.format in WRITERS:
                WRITERS[target.format](table, temporary)
            else:
                with _opened(target.path, temporary) as file:
                    export_to(file, table, target.format)
    except OSError as error:  # those of reading the store are errors of the store by now
        raise InputError(
            f"{target.path} cannot be written: {error.strerror or error}.", "Choose another place, or make room there."
        ) from error


def export_to(file: BinaryIO, table: Table, form: str) -> None:
    """Write a table to a stream, in a format of text."""
    file.writelines(STREAMS[form](table))


@contextmanager
def _opened(path: Path, temporary: Path) -> Iterator[BinaryIO]:
    """The temporary file of a path, gzipped if the path says so; the same rows give the same bytes."""
    with temporary.open("wb") as file:
        if path.suffix == ".gz":
            with gzip.GzipFile(filename="", mode="wb", fileobj=file, compresslevel=6, mtime=0) as zipped:
                yield cast(BinaryIO, zipped)
        else:
            yield file
