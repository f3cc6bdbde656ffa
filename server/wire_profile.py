"""Bodies about what a cut leaves of the links.

The address of each::

    GET  /api/v1/cells/{cell_id}/profile?threshold=&top_k=&layer=&head=        LinkProfile
    GET  /api/v1/celltypes/{cell_type}/profile?threshold=&top_k=&layer=&head=  LinkProfile
"""

from __future__ import annotations

from pydantic import Field

from bi2scope.server.wire import Wire


class ControlLinks(Wire):
    """Links of a control model that survive the same cut in all cells of the type, beside the model's own there."""

    name: str
    n_links: int
    n_links_of_model: int
    share: float | None = Field(
        description="The first over the second, an empirical false-discovery rate; null when the model has none"
    )


class LinkProfile(Wire):
    """What threshold and k leave in a cell, or in all cells of a type.

    A gene counts once in each cell that expresses it. Distances of a type are those of ``n_cells_measured`` cells,
    spread evenly over the type; all else is of every cell.
    """

    cell_id: str | None = Field(description="The cell; null: all cells of the type")
    cell_type: str
    layer: int
    head: int
    threshold: float
    top_k: int | None
    truncated: bool = Field(description="Links that would survive were cut off at k_max when the store was made")
    n_cells: int
    n_genes: int = Field(description="Expressed genes, summed over the cells")
    n_links: int
    n_without: int = Field(description="Of the expressed genes, those without a surviving link")
    links_per_gene: list[int] = Field(description="Genes with 0, 1, 2, ... surviving links, up to the most there are")
    n_cells_measured: int = Field(description="Cells whose distances were counted")
    distance_edges: list[int] = Field(description="Bases that part the bins of the two columns below; the last is open")
    distances: list[int] = Field(description="Surviving links by |distance to TSS|")
    distances_possible: list[int] = Field(description="Pairs that could be links in the same cells")
    controls: list[ControlLinks] | None = Field(
        description="By control model; null when the threshold is none that controls are counted for"
    )
