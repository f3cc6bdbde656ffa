"""Links of one gene, or of one peak, worked out over many cells, compiled by numba.

A logit is ``(Q.K + x wq.K) + y (Q.wk + x wq.wk)`` with x and y the counts of gene and peak. What depends on the gene
and its count alone is one row over the peaks of the chromosome, small enough to stay in cache; a cell gathers its open
peaks out of it. To be imported where it is used: numba takes long to load.
"""

from __future__ import annotations

import numpy as np

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
def ranks_of_peak(genes, peak, cells, peaks, found):  # type: ignore[no-untyped-def]
    """Rank one peak among the open peaks of the cell, in every row of some genes.

    Parameters
    ----------
    genes
        First gene and the one after the last; ``(n_genes, n_peaks)`` static logits; what each gene adds per count of a
        peak; each gene's first row; and, of the rows, number of the cell and count of the gene.
    peak
        Position on the chromosome; ``(n_peaks,)`` what each peak adds per count of a gene; and, per count of a peak,
        what is added for each count of the gene.
    cells
        Start and stop of each cell's open peaks, and the place of the peak among them.
    peaks
        As in :func:`highest_of_gene`.
    found
        To fill, row by row: the rank and the logit.
    """
    first, last, static, per_peak_count, row_start, row_cell, row_count = genes
    own, per_gene_count, per_both = peak
    start, stop, at = cells
    position, count = peaks
    rank, logit = found
    of_count = np.empty(static.shape[1], np.float32)
    for gene in range(first, last):
        low, high = row_start[gene], row_start[gene + 1]
        of_gene, x = static[gene], np.float32(-1)
        for row in np.argsort(row_count[low:high]) + low:  # rows of one count share a row of logits
            if row_count[row] != x:
                x = row_count[row]
                for j in range(len(of_count)):
                    of_count[j] = of_gene[j] + x * per_gene_count[j]
            cell = row_cell[row]
            begin, here, end = start[cell], at[cell], stop[cell]
            per_count = per_peak_count[gene] + x * per_both
            z = of_count[own] + np.float32(count[here]) * per_count
            before = _n_reaching(of_count, position[begin:here], count[begin:here], per_count, z)
            after = _n_higher(of_count, position[here + 1 : end], count[here + 1 : end], per_count, z)
            rank[row], logit[row] = 1 + before + after, z


@compiled
def _n_higher(of_count, position, count, per_count, z):  # type: ignore[no-untyped-def]
    higher = np.int32(0)
    for j in range(len(position)):
        higher += np.int32(of_count[position[j]] + np.float32(count[j]) * per_count > z)
    return higher


@compiled
def _n_reaching(of_count, position, count, per_count, z):  # type: ignore[no-untyped-def]
    reaching = np.int32(0)
    for j in range(len(position)):
        reaching += np.int32(of_count[position[j]] + np.float32(count[j]) * per_count >= z)
    return reaching


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
