"""Every query parameter of the service, declared once: its range, its default and the words for both.

One frozen model per address; an unknown parameter is refused, so a misspelt threshold is never ignored in silence.
An empty value (``?top_k=``) counts as absent.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

from bi2scope.data.attention import FLOOR, Cut
from bi2scope.data.errors import ConfigurationError
from bi2scope.data.heads import Over
from bi2scope.data.tracks.overlap import LEAST_SHARE, OverlapRule
from bi2scope.server.wire import Definition
from bi2scope.server.wire_cells import Space
from bi2scope.server.wire_differences import Among, Normalisation, TestName
from bi2scope.server.wire_tf import Aggregate, MeasureName, OverlapKind

MAX_ROWS = 200_000
"""Most links, or cells, in one JSON answer; CSV has no such bound, it is streamed."""

MOST_SIDE_BY_SIDE = 16
"""Most cell types, and most tracks, side by side over one region."""

MAX_BINS = 4_000
"""Most rows, and most columns, of a heatmap."""

MOST = 2**31 - 1
"""Largest whole number that any parameter takes: more than any row, cell or peak that there can be."""

MOST_COLUMNS = 100
"""Columns of a BED file among which the scores may be chosen."""

MOST_CHOSEN = 20_000
"""Most cells that may be chosen one by one."""

MOST_NEIGHBOURS = 1_000
"""Most neighbours of a cell in one answer."""

MOST_DRAWS = 10_000
"""Most draws of a null model."""

MOST_TRACKS = 1_000
"""Most tracks in one table."""

WANTED = {
    "threshold": f"a number from {FLOOR:g} to 1",
    "top_k": "a whole number from 1 up, or left out for no cut on the rank",
    "layer": "a whole number from 0 up",
    "head": "a whole number from 0 up (of the links of a cell also mean or max)",
    "columns": "names of columns with commas between them",
    "gene_region": "a chromosome or a place on it, such as chr1:1,000-2,000, of at most 200 letters",
    "peak_region": "a chromosome or a place on it, such as chr1:1,000-2,000, of at most 200 letters",
    "order": "one of gene, score and distance",
    "chromosome": "the name of a chromosome, of at most 200 letters",
    "gene": "the id or the symbol of a gene, of at most 200 letters",
    "peak": "the name of a peak, such as chr1:1000-2000, of at most 200 letters",
    "region": "a chromosome or a place on it, such as chr1:1,000-2,000, of at most 200 letters",
    "query": "the beginning of a name, or a place such as chr1:1,000-2,000, of at most 200 letters",
    "bins": f"a whole number from 1 to {MAX_BINS}",
    "cell": "the name of a cell, of at most 500 letters",
    "beside": "the name of another cell, of at most 500 letters, or left out for the cell's own axes",
    "limit": f"a whole number from 0 to {MAX_ROWS}",
    "cell_type": "the name of a cell type, of at most 500 letters",
    "prefix": "the first letters of a cell's name, at most 500",
    "offset": "a whole number from 0 up",
    "width": f"a whole number from 1 to {MAX_BINS}",
    "height": f"a whole number from 1 to {MAX_BINS}",
    "gene_start": "a whole number from 0 up",
    "gene_stop": "a whole number from 1 up, or left out for the last gene",
    "peak_start": "a whole number from 0 up",
    "peak_stop": "a whole number from 1 up, or left out for the last peak",
    "control": "the name of a control model of the store, of at most 500 letters, or left out for the model",
    "definition": "one of links, score and weight",
    "overlap": "one of any (1 bp or more), summit and reciprocal",
    "share": f"a number from {LEAST_SHARE} to 1",
    "aggregate": "one of max and sum",
    "score_column": f"a whole number from 4 to {MOST_COLUMNS}, 0 for none, or left out for what the format says",
    "draws": f"a whole number from 0 to {MOST_DRAWS}",
    "seed": "a whole number from 0 up",
    "blacklist": "true or false",
    "track": "the track_id of a track that the service holds, 16 digits",
    "against": "the name of another cell type, of at most 500 letters, or left out for all cells of other types",
    "cells": f"a list of names of cells, from 1 to {MOST_CHOSEN}",
    "against_cells": f"a list of names of cells, from 1 to {MOST_CHOSEN}, or left out for all other cells",
    "n": f"a whole number from 1 to {MOST_NEIGHBOURS}",
    "space": "one of embedding and model",
    "sort": "the name of a column of the cells, with a minus sign before it for the highest first",
    "quality": "true or false",
    "normalise": "one of none and cell",
    "test": "one of mann-whitney and welch",
    "among": "one of all and nonzero",
    "least_share": "a number from 0 to 1",
    "measure": "one of cosine, cosine_of_ranks, pearson, spearman, jaccard_top_n, auroc, auprc and odds_ratio",
}
"""What each parameter takes, in words: used in the description of the service and in its error messages."""

CellName = Annotated[str, Field(max_length=500)]

Order = Literal["gene", "score", "distance"]
"""What the links of a cell are sorted by."""

_Value = TypeVar("_Value")


def _parameter(name: str, meaning: str, default: _Value, **bounds: Any) -> Any:
    return Field(default=default, description=f"{meaning}: {WANTED[name]}", **bounds)


def _required(name: str, meaning: str, **bounds: Any) -> Any:
    return Field(description=f"{meaning}: {WANTED[name]}", **bounds)


class Query(BaseModel):
    """Base of the parameters of every address."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _empty_is_absent(cls, given: Any) -> Any:
        return {name: value for name, value in given.items() if value != ""} if isinstance(given, dict) else given


class TableQuery(Query):
    """Parameters of every table."""

    columns: str | None = _parameter("columns", "Only these columns, in this order", None, max_length=2_000)


class HeadQuery(Query):
    """One layer and head of the model."""

    layer: int = _parameter("layer", "Layer of the model", 0, ge=0, le=MOST)
    head: int = _parameter("head", "Head of the layer", 0, ge=0, le=MOST)


class CutQuery(HeadQuery):
    """Threshold and k, and the layer and head they cut."""

    threshold: float = _parameter("threshold", "Links with a score above this stay", FLOOR, ge=FLOOR, le=1)
    top_k: int | None = _parameter(
        "top_k", "Links of this rank or better in their gene's row stay", None, ge=1, le=MOST
    )

    @property
    def cut(self) -> Cut:
        """Threshold and k as the cut that they make."""
        return Cut(self.threshold, self.top_k)


class AnyHeadQuery(CutQuery):
    """Threshold and k of one head, or of all heads of the layer taken together."""

    head: str = _parameter(  # type: ignore[assignment]
        "head", "Head of the layer, or all of them taken together", "0", pattern=r"^([0-9]{1,9}|mean|max)$"
    )

    @property
    def over(self) -> Over | None:
        """How heads are taken together; ``None`` for one head."""
        return next((over for over in get_args(Over) if over == self.head), None)

    @property
    def head_number(self) -> int:
        """The head; the first when they are taken together."""
        return int(self.head) if self.over is None else 0


class ScoresQuery(CutQuery, TableQuery):
    """Whose cumulative scores, and which links they sum."""

    control: str | None = _parameter("control", "Whose scores", None, max_length=500)


class LinksQuery(AnyHeadQuery, TableQuery):
    """Which links of a cell, and in which order."""

    chromosome: str | None = _parameter("chromosome", "Only links of this chromosome", None, max_length=200)
    gene: str | None = _parameter("gene", "Only links of this gene, whatever the case", None, max_length=200)
    peak: str | None = _parameter("peak", "Only links to this peak", None, max_length=200)
    region: str | None = _parameter("region", "Only links whose peak overlaps this place", None, max_length=200)
    gene_region: str | None = _parameter(
        "gene_region", "Only links whose gene overlaps this place", None, max_length=200
    )
    order: Order = _parameter("order", "What the links are sorted by; score and distance part ties by gene", "gene")
    limit: int | None = _parameter("limit", "Most links to return", None, ge=0, le=MAX_ROWS)


class BinsQuery(TableQuery):
    """Which window of a cell's genes and peaks, and into how many bins."""

    width: int = _parameter("width", "Most columns (bins of peaks)", 900, ge=1, le=MAX_BINS)
    height: int = _parameter("height", "Most rows (bins of genes)", 500, ge=1, le=MAX_BINS)
    gene_start: int = _parameter("gene_start", "First gene of the window, among the cell's own genes", 0, ge=0, le=MOST)
    gene_stop: int | None = _parameter("gene_stop", "Gene after the window's last", None, ge=1, le=MOST)
    peak_start: int = _parameter("peak_start", "First peak of the window, among the cell's own peaks", 0, ge=0, le=MOST)
    peak_stop: int | None = _parameter("peak_stop", "Peak after the window's last", None, ge=1, le=MOST)
    gene_region: str | None = _parameter(
        "gene_region", "Window of the genes that overlap this place", None, max_length=200
    )
    peak_region: str | None = _parameter(
        "peak_region", "Window of the peaks that overlap this place", None, max_length=200
    )


class HeatmapQuery(AnyHeadQuery, BinsQuery):
    """Which links of a cell, over which of its genes and peaks."""

    beside: str | None = _parameter(
        "beside", "A cell whose genes and peaks are on the axes too, to lay its map beside", None, max_length=500
    )


class TypeHeatmapQuery(HeadQuery, BinsQuery):
    """Which pairs of a regulatory map, over which of a cell's genes and peaks."""

    cell: str = _required("cell", "The cell whose genes and peaks are on the axes", max_length=500)


class TrackQuery(CutQuery, TableQuery):
    """Which cumulative score a TF-binding track is laid beside, and how."""

    definition: Definition = _parameter("definition", "What the cumulative score sums over links", "score")
    overlap: OverlapKind = _parameter("overlap", "When an interval counts for a peak", "any")
    share: float = _parameter(
        "share", "Of the interval and of the peak, for overlap=reciprocal", 0.5, ge=LEAST_SHARE, le=1
    )
    aggregate: Aggregate = _parameter("aggregate", "What a peak takes of the scores of its intervals", "max")
    score_column: int | None = _parameter(
        "score_column", "Column of the track's scores, from 1", None, ge=0, le=MOST_COLUMNS
    )
    draws: int = _parameter("draws", "Draws of each null model, 0 for none", 1_000, ge=0, le=MOST_DRAWS)
    seed: int = _parameter("seed", "The same gives the same draws", 0, ge=0, le=MOST)
    blacklist: bool = _parameter("blacklist", "Whether peaks in the blacklist given at the start are left out", True)

    @property
    def rule(self) -> OverlapRule:
        """When an interval counts for a peak."""
        return OverlapRule(self.overlap, self.share, self.aggregate)


class HeldTrackQuery(TrackQuery):
    """The same of a track that the service holds."""

    track: str = _required("track", "Which track", max_length=16)


class MatrixQuery(TrackQuery):
    """Which measure of which tracks in which cell types."""

    measure: MeasureName = _parameter("measure", "What is in the table", "auroc")
    track: list[str] = _parameter("track", "Which tracks, once for each; all unless given", [], max_length=MOST_TRACKS)
    cell_type: list[str] = _parameter(
        "cell_type", "Which cell types, once for each; all unless given", [], max_length=MAX_ROWS
    )


class ContrastQuery(CutQuery):
    """How two groups of cells are compared."""

    definition: Definition = _parameter("definition", "What the sum of a cell adds up over its links", "score")
    normalise: Normalisation = _parameter(
        "normalise", "Whether each sum is divided by that of the whole cell (cell): cells differ in depth", "cell"
    )
    test: TestName = _parameter("test", "Which test", "mann-whitney")
    among: Among = _parameter(
        "among", "Cells that are compared, all or those with a non-zero count of the peak or gene", "all"
    )
    least_share: float = _parameter(
        "least_share",
        "Cells of both with a link that a row needs to be tested, as a share of the smaller group's number",
        0.05, ge=0, le=1,
    )  # fmt: skip
    limit: int | None = _parameter("limit", "Most rows to return", None, ge=0, le=MAX_ROWS)


class DifferenceQuery(ContrastQuery, TableQuery):
    """Which cell types are compared, and how."""

    against: str | None = _parameter("against", "Whose cells the type's are compared with", None, max_length=500)


class ChosenCells(CutQuery):
    """Which cells, and which links of theirs; a body of JSON."""

    cells: list[CellName] = _required("cells", "Which cells", min_length=1, max_length=MOST_CHOSEN)


class ChosenDifference(ContrastQuery):
    """Which cells are compared with which, and how; a body of JSON."""

    cells: list[CellName] = _required("cells", "Which cells", min_length=1, max_length=MOST_CHOSEN)
    against_cells: list[CellName] | None = _parameter(
        "against_cells", "Whose sums they are compared with", None, min_length=1, max_length=MOST_CHOSEN
    )


class NeighboursQuery(Query):
    """How many neighbours of a cell, and where."""

    n: int = _parameter("n", "Most neighbours to return", 15, ge=1, le=MOST_NEIGHBOURS)
    space: Space = _parameter("space", "In the embedding, or in what the model makes of cells", "embedding")


class AcrossQuery(CutQuery, TableQuery):
    """Which links of a gene, or to a peak, across the cells of a type."""

    limit: int | None = _parameter("limit", "Most links to return", None, ge=0, le=MAX_ROWS)


class WhyQuery(HeadQuery):
    """Which link of a cell to take apart."""

    gene: str = _required("gene", "Its gene, whatever the case", max_length=200)
    peak: str = _required("peak", "Its peak", max_length=200)


class MapQuery(HeadQuery, TableQuery):
    """Which pairs of a regulatory map."""

    gene: str | None = _parameter("gene", "Only pairs of this gene, whatever the case", None, max_length=200)
    peak: str | None = _parameter("peak", "Only pairs of this peak", None, max_length=200)
    region: str | None = _parameter("region", "Only pairs whose peak overlaps this place", None, max_length=200)
    limit: int | None = _parameter("limit", "Most pairs to return", None, ge=0, le=MAX_ROWS)

    @property
    def everything(self) -> bool:
        """Whether no pair is left out but by the limit."""
        return self.gene is None and self.peak is None and self.region is None


class StrongestQuery(HeadQuery, TableQuery):
    """Which pairs around a region."""

    region: str = _required("region", "Where TSS or peak lies", max_length=200)
    limit: int = _parameter("limit", "Most to return", 500, ge=0, le=MAX_ROWS)


class StrongestLinksQuery(StrongestQuery, CutQuery):
    """Which links of a cell around a region."""


class RegionQuery(CutQuery):
    """Which region, and what is laid over it."""

    region: str = _required("region", "Which region", max_length=200)
    bins: int = _parameter("bins", "Most places over the region", 1_000, ge=1, le=MAX_BINS)
    cell: str | None = _parameter("cell", "The counts of this cell too", None, max_length=500)
    cell_type: list[str] = _parameter("cell_type", "Which cell types, once for each", [], max_length=MOST_SIDE_BY_SIDE)
    track: list[str] = _parameter("track", "Which tracks, once for each", [], max_length=MOST_SIDE_BY_SIDE)


class NamesQuery(TableQuery):
    """Which genes, or peaks, to offer while a name is typed."""

    query: str | None = _parameter("query", "What was typed, whatever the case", None, max_length=200)
    limit: int = _parameter("limit", "Most to return", 20, ge=0, le=MAX_ROWS)


class CellsQuery(TableQuery):
    """Which cells, and which page of them."""

    cell_type: str | None = _parameter("cell_type", "Only cells of this type", None, max_length=500)
    prefix: str | None = _parameter("prefix", "Only cells that begin so, whatever the case", None, max_length=500)
    sort: str | None = _parameter("sort", "By what, else by the order of the data set", None, max_length=500)
    quality: bool = _parameter("quality", "Whether every number that the store has of a cell comes along", False)
    offset: int = _parameter("offset", "Cells to skip", 0, ge=0, le=MOST)
    limit: int | None = _parameter(
        "limit", "Most cells to return; left out, 1,000 in JSON and all in files", None, ge=0, le=MAX_ROWS
    )


def window(name: str, start: int, stop: int | None, size: int) -> tuple[int, int]:
    """A window's bounds, cut to the ``size`` genes or peaks (``name``) that the cell has.

    Raises
    ------
    ConfigurationError
        If the window ends before it starts, or starts after the last of them.
    """
    if size == 0 and start == 0:
        return 0, 0
    if start >= size:
        raise ConfigurationError(
            f"{name}_start is {start}; this cell has {size} {name}s, so it goes from 0 to {max(size - 1, 0)}."
        )
    if stop is not None and stop <= start:
        raise ConfigurationError(f"{name}_stop is {stop}; it must be above {name}_start, {start}.")
    return start, size if stop is None else min(stop, size)
