"""Answers about cell types: cumulative scores of every peak."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from bi2scope.data.expectation import accessibility, expected_score
from bi2scope.data.expectation import lift as observed_over_expected
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


def lift(score: npt.ArrayLike, n_open: npt.ArrayLike, chrom: npt.ArrayLike) -> Floats:
    """``(n_peaks,)`` cumulative score over what accessibility alone predicts; NaN where nothing is expected."""
    return observed_over_expected(score, expected_score(score, n_open, chrom))


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
