"""Answers about cell types: cumulative scores of every peak."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from bi2scope.data.exchange.columns import Coded, Column, Columns, Lazy, narrow, repeated
from bi2scope.data.exchange.comments import LIFT, RANK, SUMS
from bi2scope.data.exchange.peaks import lift, score_columns
from bi2scope.server.catalogue import Catalogue
from bi2scope.server.columns import columnar
from bi2scope.server.exports import cut_comments, cut_of, view_address, whole_table
from bi2scope.server.params import CutQuery, ScoresQuery
from bi2scope.server.tabular import Answer, TableBody
from bi2scope.server.wire import PeakScores

if TYPE_CHECKING:
    from bi2scope.data.store.cumulative import CumulativeScores


def peak_scores(catalogue: Catalogue, cell_type: str, query: CutQuery, control: str | None = None) -> PeakScores:
    """Cumulative scores of every peak in a cell type, in genome order, in the three definitions.

    Those of the model, or of a control model that the store holds; the lift is left to whoever shows it.

    Raises
    ------
    NotFoundError
        If there is no such cell type, layer, head or control, or the threshold is none that controls are summed for.
    """
    name = catalogue.require_cell_type(cell_type)
    catalogue.require_head(query.layer, query.head)
    cumulative = catalogue.reader.cumulative(name, query.cut, query.layer, query.head, control)
    return all_scores(catalogue, name, query, cumulative, control=control)


def all_scores(
    catalogue: Catalogue, name: str, query: CutQuery, cumulative: CumulativeScores, **more: Any
) -> PeakScores:
    """Cumulative scores, however summed, under the name of those they were summed over; ``more`` are further fields."""
    return columnar(
        PeakScores,
        cell_type=name,
        n_cells=cumulative.n_cells,
        layer=query.layer,
        head=query.head,
        threshold=query.threshold,
        top_k=query.top_k,
        truncated=cumulative.truncated,
        peak=catalogue.peak,
        chrom=catalogue.peak_chrom,
        start=catalogue.peak_start,
        end=catalogue.peak_end,
        n_open=cumulative.n_open,
        links=cumulative.links,
        score=cumulative.score,
        weight=cumulative.weight,
        **{"control": None, "lift": [], **more},
    )


def score_table(catalogue: Catalogue, cell_type: str, query: ScoresQuery) -> Answer:
    """Cumulative scores of every peak of one cell type, of the model or of a control; files add lift and rank.

    Raises
    ------
    NotFoundError
        As :func:`peak_scores`.
    """
    scores = peak_scores(catalogue, cell_type, query, query.control)
    peaks = catalogue.every_peak
    columns = Lazy.of(peaks.columns) | Lazy(
        {
            **{name: partial(getattr, scores, name) for name in ("n_open", "links", "score", "weight")},
            "lift": lambda: lift(scores.score, scores.n_open, peaks.chromosome),
        }
    )
    fields = {name: getattr(scores, name) for name in type(scores).model_fields if name not in columns}
    comments = [
        f"cell type: {scores.cell_type}",
        f"cells: {scores.n_cells}",
        *([] if scores.control is None else [f"control: {scores.control}, in the place of the model"]),
        *cut_comments(catalogue.reader, query, scores.truncated),
        SUMS,
        LIFT,
        RANK,
        f"view: {view_address(view='celltype', cell_type=scores.cell_type, **cut_of(query))}",
    ]
    return Answer(
        lambda: TableBody(fields, columns, written=peaks.written),
        lambda: whole_table(catalogue.reader, "peaks", comments, peak_rows(catalogue, scores), query.cut),
        ("bi2scope", "peaks", scores.cell_type, scores.control),
    )


def renamed(columns: Columns, names: tuple[str, ...]) -> dict[str, Callable[[], Column]]:
    """What makes columns under other names, in their order."""
    return {name: partial(columns.__getitem__, old) for name, old in zip(names, columns, strict=True)}


def peak_rows(catalogue: Catalogue, body: PeakScores) -> Lazy:
    """Columns of the peak table as it is exported: the scores with accessibility, lift and rank, in genome order.

    ``lift`` and ``rank`` speak of the cumulative ``score``.
    """
    n_peaks, peaks = len(body.peak), catalogue.every_peak
    scores = score_columns(body, peaks.chromosome)
    own: dict[str, Callable[[], Column]] = {"cell_type": lambda: repeated(body.cell_type, n_peaks)}
    own |= renamed(peaks.columns, ("peak", "chrom", "chromStart", "chromEnd"))
    return Lazy(own) | Lazy({name: partial(_narrow, scores, name) for name in scores})


def _narrow(columns: Columns, name: str) -> Column:
    column = columns[name]
    return column if isinstance(column, Coded) else narrow(column)
