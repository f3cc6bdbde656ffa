"""Cumulative scores of control models, kept beside those of the model in the same layout."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

import h5py
import numpy as np

from bi2scope.data.errors import StoreError
from bi2scope.data.store import schema
from bi2scope.data.store.histogram_writer import write_histogram
from bi2scope.data.store.parts import copy_tree

if TYPE_CHECKING:
    from bi2scope.data.store.reader import StoreReader


def require_name(name: str) -> None:
    """Refuse what a control cannot be called; a :class:`StoreError`."""
    if not name or set(name) & set("/.") or not name.isprintable():
        raise StoreError(f"A control cannot be called {name!r}.", "Use letters, digits and hyphens.")


def copy_sums(target: h5py.File, name: str, parts: Iterable[str | os.PathLike[str]]) -> None:
    """Put the cumulative scores of a control, in parts by cell type, into ``controls/<name>``.

    What does not depend on a model, edges and open peaks, is taken from the store itself.
    """
    require_name(name)
    group = target.require_group(schema.CONTROLS).create_group(name)
    for part in parts:
        with h5py.File(part, "r", locking=False) as source:
            copy_tree(source[schema.CUMULATIVE], group)
    for key in (schema.EDGES, schema.N_OPEN):
        target.copy(target[schema.CUMULATIVE][key], group, name=key)


def copy_control(target: h5py.File, name: str, store: str | os.PathLike[str]) -> None:
    """Copy the cumulative scores of a control model's own store to ``controls/<name>``.

    Raises
    ------
    StoreError
        If the name cannot be one, or that store is not over the same cells, types and peaks.
    """
    from bi2scope.data.store.reader import StoreReader

    require_name(name)
    if schema.CELLS not in target:
        raise ValueError("The cells are not written.")
    with StoreReader.open(store) as reader, h5py.File(store, "r", locking=False) as source:
        for key in ("cells/cell_id", "cells/cell_type/codes", "cells/cell_type/categories", "peaks/peak"):
            if not np.array_equal(source[key][:], target[key][:]):
                raise StoreError(
                    f"{store} differs in {key} from the store that it is to be a control of.",
                    "Precompute both from the same cells, and train both models on the same peaks.",
                )
        source.copy(schema.CUMULATIVE, target.require_group(schema.CONTROLS), name=name)
        _count(target[schema.CONTROLS][name], reader)


def _count(group: h5py.Group, reader: StoreReader) -> None:
    """Make the histograms that the control's own store does without, having the links."""
    for layer, head in reader.layers_and_heads():
        for code, cell_type in enumerate(reader.cell_types):
            of_type = group[schema.cumulative_path(layer, head, ".")][schema.of_type(code)]
            if schema.OFFSET not in of_type:
                cells = reader.cells_of(cell_type)
                write_histogram(of_type, reader.stored_links(layer, head), cells, reader.n_peaks)
