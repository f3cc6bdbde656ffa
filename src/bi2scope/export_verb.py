"""The verb ``export`` and its options."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bi2scope.data.errors import ConfigurationError, InputError
from bi2scope.options import with_fields

if TYPE_CHECKING:
    from bi2scope.data.exchange.export import Kind
    from bi2scope.data.exchange.selection import Selection

STANDARD_OUTPUT = "-"


@dataclass(frozen=True)
class Rows:
    """Which table."""

    links: bool = False
    map: bool = False
    peaks: bool = False

    @property
    def kind(self) -> Kind:
        """The one that was chosen.

        Raises
        ------
        ConfigurationError
            If it is none, or several.
        """
        chosen: list[Kind] = [name for name in ("links", "map", "peaks") if getattr(self, name)]
        if len(chosen) != 1:
            found = " and ".join(f"--{each}" for each in chosen) or "none of them"
            raise ConfigurationError(f"Wanted one of --links, --map and --peaks, found {found}.")
        return chosen[0]


@dataclass(frozen=True)
class Limits:
    """Which part of the store."""

    cell_types: str | None = None
    threshold: float | None = None
    k: int | None = None
    layer: int = 0
    head: int = 0

    @property
    def selection(self) -> Selection:
        """The same as the library takes it."""
        from bi2scope.data.choice import parse_names
        from bi2scope.data.exchange.selection import Selection

        types = () if self.cell_types is None else parse_names(self.cell_types)
        return Selection(types, self.threshold, self.k, self.layer, self.head)


def _rows(flag: str, text: str) -> Any:
    return typer.Option(flag, help=text, rich_help_panel="Rows")


ROWS: dict[str, Any] = {
    "links": Annotated[bool, _rows("--links", "Every link of every cell.")],
    "map": Annotated[bool, _rows("--map", "Gene and peak pairs of each cell type: cells with the link, mean score.")],
    "peaks": Annotated[bool, _rows("--peaks", "Cumulative scores of every peak in each cell type.")],
}
"""Fields of :class:`Rows` and the options that set them."""

LIMITS: dict[str, Any] = {
    "cell_types": Annotated[
        str | None,
        typer.Option("--cell-types", help="These types alone: names with commas between, or a file of them."),
    ],
    "threshold": Annotated[
        float | None, typer.Option("--threshold", help="Links of a higher score, 0.5 to 1; all kept when left out.")
    ],
    "k": Annotated[
        int | None, typer.Option("--k", help="Links up to this rank in their gene's row; the store's k_max by default.")
    ],
    "layer": Annotated[int, typer.Option("--layer", help="Layer of the model, from 0.")],
    "head": Annotated[int, typer.Option("--head", help="Head of the layer, from 0.")],
}
"""Fields of :class:`Limits` and the options that set them."""


@with_fields("rows", Rows, ROWS)
@with_fields("limits", Limits, LIMITS)
def export(
    rows: Rows,
    limits: Limits,
    store: Annotated[Path, typer.Argument(metavar="STORE", help="An attention store (.h5).")],
    out: Annotated[str, typer.Option("--out", help="File to write; - is standard output.")],
    form: Annotated[
        str | None,
        typer.Option(
            "--format", help="csv, parquet, arrow, bedpe, interact, longrange or h5ad; by the ending when left out."
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file if it is there.")] = False,
) -> None:
    """Write links, regulatory map or peak scores of a store as CSV, Parquet, BEDPE, interact or h5ad."""
    from bi2scope.data.exchange.export import TABLES, Target, export_to
    from bi2scope.data.exchange.export import export as export_table
    from bi2scope.data.exchange.selection import Part
    from bi2scope.data.store.reader import StoreReader

    kind, path = rows.kind, None if out == STANDARD_OUTPUT else Path(out)
    target = Target.of(kind, path, form)
    with StoreReader.open(store) as reader:
        part = Part.of(reader, limits.selection, shown=True)
        if path is not None:
            export_table(part, kind, target, overwrite)
            typer.echo(f"Wrote {path}")
            return
        try:
            export_to(sys.stdout.buffer, TABLES[kind](part), target.format)
            sys.stdout.buffer.flush()
        except OSError as error:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left would fail again at the exit
            if not isinstance(error, BrokenPipeError):  # whoever reads a pipe may have enough, as `head` does
                raise InputError(f"Standard output cannot be written: {error.strerror}.") from error
