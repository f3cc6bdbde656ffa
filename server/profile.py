"""What a cut leaves of the links of a cell or of a cell type: how many, of how many genes, how far away.

Of a type, all but the distances come from its histogram, which is read once; distances are counted in a sample of its
cells, once for all cuts whose threshold is a step of the slider.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt

from bi2scope.data.attention import Cut
from bi2scope.data.store.profile import (
    DISTANCE_EDGES,
    DistanceCounts,
    LinkCounts,
    Places,
    at_least_of_cells,
    rows_with_at_least,
)
from bi2scope.server.columns import columnar
from bi2scope.server.params import CutQuery
from bi2scope.server.wire_profile import ControlLinks, LinkProfile

if TYPE_CHECKING:
    from bi2scope.server.catalogue import Catalogue

MEASURED = 64
"""Cells of a type whose links are measured for its distances, at most."""

Counts = npt.NDArray[np.int64]
Made = TypeVar("Made")


class ProfileCounts:
    """Counts that answers about profiles share, each made when first asked for.

    Parameters
    ----------
    catalogue
        The open store.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._made: dict[Hashable, Any] = {}
        self._lock = threading.Lock()

    @functools.cached_property
    def places(self) -> Places:
        """Where genes and peaks lie."""
        catalogue, spans = self._catalogue, self._catalogue.chromosomes
        return Places(
            gene_tss=catalogue.gene_tss,
            peak_start=catalogue.peak_start,
            peak_end=catalogue.peak_end,
            gene_span=np.array([0, *(span.gene_stop for span in spans)]),
            peak_span=np.array([0, *(span.peak_stop for span in spans)]),
            max_distance=catalogue.reader.attributes.max_distance,
        )

    def links(self, cell_type: str, layer: int, head: int, control: str | None = None) -> LinkCounts:
        """Links of a type by rank and bin of the score, of the model or of a control."""
        key = ("links", cell_type, layer, head, control)
        return self._once(
            key, lambda: LinkCounts.of(self._catalogue.reader.rank_links(cell_type, layer, head, control))
        )

    def distances(self, cell_type: str, layer: int, head: int) -> DistanceCounts:
        """Distances of the links of a sample of a type's cells."""

        def measured() -> DistanceCounts:
            reader = self._catalogue.reader
            graphs = ((int(cell), reader.graph(int(cell))) for cell in self.sample(cell_type))
            given = ((cell, graph.gene_index, graph.peak_index) for cell, graph in graphs)
            return DistanceCounts.of(reader.stored_links(layer, head), given, self.places)

        return self._once(("distances", cell_type, layer, head), measured)

    def sample(self, cell_type: str) -> npt.NDArray[np.intp]:
        """Positions of at most :data:`MEASURED` cells of a type, spread evenly over it."""
        cells = self._catalogue.reader.cells_of(cell_type)
        return cells[np.linspace(0, len(cells) - 1, min(len(cells), MEASURED)).astype(np.intp)]

    def _once(self, key: Hashable, make: Callable[[], Made]) -> Made:
        """What was made under a key, or is now; two that ask at once do not both make it."""
        with self._lock:
            if key not in self._made:
                self._made[key] = make()
            made: Made = self._made[key]
            return made


def cell_profile(catalogue: Catalogue, cell_id: str, query: CutQuery) -> LinkProfile:
    """What a cut leaves in one cell; controls are counted over its cell type.

    Raises
    ------
    NotFoundError
        If there is no such cell, layer or head.
    """
    position, cell_type = catalogue.cell(cell_id)
    catalogue.require_head(query.layer, query.head)
    attention = catalogue.reader.attention_for(position, query.cut, query.layer, query.head)
    links, graph = attention.links(query.cut), catalogue.reader.graph(position)
    per_gene = np.bincount(np.searchsorted(attention.gene, links.gene), minlength=len(attention.gene))
    places = catalogue.profiles.places
    return _profile(
        catalogue,
        query,
        rows_with_at_least(per_gene),
        cell_id=cell_id,
        cell_type=cell_type,
        truncated=links.truncated,
        n_cells=1,
        n_genes=len(attention.gene),
        n_cells_measured=1,
        distances=places.profile(links.gene, links.peak),
        distances_possible=places.candidates(graph.gene_index, graph.peak_index),
    )


def type_profile(catalogue: Catalogue, cell_type: str, query: CutQuery) -> LinkProfile:
    """What a cut leaves in all cells of a type; distances in a sample of them.

    Raises
    ------
    NotFoundError
        If there is no such cell type, layer or head.
    """
    name = catalogue.require_cell_type(cell_type)
    catalogue.require_head(query.layer, query.head)
    reader, profiles = catalogue.reader, catalogue.profiles
    cells, counts = reader.cells_of(name), profiles.links(name, query.layer, query.head)
    at_least = counts.at_least(query.cut)
    if at_least is None:
        at_least = at_least_of_cells(reader.stored_links(query.layer, query.head), cells, query.cut)
    distances = profiles.distances(name, query.layer, query.head)
    return _profile(
        catalogue,
        query,
        at_least,
        cell_id=None,
        cell_type=name,
        truncated=query.threshold < reader.attributes.floor or counts.truncates(query.cut),
        n_cells=len(cells),
        n_genes=int(reader.cells["n_genes"].to_numpy()[cells].sum()),
        n_cells_measured=distances.n_cells,
        distances=_distances(catalogue, name, query),
        distances_possible=distances.candidates,
    )


def _distances(catalogue: Catalogue, cell_type: str, query: CutQuery) -> Counts:
    """Links of the sample by distance; from the links themselves where the threshold is no step of the slider."""
    reader, profiles = catalogue.reader, catalogue.profiles
    known = profiles.distances(cell_type, query.layer, query.head).profile(query.cut)
    if known is not None:
        return known
    total = np.zeros(len(DISTANCE_EDGES) + 1, dtype=np.int64)
    for cell in profiles.sample(cell_type):
        links = reader.attention(int(cell), query.layer, query.head).links(query.cut)
        total += profiles.places.profile(links.gene, links.peak)
    return total


def _profile(catalogue: Catalogue, query: CutQuery, at_least: Counts, **fields: Any) -> LinkProfile:
    """The body, from the rows with at least 1, 2, ... links and all fields that do not follow from them."""
    at_least = np.trim_zeros(at_least, "b")
    per_gene = -np.diff([fields["n_genes"], *at_least, 0])
    return columnar(
        LinkProfile,
        layer=query.layer,
        head=query.head,
        threshold=query.threshold,
        top_k=query.top_k,
        n_links=int(at_least.sum()),
        n_without=int(per_gene[0]),
        links_per_gene=per_gene,
        distance_edges=list(DISTANCE_EDGES),
        controls=_controls(catalogue, fields["cell_type"], query),
        **fields,
    )


def _controls(catalogue: Catalogue, cell_type: str, query: CutQuery) -> list[ControlLinks] | None:
    """Links of every control that survive in a type's cells, beside the model's."""

    def surviving(control: str | None = None) -> int | None:
        counts = catalogue.profiles.links(cell_type, query.layer, query.head, control)
        return _total(counts, query.cut)

    if not catalogue.reader.controls:
        return []
    own = surviving()
    if own is None:
        return None
    found = {name: surviving(name) or 0 for name in catalogue.reader.controls}
    return [
        ControlLinks(name=name, n_links=there, n_links_of_model=own, share=there / own if own else None)
        for name, there in found.items()
    ]


def _total(counts: LinkCounts, cut: Cut) -> int | None:
    at_least = counts.at_least(cut)
    return None if at_least is None else int(at_least.sum())
