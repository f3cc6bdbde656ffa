"""Strata of peaks that are alike in accessibility, width and, when known, GC content."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bi2scope.data.tracks.profiles import Ints

PEAKS_PER_STRATUM = 25
"""Peaks of a stratum to aim for: with fewer there is little to draw from."""

MOST_BINS = 100
"""Most bins of accessibility."""

FURTHER_BINS = 5
"""Most bins of width, and of GC content."""


def quantile_bins(values: npt.ArrayLike, n_bins: int) -> Ints:
    """``(n,)`` bin of each value between quantiles; equal values share a bin, so there may be fewer."""
    numbers = np.asarray(values, dtype=np.float64)
    if len(numbers) == 0:
        return np.zeros(0, dtype=np.int64)
    edges = np.unique(np.quantile(numbers, np.arange(1, n_bins) / n_bins, method="inverted_cdf"))
    return np.searchsorted(edges, numbers, side="left").astype(np.int64)


def strata(accessibility: npt.ArrayLike, width: npt.ArrayLike, gc: npt.ArrayLike | None = None) -> Ints:
    """``(n_peaks,)`` stratum of each peak.

    Bins of accessibility (up to 100, as many as leave about 25 peaks to a stratum, two at least) by bins of width and
    of GC content (up to 5 each, between quantiles over all peaks).
    """
    further = [quantile_bins(each, FURTHER_BINS) for each in (width, gc) if each is not None]
    code = np.zeros(len(np.asarray(accessibility)), dtype=np.int64)
    for each in further:
        code = code * FURTHER_BINS + each
    n_further = max(len(np.unique(code)), 1)
    n_bins = int(np.clip(len(code) // (PEAKS_PER_STRATUM * n_further), 2, MOST_BINS))
    code = quantile_bins(accessibility, n_bins) * FURTHER_BINS ** len(further) + code
    return np.unique(code, return_inverse=True)[1].astype(np.int64)


def gc_share(codes: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """``(n_peaks,)`` share of G and C among the known bases of each peak; NaN where none is known.

    Parameters
    ----------
    codes
        ``(n_peaks, 256)`` bases as :mod:`bi2scope.data.dna` writes them: A .25, T .5, G .75, C 1, other 0.
    """
    known = (codes > 0).sum(axis=1)
    strong = (codes >= 0.75).sum(axis=1)
    share: npt.NDArray[np.float64] = np.divide(strong, known, out=np.full(len(codes), np.nan), where=known > 0)
    return share
