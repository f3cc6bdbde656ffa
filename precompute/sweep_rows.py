"""What a sweep reads of its cells and gives of them, cell by cell, compiled by numba."""

from __future__ import annotations

import numba
import numpy as np

from bi2scope.data.bits import prefetch

_AHEAD = 6
"""Rows that are asked for before they are read: they lie anywhere among those of all cells."""

_LINE = 64
"""Bytes that memory hands out at once."""


@numba.njit(nogil=True, cache=True)
def lay_peaks(peak, count, place_of, per_gene_count, both, place, per_count):  # type: ignore[no-untyped-def]
    """Fill, of open peaks, place among the keys and what each count of a gene gives, as ``sweep_genes`` takes it."""
    for j in range(len(peak)):
        place[j] = place_of[peak[j]]
        per_count[j] = per_gene_count[peak[j]] + count[j] * both


@numba.njit(nogil=True, cache=True)
def gather_links(rows, begin, own_peak, chosen, links, top):  # type: ignore[no-untyped-def]
    """Put the kept links of one cell one after another.

    Parameters
    ----------
    rows
        ``(n_rows,)`` where the rows of the cell lie.
    begin
        ``(n_rows,)`` where the open peaks of the row's chromosome begin among the cell's own.
    own_peak
        ``(n_open,)`` the cell's open peaks.
    chosen
        As :func:`bi2scope.precompute.sweep_kernel.sweep_genes` left them.
    links
        ``(n_rows + 1,)`` where the links of each row shall lie; to fill: ``(n_links,)`` peaks and logits.
    top
        To fill: ``(n_rows, n)`` highest logits, 0 where there are no more above 0.
    """
    place, logit, n_above = chosen
    row_start, peak, ragged = links
    all_places, all_logits, width = place.ravel(), logit.ravel(), place.shape[1]
    for i in range(len(rows)):
        if i + _AHEAD < len(rows):
            later = rows[i + _AHEAD] * width
            for one in range(0, width, _LINE // place.itemsize):
                prefetch(all_places, later + one)
            for one in range(0, width, _LINE // logit.itemsize):
                prefetch(all_logits, later + one)
        row, at, first = rows[i], row_start[i], begin[i]
        for rank in range(row_start[i + 1] - at):
            peak[at + rank] = own_peak[first + place[row, rank]]
            ragged[at + rank] = logit[row, rank]
        for rank in range(top.shape[1]):
            top[i, rank] = logit[row, rank] if rank < n_above[row] else np.float32(0)
