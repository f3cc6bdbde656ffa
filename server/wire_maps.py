"""Body of a cell type's regulatory map over the genes and peaks of one of its cells."""

from __future__ import annotations

from pydantic import Field

from bi2scope.server.wire import HeatmapAxes, WireColumns


class TypeHeatmapBins(WireColumns):
    """Bins that hold a pair, by row and then by column; the columns describe the pair of highest mean score of each."""

    row: list[int]
    column: list[int]
    n_pairs: list[int]
    gene: list[int] = Field(description="Position among the cell's genes")
    peak: list[int] = Field(description="Position among the cell's peaks")
    distance_to_tss: list[int]
    n_cells: list[int] = Field(description="Cells of the type with the link")
    n_both: list[int] = Field(description="Cells of the type in which gene and peak both have a count")
    mean_score: list[float] = Field(description="Over the cells with the link")
    mean_weight: list[float] = Field(description="Over the cells with the link")


class TypeHeatmap(HeatmapAxes):
    """A cell type's regulatory map over one cell's genes and peaks, binned as the heatmap of the cell is.

    It holds all links that the store keeps: there is no cut.
    """

    cell_type: str
    n_cells: int = Field(description="Cells of the type")
    least_cells: int = Field(description="Cells that a pair must be linked in to be on the map")
    cell_id: str = Field(description="The cell whose genes and peaks are on the axes")
    layer: int
    head: int
    n_pairs: int = Field(description="Pairs in the window")
    bins: TypeHeatmapBins
