"""Names, types and attributes of the attention store: the constants behind ``docs/store-format.md``.

The store is one HDF5 file. This module says what lies where; :mod:`bi2scope.data.store.writer` and
:mod:`bi2scope.data.store.reader` hold no path of their own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from bi2scope.data.attention import FLOOR

MAGIC: Final = "bi2scope attention store"
"""Value of the root attribute ``magic``: tells a store from any other HDF5 file."""

FORMAT_VERSION: Final = 0
"""Version of the layout; 0 is the draft of format 1. A reader reads this version and no other."""

LIBVER: Final = "v110"
"""HDF5 file format of the store: from 1.10 on the metadata, too, carries checksums."""

CELLS: Final = "cells"
GENES: Final = "genes"
PEAKS: Final = "peaks"
RNA: Final = "rna"
ATAC: Final = "atac"
LINKS: Final = "links"
CUMULATIVE: Final = "cumulative"

CELL_COLUMNS: Final = ("cell_type", "n_genes", "n_peaks", "umap_1", "umap_2")
GENE_COLUMNS: Final = ("name", "chrom", "start", "end", "strand", "means", "variances_norm", "highly_variable")
PEAK_COLUMNS: Final = ("chrom", "start", "end")
INDEX_NAMES: Final = {CELLS: "cell_id", GENES: "gene_id", PEAKS: "peak"}
REPEATED_TEXTS: Final = ("chrom", "strand")
"""Columns of few values, kept as categories."""

EMBEDDING_METHOD: Final = "embedding_method"
"""Attribute of ``cells``: how ``umap_1`` and ``umap_2`` were made."""

ROW_OFFSET: Final = "row_offset"
LINK_OFFSET: Final = "link_offset"
ROW_ARRAYS: Final[dict[str, np.dtype[Any]]] = {
    "gene": np.dtype("<i4"),
    "n_links": np.dtype("<u2"),
    "n_above": np.dtype("<i4"),
    "denominator": np.dtype("<f4"),
}
"""One value per expressed gene of every cell; see :class:`bi2scope.data.attention.CellAttention`."""

LARGEST_K_MAX: Final = 65535
"""What ``n_links`` can count to."""

LINK_ARRAYS: Final = ("peak", "logit")
LOGIT_DTYPE: Final = np.dtype("<f4")

GRID_THRESHOLDS: Final = (0.5, 0.8, 0.9, 0.95, 0.99)
GRID_TOP_K: Final = (1, 5, 10, 20)
"""The ranks of the grid below ``k_max``, which closes it."""

THRESHOLDS: Final = "thresholds"
TOP_K: Final = "top_k"
N_OPEN: Final = "n_open"
TRUNCATED: Final = "truncated"
DEFINITIONS: Final[dict[str, np.dtype[Any]]] = {
    "links": np.dtype("<u4"),
    "score": np.dtype("<f4"),
    "weight": np.dtype("<f4"),
}
"""The three cumulative scores and their type on disk; float32 keeps a sum to 6e-8 of itself."""


def links_path(layer: int, head: int) -> str:
    """Group of one layer's and head's links."""
    return f"{LINKS}/layer{layer}/head{head}"


def cumulative_path(layer: int, head: int) -> str:
    """Group of one layer's and head's cumulative scores."""
    return f"{CUMULATIVE}/layer{layer}/head{head}"


def grid_top_k(k_max: int) -> tuple[int, ...]:
    """The ranks of the cumulative grid: 1, 5, 10, 20 as far as they lie below ``k_max``, and ``k_max``."""
    return (*(k for k in GRID_TOP_K if k < k_max), k_max)


def peak_dtype(largest_cell: int) -> np.dtype[Any]:
    """Type of a link's peak, a position among its cell's own peaks: uint16 when the largest cell allows."""
    return np.dtype("<u2") if largest_cell <= 1 << 16 else np.dtype("<u4")


@dataclass(frozen=True)
class StoreAttributes:
    """What the store says of itself, in its root attributes.

    Attributes
    ----------
    name
        Name of the data set.
    model_digest
        SHA-256 of the model's configuration and parameters.
    n_layers, n_heads
        Layers and heads whose links are kept.
    n_parameters
        Trainable parameters of the model.
    k_max
        Links kept per gene, cell, layer and head, 1 to 65535.
    floor
        Every kept link has a score above this.
    notes
        Sentences on what reading the data changed.
    configuration
        The full configuration of model, training and precompute; JSON.
    training
        Training report, in the shape of ``server.wire.TrainingReport``; None when there is none.
    max_distance
        Bases between a gene's TSS and the middle of a linked peak, at most; None where the model has no such limit.
    dataset_digest
        SHA-256 of the data set as it was read, before the model's features were chosen from it; that of the stored
        cells where the writer is not told.
    generator, created, format_version
        Stamped by the writer: program and version, ISO 8601 date, version of the layout.
    """

    name: str
    model_digest: str
    n_layers: int
    n_heads: int
    n_parameters: int
    k_max: int
    floor: float = FLOOR
    notes: tuple[str, ...] = ()
    configuration: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] | None = None
    max_distance: int | None = None
    dataset_digest: str = ""
    generator: str = ""
    created: str = ""
    format_version: int = FORMAT_VERSION


_JSON = ("notes", "configuration", "training")
_NUMBERS = {"n_layers": int, "n_heads": int, "n_parameters": int, "k_max": int, "floor": float}
_TEXT = ("name", "model_digest", "generator", "created", "dataset_digest")
REQUIRED_ATTRIBUTES: Final = ("magic", "format_version", *_TEXT, *_NUMBERS, *_JSON)
"""The root attributes that every store has."""

MAX_DISTANCE: Final = "max_distance"
OPTIONAL_ATTRIBUTES: Final = (MAX_DISTANCE,)
"""Those that a store may do without: left out, there is no such limit."""


def attributes_to_root(attributes: StoreAttributes) -> dict[str, Any]:
    """The root attributes of the file, as HDF5 takes them: texts, numbers, and JSON in text."""
    root: dict[str, Any] = {"magic": MAGIC, "format_version": attributes.format_version}
    root.update({key: getattr(attributes, key) for key in (*_TEXT, *_NUMBERS)})
    root.update({key: json.dumps(getattr(attributes, key), allow_nan=False) for key in _JSON})
    if attributes.max_distance is not None:
        root[MAX_DISTANCE] = attributes.max_distance
    return root


def attributes_from_root(root: Mapping[str, Any]) -> StoreAttributes:
    """The attributes read back.

    Raises
    ------
    KeyError, ValueError
        If one is missing or is not what it should be.
    """
    values: dict[str, Any] = {key: str(root[key]) for key in _TEXT}
    values.update({key: kind(root[key]) for key, kind in _NUMBERS.items()})
    values.update({key: json.loads(root[key]) for key in _JSON})
    values["notes"] = tuple(values["notes"])
    values[MAX_DISTANCE] = int(root[MAX_DISTANCE]) if MAX_DISTANCE in root else None
    return StoreAttributes(**values, format_version=int(root["format_version"]))
