"""Bodies about differences of cell types; see :mod:`bi2scope.server.wire`.

The address of each (``.csv`` or ``.arrow`` after the path gives the same rows)::

    GET  /api/v1/celltypes/{cell_type}/difference/peaks[.csv]?against=&threshold=&top_k=&layer=&head=&definition=
             &normalise=&test=&among=&least_share=&limit=      PeakDifference
    GET  /api/v1/celltypes/{cell_type}/difference/genes[.csv]?...
                                                               GeneDifference
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from bi2scope.server.wire import Definition, Wire

TestName = Literal["mann-whitney", "welch"]
Normalisation = Literal["none", "cell"]
Among = Literal["all", "nonzero"]


class _Tested(Wire):
    mean: list[float] = Field(description="Mean of the cells' sums, over the cells that are compared")
    mean_against: list[float]
    log2_ratio: list[float | None] = Field(description="log2 of mean over mean_against; null where either is 0")
    linked_share: list[float] = Field(description="Share of all cells with a surviving link")
    linked_share_against: list[float]
    effect: list[float | None] = Field(
        description="Mann-Whitney: chance that a cell of the type has the higher sum, ties are half; Welch: Hedges' g"
    )
    statistic: list[float | None] = Field(description="z or t; above 0 where the type is higher")
    p: list[float | None] = Field(description="Two-sided")
    q: list[float | None] = Field(description="False discovery rate over the rows tested (Benjamini-Hochberg)")


class PeakDifferenceColumns(_Tested):
    """Peaks that were tested, by p; then by effect, largest first; then in genome order."""

    peak: list[str]
    peak_chrom: list[str]
    peak_start: list[int]
    peak_end: list[int]
    open_share: list[float] = Field(description="Share of all cells with a count of the peak")
    open_share_against: list[float]
    open_odds_ratio: list[float]
    open_effect: list[float | None] = Field(description="The same test and effect of a cell being open or not")
    open_p: list[float | None]
    open_q: list[float | None]


class GeneDifferenceColumns(_Tested):
    """Genes that were tested, by p; then by effect, largest first; then in genome order."""

    gene_id: list[str]
    gene_name: list[str]
    gene_chrom: list[str]
    gene_tss: list[int]
    gene_strand: list[str]
    expressed_share: list[float] = Field(description="Share of all cells with a count of the gene")
    expressed_share_against: list[float]
    expressed_odds_ratio: list[float]
    expressed_effect: list[float | None] = Field(description="The same test and effect of a count being there or not")
    expressed_p: list[float | None]
    expressed_q: list[float | None]


class _Difference(Wire):
    cell_type: str
    against: str | None = Field(description="The other cell type; null: all cells of other types")
    n_cells: int
    n_cells_against: int
    definition: Definition
    normalise: Normalisation
    test: TestName
    among: Among
    layer: int
    head: int
    threshold: float
    top_k: int | None
    least_cells: int = Field(description="Cells of both with a surviving link that a row must have to be tested")
    n_tested: int = Field(description="Rows tested, whether or not they are all returned")
    n_features: int = Field(description="Peaks, or genes, of the data set")
    truncated: bool = Field(description="Links that would survive were cut off at k_max when the store was made")
    limited: bool = Field(description="Fewer rows are returned than were tested, because of `limit`")


class PeakDifference(_Difference):
    """Two groups of cells, peak by peak: what the links of a cell give the peak, the cells being the replicates."""

    rows: PeakDifferenceColumns


class GeneDifference(_Difference):
    """Two groups of cells, gene by gene: what the links of a cell give the gene, the cells being the replicates."""

    rows: GeneDifferenceColumns
