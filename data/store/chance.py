"""What chance gives each peak of a cell, compiled by numba; see :mod:`bi2scope.data.store.decoding`.

The null model is that of :mod:`bi2scope.data.expectation`: each gene throws its links onto its open candidates.
"""

from __future__ import annotations

import numpy as np

from bi2scope.data.attention import WEIGHTED_PER_ROW
from bi2scope.data.store import schema
from bi2scope.data.store.decoding import DAMAGED, compiled, last_cut, rank_starts, sound, unrolled, whole_weight

_SCORE_UNIT, _WEIGHT_UNIT = float(schema.SCORE_UNIT), float(schema.WEIGHT_UNIT)


@compiled
def add_chance(cell, depth, cut, tables, genes, places, sums, frames):  # type: ignore[no-untyped-def]
    """Add what chance gives a cell's peaks, and count its links by rank and bin of the score.

    Parameters
    ----------
    cell, depth, cut
        As :func:`bi2scope.data.store.own_sums.own_sums` takes them.
    tables
        ``(65536,)`` whole score, ``exp(s)`` and bin of every bits.
    genes
        The cell's own, one each row.
    places
        As :func:`shared_out` takes them.
    sums
        ``(2, 3, n_peaks)`` expected sums and variances, added to.
    frames
        ``(depth, n_bins)`` surviving links, added to; may have fewer rows than ranks.

    Returns
    -------
    :func:`~bi2scope.data.store.decoding.last_cut`, or :data:`~bi2scope.data.store.decoding.DAMAGED`.
    """
    if not sound(cell, sums.shape[2]) or len(genes) != len(cell.n_links):
        return DAMAGED
    for gene in genes:
        if gene < 0 or gene >= len(places[0]):
            return DAMAGED
    row, bits, last = unrolled(cell.n_links, cell.planes[1], depth)
    totals = _row_totals(cell, depth, cut, tables, row, bits)
    start = rank_starts(cell.n_links, depth)
    for rank in range(min(depth, len(frames))):
        for at in range(start[rank], start[rank + 1]):
            if bits[at] >= cut[0] and tables[2][bits[at]] >= 0:
                frames[rank, tables[2][bits[at]]] += 1
    shared = shared_out(totals, genes, cell.own_peaks, places)
    for i in range(len(cell.own_peaks)):
        for definition in range(3):
            sums[0, definition, cell.own_peaks[i]] += shared[0, definition, i]
            sums[1, definition, cell.own_peaks[i]] += shared[1, definition, i]
    return last_cut(cell, last, cut[1])


@compiled
def _row_totals(cell, depth, cut, tables, row, bits):  # type: ignore[no-untyped-def]
    """``(2, 3, n_rows)`` sums of the surviving links' values, and of their squares, by definition and row."""
    lowest, _, uniform = cut
    totals = np.zeros((2, 3, len(cell.n_links)))
    for at in range(len(bits)):
        if bits[at] >= lowest:
            score = np.float64(tables[0][bits[at]]) / _SCORE_UNIT
            totals[0, 0, row[at]] += 1
            totals[0, 1, row[at]] += score
            totals[1, 1, row[at]] += score * score
    for at in range(rank_starts(cell.n_links, min(depth, WEIGHTED_PER_ROW))[-1]):
        if bits[at] >= lowest:
            whole = whole_weight(tables[1][bits[at]], cell.denominator[row[at]], uniform)
            weight = np.float64(whole) / _WEIGHT_UNIT
            totals[0, 2, row[at]] += weight
            totals[1, 2, row[at]] += weight * weight
    totals[1, 0] = totals[0, 0]
    return totals


@compiled
def shared_out(totals, genes, peaks, places):  # type: ignore[no-untyped-def]
    """Expected value and variance of each open peak of a cell.

    Parameters
    ----------
    totals
        ``(2, n, n_rows)`` sums of the links' values over each row, and of their squares, for n definitions.
    genes, peaks
        Of the cell, as ascending positions in the data set.
    places
        ``(n_genes,)`` and ``(n_peaks,)`` codes of chromosomes, below the third; ``(n_genes,)`` transcription start
        sites, ``(n_peaks,)`` middles, and how far apart a pair may be, -1 for no limit.

    Returns
    -------
    ``(2, n, n_own_peaks)``.
    """
    gene_code, peak_code, n_codes, tss, middle, limit = places
    n = totals.shape[1]
    shared, of_code = np.zeros((2, n, len(peaks))), np.zeros((2, n, n_codes))
    first, last = np.full(n_codes, len(peaks)), np.zeros(n_codes, np.int64)
    n_open = np.zeros(n_codes, np.int64)
    for i in range(len(peaks)):
        code = peak_code[peaks[i]]
        first[code], last[code] = min(first[code], i), i + 1
        n_open[code] += 1
    for row in range(len(genes)):
        code = gene_code[genes[row]]
        if limit < 0:
            _throw(totals[:, :, row], n_open[code], of_code[:, :, code])
            continue
        near, n_near = np.zeros((2, n)), 0
        for i in range(first[code], last[code]):
            n_near += abs(middle[peaks[i]] - tss[genes[row]]) <= limit and peak_code[peaks[i]] == code
        _throw(totals[:, :, row], n_near, near)
        for i in range(first[code], last[code]):
            if abs(middle[peaks[i]] - tss[genes[row]]) <= limit and peak_code[peaks[i]] == code:
                shared[:, :, i] += near
    for i in range(len(peaks)):
        shared[:, :, i] += of_code[:, :, peak_code[peaks[i]]]
    return shared


@compiled
def _throw(total, n_candidates, added):  # type: ignore[no-untyped-def]
    """Add mean and variance of one of a row's candidates: ``S / n`` and ``Q / n - (S / n)^2``."""
    n = max(n_candidates, 1)
    for definition in range(total.shape[1]):
        mean = total[0, definition] / n
        added[0, definition] += mean
        added[1, definition] += total[1, definition] / n - mean * mean
