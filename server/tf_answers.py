"""Answers about TF-binding tracks: one track beside one cell type, and tables of types by tracks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import numpy as np

from bi2scope.data.tracks.comparison import Comparison, Estimate
from bi2scope.data.tracks.measures import GAINS, MEASURES
from bi2scope.data.tracks.profiles import top_n_of
from bi2scope.data.tracks.significance import Chance, false_discovery_rates
from bi2scope.server import wire_tf
from bi2scope.server.celltypes import peak_scores
from bi2scope.server.columns import columnar
from bi2scope.server.params import MatrixQuery, TrackQuery
from bi2scope.server.tf import Compared, Comparisons
from bi2scope.server.tracks import HeldTrack, TrackShelf
from bi2scope.server.wire_tf import TrackColumns, TrackComparison, TrackMatrix

CONTROL = "control "
"""Stands before the name of a control model among the scores beside the model's."""

Numbers = list[list[float | None]]


def compare_track(
    comparisons: Comparisons, cell_type: str, query: TrackQuery, held: HeldTrack, blacklist: HeldTrack | None = None
) -> TrackComparison:
    """Lay the intervals of a BED file over the peaks of the data set and compare with a cell type's scores.

    Parameters
    ----------
    comparisons
        Of the open store.
    cell_type
        Name of the cell type.
    query
        Cut, layer, head, definition of the cumulative score, rule of overlap, draws.
    held
        The track.
    blacklist
        Regions whose peaks are left out, in the place of the service's own.

    Raises
    ------
    NotFoundError
        If there is no such cell type, layer or head.
    RegionError
        If a file is not a BED file, has negative scores, is of another assembly, or fits no peak.
    """
    scores = peak_scores(comparisons.catalogue, cell_type, query)
    compared = comparisons.peaks_compared(query, blacklist)
    [[found]] = comparisons.results([cell_type], [held], query, compared)
    laid, kept = comparisons.laid(held, query), compared.kept
    cumulative = np.asarray(getattr(scores, query.definition), dtype=np.float64)
    measures = {measure.name: measure for measure in measures_of(found)}
    flat = {name: measures[name] for name in ("cosine", "cosine_of_ranks", "pearson", "jaccard_top_n")}
    design = comparisons.design(query, compared)
    return columnar(
        TrackComparison,
        cell_type=scores.cell_type,
        track=held.name,
        definition=query.definition,
        threshold=query.threshold,
        top_k=query.top_k,
        score_column=laid.score_column,
        n_intervals=laid.n_intervals,
        n_intervals_used=int(laid.track.used.sum()),
        n_peaks_bound=int(laid.track.bound[kept].sum()),
        top_n=top_n_of(int(kept.sum())),
        **{name: measure.value for name, measure in flat.items()},
        **{f"accessibility_{name}": measure.accessibility for name, measure in flat.items()},
        columns=columnar(
            TrackColumns,
            tf=laid.track.score,
            cumulative=cumulative,
            compared=None if compared.blacklist is None else kept.astype(np.int8),
        ),
        overlap=query.rule.words,
        aggregate=query.aggregate,
        n_peaks_compared=int(kept.sum()),
        n_peaks_removed=int((~kept).sum()),
        blacklist=compared.blacklist,
        matched_on=["accessibility", "width", *(["gc"] if design.universe.gc is not None else [])],
        n_strata=found.n_strata,
        draws=query.draws,
        seed=query.seed,
        base_rate=found.base_rate,
        log10_fisher=found.log10_fisher,
        measures=list(measures.values()),
        notes=comparisons.notes(query),
    )


def measures_of(found: Comparison) -> list[wire_tf.Measure]:
    """Every measure of a comparison, each beside the same of the other scores."""
    controls = [name for name in found.beside if name.startswith(CONTROL)]
    rows = []
    for name in MEASURES:
        estimate, beside = found.measures[name], {other: each[name] for other, each in found.beside.items()}
        rows.append(
            wire_tf.Measure(
                name=cast(Any, name),
                value=estimate.value,
                low=estimate.low,
                high=estimate.high,
                null_matched=_chance(estimate.matched),
                null_shift=_chance(estimate.shift),
                **{each: beside[each] for each in ("accessibility", "accessibility_all", "degree", "width")},
                controls={each.removeprefix(CONTROL): beside[each] for each in controls},
                gain=_gain(GAINS[name], found.gains[GAINS[name]]) if name in GAINS else None,
            )
        )
    return rows


def _gain(name: str, estimate: Estimate) -> wire_tf.Gain:
    return wire_tf.Gain(
        name=cast(Any, name),
        value=estimate.value,
        low=estimate.low,
        high=estimate.high,
        null_matched=_chance(estimate.matched),
        null_shift=_chance(estimate.shift),
    )


def _chance(chance: Chance | None) -> wire_tf.Chance | None:
    return None if chance is None else wire_tf.Chance(mean=chance.mean, sd=chance.sd, z=chance.z, p=chance.p)


def track_matrix(comparisons: Comparisons, shelf: TrackShelf, query: MatrixQuery) -> TrackMatrix:
    """One measure of tracks that the service holds, in cell types.

    Raises
    ------
    NotFoundError
        If there is no such cell type, track, layer or head.
    RegionError
        If a track fits no peak.
    """
    reader, chosen = comparisons.catalogue.reader, shelf.chosen(query.track)
    names = list(dict.fromkeys(query.cell_type)) or list(reader.cell_types)
    compared = comparisons.peaks_compared(query)
    found = comparisons.results(names, [held for held, _ in chosen], query, compared)
    bound = [int(comparisons.laid(held, query).track.bound[compared.kept].sum()) for held, _ in chosen]
    infos = [info for _, info in chosen]
    return TrackMatrix(
        measure=query.measure,
        definition=query.definition,
        threshold=query.threshold,
        top_k=query.top_k,
        overlap=query.rule.words,
        aggregate=query.aggregate,
        n_peaks_removed=int((~compared.kept).sum()),
        blacklist=compared.blacklist,
        draws=query.draws,
        seed=query.seed,
        cell_types=names,
        n_cells=[len(reader.cells_of(name)) for name in names],
        tracks=infos,
        n_peaks_bound=bound,
        notes=comparisons.notes(query),
        **_context(found, bound, query, compared),
        **tables_of(found, query.measure),
    )


def _context(
    found: Sequence[Sequence[Comparison]], bound: Sequence[int], query: MatrixQuery, compared: Compared
) -> dict[str, Any]:
    """What the rows and columns of the table are read beside; what does not depend on the type, once per track."""
    n_peaks = int(compared.kept.sum())

    def beside(name: str) -> Numbers:
        return [[each.beside[name][query.measure] for each in row] for row in found]

    controls = sorted({name for row in found for each in row for name in each.beside if name.startswith(CONTROL)})
    first = found[0] if found else []
    return {
        "n_peaks_compared": n_peaks,
        "base_rate": [each / n_peaks for each in bound],
        "accessibility": beside("accessibility"),
        "degree": beside("degree"),
        "accessibility_all": [each.beside["accessibility_all"][query.measure] for each in first],
        "width": [each.beside["width"][query.measure] for each in first],
        "controls": {name.removeprefix(CONTROL): beside(name) for name in controls},
    }


def tables_of(found: Sequence[Sequence[Comparison]], measure: str) -> dict[str, Any]:
    """Values, intervals, chance and gains of one measure, ``[type][track]`` each."""
    tables: dict[str, Any] = _estimates(found, lambda each: each.measures[measure])
    gain = GAINS.get(measure)
    gains = _estimates(found, lambda each: each.gains[gain]) if gain else {}
    for name, key in (("gain", "value"), ("gain_low", "low"), ("gain_high", "high")):
        tables[name] = gains.get(key)
    for name in ("z_matched", "p_matched", "q_matched", "q_all_matched"):
        tables[f"gain_{name}"] = gains.get(name)
    return tables


def _estimates(found: Sequence[Sequence[Comparison]], of: Callable[[Comparison], Estimate]) -> dict[str, Numbers]:
    rows = [[of(each) for each in row] for row in found]
    tables: dict[str, Numbers] = {
        name: [[getattr(each, name) for each in row] for row in rows] for name in ("value", "low", "high")
    }
    for null in ("matched", "shift"):
        chances = [[getattr(each, null) for each in row] for row in rows]
        tables[f"z_{null}"] = [[chance and chance.z for chance in row] for row in chances]
        p = [[chance and chance.p for chance in row] for row in chances]
        tables[f"p_{null}"] = p
        tables[f"q_{null}"] = [_rates([row])[0] for row in p]
        tables[f"q_all_{null}"] = _rates(p)
    return tables


def _rates(p: Numbers) -> Numbers:
    """False discovery rates over all of a table; ``None`` stays."""
    rates = false_discovery_rates(np.array(p, dtype=np.float64))
    return [[float(rate) if np.isfinite(rate) else None for rate in row] for row in rates]
