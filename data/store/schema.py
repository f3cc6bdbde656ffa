"""Names, types and attributes of the attention store: the constants behind ``docs/store-format.md``.

The store is one HDF5 file. This module says what lies where; :mod:`bi2scope.data.store.writer` and
:mod:`bi2scope.data.store.reader` hold no path of their own.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from bi2scope.data.attention import FLOOR, AttentionKind, attention_kind

MAGIC: Final = "bi2scope attention store"
"""Value of the root attribute ``magic``: tells a store from any other HDF5 file."""

FORMAT_VERSION: Final = 1
"""Version of the layout. A reader reads this version and no other; format 0 was a draft."""

LIBVER: Final = "v110"
"""HDF5 file format of the store: from 1.10 on the metadata, too, carries checksums."""

CELLS: Final = "cells"
GENES: Final = "genes"
PEAKS: Final = "peaks"
RNA: Final = "rna"
ATAC: Final = "atac"
LINKS: Final = "links"
CUMULATIVE: Final = "cumulative"
MAP: Final = "map"
FACTORS: Final = "factors"
CONTROLS: Final = "controls"
ACROSS: Final = "across"
ACROSS_RNA: Final = f"{ACROSS}/rna"
ACROSS_ATAC: Final = f"{ACROSS}/atac"
POOLED: Final = "pooled"

CELL_COLUMNS: Final = ("cell_type", "n_genes", "n_peaks", "umap_1", "umap_2")
GENE_COLUMNS: Final = ("name", "chrom", "start", "end", "strand", "means", "variances_norm", "highly_variable")
PEAK_COLUMNS: Final = ("chrom", "start", "end")
GC_COLUMN: Final = "gc"
"""Column of the peaks, in stores of data sets with sequences."""

INDEX_NAMES: Final = {CELLS: "cell_id", GENES: "gene_id", PEAKS: "peak"}
REPEATED_TEXTS: Final = ("chrom", "strand")
"""Columns of few values, kept as categories."""

MATCHED_COLUMN: Final = "matched_probability"
LINKS_COLUMN: Final = "n_links"
"""Columns of quality control that the checks know: of the read-out, and of the links of all layers and heads."""

EMBEDDING_METHOD: Final = "embedding_method"
"""Attribute of ``cells``: how ``umap_1`` and ``umap_2`` were made."""

LINK, ROW, N_LINKS, DEPTH = "link", "row", "n_links", "depth"
"""Arrays of a layer's and head's links: the links and the rows of every cell, their number, and the longest row."""

LINK_PLANES: Final = ("peak", "step")
ROW_PLANES: Final = ("n_links", "n_above", "denominator")
ROW_DTYPE: Final = np.dtype("<i4")

LARGEST_K_MAX: Final = 65535
"""What a length of a row can count to."""

EDGES: Final = "edges"
EDGE_SCORES: Final = (*(n / 100 for n in range(50, 100)), 0.995, 0.999)
"""Scores that part the bins of the histogram: every step of the threshold slider, and two more near 1."""

SINGLE_RANKS: Final = 20
"""Ranks up to this one stand alone in the histogram."""

N_OPEN: Final = "n_open"
LAST_CUT: Final = "last_cut"
HISTOGRAM: Final[dict[str, np.dtype[Any]]] = {
    "peak": np.dtype("<u2"),
    "links": np.dtype("<u2"),
    "score": np.dtype("<u2"),
    "weight": np.dtype("<u4"),
}
OFFSET: Final = "offset"
SUMS: Final = "sums"
KEY_BIN: Final = "key_bin"
KEY_RANK: Final = "key_rank"
RANK_LINKS: Final = "rank_links"
EXPECTED: Final = "expected"
VARIANCE: Final = "variance"

SCORE_UNIT: Final = 1 << 12
WEIGHT_UNIT: Final = 1 << 16
"""Scores and weights are summed as whole numbers of 1 / unit: such sums do not depend on their order."""

DEFINITIONS: Final = ("links", "score", "weight")
"""The three cumulative scores."""

UNITS: Final = {"links": 1, "score": SCORE_UNIT, "weight": WEIGHT_UNIT}

MAP_KEYS: Final = ("peak", "n_cells", "n_both", "score", "weight")
GENE_OFFSET: Final = "gene_offset"
LEAST_CELLS: Final = "least_cells"
MAP_LEAST_SHARE: Final = 0.01
"""Pairs linked in fewer of a type's cells than this share are left out of its map."""

MAP_FEW_CELLS: Final = 20
"""Of a type of more cells, so are pairs that are linked in a single one."""

LAST: Final = "last"
"""Of a layer with factors, all that is kept by gene: the last kept link of each row that was cut short."""

INDEX_ARRAYS: Final[dict[str, np.dtype[Any]]] = {
    "offset": np.dtype("<i8"),
    "n_links": np.dtype("<u2"),
    "cut": np.dtype("|u1"),
    "step": np.dtype("<u2"),
}
"""Of a layer without factors, the links by gene; ``peak`` beside them is uint16 or uint32."""

FACTOR_ARRAYS: Final = ("query", "query_per_count", "key", "key_per_count")
COUNTS_ATTRIBUTE: Final = "counts"


def links_path(layer: int, head: int) -> str:
    """Group of one layer's and head's links."""
    return f"{LINKS}/layer{layer}/head{head}"


def cumulative_path(layer: int, head: int, root: str = CUMULATIVE) -> str:
    """Group of one layer's and head's cumulative scores, of the model or of a control."""
    return f"{root}/layer{layer}/head{head}"


def map_path(layer: int, head: int) -> str:
    """Group of one layer's and head's regulatory maps."""
    return f"{MAP}/layer{layer}/head{head}"


def across_path(layer: int, head: int) -> str:
    """Group of what is kept by gene of one layer's and head's links."""
    return f"{ACROSS}/layer{layer}/head{head}"


def of_type(code: int) -> str:
    """Group of one cell type inside one of cumulative scores or maps."""
    return f"type{code}"


def rank_ends(depth: int) -> tuple[int, ...]:
    """Last ranks of the groups of ranks in the histogram, where the longest row has ``depth`` links.

    1 to 20, 25, 30, 35, 40, 45, 50, then every 50, and ``depth`` itself.
    """
    ends = (*range(1, SINGLE_RANKS + 1), *range(25, 50, 5), *range(50, depth, 50))
    return (*(end for end in ends if end < depth), *((depth,) if depth else ()))


def peak_dtype(largest_cell: int) -> np.dtype[Any]:
    """Type of a link's peak, a position among its cell's own peaks: uint16 when the largest cell allows."""
    return position_dtype(largest_cell)


def position_dtype(number: int) -> np.dtype[Any]:
    """Type of a position among so many: uint16 when that suffices, else uint32."""
    return np.dtype("<u2") if number <= 1 << 16 else np.dtype("<u4")


def count_dtype(counts: Iterable[npt.NDArray[Any]]) -> np.dtype[Any]:
    """The smallest type that holds counts, given in blocks, exactly: uint8, uint16 or the float32 that they come in."""
    largest = 0.0
    for block in counts:
        if (block != np.floor(block)).any():
            return np.dtype("<f4")
        largest = max(largest, float(block.max(initial=0)))
    return next((kind for kind in map(np.dtype, ("|u1", "<u2")) if largest <= np.iinfo(kind).max), np.dtype("<f4"))


def map_arrays(n_cells: int) -> dict[str, np.dtype[Any]]:
    """Types of the arrays of a regulatory map over so many cells."""
    cells = np.dtype("<u2") if n_cells < 1 << 16 else np.dtype("<u4")
    types = (np.dtype("<u4"), cells, cells, np.dtype("<u2"), np.dtype("<u2"))
    return dict(zip(MAP_KEYS, types, strict=True))


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
    attention
        Kind of the model's attention: that of a control says by what rule its links weigh.
    metrics
        Metrics and baselines of the model beyond the report; None when there are none.
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
    attention: AttentionKind = "learned"
    metrics: dict[str, Any] | None = None
    generator: str = ""
    created: str = ""
    format_version: int = FORMAT_VERSION


_JSON = ("notes", "configuration", "training", "metrics")
_NUMBERS = {"n_layers": int, "n_heads": int, "n_parameters": int, "k_max": int, "floor": float}
_TEXT = ("name", "model_digest", "generator", "created", "dataset_digest", "attention")
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
    values["attention"] = attention_kind(values["attention"])
    values[MAX_DISTANCE] = int(root[MAX_DISTANCE]) if MAX_DISTANCE in root else None
    return StoreAttributes(**values, format_version=int(root["format_version"]))
