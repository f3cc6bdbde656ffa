"""Links of one gene, or of one peak, worked out over many cells, compiled by numba.

A logit is ``(Q.K + x wq.K) + y (Q.wk + x wq.wk)`` with x and y the counts of gene and peak. What depends on the gene
and its count alone is one row over the peaks of the chromosome, small enough to stay in cache; a cell gathers its open
peaks out of it. To be imported where it is used: numba takes long to load.
"""

from __future__ import annotations

import numpy as np

from bi2scope.data.bits import WIDTH, bits_above, lowest, number
from bi2scope.data.store.decoding import compiled

_LAST = 2**31 - 1


@compiled
def highest_of_gene(gene, cells, peaks, least, top, found):  # type: ignore[no-untyped-def]
    """Choose the highest links of one gene in each of some cells, by logit, equal ones in genome order.

    Parameters
    ----------
    gene
        ``(n_peaks,)`` static logits with the peaks of the chromosome, ``(n_peaks,)`` what each peak adds per count of
        the gene, and, per count of a peak, what it adds itself and what it adds for each count of the gene.
    cells
        First cell and the one after the last; then, of all, start and stop of their open peaks and the gene's count.
    peaks
        Of the open peaks: position on the chromosome, and count.
    least
        What logits exceed.
    top
        Links of a cell, at most.
    found
        To fill: place of each cell's first link; position of the peak and logit of the links; links of each cell.
    """
    static, per_gene_count, per_peak_count, per_both = gene
    first, last, start, stop, gene_count = cells
    position, count = peaks
    place, chosen, logit, n_chosen = found
    longest = 1
    for cell in range(first, last):
        longest = max(longest, stop[cell] - start[cell])
    logits, keys = np.empty(longest, np.float32), np.empty(longest, np.int64)
    bits = logits.view(np.int32)  # of floats above 0 the bits ascend as they do
    guess = least
    for cell in range(first, last):
        begin, n = start[cell], stop[cell] - start[cell]
        x = gene_count[cell]
        per_count = per_peak_count + x * per_both
        own, own_count = position[begin : begin + n], count[begin : begin + n]
        for j in range(n):
            at = own[j]
            logits[j] = (static[at] + x * per_gene_count[at]) + np.float32(own_count[j]) * per_count
        n_above = _keys_above(logits, bits, n, guess, keys)
        if n_above < top and guess > least:
            n_above = _keys_above(logits, bits, n, least, keys)
        if n_above > top:
            _to_front(keys, n_above, top)
        kept = min(n_above, top)
        ordered = np.sort(keys[:kept])
        for rank in range(kept):
            at = _LAST - (ordered[kept - 1 - rank] & 0xFFFFFFFF)
            chosen[place[cell] + rank] = own[at]
            logit[place[cell] + rank] = logits[at]
        n_chosen[cell] = kept
        guess = least
        if kept == top:  # the next cell's links are likely to be as high
            guess = max(least, logits[_LAST - (ordered[0] & 0xFFFFFFFF)] * np.float32(0.8))


@compiled
def _keys_above(logits, bits, n, least, keys):  # type: ignore[no-untyped-def]
    """Keys of the logits above ``least``, whose order is by logit and then by place; how many."""
    above = 0
    for j in range(n):
        keys[above] = (np.int64(bits[j]) << 32) | np.int64(_LAST - j)
        above += logits[j] > least
    return above


@compiled
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


@compiled
def rows_of_peak(peak, genes, cells, least, rows):  # type: ignore[no-untyped-def]
    """List the rows, a gene of a cell, that may be linked to a peak, gene by gene.

    Parameters
    ----------
    peak
        What it adds per count of a gene, and, per count of its own, what is added for each count of a gene.
    genes
        Of each gene: the static logit with the peak, what it adds per count of the peak, and its first occurrence;
        then, of each occurrence in a cell, the cell's place, the count, and what a logit there reaches at least.
    cells
        Of each place the cell's number, -1 where it is not asked for; then, of the cells by number, the peak's count.
    least
        What logits exceed.
    rows
        To fill: number of the cell and count of the gene of each row; and each gene's first row.
    """
    per_gene_count, per_both = peak
    static, per_peak_count, first, place, count, lowest = genes
    number, peak_count = cells
    row_cell, row_count, row_start = rows
    n = 0
    for gene in range(len(static)):
        row_start[gene] = n
        for one in range(first[gene], first[gene + 1]):
            cell = number[place[one]]
            if cell >= 0:
                x = np.float32(count[one])
                logit = (static[gene] + x * per_gene_count) + peak_count[cell] * (per_peak_count[gene] + x * per_both)
                row_cell[n], row_count[n] = cell, x
                n += logit > least and logit >= lowest[one]
    row_start[len(static)] = n


@compiled
def open_bits(start, stop, position, n_peaks):  # type: ignore[no-untyped-def]
    """The open peaks of some cells as bits, and where to find the rest of what is known of them.

    Parameters
    ----------
    start, stop, position
        Of each cell where its open peaks start and stop; and their positions on the chromosome, ascending in a cell.
    n_peaks
        Peaks of the chromosome.

    Returns
    -------
    ``(n_cells, n_words)`` uint64 bits, and of each word the place of the first open peak in it or after it.
    """
    n_words = (n_peaks + 63) // 64
    bits, first = np.zeros((len(start), n_words), np.uint64), np.empty((len(start), n_words), np.int32)
    for cell in range(len(start)):
        of_cell, n = bits[cell], np.int32(start[cell])
        for peak in position[start[cell] : stop[cell]]:
            of_cell[peak >> 6] |= np.uint64(1) << np.uint64(peak & 63)
        for word in range(n_words):
            first[cell, word] = n
            n += number(of_cell[word])
    return bits, first


@compiled
def ranks_of_peak(genes, peak, cells, peaks, found):  # type: ignore[no-untyped-def]
    """Rank one peak among the open peaks of the cell, in every row of some genes.

    Of each gene the peaks are found first whose logit may reach that of the peak at all. They are few if it is among
    the highest, and are compared in the cells where they are open.

    Parameters
    ----------
    genes
        ``(n_genes, n_peaks)`` static logits; what each gene adds per count of a peak; each gene's first row; and, of
        the rows, number of the cell and count of the gene.
    peak
        Position on the chromosome; ``(n_peaks,)`` what each peak adds per count of a gene; and, per count of a peak,
        what is added for each count of the gene.
    cells
        Of each cell the place of the peak among the open peaks; and what :func:`open_bits` gives.
    peaks
        Counts of the open peaks, and by how much they differ at most.
    found
        To fill, row by row: the rank and the logit.
    """
    static, per_peak_count, row_start, row_cell, row_count = genes
    own, per_gene_count, per_both = peak
    at, bits, place = cells
    count, spread = peaks
    rank, logit = found
    rival, highest = np.empty(bits.shape[1], np.uint64), np.full(64 * bits.shape[1], -np.inf, np.float32)
    for gene in range(len(static)):
        rows = row_start[gene], row_start[gene + 1]
        if rows[0] == rows[1]:
            continue
        of_gene, of_count = static[gene], (per_peak_count[gene], per_both)
        _find_rivals(of_gene, (own, per_gene_count), row_count[rows[0] : rows[1]], (*of_count, spread), highest, rival)
        for row in range(rows[0], rows[1]):
            x, cell = row_count[row], row_cell[row]
            per_count = of_count[0] + x * of_count[1]
            z = (of_gene[own] + x * per_gene_count[own]) + np.float32(count[at[cell]]) * per_count
            higher = 0
            for word in range(len(rival)):
                here = bits[cell, word]
                both = here & rival[word]
                while both:
                    bit = lowest(both)
                    j, below = 64 * word + bit, here & ((np.uint64(1) << np.uint64(bit)) - np.uint64(1))
                    other = np.float32(count[place[cell, word] + number(below)]) * per_count
                    other = (of_gene[j] + x * per_gene_count[j]) + other
                    higher += other > z or (other == z and j < own)
                    both &= both - np.uint64(1)
            rank[row], logit[row] = 1 + higher, z


@compiled
def _find_rivals(of_gene, peak, counts, per_peak_count, highest, rival):  # type: ignore[no-untyped-def]
    """Bits of the peaks whose logit may reach that of a peak in a cell with one of the counts of the gene."""
    (own, per_gene_count), (of_one, of_both, spread) = peak, per_peak_count
    least, most = np.float32(counts.min()), np.float32(counts.max())
    reach = spread * max(abs(of_one + least * of_both), abs(of_one + most * of_both))
    reach += np.float32(1e-5) * (abs(of_gene[own]) + most * abs(per_gene_count[own]) + reach + np.float32(1))
    for j in range(len(of_gene)):
        by_count = per_gene_count[j] - per_gene_count[own]
        highest[j] = of_gene[j] + max(least * by_count, most * by_count)
    for word in range(len(rival)):
        upper = bits_above(highest, 64 * word + WIDTH, of_gene[own] - reach) << np.uint64(WIDTH)
        rival[word] = bits_above(highest, 64 * word, of_gene[own] - reach) | upper


@compiled
def find_in_index(own, rows, links, found):  # type: ignore[no-untyped-def]
    """Find one peak among the links of some genes, which lie gene by gene, by rank and then by cell.

    Parameters
    ----------
    own
        The peak.
    rows
        Each gene's first row; and the links of each row.
    links
        Peak and step of each link.
    found
        To fill, row by row: the rank, 0 where the row has no such link; the bits of its logit; and the bits of the
        row's last link.
    """
    start, n_links = rows
    peak, step = links
    rank, bits, last = found
    n = 0
    for gene in range(len(start) - 1):
        depth = 0
        for row in range(start[gene], start[gene + 1]):
            depth = max(depth, n_links[row])
        for place in range(1, depth + 1):
            for row in range(start[gene], start[gene + 1]):
                if n_links[row] >= place:
                    last[row] = step[n] if place == 1 else last[row] - step[n]
                    if peak[n] == own:
                        rank[row], bits[row] = place, last[row]
                    n += 1
