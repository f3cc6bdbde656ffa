"""The rows of an answer as CSV (:mod:`bi2scope.data.exchange.csv`), with comment lines that explain them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import numpy as np

from bi2scope.data.attention import Cut
from bi2scope.data.exchange.columns import Column, repeated
from bi2scope.data.exchange.comments import LIFT, RANK, SUMS, cut_lines, origin_lines
from bi2scope.data.exchange.csv import csv_head, csv_rows, csv_stream
from bi2scope.server.catalogue import Catalogue
from bi2scope.server.celltypes import peak_rows
from bi2scope.server.maps import MapSlice, pair_columns
from bi2scope.server.params import MapQuery
from bi2scope.server.wire import LinkTable, PeakScores
from bi2scope.server.wire_genes import GeneLinks, MapColumns
from bi2scope.server.wire_tf import Gain, Measure, Table, TrackComparison, TrackMatrix

if TYPE_CHECKING:
    from bi2scope.data.store.reader import StoreReader

Array = np.ndarray[Any, Any]


def links_csv(reader: StoreReader, table: LinkTable) -> Iterator[bytes]:
    """Links of a cell as CSV; the columns are those of :class:`~bi2scope.server.wire.LinkColumns` after the cell's."""
    n_rows = len(table.links.rank)
    columns = {
        "cell_id": np.full(n_rows, table.cell_id, dtype=object),
        "cell_type": np.full(n_rows, table.cell_type, dtype=object),
        **{name: np.asarray(getattr(table.links, name)) for name in type(table.links).model_fields},
    }
    kept_to = [f"{name}: {value}" for name, value in (("chromosome", table.chromosome), ("gene", table.gene)) if value]
    returned = [f"the first {n_rows} links only"] if table.limited else []
    view = view_address(view="cell", cell=table.cell_id, **_cut_of(table))
    comments = [
        *_origin(reader),
        f"cell: {table.cell_id}",
        f"cell type: {table.cell_type}",
        *_cut_lines(reader, table),
        *kept_to,
        f"links: {table.n_links}",
        *returned,
        f"view: {view}",
    ]
    return csv_stream(comments, columns)


def peaks_csv(reader: StoreReader, scores: PeakScores) -> Iterator[bytes]:
    """Cumulative scores of a cell type as CSV, with accessibility, lift and rank (see ``celltypes.peak_rows``)."""
    view = view_address(view="celltype", cell_type=scores.cell_type, **_cut_of(scores))
    comments = [
        *_origin(reader),
        f"cell type: {scores.cell_type}",
        f"cells: {scores.n_cells}",
        *_cut_lines(reader, scores),
        SUMS,
        LIFT,
        RANK,
        f"view: {view}",
    ]
    return csv_stream(comments, peak_rows(scores))


def track_csv(reader: StoreReader, scores: PeakScores, comparison: TrackComparison) -> Iterator[bytes]:
    """A TF-binding track beside the cumulative scores as CSV.

    The rows of :func:`peaks_csv` with a column ``tf`` and, with a blacklist, ``compared``; what was measured stands in
    the comment lines, a measure a line.
    """
    sums = {"max": "highest", "sum": "sum of"}[comparison.aggregate]
    view = view_address(view="tf", cell_type=scores.cell_type, definition=comparison.definition, **_cut_of(scores))
    flat = {
        name: getattr(comparison, name)
        for measure in ("cosine", "cosine_of_ranks", "pearson", "jaccard_top_n")
        for name in (measure, f"accessibility_{measure}")
    }
    comments = [
        *_origin(reader),
        f"cell type: {scores.cell_type}",
        f"cells: {scores.n_cells}",
        f"track: {comparison.track}, {comparison.n_intervals} intervals, {comparison.n_intervals_used} on a peak",
        f"tf: {sums} {comparison.score_column} of the track's intervals that {comparison.overlap}, or 0",
        *_cut_lines(reader, scores),
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
    columns = {**peak_rows(scores), "tf": np.asarray(comparison.columns.tf, dtype=np.float64)}
    if comparison.columns.compared is not None:
        columns["compared"] = np.asarray(comparison.columns.compared)
    return csv_stream(comments, columns)


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


def matrix_csv(reader: StoreReader, matrix: TrackMatrix) -> Iterator[bytes]:
    """One measure of tracks in cell types as CSV, a row for each type and track, by type and then by track."""
    shape = len(matrix.cell_types), len(matrix.tracks)
    tables = {
        name: getattr(matrix, name)
        for name, field in TrackMatrix.model_fields.items()
        if field.annotation in (Table, Table | None) and getattr(matrix, name) is not None
    }
    tables |= {f"control_{name}": table for name, table in matrix.controls.items()}
    by_track = {name: [getattr(matrix, name)] * shape[0] for name in ("accessibility_all", "width", "base_rate")}
    columns: dict[str, Array] = {
        "cell_type": np.repeat(np.array(matrix.cell_types, dtype=object), shape[1]),
        "n_cells": np.repeat(np.array(matrix.n_cells, dtype=np.int64), shape[1]),
        "track": np.tile(np.array([each.name for each in matrix.tracks], dtype=object), shape[0]),
        "track_id": np.tile(np.array([each.track_id for each in matrix.tracks], dtype=object), shape[0]),
        "n_peaks_bound": np.tile(np.array(matrix.n_peaks_bound, dtype=np.int64), shape[0]),
        **{
            name: np.array(table, dtype=np.float64).reshape(shape).ravel()
            for name, table in {**tables, **by_track}.items()
        },
    }
    comments = [
        *_origin(reader),
        f"measure: {matrix.measure} of tf with {matrix.definition}; tf: {matrix.aggregate} of the scores of the"
        f" intervals that {matrix.overlap}",
        f"threshold: {matrix.threshold}, k: {'off' if matrix.top_k is None else matrix.top_k}",
        f"peaks compared: {matrix.n_peaks_compared}, left out: {matrix.n_peaks_removed}"
        f" (blacklist: {matrix.blacklist or 'none'})",
        f"draws: {matrix.draws}, seed: {matrix.seed}",
        "q: false discovery rate over the tracks of a type, q_all: over the whole table (Benjamini-Hochberg)",
        *matrix.notes,
    ]
    return csv_stream(comments, columns)


def map_csv(catalogue: Catalogue, chosen: MapSlice, query: MapQuery) -> Iterator[bytes]:
    """Pairs of a regulatory map as CSV; the columns of ``MapColumns`` after the cell type's."""
    reader = catalogue.reader
    kept = Cut(reader.attributes.floor, reader.attributes.k_max)
    asked = {name: getattr(query, name) for name in ("gene", "peak", "region")}
    comments = [
        *_origin(reader),
        f"cell type: {chosen.cell_type}",
        f"cells: {len(reader.cells_of(chosen.cell_type))}",
        *cut_lines(reader.attributes, kept, layer=query.layer, head=query.head, truncated=chosen.truncated),
        *(f"{name}: {value}" for name, value in asked.items() if value),
        f"pairs: those linked in {chosen.stored.least_cells} or more of the cells",
        "n_cells: cells with the link; n_both: cells in which gene and peak both have a count",
        "mean_score, mean_weight: over the cells with the link",
        *([] if query.limit is None else [f"the first {query.limit} pairs at most"]),
        f"view: {view_address(view='celltype', cell_type=chosen.cell_type, layer=query.layer, head=query.head)}",
    ]
    yield csv_head(comments, ["cell_type", *MapColumns.model_fields])
    for pairs in chosen.first(query.limit):
        yield from csv_rows({"cell_type": repeated(chosen.cell_type, len(pairs)), **pair_columns(catalogue, pairs)})


def gene_links_csv(reader: StoreReader, table: GeneLinks) -> Iterator[bytes]:
    """Links of a gene across a cell type as CSV; the columns of ``GeneLinkColumns`` after the cell type's."""
    n_rows = len(table.links.rank)
    columns: dict[str, Column] = {
        "cell_type": repeated(table.cell_type, n_rows),
        **{name: np.asarray(getattr(table.links, name)) for name in type(table.links).model_fields},
    }
    comments = [
        *_origin(reader),
        f"cell type: {table.cell_type}",
        f"cells: {table.n_cells}, with a count of the gene: {table.n_cells_expressing},"
        f" with a link: {table.n_cells_linked}",
        *_cut_lines(reader, table),
        f"gene: {table.gene}",
        f"links: {table.n_links}",
        *([f"the first {n_rows} links only"] if table.limited else []),
        f"view: {view_address(view='celltype', cell_type=table.cell_type, **_cut_of(table))}",
    ]
    return csv_stream(comments, columns)


def _origin(reader: StoreReader) -> list[str]:
    return origin_lines(reader.attributes)


def _cut_lines(reader: StoreReader, body: LinkTable | PeakScores | GeneLinks) -> list[str]:
    cut = Cut(body.threshold, body.top_k)
    return cut_lines(reader.attributes, cut, layer=body.layer, head=body.head, truncated=body.truncated)


def _cut_of(body: LinkTable | PeakScores | GeneLinks) -> dict[str, Any]:
    return {"threshold": body.threshold, "k": body.top_k, "layer": body.layer, "head": body.head}


def view_address(**shown: Any) -> str:
    """Address of the view on the screen, relative to the service; what is ``None`` is left out."""
    return "/?" + urlencode({name: value for name, value in shown.items() if value is not None}, quote_via=quote)


def attachment(*parts: object) -> str:
    """Value of ``Content-Disposition`` for a CSV file named after its parts, in ASCII and, if that differs, UTF-8."""
    name = "_".join(re.sub(r"[\s/\\:*?\"<>|\x00-\x1f]+", "-", str(part)) for part in parts if part is not None)
    plain = re.sub(r"[^A-Za-z0-9._+-]", "-", name)
    extended = "" if plain == name else f"; filename*=UTF-8''{quote(name, safe='')}.csv"
    return f'attachment; filename="{plain}.csv"{extended}'
