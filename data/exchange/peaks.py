"""The peak table of a cell type: cumulative scores with accessibility, lift and rank."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from bi2scope.data.exchange.columns import Lazy, narrow
from bi2scope.data.expectation import accessibility, expected_score
from bi2scope.data.expectation import lift as observed_over_expected

Floats = npt.NDArray[np.float64]


class Scores(Protocol):
    """Cumulative scores of every peak over some cells."""

    @property
    def links(self) -> Any:
        """``(n_peaks,)`` sums of 1."""

    @property
    def score(self) -> Any:
        """``(n_peaks,)`` sums of the score."""

    @property
    def weight(self) -> Any:
        """``(n_peaks,)`` sums of the weight."""

    @property
    def n_open(self) -> Any:
        """``(n_peaks,)`` cells in which the peak is open."""

    @property
    def n_cells(self) -> int:
        """How many cells there are."""


def lift(score: npt.ArrayLike, n_open: npt.ArrayLike, chrom: npt.ArrayLike) -> Floats:
    """``(n_peaks,)`` cumulative score over what accessibility alone predicts; NaN where nothing is expected."""
    return observed_over_expected(score, expected_score(score, n_open, chrom))


def dense_rank(score: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """``(n_peaks,)`` rank by descending score, 1 for the highest; equal scores share a rank, none is skipped."""
    _, ascending = np.unique(np.asarray(score, dtype=np.float64), return_inverse=True)
    rank: npt.NDArray[np.int64] = ascending.max(initial=0) - ascending + 1
    return rank


def score_columns(scores: Scores, chrom: npt.ArrayLike) -> Lazy:
    """Columns of scores, from ``n_cells`` on, in the order of the peaks; ``lift`` and ``rank`` speak of ``score``.

    Parameters
    ----------
    scores
        Cumulative scores.
    chrom
        ``(n_peaks,)`` names of the peaks' chromosomes, or their numbers.
    """
    n_open = np.asarray(scores.n_open)
    return Lazy(
        {
            "n_cells": lambda: np.full(len(n_open), scores.n_cells, dtype=np.int32),
            "n_open": lambda: narrow(n_open),
            "accessibility": lambda: accessibility(n_open, scores.n_cells),
            "links": lambda: np.asarray(scores.links).astype(np.int64),
            "score": lambda: np.asarray(scores.score),
            "weight": lambda: np.asarray(scores.weight),
            "lift": lambda: lift(scores.score, n_open, chrom),
            "rank": lambda: narrow(dense_rank(scores.score)),
        }
    )
