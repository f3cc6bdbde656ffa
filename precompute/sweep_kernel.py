"""The highest links of one gene after another over many cells, compiled by numba.

A gene's logits without the counts are one row, worked out once for all cells of the sweep and small enough to stay in
cache; what remains for a cell is to gather its open peaks out of the row, add what the counts bring, and choose.
"""

from __future__ import annotations

import numba
import numpy as np

_LAST = 2**31 - 1
_SAMPLE = 256
"""Static logits of a gene that tell where its highest links begin."""


@numba.njit(nogil=True, cache=True)
def sweep_genes(genes, query, key, cells, peaks, chosen):  # type: ignore[no-untyped-def]
    """Choose the links of some genes of one chromosome, one head.

    Parameters
    ----------
    genes
        ``(first, stop)`` of the genes; then, of all genes, offsets into the next three, and of each occurrence of a
        gene in a cell the cell, the count and the row to fill.
    query
        ``(n_genes, d)`` static queries and ``(n_genes,)`` what they give for each count of a peak.
    key
        ``(n_peaks, d)`` static keys of the chromosome.
    cells
        ``(n_cells,)`` first and stop of each cell's open peaks on the chromosome.
    peaks
        Of every open peak: place among the keys, what it gives for each count of a gene, and its count.
    chosen
        To fill, row by row: ``(n_rows, places)`` place among the cell's open peaks of the chromosome, and logit, both
        by rank; ``(n_rows,)`` links kept, and logits above 0.
    """
    (first, stop), offset, cell_of, gene_count, row_of = genes
    static = np.dot(query[0][first:stop], key.T)
    start, end = cells
    peak_key, per_gene_count, peak_count = peaks
    place, logit, n_kept, n_above = chosen
    places, longest = place.shape[1], max(1, (end - start).max())
    logits = np.empty(longest, np.float32)
    candidates, keys, best = np.empty(longest, np.int32), np.empty(longest, np.int64), np.empty(places, np.int64)
    for gene in range(first, stop):
        own = static[gene - first]
        sample = np.sort(own[:: max(1, len(own) // _SAMPLE)])
        slack = 1.4  # candidates wanted for each link kept: enough, and few to sort
        for one in range(offset[gene], offset[gene + 1]):
            run, row = slice(start[cell_of[one]], end[cell_of[one]]), row_of[one]
            n = run.stop - run.start
            _add_counts(
                own, peak_key[run], per_gene_count[run], peak_count[run],
                gene_count[one], query[1][gene], logits,
            )  # fmt: skip
            above = _n_above(logits[:n])
            kept = min(above, places)
            guess = np.float32(0)
            if above > places:
                guess = max(guess, sample[max(0, int(len(sample) * (1 - slack * places / n)))])
            found = _choose(logits[:n], kept, guess, candidates, keys, best)
            if above > places:
                slack *= 1.2 if found < 0 else 0.95 if found > 1.7 * places else 1.0
            for rank in range(kept):
                at = _LAST - (best[rank] & 0xFFFFFFFF)
                place[row, rank], logit[row, rank] = at, logits[at]
            n_kept[row], n_above[row] = kept, above


@numba.njit(nogil=True, cache=True, fastmath={"contract"})
def _add_counts(static, peak_key, per_gene_count, peak_count, gene_count, per_peak_count, logits):  # type: ignore[no-untyped-def]
    """``z = Q.K + x (wq.K + y wq.wk) + y (Q.wk)`` of a gene with count x and each open peak with count y."""
    for j in range(len(peak_key)):
        logits[j] = static[peak_key[j]] + (gene_count * per_gene_count[j] + peak_count[j] * per_peak_count)


@numba.njit(nogil=True, cache=True)
def _n_above(logits):  # type: ignore[no-untyped-def]
    above = 0
    for j in range(len(logits)):
        above += logits[j] > 0
    return above


@numba.njit(nogil=True, cache=True)
def _choose(logits, kept, guess, candidates, keys, best):  # type: ignore[no-untyped-def]
    """The ``kept`` highest logits, all above 0, as keys whose order is by logit and then by place.

    Returns how many lie above the guess; -1 if they were too few, so that all had to be looked at.
    """
    found = n = _above(logits, guess, candidates)
    if n < kept:
        found, n = -1, _above(logits, np.float32(0), candidates)
    bits = logits.view(np.int32)  # of floats above 0 the bits ascend as they do
    for i in range(n):
        at = candidates[i]
        keys[i] = (np.int64(bits[at]) << 32) | np.int64(_LAST - at)
    if n > 2 * kept:
        _to_front(keys, n, kept)
        n = kept
    for i in range(n):  # the rank of a key is the number of higher ones
        key, rank = keys[i], 0
        for j in range(n):
            rank += keys[j] > key
        if rank < kept:
            best[rank] = key
    return found


@numba.njit(nogil=True, cache=True)
def _above(logits, least, candidates):  # type: ignore[no-untyped-def]
    """Places of the logits above ``least``; how many."""
    n = 0
    for j in range(len(logits)):
        candidates[n] = j
        n += logits[j] > least
    return n


@numba.njit(nogil=True, cache=True)
def _to_front(keys, n, kept):  # type: ignore[no-untyped-def]
    """Bring the ``kept`` highest of the first ``n`` keys to the front, in any order (Hoare's selection)."""
    low, high = 0, n - 1
    while low < high:
        a, b, c = keys[low], keys[(low + high) >> 1], keys[high]
        pivot = max(min(a, b), min(max(a, b), c))
        i, j = low, high
        while i <= j:
            while keys[i] > pivot:
                i += 1
            while keys[j] < pivot:
                j -= 1
            if i <= j:
                keys[i], keys[j] = keys[j], keys[i]
                i, j = i + 1, j - 1
        if kept - 1 <= j:
            high = j
        elif kept - 1 >= i:
            low = i
        else:
            return
