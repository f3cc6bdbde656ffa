"""Wire models made by hand, small enough to reckon with."""

from __future__ import annotations

from typing import Any

from bi2scope.server.wire import (
    CellTypeSummary,
    ChromosomeSpan,
    DatasetInfo,
    Embedding,
    EpochRecord,
    Heatmap,
    HeatmapBins,
    HeatmapChromosome,
    LinkColumns,
    LinkTable,
    Metrics,
    PeakScores,
    TrainingReport,
)
from bi2scope.server.wire_profile import LinkProfile
from bi2scope.server.wire_tf import Chance, Gain, Measure, MeasureName, TrackColumns, TrackComparison


def metrics(accuracy: float = 0.81) -> Metrics:
    return Metrics(
        n_pairs=200, loss=0.5, accuracy=accuracy, auroc=0.88, precision_matched=0.8, recall_matched=0.83,
        precision_mismatched=0.82, recall_mismatched=0.79,
    )  # fmt: skip


def report(accuracy: float = 0.81, baseline: float | None = 0.83) -> TrainingReport:
    history = [
        EpochRecord(
            epoch=epoch, seconds=1.0, train_loss=0.6, train_accuracy=0.5 + 0.1 * epoch, validation_loss=0.6,
            validation_accuracy=0.5 + 0.08 * epoch, validation_auroc=None,
        )
        for epoch in (1, 2, 3)
    ]  # fmt: skip
    return TrainingReport(
        protocol="bi2scope", split="cells", n_train=800, n_validation=100, n_test=200, best_epoch=3, history=history,
        validation=metrics(0.7), test=metrics(accuracy), baseline_name="nearest centroid", baseline_accuracy=baseline,
        chance=0.5,
    )  # fmt: skip


def dataset(**changes: Any) -> DatasetInfo:
    """Two chromosomes with 3 + 2 genes and 4 + 3 peaks; two cell types."""
    given = {
        "name": "by hand", "version": "0.1.0", "created": "2026-11-23T00:00:00+00:00", "generator": "bi2scope 0.1.0",
        "format_version": 1, "dataset_digest": "a" * 64, "model_digest": "b" * 64, "n_cells": 30, "n_genes": 5,
        "n_peaks": 7, "cell_types": [CellTypeSummary(name="B", n_cells=10), CellTypeSummary(name="T", n_cells=20)],
        "chromosomes": [
            ChromosomeSpan(name="chr1", gene_start=0, gene_stop=3, peak_start=0, peak_stop=4),
            ChromosomeSpan(name="chr2", gene_start=3, gene_stop=5, peak_start=4, peak_stop=7),
        ],
        "n_layers": 1, "n_heads": 1, "k_max": 50, "k_steps": [*range(1, 21), 25, 30, 35, 40, 45, 50], "floor": 0.5,
        "parameters": 1234, "training": report(), "notes": [],
    }  # fmt: skip
    if "k_max" in changes:
        changes["k_steps"] = [step for step in given["k_steps"] if step < changes["k_max"]] + [changes["k_max"]]
    return DatasetInfo(**(given | changes))


def heatmap(**changes: Any) -> Heatmap:
    """Five genes by seven peaks, every bin exact; three links, one of them on chr2."""
    given = {
        "cell_id": "AAAC-1", "cell_type": "B", "layer": 0, "head": 0, "threshold": 0.5, "top_k": None,
        "truncated": False, "n_links": 3, "n_genes": 5, "n_peaks": 7, "gene_start": 0, "gene_stop": 5, "gene_step": 1,
        "peak_start": 0, "peak_stop": 7, "peak_step": 1,
        "chromosomes": [
            HeatmapChromosome(name="chr1", gene_start=0, gene_stop=3, peak_start=0, peak_stop=4),
            HeatmapChromosome(name="chr2", gene_start=3, gene_stop=5, peak_start=4, peak_stop=7),
        ],
        "gene_names": ["G0", "G1", "G2", "G3", "G4"],
        "peak_names": [f"chr{1 + (i > 3)}:{1000 * (i + 1)}-{1000 * (i + 1) + 500}" for i in range(7)],
        "bins": HeatmapBins(
            row=[0, 2, 4], column=[1, 3, 5], n_links=[1, 1, 1], gene=[0, 2, 4], peak=[1, 3, 5],
            distance_to_tss=[-120, 0, 4000], logit=[0.5, 1.0, 3.0], score=[0.622, 0.731, 0.953], rank=[1, 1, 1],
            weight=[0.11, 0.12, 0.15],
        ),
    }  # fmt: skip
    return Heatmap(**(given | changes))


def link_table(**changes: Any) -> LinkTable:
    """Two links of two genes."""
    links = LinkColumns(
        gene_id=["E0", "E2"], gene_name=["G0", "G2"], gene_chrom=["chr1"] * 2, gene_tss=[500, 900],
        gene_strand=["+", "-"], peak=["chr1:2000-2500", "chr1:4000-4500"], peak_chrom=["chr1"] * 2,
        peak_start=[2000, 4000], peak_end=[2500, 4500], distance_to_tss=[1750, -3350], logit=[0.5, 1.0],
        score=[0.622, 0.731], rank=[1, 1], weight=[0.11, 0.12], gene_count=[1.0, 2.0], peak_count=[1.0, 1.0],
    )  # fmt: skip
    given = {
        "cell_id": "AAAC-1", "cell_type": "B", "layer": 0, "head": 0, "threshold": 0.5, "top_k": None,
        "chromosome": None, "gene": None, "n_links": 2, "n_genes_linked": 2, "n_genes": 5, "truncated": False,
        "limited": False, "links": links,
    }  # fmt: skip
    return LinkTable(**(given | changes))


def embedding() -> Embedding:
    return Embedding(
        method="UMAP of the RNA counts (scanpy)", cell_id=["a", "b", "c", "d"], cell_type=["T", "B", "T", "B"],
        x=[0.0, 1.0, 2.0, 3.0], y=[3.0, 2.0, 1.0, 0.0],
    )  # fmt: skip


def peak_scores(cell_type: str = "B", **changes: Any) -> PeakScores:
    """Seven peaks; the fourth is highest by score, the second by links."""
    given = {
        "cell_type": cell_type, "n_cells": 10, "layer": 0, "head": 0, "threshold": 0.5, "top_k": None,
        "truncated": False, "peak": heatmap().peak_names, "chrom": ["chr1"] * 4 + ["chr2"] * 3,
        "start": [1000 * (i + 1) for i in range(7)], "end": [1000 * (i + 1) + 500 for i in range(7)],
        "n_open": [1, 2, 3, 4, 5, 6, 7], "links": [0.0, 9.0, 1.0, 8.0, 0.0, 2.0, 3.0],
        "score": [0.0, 5.0, 0.6, 7.5, 0.0, 1.2, 2.0], "weight": [0.0, 0.5, 0.1, 0.7, 0.0, 0.2, 0.3],
    }  # fmt: skip
    return PeakScores(**(given | changes))


def comparison(**changes: Any) -> TrackComparison:
    given = {
        "cell_type": "B", "track": "ctcf.bed", "definition": "score", "threshold": 0.5, "top_k": 10,
        "score_column": "score", "n_intervals": 12, "n_intervals_used": 5, "n_peaks_bound": 4, "top_n": 1,
        "cosine": 0.608, "cosine_of_ranks": 0.909, "pearson": None, "jaccard_top_n": 0.548,
        "accessibility_cosine": 0.5, "accessibility_cosine_of_ranks": 0.9, "accessibility_pearson": 0.4,
        "accessibility_jaccard_top_n": 0.5,
        "columns": TrackColumns(tf=[0, 70, 0, 10, 0, 0, 3], cumulative=[0.0, 5.0, 0.6, 7.5, 0.0, 1.2, 2.0]),
    }  # fmt: skip
    return TrackComparison(**(given | changes))


def measure(name: MeasureName, value: float | None = 0.7, null: float | None = 0.6, **changes: Any) -> Measure:
    """A measure with an interval of 0.02 either way, a null of standard deviation 0.01, and simpler scores below it."""
    chance = None if null is None or value is None else Chance(mean=null, sd=0.01, z=(value - null) / 0.01, p=0.002)
    given = {
        "name": name, "value": value, "null_matched": chance, "null_shift": chance,
        "low": None if chance is None or value is None else value - 0.02,
        "high": None if chance is None or value is None else value + 0.02,
        "accessibility": 0.62, "accessibility_all": 0.61, "degree": 0.6, "width": 0.55,
        "controls": {"uniform-attention": 0.58}, "gain": None,
    }  # fmt: skip
    return Measure(**(given | changes))


def gain(low: float = 0.55, high: float = 0.59, null: float | None = 0.5) -> Gain:
    chance = None if null is None else Chance(mean=null, sd=0.005, z=9.0, p=0.002)
    return Gain(
        name="residual_auroc", value=(low + high) / 2, low=None if null is None else low,
        high=None if null is None else high, null_matched=chance, null_shift=chance,
    )  # fmt: skip


def link_profile(**changes: Any) -> LinkProfile:
    """Five expressed genes of one cell: two with no link, two with one, one with three."""
    given = {
        "cell_id": "AAAC-1", "cell_type": "B", "layer": 0, "head": 0, "threshold": 0.5, "top_k": None,
        "truncated": False, "n_cells": 1, "n_genes": 5, "n_links": 5, "n_without": 2, "links_per_gene": [2, 2, 0, 1],
        "n_cells_measured": 1, "distance_edges": [1_000, 10_000], "distances": [1, 4, 0],
        "distances_possible": [1, 1, 2], "controls": [],
    }  # fmt: skip
    return LinkProfile(**(given | changes))
