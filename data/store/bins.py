"""Bins of the score between the thresholds that sums are kept for."""

from __future__ import annotations

import functools

import numpy as np
import numpy.typing as npt

from bi2scope.data.store import halves, schema

BINS = len(schema.EDGE_SCORES)

Ints64 = npt.NDArray[np.int64]


@functools.cache
def bin_of_bits() -> npt.NDArray[np.int8]:
    """``(65536,)`` bin of every bits: the last edge that the score exceeds; -1 when it exceeds none."""
    edges = np.asarray(schema.EDGE_SCORES, dtype=np.float32)
    found: npt.NDArray[np.int8] = np.searchsorted(edges, halves.scores(), side="left").astype(np.int8) - np.int8(1)
    found.flags.writeable = False
    return found


@functools.cache
def edge_bases() -> Ints64:
    """``(n_bins,)`` edges in units of the score, rounded down: what a link of the bin scores at least."""
    bases: Ints64 = np.floor(np.asarray(schema.EDGE_SCORES) * schema.SCORE_UNIT).astype(np.int64)
    return bases


def bin_of_threshold(threshold: float) -> int | None:
    """Which bins survive a threshold: this one and all above it; ``None`` when the threshold parts a bin."""
    lowest = halves.lowest_above(threshold)
    if lowest > halves.LARGEST:
        return BINS
    first = int(bin_of_bits()[lowest])
    return first if bin_of_bits()[lowest - 1] < first else None
