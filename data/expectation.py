"""What chance alone predicts of a peak's cumulative score, given in which cells it is open.

Two null models, both with closed forms:

*Per cell* (:mod:`bi2scope.data.store.chance`). Within a cell each gene keeps the number of its links and their scores,
and throws them onto peaks drawn at random among its open candidates, without two on one peak. With ``n`` candidates,
``m`` links and ``S``, ``Q`` the sums of the links' values and of their squares, a candidate gets ``S / n`` on average
with variance ``Q / n - (S / n)^2``; genes are independent, so both add up over genes and cells.

*Per chromosome* (:func:`expected_score`). From the sums of a cell type alone, so for any cut at once: the chromosome's
total is shared out over its peaks in proportion to the cells in which they are open. Equal to the first when all cells
have as many open peaks on the chromosome and as large a total.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]


def accessibility(n_open: npt.ArrayLike, n_cells: int) -> Floats:
    """``(n_peaks,)`` share of cells in which each peak is open; 0 where there are no cells."""
    return np.asarray(n_open, dtype=np.float64) / max(n_cells, 1)


def expected_score(score: npt.ArrayLike, n_open: npt.ArrayLike, chrom: npt.ArrayLike) -> Floats:
    """What each peak's accessibility alone predicts of its cumulative score.

    The chromosome's total cumulative score, shared out over its peaks in proportion to the cells in which they are
    open: ``expected_j = sum_c score * n_open_j / sum_c n_open``, sums over the peaks of j's own chromosome, because
    attention never crosses one.

    Parameters
    ----------
    score, n_open
        ``(n_peaks,)`` each.
    chrom
        ``(n_peaks,)`` names of the peaks' chromosomes, or their numbers, from 0.

    Returns
    -------
    ``(n_peaks,)``; 0 on a chromosome where no peak is open.
    """
    total, opened = np.asarray(score, dtype=np.float64), np.asarray(n_open, dtype=np.float64)
    numbers = np.asarray(chrom)
    code = numbers if numbers.dtype.kind in "iu" else pd.factorize(np.asarray(chrom, dtype=object))[0]
    total_of, opened_of = np.bincount(code, weights=total), np.bincount(code, weights=opened)
    per_open_cell = np.divide(total_of, opened_of, out=np.zeros_like(total_of), where=opened_of > 0)
    return per_open_cell[code] * opened


def lift(observed: npt.ArrayLike, expected: npt.ArrayLike) -> Floats:
    """``(n_peaks,)`` observed over expected; NaN where nothing is expected."""
    seen, wanted = np.asarray(observed, dtype=np.float64), np.asarray(expected, dtype=np.float64)
    return np.divide(seen, wanted, out=np.full_like(seen, np.nan), where=wanted > 0)


def z_score(observed: npt.ArrayLike, expected: npt.ArrayLike, variance: npt.ArrayLike) -> Floats:
    """``(n_peaks,)`` observed less expected in standard deviations; NaN where nothing can vary."""
    difference = np.asarray(observed, dtype=np.float64) - np.asarray(expected, dtype=np.float64)
    spread = np.sqrt(np.maximum(np.asarray(variance, dtype=np.float64), 0))
    return np.divide(difference, spread, out=np.full_like(difference, np.nan), where=spread > 1e-9)
