"""Answers about cell types: cumulative scores of every peak."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from bi2scope.server.catalogue import Catalogue
from bi2scope.server.columns import columnar
from bi2scope.server.params import CutQuery
from bi2scope.server.wire import PeakScores

Floats = npt.NDArray[np.float64]
Array = np.ndarray[Any, Any]


def peak_scores(catalogue: Catalogue, cell_type: str, query: CutQuery) -> PeakScores:
    """Cumulative scores of every peak in a cell type, in genome order, in the three definitions.

    Raises
    ------
    NotFoundError
        If there is no such cell type, layer or head.
    """
    name = catalogue.require_cell_type(cell_type)
    catalogue.require_head(query.layer, query.head)
    cumulative = catalogue.reader.cumulative(name, query.cut, query.layer, query.head)
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
    )


def accessibility(n_open: npt.ArrayLike, n_cells: int) -> Floats:
    """``(n_peaks,)`` share of a cell type's cells in which each peak is open; 0 for a type without cells."""
    return np.asarray(n_open, dtype=np.float64) / max(n_cells, 1)


def expected_score(score: npt.ArrayLike, n_open: npt.ArrayLike, chrom: npt.ArrayLike) -> Floats:
    """What each peak's accessibility alone predicts of its cumulative score.

    The chromosome's total cumulative score, shared out over its peaks in proportion to the cells in which they are
    open: ``expected_j = sum_c score * n_open_j / sum_c n_open``, sums over the peaks of j's own chromosome, because
    attention never crosses one.

    Parameters
    ----------
    score, n_open, chrom
        ``(n_peaks,)`` each.

    Returns
    -------
    ``(n_peaks,)``; 0 on a chromosome where no peak is open.
    """
    total, opened = np.asarray(score, dtype=np.float64), np.asarray(n_open, dtype=np.float64)
    names, code = np.unique(np.asarray(chrom).astype(str), return_inverse=True)
    total_of = np.bincount(code, weights=total, minlength=len(names))
    opened_of = np.bincount(code, weights=opened, minlength=len(names))
    per_open_cell = np.divide(total_of, opened_of, out=np.zeros_like(total_of), where=opened_of > 0)
    return per_open_cell[code] * opened


def lift(score: npt.ArrayLike, n_open: npt.ArrayLike, chrom: npt.ArrayLike) -> Floats:
    """``(n_peaks,)`` cumulative score over :func:`expected_score`; NaN where nothing is expected."""
    expected = expected_score(score, n_open, chrom)
    observed = np.asarray(score, dtype=np.float64)
    return np.divide(observed, expected, out=np.full_like(observed, np.nan), where=expected > 0)


def dense_rank(score: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """``(n_peaks,)`` rank by descending score, 1 for the highest; equal scores share a rank, none is skipped."""
    _, ascending = np.unique(np.asarray(score, dtype=np.float64), return_inverse=True)
    rank: npt.NDArray[np.int64] = ascending.max(initial=0) - ascending + 1
    return rank


def peak_rows(body: PeakScores) -> dict[str, Array]:
    """Columns of the peak table as it is exported: the scores with accessibility, lift and rank, in genome order.

    ``lift`` and ``rank`` speak of the cumulative ``score``.
    """
    n_peaks = len(body.peak)
    return {
        "cell_type": np.full(n_peaks, body.cell_type, dtype=object),
        "peak": np.asarray(body.peak, dtype=object),
        "chrom": np.asarray(body.chrom, dtype=object),
        "chromStart": np.asarray(body.start),
        "chromEnd": np.asarray(body.end),
        "n_cells": np.full(n_peaks, body.n_cells),
        "n_open": np.asarray(body.n_open),
        "accessibility": accessibility(body.n_open, body.n_cells),
        "links": np.asarray(body.links).astype(np.int64),
        "score": np.asarray(body.score),
        "weight": np.asarray(body.weight),
        "lift": lift(body.score, body.n_open, body.chrom),
        "rank": dense_rank(body.score),
    }
