"""What travels between service and screen about TF-binding tracks; see :mod:`bi2scope.server.wire`.

The address of each body::

    GET    /api/v1/tracks                                      TrackList
    POST   /api/v1/tracks                                      TrackInfo     (multipart: file = a BED)
    DELETE /api/v1/tracks/{track_id}                           TrackInfo
    POST   /api/v1/celltypes/{cell_type}/tf[.csv]?...          TrackComparison   (multipart: file = a BED,
                                                               and perhaps blacklist = another)
    GET    /api/v1/celltypes/{cell_type}/tf[.csv]?track=&...   TrackComparison
    GET    /api/v1/tf/matrix[.csv]?measure=&track=&cell_type=&...
                                                               TrackMatrix

A measure is ``null`` where it is not defined, what chance gives of it also without draws.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from bi2scope.server.wire import Definition, Wire

MeasureName = Literal[
    "cosine", "cosine_of_ranks", "pearson", "spearman", "jaccard_top_n", "auroc", "auprc", "odds_ratio"
]
"""Every measure of a track and a score."""

OverlapKind = Literal["any", "summit", "reciprocal"]
Aggregate = Literal["max", "sum"]

Table = list[list[float | None]]
"""Numbers by cell type (rows) and track (columns)."""


class TrackInfo(Wire):
    """A TF-binding track that the service holds."""

    track_id: str = Field(description="First 16 digits of the SHA-256 of the file", examples=["5f2b1c0d9e8a7766"])
    name: str
    source: Literal["folder", "upload"] = Field(description="From the folder given at the start, or uploaded")
    n_intervals: int
    score_column: str = Field(description="Where the scores are read from, unless asked otherwise")
    has_summits: bool


class TrackList(Wire):
    """The tracks that the service holds, by source and name."""

    tracks: list[TrackInfo]
    most_uploads: int = Field(description="Uploaded tracks that are kept at a time")
    blacklist: str | None = Field(description="Name of the blacklist given at the start")


class Chance(Wire):
    """A measure held against the draws of a null model."""

    mean: float
    sd: float
    z: float | None = Field(description="Standard deviations from the mean; null if the draws do not vary")
    p: float = Field(description="(1 + draws at least as high) / (1 + draws); two-sided for signed measures")


class Gain(Wire):
    """What a measure is once accessibility is regressed out of the score."""

    name: Literal["partial_pearson", "partial_spearman", "residual_auroc"]
    value: float | None
    low: float | None
    high: float | None
    null_matched: Chance | None
    null_shift: Chance | None


class Measure(Wire):
    """One measure of a track and a cell type's cumulative score, with all it should be read beside."""

    name: MeasureName
    value: float | None
    low: float | None = Field(description="Bounds of 95 %, from resampled blocks of neighbouring peaks")
    high: float | None
    null_matched: Chance | None = Field(description="Tracks moved among peaks alike in accessibility and width")
    null_shift: Chance | None = Field(description="Tracks shifted along each chromosome, around its end")
    accessibility: float | None = Field(description="The same measure of the cells of the type with the peak open")
    accessibility_all: float | None = Field(description="The same of all cells")
    degree: float | None = Field(description="The same of the number of links, whatever their score")
    width: float | None = Field(description="The same of the width of the peaks")
    controls: dict[str, float | None] = Field(description="The same of the cumulative scores of control models")
    gain: Gain | None = Field(description="For Pearson's and Spearman's correlation and AUROC")


class TrackColumns(Wire):
    """Peaks of the data set with their TF signal and cumulative score; columns of length n_peaks, genome order."""

    tf: list[float] = Field(description="Signal of the track: highest score, or sum, of the intervals of the peak")
    cumulative: list[float]
    compared: list[int] | None = Field(default=None, description="1 if compared, 0 if in the blacklist; null: all are")


class TrackComparison(Wire):
    """A TF-binding track beside the cumulative scores of a cell type."""

    cell_type: str
    track: str = Field(description="Name of the file")
    definition: Definition
    threshold: float
    top_k: int | None
    score_column: str = Field(description="Where the BED's scores were read from; 'presence' when it has none")
    n_intervals: int
    n_intervals_used: int = Field(description="Intervals that count for a measured peak")
    n_peaks_bound: int = Field(description="Compared peaks that have an interval")
    top_n: int = Field(description="Size of the two sets of highest peaks that Jaccard compares")
    cosine: float | None
    cosine_of_ranks: float | None
    pearson: float | None
    jaccard_top_n: float | None
    accessibility_cosine: float | None = Field(description="The same measure for the share of open cells alone")
    accessibility_cosine_of_ranks: float | None
    accessibility_pearson: float | None
    accessibility_jaccard_top_n: float | None
    columns: TrackColumns
    overlap: str = Field(default="", description="When an interval counts for a peak, in words")
    aggregate: Aggregate = "max"
    n_peaks_compared: int | None = None
    n_peaks_removed: int = Field(default=0, description="Peaks that overlap the blacklist")
    blacklist: str | None = Field(default=None, description="Name of the blacklist that was used")
    matched_on: list[str] = Field(default_factory=list, description="What peaks of a stratum are alike in")
    n_strata: int | None = None
    draws: int = Field(default=0, description="Draws of each null model, and replicates of the intervals")
    seed: int = 0
    base_rate: float | None = Field(default=None, description="Share of bound peaks: the AUPRC of chance")
    log10_fisher: float | None = Field(
        default=None, description="log10 of Fisher's exact p, two-sided, of bound x among the top_n by score"
    )
    measures: list[Measure] = Field(default_factory=list)
    notes: list[str] = Field(default_factory=list, description="What could not be compared, in sentences")


class TrackMatrix(Wire):
    """One measure of several tracks in several cell types, with what each should be read beside.

    ``q_`` are false discovery rates (Benjamini-Hochberg) over the tracks of a type, ``q_all_`` over the whole table.
    """

    measure: MeasureName
    definition: Definition
    threshold: float
    top_k: int | None
    overlap: str
    aggregate: Aggregate
    n_peaks_compared: int
    n_peaks_removed: int
    blacklist: str | None
    draws: int
    seed: int
    cell_types: list[str]
    n_cells: list[int]
    tracks: list[TrackInfo]
    n_peaks_bound: list[int]
    base_rate: list[float]
    value: Table
    low: Table
    high: Table
    z_matched: Table
    p_matched: Table
    q_matched: Table
    q_all_matched: Table
    z_shift: Table
    p_shift: Table
    q_shift: Table
    q_all_shift: Table
    gain: Table | None = Field(description="With accessibility regressed out; null for measures without such a gain")
    gain_low: Table | None
    gain_high: Table | None
    gain_z_matched: Table | None
    gain_p_matched: Table | None
    gain_q_matched: Table | None
    gain_q_all_matched: Table | None
    accessibility: Table
    accessibility_all: list[float | None]
    degree: Table
    width: list[float | None]
    controls: dict[str, Table]
    notes: list[str]
