"""The highest links of one gene after another over many cells, compiled by numba.

A gene's logits without the counts are one row, worked out once for all cells of the sweep and small enough to stay in
cache; what remains for a cell is to gather its open peaks out of the row, add what the counts bring, and choose.

The choice looks at the few candidates above a guess and puts them in order in two steps. Their logits, coarsened to 512
steps, are ranked by counting for each the higher ones: whole numbers of 16 bits, of which a processor compares a
register full at once. Put down by rank they are in order but for neighbours of one step, which are then moved. All of
it is one file because numba keeps what it compiled by the file alone.
"""

from __future__ import annotations

import numba
import numpy as np

from bi2scope.data.bits import PLACES_OF_BYTE, WIDTH, bits_above, number, put_places

_SAMPLE = 256
"""Static logits of a gene that tell where its highest links begin."""

_BINS = 256
_LEAST, _LARGEST = np.float32(1e-30), np.float32(1e30)

_RANKED = 128
"""Candidates that are ranked by counting; more are sorted."""

_STEPS = np.float32(511)
_LEAST_SPREAD = np.float32(1e-20)
_LOWEST_KEY = -(2**15)
_LAST = 2**31 - 1


@numba.njit(nogil=True, cache=True)
def sweep_genes(genes, query, keys, cells, peaks, chosen, static):  # type: ignore[no-untyped-def]
    """Choose the links of some genes of one chromosome, one head.

    Parameters
    ----------
    genes
        ``(first, stop)`` of the genes; then, of all genes, offsets into the next two, and of each occurrence of a gene
        in a cell the cell and the count.
    query
        ``(n_genes, d)`` static queries and ``(n_genes,)`` what they give for each count of a peak.
    keys
        ``(d, n_peaks)`` static keys of the chromosome.
    cells
        ``(n_cells,)`` first and stop of each cell's open peaks on the chromosome.
    peaks
        Of every open peak: place among the keys, what it gives for each count of a gene, and its count.
    chosen
        To fill, a row for each occurrence: ``(n_rows, places)`` place among the cell's open peaks of the chromosome,
        and logit, both by rank, as many as there are; ``(n_rows,)`` logits above 0. The rows of a gene lie together,
        since to write one here and one there takes longer than to choose.
    static
        ``(stop - first, n_peaks)`` room for the logits without the counts.
    """
    (first, stop), offset, cell_of, gene_count = genes
    np.dot(query[0][first:stop], keys, static)
    start, end = cells
    peak_key, per_gene_count, peak_count = peaks
    place, logit, n_above = chosen
    places, longest = place.shape[1], _whole(max(1, (end - start).max()))
    logits, room = np.empty(longest, np.float32), _scratch(longest)
    bins, falling = np.empty(_BINS, np.int32), np.empty(2 * _SAMPLE, np.float32)
    for gene in range(first, stop):
        if offset[gene] == offset[gene + 1]:
            continue
        own = static[gene - first]
        sampled = _sample(own, bins, falling)
        slack = 1.4  # candidates wanted for each link kept: enough, and few to put in order
        for row in range(offset[gene], offset[gene + 1]):
            run = slice(start[cell_of[row]], end[cell_of[row]])
            n = run.stop - run.start
            _add_counts(
                own, peak_key[run], per_gene_count[run], peak_count[run],
                gene_count[row], query[1][gene], logits,
            )  # fmt: skip
            logits[n : _whole(n)] = -np.inf
            share = slack * places / max(n, 1)
            least = _guess(falling[:sampled], share)
            found, above = _above(logits, n, least, room[1])
            kept, too_high = min(above, places), False
            while found < kept:
                share, too_high = (1.5 * share if above > places else 1.0), True
                least = _guess(falling[:sampled], share)
                found, above = _above(logits, n, least, room[1])
            if above > places:
                slack *= 1.2 if too_high else 0.95 if found > 1.7 * places else 1.0
            _choose(logits, found, kept, least, room, place[row], logit[row])
            n_above[row] = above


@numba.njit(nogil=True, cache=True, fastmath={"contract"})
def _add_counts(static, peak_key, per_gene_count, peak_count, gene_count, per_peak_count, logits):  # type: ignore[no-untyped-def]
    """``z = Q.K + x (wq.K + y wq.wk) + y (Q.wk)`` of a gene with count x and each open peak with count y."""
    for j in range(len(peak_key)):
        logits[j] = static[peak_key[j]] + (gene_count * per_gene_count[j] + peak_count[j] * per_peak_count)


@numba.njit(nogil=True, cache=True)
def _whole(n):  # type: ignore[no-untyped-def]
    """Length in whole registers."""
    return (n + WIDTH - 1) // WIDTH * WIDTH


@numba.njit(nogil=True, cache=True)
def _above(logits, n, least, places):  # type: ignore[no-untyped-def]
    """Places of those of the first ``n`` logits that are above ``least``, ascending.

    Minus infinity must fill the last register, and there must be room for eight places more than are found.

    Returns
    -------
    How many they are, and how many of all are above 0.
    """
    found, above = 0, 0
    for j in range(0, n, WIDTH):
        above += number(bits_above(logits, j, np.float32(0)))
        bits = bits_above(logits, j, least)
        for k in range(0, WIDTH, 8):  # without a branch on the bits, which none could foretell
            byte = (bits >> np.uint64(k)) & np.uint64(0xFF)
            put_places(PLACES_OF_BYTE, byte, np.int32(j + k), places, found)
            found += number(byte)
    return found, above


@numba.njit(nogil=True, cache=True)
def _sample(static, bins, falling):  # type: ignore[no-untyped-def]
    """Some of a row's logits in falling order, to the width of a bin; 0 for those not above it. How many they are."""
    step = max(1, len(static) // _SAMPLE)
    highest = np.float32(0)
    for j in range(0, len(static), step):
        highest = max(highest, static[j])
    falling[:] = 0
    n_sampled = -(-len(static) // step)
    if not _LEAST < highest < _LARGEST:
        return n_sampled
    bins[:] = 0
    scale = np.float32(_BINS - 1) / highest
    for j in range(0, len(static), step):
        if static[j] > 0:
            bins[np.int32(static[j] * scale)] += 1
    n = 0
    for b in range(_BINS - 1, -1, -1):
        for _ in range(bins[b]):
            falling[n] = b / scale
            n += 1
    return n_sampled


@numba.njit(nogil=True, cache=True)
def _guess(falling, share):  # type: ignore[no-untyped-def]
    """A logit that such a share of all may exceed, as a sample tells; 0 for all of them."""
    return falling[int(share * len(falling))] if share < 1 else np.float32(0)


@numba.njit(nogil=True, cache=True)
def _scratch(longest):  # type: ignore[no-untyped-def]
    """Room to choose of at most ``longest`` logits, used again and again: what :func:`_choose` takes."""
    return (
        np.empty(longest, np.float32),
        np.empty(longest + 8, np.int32),
        np.empty(_RANKED, np.int16),
        np.empty(_RANKED, np.int16),
        np.empty(_RANKED, np.float32),
        np.empty(_RANKED, np.int32),
    )


@numba.njit(nogil=True, cache=True)
def _choose(logits, found, kept, least, room, place, logit):  # type: ignore[no-untyped-def]
    """The ``kept`` highest logits in descending order, equal ones by place.

    Parameters
    ----------
    logits
        float32, as many as the candidates tell of.
    found
        How many candidates there are, ``kept`` or more: their places, ascending, begin the second array of the room.
    kept
        How many are wanted.
    least
        What all candidates exceed, 0 or more.
    room
        From :func:`_scratch`.
    place, logit
        To fill, ``kept`` entries of each.
    """
    value, candidates, key, rank, highest, best = room
    if found > _RANKED:
        _sort(logits, candidates[:found], kept, place, logit)
    elif kept > 0:
        _coarsen(logits, candidates[:found], least, value, key)
        _count_higher(key, found, rank)
        for i in range(found):
            highest[rank[i]], best[rank[i]] = value[i], candidates[i]
        _settle(highest[:found], best[:found])
        for r in range(kept):
            place[r], logit[r] = best[r], highest[r]


@numba.njit(nogil=True, cache=True)
def _sort(logits, candidates, kept, place, logit):  # type: ignore[no-untyped-def]
    """Choose by sorting whole numbers whose order is by logit and then by place."""
    keys = np.empty(len(candidates), np.int64)
    bits = logits.view(np.int32)  # of floats above 0 the bits ascend as they do
    for i in range(len(candidates)):
        at = candidates[i]
        keys[i] = (np.int64(bits[at]) << 32) | np.int64(_LAST - at)
    keys.sort()
    for r in range(kept):
        at = _LAST - (keys[len(keys) - 1 - r] & 0xFFFFFFFF)
        place[r], logit[r] = at, logits[at]


@numba.njit(nogil=True, cache=True)
def _coarsen(logits, candidates, least, value, key):  # type: ignore[no-untyped-def]
    """Keys of 16 bits, all different: the step of the logit, then the place; and the logits themselves."""
    found = len(candidates)
    for i in range(found):
        value[i] = logits[candidates[i]]
    bits, most = value.view(np.int32), np.int32(0)  # of floats above 0 the bits ascend as they do: compared faster
    for i in range(found):
        most = max(most, bits[i])
    high, scale = np.int32(most).view(np.float32), np.float32(0)
    if high - least > _LEAST_SPREAD and high < _LARGEST:
        scale = _STEPS / (high - least)
    if scale > 0:
        for i in range(found):
            key[i] = (np.int32((value[i] - least) * scale) << 7) + (_RANKED - 1 - i) + _LOWEST_KEY
    else:
        for i in range(found):
            key[i] = _RANKED - 1 - i + _LOWEST_KEY
    for i in range(found, _whole(found)):
        key[i] = _LOWEST_KEY


@numba.njit(nogil=True, cache=True)
def _count_higher(key, found, rank):  # type: ignore[no-untyped-def]
    """Rank of each key, from 0: the number of higher ones. What fills the last register is higher than none."""
    n = _whole(found)
    for i in range(n):
        rank[i] = 0
    for j in range(0, found, 8):  # eight at a time, so that the ranks are loaded and stored less often
        a, b, c, d = key[j], key[j + 1], key[j + 2], key[j + 3]
        e, f, g, h = key[j + 4], key[j + 5], key[j + 6], key[j + 7]
        for i in range(n):
            one = key[i]
            rank[i] += ((a > one) + (b > one) + (c > one) + (d > one)) + ((e > one) + (f > one) + (g > one) + (h > one))


@numba.njit(nogil=True, cache=True)
def _settle(logit, place):  # type: ignore[no-untyped-def]
    """Move what is not in descending order, equal logits as they stand: an insertion sort of what nearly is."""
    for r in range(1, len(logit)):
        if logit[r] > logit[r - 1]:
            new, own, at = logit[r], place[r], r
            while at > 0 and logit[at - 1] < new:
                logit[at], place[at] = logit[at - 1], place[at - 1]
                at -= 1
            logit[at], place[at] = new, own
