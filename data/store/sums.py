"""What a store keeps of a cell type in one layer and head: histogram, chance, map, links by gene, each on its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import h5py

from bi2scope.data.attention import Ints
from bi2scope.data.store import schema
from bi2scope.data.store.gene_index import write_index, write_last
from bi2scope.data.store.histogram_writer import worth_counting, write_histogram
from bi2scope.data.store.links import StoredCounts, StoredLinks
from bi2scope.data.store.null import CellPlaces, null_sums, write_null
from bi2scope.data.store.pairs import PairSources
from bi2scope.data.store.regulatory import TypeCells, write_map

SumKind = Literal["histogram", "null", "map", "across"]
SUM_KINDS: Final[tuple[SumKind, ...]] = ("histogram", "null", "map", "across")
CONTROL_KINDS: Final[tuple[SumKind, ...]] = ("histogram", "null")
"""What is kept of a control model."""


def kinds_of(links: StoredLinks, cells: Ints) -> tuple[SumKind, ...]:
    """What is kept of the model's sums over some cells: of few links no histogram, which would answer no sooner."""
    few = not worth_counting(links, cells)
    return tuple(kind for kind in SUM_KINDS if not (few and kind == "histogram"))


def group_of(file: h5py.File, kind: SumKind, layer: int, head: int, type_code: int) -> h5py.Group:
    """Where the sums of a kind are in a store; made if it is not there."""
    path = {"map": schema.map_path, "across": schema.across_path}.get(kind, schema.cumulative_path)
    return file.require_group(f"{path(layer, head)}/{schema.of_type(type_code)}")


@dataclass(frozen=True)
class SumSources:
    """What the links are seen beside.

    Attributes
    ----------
    counts
        RNA and ATAC of all cells.
    places
        Of genes and peaks.
    factors
        Whether the store's factors give the attention of its first layer.
    """

    counts: tuple[StoredCounts, StoredCounts]
    places: CellPlaces
    factors: bool


def write_sums(
    group: h5py.Group, kind: SumKind, links: StoredLinks, of: TypeCells, sources: SumSources, layer: int
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
    sources
        Counts, places, and whether there are factors.
    layer
        Which layer.
    """
    if kind == "histogram":
        write_histogram(group, links, of.cells, of.atac.shape[1])
    elif kind == "null":
        write_null(group, null_sums(links, of.cells, sources.counts[0], sources.places))
    elif kind == "map":
        codes = sources.places.gene_chromosome, sources.places.peak_chromosome
        write_map(group, PairSources(links, *sources.counts, *codes), of.cells)
    elif layer == 0 and sources.factors:
        write_last(group, links, of)
    else:
        write_index(group, links, of, sources.places.peak_chromosome)
