"""What a TF-binding track beside a cell type, and a table of types by tracks, hold as files."""

from __future__ import annotations

import numpy as np

from bi2scope.data.exchange.columns import Column, coded, narrow
from bi2scope.data.exchange.selection import Table as Rows
from bi2scope.server.catalogue import Catalogue
from bi2scope.server.celltypes import peak_rows
from bi2scope.server.exports import cut_comments, cut_of, view_address, whole_table
from bi2scope.server.params import TrackQuery
from bi2scope.server.wire import PeakScores
from bi2scope.server.wire_tf import Gain, Measure, Table, TrackComparison, TrackMatrix


def track_table(catalogue: Catalogue, query: TrackQuery, scores: PeakScores, comparison: TrackComparison) -> Rows:
    """A TF-binding track beside the cumulative scores.

    The rows of the scores with a column ``tf`` and, with a blacklist, ``compared``; what was measured stands in
    the comment lines, a measure a line.
    """
    sums = {"max": "highest", "sum": "sum of"}[comparison.aggregate]
    view = view_address(view="tf", cell_type=scores.cell_type, definition=comparison.definition, **cut_of(query))
    flat = {
        name: getattr(comparison, name)
        for measure in ("cosine", "cosine_of_ranks", "pearson", "jaccard_top_n")
        for name in (measure, f"accessibility_{measure}")
    }
    comments = [
        f"cell type: {scores.cell_type}",
        f"cells: {scores.n_cells}",
        f"track: {comparison.track}, {comparison.n_intervals} intervals, {comparison.n_intervals_used} on a peak",
        f"tf: {sums} {comparison.score_column} of the track's intervals that {comparison.overlap}, or 0",
        *cut_comments(catalogue.reader, query, scores.truncated),
        f"compared: tf with {comparison.definition}, and with n_open (accessibility_); top_n: {comparison.top_n}",
        f"peaks compared: {comparison.n_peaks_compared}, left out: {comparison.n_peaks_removed}"
        f" (blacklist: {comparison.blacklist or 'none'})",
        f"draws: {comparison.draws}, seed: {comparison.seed}, strata of {', '.join(comparison.matched_on)}:"
        f" {comparison.n_strata}",
        *(f"{name}: {_value(value)}" for name, value in flat.items()),
        f"base_rate: {_value(comparison.base_rate)}",
        f"log10_fisher: {_value(comparison.log10_fisher)}",
        *(line for measure in comparison.measures for line in _measure_lines(measure)),
        *comparison.notes,
        f"view: {view}",
    ]
    columns: dict[str, Column] = {
        **peak_rows(catalogue, scores),
        "tf": np.asarray(comparison.columns.tf, dtype=np.float64),
    }
    if comparison.columns.compared is not None:
        columns["compared"] = np.asarray(comparison.columns.compared, dtype=np.int8)
    return whole_table(catalogue.reader, "tf", comments, columns, query.cut)


def _measure_lines(measure: Measure) -> list[str]:
    """A measure with interval, chance and what stands beside it, as ``name value`` pairs of one line."""
    beside = {name: getattr(measure, name) for name in ("accessibility", "accessibility_all", "degree", "width")}
    parts = {**_estimated(measure), **beside, **{f"control_{name}": value for name, value in measure.controls.items()}}
    lines = [f"measure {measure.name}: " + ", ".join(f"{name} {_value(value)}" for name, value in parts.items())]
    if measure.gain is not None:
        parts = _estimated(measure.gain)
        lines.append(
            f"gain {measure.gain.name}: " + ", ".join(f"{name} {_value(value)}" for name, value in parts.items())
        )
    return lines


def _estimated(measure: Measure | Gain) -> dict[str, float | None]:
    parts = {"value": measure.value, "low": measure.low, "high": measure.high}
    for null, chance in (("matched", measure.null_matched), ("shift", measure.null_shift)):
        for name in ("mean", "sd", "z", "p"):
            parts[f"{null}_{name}"] = None if chance is None else getattr(chance, name)
    return parts


def _value(value: float | None) -> str:
    return "not defined" if value is None else str(value)


def matrix_table(catalogue: Catalogue, matrix: TrackMatrix) -> Rows:
    """One measure of tracks in cell types, a row for each type and track, by type and then by track."""
    shape = len(matrix.cell_types), len(matrix.tracks)
    tables = {
        name: getattr(matrix, name)
        for name, field in TrackMatrix.model_fields.items()
        if field.annotation in (Table, Table | None) and getattr(matrix, name) is not None
    }
    tables |= {f"control_{name}": table for name, table in matrix.controls.items()}
    track = np.tile(np.arange(shape[1]), shape[0])
    by_track = {name: [getattr(matrix, name)] * shape[0] for name in ("accessibility_all", "width", "base_rate")}
    columns: dict[str, Column] = {
        "cell_type": coded(matrix.cell_types)[np.repeat(np.arange(shape[0]), shape[1])],
        "n_cells": narrow(np.repeat(np.array(matrix.n_cells, dtype=np.int64), shape[1])),
        "track": coded([each.name for each in matrix.tracks])[track],
        "track_id": coded([each.track_id for each in matrix.tracks])[track],
        "n_peaks_bound": narrow(np.array(matrix.n_peaks_bound, dtype=np.int64)[track]),
        **{
            name: np.array(table, dtype=np.float64).reshape(shape).ravel()
            for name, table in {**tables, **by_track}.items()
        },
    }
    comments = [
        f"measure: {matrix.measure} of tf with {matrix.definition}; tf: {matrix.aggregate} of the scores of the"
        f" intervals that {matrix.overlap}",
        f"threshold: {matrix.threshold}, k: {'off' if matrix.top_k is None else matrix.top_k}",
        f"peaks compared: {matrix.n_peaks_compared}, left out: {matrix.n_peaks_removed}"
        f" (blacklist: {matrix.blacklist or 'none'})",
        f"draws: {matrix.draws}, seed: {matrix.seed}",
        "q: false discovery rate over the tracks of a type, q_all: over the whole table (Benjamini-Hochberg)",
        *matrix.notes,
    ]
    return whole_table(catalogue.reader, "tf matrix", comments, columns)
