"""What a store keeps of a cell type in one layer and head: histogram, chance, map. Each is made on its own."""

from __future__ import annotations

from typing import Final, Literal

import h5py

from bi2scope.data.store import schema
from bi2scope.data.store.histogram import write_histogram
from bi2scope.data.store.links import StoredCounts, StoredLinks
from bi2scope.data.store.null import CellPlaces, null_sums, write_null
from bi2scope.data.store.regulatory import TypeCells, write_map

SumKind = Literal["histogram", "null", "map"]
SUM_KINDS: Final[tuple[SumKind, ...]] = ("histogram", "null", "map")
CONTROL_KINDS: Final[tuple[SumKind, ...]] = ("histogram", "null")
"""What is kept of a control model."""


def group_of(file: h5py.File, kind: SumKind, layer: int, head: int, type_code: int) -> h5py.Group:
    """Where the sums of a kind are in a store; made if it is not there."""
    path = schema.map_path if kind == "map" else schema.cumulative_path
    return file.require_group(f"{path(layer, head)}/{schema.of_type(type_code)}")


def write_sums(
    group: h5py.Group,
    kind: SumKind,
    links: StoredLinks,
    of: TypeCells,
    counts: tuple[StoredCounts, StoredCounts],
    places: CellPlaces,
) -> None:
    """Sum the links of one cell type.

    Parameters
    ----------
    group
        Where the arrays are made.
    kind
        What is summed.
    links
        Those of the layer and head, of all cells.
    of
        The cells of the type.
    counts
        RNA and ATAC of all cells.
    places
        Of genes and peaks.
    """
    if kind == "histogram":
        write_histogram(group, links, of.cells, of.atac.shape[1])
    elif kind == "null":
        write_null(group, null_sums(links, of.cells, counts, places))
    else:
        write_map(group, links, of)
