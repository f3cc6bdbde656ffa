"""The options by which a verb takes paired cells, declared once for all verbs."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import fields
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
    return with_fields("source", Source, SOURCE_OPTIONS)(verb)


def with_fields(
    parameter: str, cls: type, options: Mapping[str, Any]
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Put options in the place of a verb's parameter, which is the dataclass that they are the fields of.

    Parameters
    ----------
    parameter
        Name of the verb's parameter.
    cls
        The dataclass; an option that is not given has the field's default.
    options
        Annotated type of each field that is an option.
    """
    defaults = {field.name: field.default for field in fields(cls)}
    shared = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=defaults[name], annotation=option)
        for name, option in options.items()
    ]

    def decorated(verb: Callable[..., None]) -> Callable[..., None]:
        own = [each for each in inspect.signature(verb, eval_str=True).parameters.values() if each.name != parameter]

        @functools.wraps(verb)
        def taking_options(**values: Any) -> None:
            made = cls(**{name: values.pop(name) for name in options})
            verb(**{parameter: made}, **values)

        parameters = [*shared, *(each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in own)]
        taking_options.__annotations__ = {each.name: each.annotation for each in parameters}
        taking_options.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        return taking_options

    return decorated
