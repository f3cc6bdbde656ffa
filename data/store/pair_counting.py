"""Links counted by gene and peak, compiled by numba; see :mod:`bi2scope.data.store.decoding`.

Counters of a run of genes lie gene by gene, each gene's over the counted peaks of its own chromosome.
"""

from __future__ import annotations

import numpy as np

from bi2scope.data.attention import WEIGHTED_PER_ROW
from bi2scope.data.store.decoding import by_row, compiled, sound, whole_weight

N_CELLS, SCORE, WEIGHT = 0, 1, 2
"""Places in a counter: cells with the link, and sums of their scores and weights."""


@compiled
def count_pairs(cell, depth, cut, tables, genes, layout, counters):  # type: ignore[no-untyped-def]
    """Count a cell's links by pair.

    Parameters
    ----------
    cell, depth, cut
        As :func:`bi2scope.data.store.own_sums.own_sums` takes them.
    tables
        ``(65536,)`` whole score, ``exp(s)`` and number of every bits.
    genes
        The cell's own, one each row.
    layout
        ``(n_genes, 2)`` where a gene's counters start, -1 for those that are not counted, and the first counted peak of
        its chromosome; ``(n_peaks,)`` place among the counted peaks, -1 likewise; ``(n_genes,)`` and ``(n_peaks,)``
        codes of chromosomes.
    counters
        ``(n_counters, 3)``, added to.

    Returns
    -------
    Whether the cell is sound.
    """
    of_gene, place, gene_code, peak_code = layout
    if not sound(cell, len(place)) or len(genes) != len(cell.n_links):
        return False
    offset, peak, bits, _ = by_row(cell, depth, tables[2])
    for row in range(len(genes)):
        gene = genes[row]
        if gene < 0 or gene >= len(of_gene):
            return False
        code, base = gene_code[gene], of_gene[gene, 0] - of_gene[gene, 1]
        if of_gene[gene, 0] < 0:
            continue
        _count_row(peak[offset[row] : offset[row + 1]], bits[offset[row] : offset[row + 1]], cell.denominator[row],
                   cut, tables, (base, code, place, peak_code), counters)  # fmt: skip
    return True


@compiled
def _count_row(peak, bits, denominator, cut, tables, layout, counters):  # type: ignore[no-untyped-def]
    (lowest, _, uniform), (base, code, place, peak_code) = cut, layout
    for rank in range(len(peak)):
        at = place[peak[rank]]
        if at < 0 or bits[rank] < lowest or peak_code[peak[rank]] != code:
            continue
        counters[base + at, N_CELLS] += 1
        counters[base + at, SCORE] += tables[0][bits[rank]]
        if rank < WEIGHTED_PER_ROW:
            counters[base + at, WEIGHT] += whole_weight(tables[1][bits[rank]], denominator, uniform)


@compiled
def frequent_pairs(counters, widths, first, least):  # type: ignore[no-untyped-def]
    """Pairs linked in enough cells, gene by gene.

    Parameters
    ----------
    counters
        ``(n_counters, 3)`` of a run of genes.
    widths, first
        ``(n_genes,)`` counters of each gene of the run, and place of its first counted peak among those.
    least
        Cells that a pair is linked in at least, 1 or more.

    Returns
    -------
    ``(n_pairs,)`` gene of the run and place among the counted peaks, and ``(n_pairs, 3)`` int64 counters.
    """
    n = 0
    for at in range(len(counters)):
        n += counters[at, N_CELLS] >= least
    gene, place, found = np.empty(n, np.int64), np.empty(n, np.int64), np.empty((n, 3), np.int64)
    at, to = 0, 0
    for of in range(len(widths)):
        for i in range(widths[of]):
            if counters[at, N_CELLS] >= least:
                gene[to], place[to] = of, first[of] + i
                for key in range(3):
                    found[to, key] = counters[at, key]
                to += 1
            at += 1
    return gene, place, found


@compiled
def mark(features, place, cell, bits):  # type: ignore[no-untyped-def]
    """Set the bit of a cell for each of its features that has a place in ``(n_places, n_words)`` uint64."""
    bit = np.uint64(1) << np.uint64(cell & 63)
    for feature in features:
        if 0 <= feature < len(place) and place[feature] >= 0:
            bits[place[feature], cell >> 6] |= bit


@compiled
def add_common(first, second, first_bits, second_bits, common):  # type: ignore[no-untyped-def]
    """Add to ``(n_pairs,)`` how many bits both sides of a pair, given by their places, have set."""
    for pair in range(len(first)):
        for word in range(first_bits.shape[1]):
            common[pair] += _set_bits(first_bits[first[pair], word] & second_bits[second[pair], word])


@compiled
def _set_bits(word):  # type: ignore[no-untyped-def]
    """Bits set in 64, added up in pairs, fours and bytes."""
    word -= (word >> np.uint64(1)) & np.uint64(0x5555555555555555)
    word = (word & np.uint64(0x3333333333333333)) + ((word >> np.uint64(2)) & np.uint64(0x3333333333333333))
    word = (word + (word >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((word * np.uint64(0x0101010101010101)) >> np.uint64(56))
