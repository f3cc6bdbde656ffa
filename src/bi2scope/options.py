"""The options by which a verb takes paired cells, declared once for all verbs."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from bi2scope.data.source import Source

_PANEL = "Cells"


def _option(flag: str, text: str) -> Any:
    return typer.Option(flag, help=text, rich_help_panel=_PANEL)


SOURCE_OPTIONS: dict[str, Any] = {
    "rna": Annotated[Path | None, _option("--rna", "RNA counts of the cells (.h5ad).")],
    "atac": Annotated[Path | None, _option("--atac", "ATAC counts of the same cells (.h5ad).")],
    "cells": Annotated[
        Path | None,
        _option("--cells", "Both in one: .h5mu, 10x .h5, 10x folder, .h5ad, or a file of `bi2scope prepare`."),
    ],
    "labels": Annotated[Path | None, _option("--labels", "CSV of barcodes and cell types.")],
    "cell_type": Annotated[str | None, _option("--cell-type", "Column of the cell types, when not cell_type.")],
    "genes": Annotated[Path | None, _option("--genes", "Where the genes lie: GTF, GFF3 or BED, plain or gzipped.")],
    "preset": Annotated[
        str | None, _option("--preset", "The paper's files as published: pbmc10k, share, snare or issaac.")
    ],
    "rna_layer": Annotated[str | None, _option("--rna-layer", "Layer that holds the RNA counts, when X does not.")],
    "atac_layer": Annotated[str | None, _option("--atac-layer", "Layer that holds the ATAC counts, when X does not.")],
}
"""Fields of :class:`~bi2scope.data.source.Source` and the options that set them."""


def with_source(verb: Callable[..., None]) -> Callable[..., None]:
    """A verb with the options of :data:`SOURCE_OPTIONS` in place of its parameter ``source``."""
    own = [each for each in inspect.signature(verb, eval_str=True).parameters.values() if each.name != "source"]
    shared = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=option)
        for name, option in SOURCE_OPTIONS.items()
    ]

    @functools.wraps(verb)
    def taking_options(**values: Any) -> None:
        source = Source(**{name: values.pop(name) for name in SOURCE_OPTIONS})
        verb(source=source, **values)

    parameters = [*shared, *(each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in own)]
    taking_options.__annotations__ = {each.name: each.annotation for each in parameters}
    taking_options.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return taking_options
