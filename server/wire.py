"""What travels between service and screen: every body of ``/api/v1``, as pydantic models.

The dashboard imports this module and its neighbours ``wire_*`` of the server, and no other. Tables travel as columns:
one list per column, all of one length, in the row order stated. Coordinates are 0-based, half-open; distances are in
base pairs.

The address of each body. All but health and dataset are tables: ``.json`` after their path changes nothing, ``.csv``
and ``.arrow`` give their rows, ``.bedpe``, ``.interact`` and ``.longrange`` pairs of a gene and a peak::

    GET  /api/v1/health                                        Health
    GET  /api/v1/dataset                                       DatasetInfo
    GET  /api/v1/cells?cell_type=&prefix=&sort=&quality=&offset=&limit=
                                                               CellPage
    GET  /api/v1/embedding                                     Embedding
    GET  /api/v1/cells/{cell_id}/links?threshold=&top_k=&layer=&head=&chromosome=&gene=&gene_region=
             &peak=&region=&order=&limit=&columns=
                                                               LinkTable
    GET  /api/v1/cells/{cell_id}/heatmap?threshold=&top_k=&layer=&head=&width=&height=
             &gene_start=&gene_stop=&peak_start=&peak_stop=&gene_region=&peak_region=&beside=&columns=
                                                               Heatmap
    GET  /api/v1/celltypes/{cell_type}/scores?threshold=&top_k=&layer=&head=&control=&columns=
                                                               PeakScores

Those of TF-binding tracks stand in :mod:`bi2scope.server.wire_tf`, those of genes and peaks in
:mod:`bi2scope.server.wire_genes`, what a cut leaves in :mod:`bi2scope.server.wire_profile`.

Any error, of any status, has the body :class:`ErrorBody`.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Definition = Literal["links", "score", "weight"]
"""Cumulative score of a peak: the sum over surviving links of 1, of the score, or of the weight."""


AnyHead = int | Literal["mean", "max"]
"""A head of a layer, or the mean or the highest over all of its heads."""


class Wire(BaseModel):
    """Base of every body: unknown keys are refused, values cannot be changed."""

    model_config = ConfigDict(extra="forbid", frozen=True, defer_build=True)


def _columns_may_be_chosen(schema: dict[str, Any]) -> None:
    schema.pop("required", None)


class WireColumns(Wire):
    """Base of the columns of a table: all are there unless ``columns`` of the request chose some."""

    model_config = ConfigDict(json_schema_extra=_columns_may_be_chosen)


class ErrorDetail(Wire):
    """What went wrong, and what to do."""

    type: str = Field(description="Name of the error class", examples=["NotFoundError"])
    message: str
    hint: str = ""


class ErrorBody(Wire):
    """Body of every answer that is not a success."""

    error: ErrorDetail


class Health(Wire):
    """The service is up and its store can be read."""

    status: Literal["ok"] = "ok"
    version: str


class ChromosomeSpan(Wire):
    """One chromosome: where its genes and peaks stand in genome order."""

    name: str
    gene_start: int
    gene_stop: int
    peak_start: int
    peak_stop: int


class CellTypeSummary(Wire):
    """One cell type and its number of cells."""

    name: str
    n_cells: int


class ReliabilityBin(Wire):
    """Pairs whose predicted probability of being matched lies from ``low`` to ``high``."""

    low: float
    high: float
    share: float = Field(description="Share of the pairs that fall in, by weight")
    predicted: float = Field(description="Mean predicted probability of these")
    matched: float = Field(description="Share of these that are matched")


class Metrics(Wire):
    """How well pairs that were held out are told apart; all between 0 and 1 but ``n_pairs`` and ``loss``."""

    n_pairs: int
    loss: float
    accuracy: float
    auroc: float | None
    precision_matched: float
    recall_matched: float
    precision_mismatched: float
    recall_mismatched: float
    accuracy_easy: float | None = Field(
        default=None, description="Matched pairs against easy mismatches alone, balanced; when hard ones were asked for"
    )
    accuracy_hard: float | None = Field(default=None, description="Matched pairs against hard mismatches alone")
    auprc: float | None = Field(default=None, description="Average precision of the matched pairs")
    base_rate: float | None = Field(default=None, description="Share of matched pairs by weight: the AUPRC of chance")
    brier: float | None = Field(default=None, description="Mean squared error of the predicted probability")
    ece: float | None = Field(default=None, description="Expected calibration error over the bins of reliability")
    reliability: list[ReliabilityBin] | None = None


class Calibration(Wire):
    """What one temperature, fitted on the validation pairs, would make of the test pairs; it is not applied."""

    temperature: float = Field(description="Number to divide the logits by")
    loss: float
    brier: float
    ece: float


class EpochRecord(Wire):
    """One epoch of training."""

    epoch: int
    seconds: float
    train_loss: float
    train_accuracy: float
    validation_loss: float
    validation_accuracy: float
    validation_auroc: float | None
    validation_auprc: float | None = None
    validation_ece: float | None = None
    learning_rate: float | None = Field(default=None, description="Of the epoch's last step")


Control = Literal["random-weights", "untrained", "shuffled-labels", "uniform-attention", "random-peaks"]


class TrainingReport(Wire):
    """How the model was trained and how it does on cells that it never saw."""

    protocol: str
    split: Literal["cells", "pairs"] = Field(description="What was split into training, validation and test")
    n_train: int
    n_validation: int
    n_test: int
    best_epoch: int = Field(description="The epoch that was kept; 0 is the network before the first")
    history: list[EpochRecord]
    validation: Metrics
    test: Metrics
    baseline_name: str
    baseline_accuracy: float | None = Field(description="Accuracy of the baseline on the test pairs")
    chance: float = Field(description="Accuracy of always naming the more frequent class of the test pairs")
    control: Control | None = Field(
        default=None, description="What was trained in the place of the model, to compare; none when it is the model"
    )
    stopped: str | None = Field(default=None, description="Why training stopped before its last epoch")
    calibration: Calibration | None = None


class ControlReport(Wire):
    """A control model of the store, and how it does on the test pairs."""

    name: str = Field(description="As its cumulative scores are asked for")
    control: Control | None = Field(description="What it is; null: trained as a model is")
    test: Metrics | None = Field(description="Of its own test pairs; null where it came without a report")


class OwnPairs(Wire):
    """RNA and ATAC of the same cell, as the model sees them; cells of the training are not left out."""

    cell_type: str
    n_cells: int
    mean_probability: float | None = Field(description="Mean probability of being matched; null of no cell")
    called_matched: float | None = Field(description="Share of the cells whose probability exceeds one half")


class DatasetInfo(Wire):
    """The data set, the model and the store behind this service."""

    name: str
    version: str = Field(description="Version of bi2scope that serves")
    created: str = Field(description="When the store was made, ISO 8601")
    generator: str
    format_version: int
    dataset_digest: str = Field(description="SHA-256 of the cells, features and counts")
    model_digest: str = Field(description="SHA-256 of the model's configuration and parameters")
    n_cells: int
    n_genes: int
    n_peaks: int
    cell_types: list[CellTypeSummary]
    chromosomes: list[ChromosomeSpan]
    n_layers: int
    n_heads: int
    k_max: int = Field(description="Links kept per gene when the store was made")
    k_steps: list[int] = Field(
        description="Every k, up to k_max, whose cumulative scores of large cell types were counted beforehand; "
        "any other is summed from the links: as exact, only slower"
    )
    floor: float = Field(description="Every kept link has a score above this")
    max_distance: int | None = Field(
        default=None, description="Bases between a gene's TSS and the middle of a linked peak, at most; null: no limit"
    )
    controls: list[str] = Field(default=[], description="Control models whose cumulative scores can be asked for")
    control_reports: list[ControlReport] = Field(default=[], description="Of the controls, what the store says of each")
    own_pairs: list[OwnPairs] = Field(default=[], description="By cell type; empty where the store does not say")
    parameters: int = Field(description="Number of trainable parameters of the model")
    training: TrainingReport | None
    notes: list[str] = Field(description="What reading the data changed")


class CellSummary(WireColumns):
    """One cell."""

    cell_id: str
    cell_type: str
    n_genes: int = Field(description="Genes with a non-zero count")
    n_peaks: int = Field(description="Peaks with a non-zero count")
    quality: dict[str, float | None] | None = Field(
        default=None, description="Every number that the store has of the cell, when it was asked for"
    )


class CellPage(Wire):
    """A page of the cells, in the order of the data set or of the column that was asked for."""

    total: int = Field(description="Cells that match, on all pages")
    offset: int
    cells: list[CellSummary]


class Embedding(WireColumns):
    """Two-dimensional embedding of every cell; columns of length n_cells, in the order of the data set."""

    method: str
    cell_id: list[str]
    cell_type: list[str]
    x: list[float]
    y: list[float]


class PairColumns(WireColumns):
    """A gene and a peak in each row, and where they lie."""

    gene_id: list[str]
    gene_name: list[str]
    gene_chrom: list[str]
    gene_tss: list[int]
    gene_strand: list[str]
    peak: list[str]
    peak_chrom: list[str]
    peak_start: list[int]
    peak_end: list[int]
    distance_to_tss: list[int] = Field(
        description="From the TSS to the middle of the peak; negative is upstream of the gene"
    )


class LinkColumns(PairColumns):
    """Links, by gene in genome order and then by rank unless another order was asked for."""

    logit: list[float]
    score: list[float]
    rank: list[int]
    weight: list[float]
    gene_count: list[float]
    peak_count: list[float]


class LinkTable(Wire):
    """Links of one cell that survive threshold and k."""

    cell_id: str
    cell_type: str
    layer: int
    head: AnyHead
    threshold: float
    top_k: int | None
    chromosome: str | None
    gene: str | None
    n_links: int = Field(description="Links that survive, whether or not they are all returned")
    n_genes_linked: int = Field(description="Genes with at least one of them")
    n_genes: int = Field(description="Expressed genes of the cell (of the chromosome or gene, when one is chosen)")
    truncated: bool = Field(description="Links that would survive were cut off at k_max when the store was made")
    limited: bool = Field(description="Fewer are returned than survive, because of `limit`")
    links: LinkColumns


class HeatmapChromosome(Wire):
    """Where a chromosome stands on the axes of one cell's heatmap."""

    name: str
    gene_start: int
    gene_stop: int
    peak_start: int
    peak_stop: int


class HeatmapBins(WireColumns):
    """Bins that hold a link, by row and then by column; the columns describe the link of highest score of each."""

    row: list[int]
    column: list[int]
    n_links: list[int]
    gene: list[int] = Field(description="Position among the cell's genes")
    peak: list[int] = Field(description="Position among the cell's peaks")
    distance_to_tss: list[int]
    logit: list[float]
    score: list[float]
    rank: list[int]
    weight: list[float]


class HeatmapAxes(Wire):
    """Genes down and peaks across, in genome order, and the window of both that is shown in bins."""

    n_genes: int = Field(description="Genes of the whole axis")
    n_peaks: int = Field(description="Peaks of the whole axis")
    gene_start: int
    gene_stop: int
    gene_step: int = Field(description="Genes per bin; 1 is exact")
    peak_start: int
    peak_stop: int
    peak_step: int = Field(description="Peaks per bin; 1 is exact")
    chromosomes: list[HeatmapChromosome]
    gene_names: list[str] = Field(description="Names of the window's genes, gene_start to gene_stop")
    peak_names: list[str] = Field(description="Names of the window's peaks, peak_start to peak_stop")


class Heatmap(HeatmapAxes):
    """Genes x peaks of one cell (or a window of them), binned to at most the size asked; exact when it fits.

    Genes and peaks are those of the cell alone, with a non-zero count, in genome order. Bin ``(row, column)`` covers
    genes ``gene_start + row * gene_step`` on and peaks ``peak_start + column * peak_step`` on, in positions among
    the cell's own genes and peaks. With ``beside``, a name of another cell, all of this speaks of the genes and peaks
    that either cell has: the maps of both have the same axes then.
    """

    cell_id: str
    cell_type: str
    layer: int
    head: AnyHead
    threshold: float
    top_k: int | None
    truncated: bool
    beside: str | None = Field(default=None, description="The cell whose genes and peaks are on the axes too")
    n_links: int = Field(description="Links in the window")
    bins: HeatmapBins


class PeakScores(WireColumns):
    """Cumulative scores of every peak in one cell type; columns of length n_peaks, in genome order."""

    cell_type: str
    control: str | None = Field(default=None, description="The control model whose scores these are; null: the model")
    n_cells: int
    layer: int
    head: int
    threshold: float
    top_k: int | None
    truncated: bool
    peak: list[str]
    chrom: list[str]
    start: list[int]
    end: list[int]
    n_open: list[int] = Field(description="Cells of the type with a non-zero count of the peak")
    links: list[float]
    score: list[float]
    weight: list[float]
    lift: list[float | None] = Field(
        default=[], description="score over what accessibility alone predicts; null: nothing expected"
    )
