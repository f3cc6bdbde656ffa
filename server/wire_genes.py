"""Bodies about genes and peaks: names to choose from, and links beyond a single cell's table.

The address of each; all but ``why`` are tables, whose rows other endings give (:mod:`bi2scope.server.wire`)::

    GET  /api/v1/genes?query=&limit=                           GeneNames
    GET  /api/v1/genes/{gene}/counts                           GeneCounts
    GET  /api/v1/peaks?query=&limit=                           PeakNames
    GET  /api/v1/celltypes/{cell_type}/map?gene=&peak=&region=&layer=&head=&limit=
                                                               RegulatoryMap
    GET  /api/v1/celltypes/{cell_type}/heatmap?cell=&layer=&head=&width=&height=
             &gene_start=&gene_stop=&peak_start=&peak_stop=&gene_region=&peak_region=&columns=
                                                               TypeHeatmap (of bi2scope.server.wire_maps)
    GET  /api/v1/celltypes/{cell_type}/genes/{gene}/links?threshold=&top_k=&layer=&head=&limit=
                                                               GeneLinks
    GET  /api/v1/celltypes/{cell_type}/peaks/{peak}/links?threshold=&top_k=&layer=&head=&limit=
                                                               PeakLinks
    GET  /api/v1/celltypes/{cell_type}/genes/{gene}/peaks?threshold=&top_k=&layer=&head=&limit=
                                                               GenePeaks
    GET  /api/v1/celltypes/{cell_type}/strongest?region=&layer=&head=&limit=
                                                               RegionPairs
    GET  /api/v1/cells/{cell_id}/strongest?region=&threshold=&top_k=&layer=&head=&limit=
                                                               RegionLinks
    GET  /api/v1/region?region=&cell_type=&cell=&track=&bins=&threshold=&top_k=&layer=&head=
                                                               Region
    GET  /api/v1/cells/{cell_id}/why?gene=&peak=&layer=&head=  Why
"""

from __future__ import annotations

from pydantic import Field

from bi2scope.server.wire import LinkColumns, PairColumns, Wire, WireColumns


class GeneColumns(WireColumns):
    """Genes, the best match first."""

    gene_id: list[str]
    gene_name: list[str]
    gene_chrom: list[str]
    gene_start: list[int]
    gene_end: list[int]
    gene_tss: list[int]
    gene_strand: list[str]


class GeneNames(Wire):
    """Genes whose symbol or id begins as asked, or that overlap a place."""

    query: str | None
    n_found: int = Field(description="Genes that match, whether or not they are all returned")
    limited: bool = Field(description="Fewer are returned than match, because of `limit`")
    genes: GeneColumns


class GeneCountColumns(WireColumns):
    """Every cell, in the order of the data set."""

    cell_id: list[str]
    cell_type: list[str]
    count: list[float] = Field(description="RNA count of the gene as it was read, not normalised")


class GeneCounts(Wire):
    """How much every cell expresses of one gene; of several that share a symbol, the first."""

    gene_id: str
    gene_name: str
    n_cells_expressing: int = Field(description="Cells with a count above 0")
    cells: GeneCountColumns


class PeakColumns(WireColumns):
    """Peaks, the best match first."""

    peak: list[str]
    peak_chrom: list[str]
    peak_start: list[int]
    peak_end: list[int]


class PeakNames(Wire):
    """Peaks whose name begins as asked, or that overlap a place."""

    query: str | None
    n_found: int = Field(description="Peaks that match, whether or not they are all returned")
    limited: bool = Field(description="Fewer are returned than match, because of `limit`")
    peaks: PeakColumns


class MapColumns(PairColumns):
    """Pairs of a gene and a peak, by gene and then by peak, in genome order."""

    n_cells: list[int] = Field(description="Cells of the type with the link")
    n_both: list[int] = Field(description="Cells of the type in which gene and peak both have a count")
    mean_score: list[float] = Field(description="Over the cells with the link")
    mean_weight: list[float] = Field(description="Over the cells with the link")


class RegulatoryMap(Wire):
    """The regulatory map of a cell type over all links that the store keeps, or a part of it."""

    cell_type: str
    n_cells: int = Field(description="Cells of the type")
    least_cells: int = Field(description="Cells that a pair must be linked in to be on the map")
    layer: int
    head: int
    gene: str | None
    peak: str | None
    region: str | None
    n_pairs: int = Field(description="Pairs that were asked for, whether or not they are all returned")
    truncated: bool = Field(description="Links were cut off at k_max when the store was made: pairs may have had more")
    limited: bool = Field(description="Fewer are returned than there are, because of `limit`")
    pairs: MapColumns


class AcrossColumns(WireColumns):
    """Links of one gene, or to one peak, by cell in the order of the data set and then by rank, or by gene."""

    cell_id: list[str]
    gene_id: list[str]
    gene_name: list[str]
    gene_chrom: list[str]
    gene_tss: list[int]
    gene_strand: list[str]
    peak: list[str]
    peak_chrom: list[str]
    peak_start: list[int]
    peak_end: list[int]
    distance_to_tss: list[int]
    logit: list[float]
    score: list[float]
    rank: list[int]


class OfGene(Wire):
    """Which links of one gene in the cells of a type survive threshold and k, in numbers."""

    cell_type: str
    gene: str = Field(description="Symbol of the gene; genes that share it are all meant")
    layer: int
    head: int
    threshold: float
    top_k: int | None
    n_cells: int = Field(description="Cells of the type")
    n_cells_expressing: int = Field(description="Cells of the type with a non-zero count of the gene")
    n_cells_linked: int = Field(description="Cells of the type with at least one link of the gene")
    n_links: int = Field(description="Links that survive, over all cells, whether or not they are all returned")


class GeneLinks(OfGene):
    """Links of one gene in every cell of a type that survive threshold and k; genes of one symbol follow each other."""

    truncated: bool = Field(description="Links that would survive were cut off at k_max and cannot be worked out")
    limited: bool = Field(description="Fewer are returned than survive, because of `limit`")
    links: AcrossColumns


class PeakLinks(Wire):
    """Links to one peak in every cell of a type that survive threshold and k."""

    cell_type: str
    peak: str
    layer: int
    head: int
    threshold: float
    top_k: int | None
    n_cells: int = Field(description="Cells of the type")
    n_cells_open: int = Field(description="Cells of the type with a non-zero count of the peak")
    n_cells_linked: int = Field(description="Cells of the type with at least one link to the peak")
    n_links: int = Field(description="Links that survive, whether or not they are all returned")
    truncated: bool = Field(description="Links that would survive were cut off at k_max and cannot be worked out")
    limited: bool = Field(description="Fewer are returned than survive, because of `limit`")
    links: AcrossColumns


class GenePeakColumns(PairColumns):
    """Peaks that a gene is linked to, by the number of cells with the link and then by mean score, the most first."""

    n_cells: list[int] = Field(description="Cells of the type with the link")
    n_expressing: list[int] = Field(description="Cells of the type with a non-zero count of the gene")
    share: list[float] = Field(description="n_cells / n_expressing")
    mean_logit: list[float] = Field(description="Over the cells with the link, as all means here")
    mean_score: list[float]
    mean_rank: list[float]
    mean_weight: list[float] = Field(description="Right to four digits")
    best_cell: list[str] = Field(description="The cell in which the link has its highest logit")


class GenePeaks(OfGene):
    """Peaks that a gene is linked to in the cells of a type, over links that survive threshold and k."""

    n_pairs: int = Field(description="Peaks with at least one of them, whether or not they are all returned")
    truncated: bool = Field(description="Links that would survive were cut off at k_max when the store was made")
    limited: bool = Field(description="Fewer are returned than there are, because of `limit`")
    pairs: GenePeakColumns


class RegionPairs(Wire):
    """Pairs of a cell type's regulatory map with an end in a region: those in most cells, then of highest mean score.

    Over all links that the store keeps, as the map.
    """

    cell_type: str
    n_cells: int = Field(description="Cells of the type")
    least_cells: int = Field(description="Cells that a pair must be linked in to be on the map")
    layer: int
    head: int
    region: str
    n_pairs: int = Field(description="Pairs with TSS, peak or both in the region")
    n_inside: int = Field(description="Pairs with both in the region")
    truncated: bool = Field(description="Links were cut off at k_max when the store was made: pairs may have had more")
    limited: bool = Field(description="Fewer are returned than there are, because of `limit`")
    pairs: MapColumns


class RegionLinks(Wire):
    """Links of one cell with an end in a region that survive threshold and k, of highest logit first."""

    cell_id: str
    cell_type: str
    layer: int
    head: int
    threshold: float
    top_k: int | None
    region: str
    n_links: int = Field(description="Links with TSS, peak or both in the region")
    n_inside: int = Field(description="Links with both in the region")
    truncated: bool = Field(description="Links that would survive were cut off at k_max when the store was made")
    limited: bool = Field(description="Fewer are returned than survive, because of `limit`")
    links: LinkColumns


class PlaceColumns(Wire):
    """Peaks of a region in genome order; or, where there are too many, bins of neighbours from first to last base."""

    start: list[int]
    end: list[int]
    n_peaks: list[int] = Field(description="Peaks in the bin; 1 where peaks stand alone")


class RegionScores(Wire):
    """A cell type over the places of a region; of a bin, the highest of each column over its peaks."""

    cell_type: str
    n_cells: int
    truncated: bool = Field(description="Links that would survive were cut off at k_max when the store was made")
    n_open: list[int]
    links: list[float]
    score: list[float]
    weight: list[float]
    lift: list[float | None] = Field(description="score over what accessibility alone predicts; null: nothing expected")


class RegionCounts(Wire):
    """One cell over the places of a region; of a bin, the highest."""

    cell_id: str
    cell_type: str
    count: list[float]


class RegionTrack(Wire):
    """Intervals of a TF-binding track that overlap a region; where there are too many, bins with the highest score."""

    track_id: str
    name: str
    score_column: str
    n_intervals: int
    start: list[int]
    end: list[int]
    score: list[float]


class Region(Wire):
    """What of the data set lies in a region."""

    chrom: str
    start: int
    end: int
    chrom_end: int = Field(description="Last base of the chromosome's genes and peaks")
    threshold: float
    top_k: int | None
    layer: int
    head: int
    n_peaks: int
    bin: int | None = Field(description="Bases a bin; null where peaks stand alone")
    genes: GeneColumns
    places: PlaceColumns
    cell_types: list[RegionScores]
    cell: RegionCounts | None
    tracks: list[RegionTrack]


class RivalColumns(Wire):
    """Peaks beside a link in its gene's row, by rank."""

    peak: list[str]
    peak_chrom: list[str]
    peak_start: list[int]
    peak_end: list[int]
    distance_to_tss: list[int]
    peak_count: list[float]
    static: list[float]
    gene_count_term: list[float]
    peak_count_term: list[float]
    interaction: list[float]
    logit: list[float]
    score: list[float]
    rank: list[int]


class Why(Wire):
    """The logit of one gene and one peak in one cell as the sum of four terms, and its rivals in the row."""

    cell_id: str
    cell_type: str
    layer: int
    head: int
    gene_id: str
    gene_name: str
    peak: str
    distance_to_tss: int
    gene_count: float
    peak_count: float
    counts: str = Field(description="How the model reads counts: raw, or log1p")
    static: float = Field(description="Of gene and peak alone, without their counts")
    gene_count_term: float = Field(description="What the gene's count adds")
    peak_count_term: float = Field(description="What the peak's count adds")
    interaction: float = Field(description="What both counts together add")
    logit: float = Field(description="The sum of the four terms")
    score: float
    rank: int = Field(description="Among all candidates of the gene in the cell, 1 is the highest logit")
    n_candidates: int = Field(description="Peaks of the cell that the gene may attend to")
    n_above: int = Field(description="Those of them with a logit above 0")
    rivals: RivalColumns = Field(description="Up to five peaks above and five below in the row")
