"""The highest peaks of every gene on a CPU: block by block, gather, multiply and choose while all of it is in cache.

``torch.topk`` over padded blocks takes several times as long as the products themselves. Here a block's queries and
keys are put together in a small buffer, multiplied by BLAS, and each row of logits is scanned once; threads share the
blocks. Compiled by numba, without the interpreter's lock.
"""

from __future__ import annotations

import functools
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numba
import numpy as np
import numpy.typing as npt
import torch
from threadpoolctl import ThreadpoolController

from bi2scope.model.blocks import Blocks
from bi2scope.model.random_attention import LARGEST, MASK, MULTIPLIER, ROUNDS

_GENES = 256
"""Genes of a block that are multiplied at once: bounds the logits held."""

_SHARED = 1 << 17
"""Logits of a batch from which several threads pay."""

Array = npt.NDArray[Any]


def choose(
    blocks: Blocks,
    query: tuple[Array, Array, Array, Array],
    key: tuple[Array, Array, Array, Array],
    near: tuple[Array, Array, int],
    places: int,
    random: bool = False,
) -> tuple[Array, Array, Array]:
    """The ``places`` highest candidate peaks of every gene and head, by logit and then in genome order.

    Parameters
    ----------
    blocks
        Runs of genes and peaks that are multiplied.
    query, key
        ``(n_features, heads, d)`` table, ``(n_nodes,)`` row in it and count of each node, ``(heads, d)`` per unit of
        count: a node has ``table[row] + count * per_count``.
    near
        ``(n_genes,)`` and ``(n_peaks,)`` places on the chromosome and the largest distance of a candidate; below 0
        for no limit.
    places
        Peaks of a row.
    random
        Whether the logits are random numbers of the pair: the tables hold one hash of each feature then.

    Returns
    -------
    ``(n_genes, heads, places)`` positions of peaks (-1 where there is none) and logits (``-inf``), and
    ``(n_genes, heads)`` how many candidates have a logit above 0.
    """
    n_genes, heads = len(query[1]), query[0].shape[1]
    dtype = np.float32 if random else query[0].dtype
    peak = np.full((n_genes, heads, places), -1, dtype=np.int64)
    logit = np.full((n_genes, heads, places), -np.inf, dtype=dtype)
    n_above = np.zeros((n_genes, heads), dtype=np.int64)
    runs = (blocks.gene_start, blocks.n_genes, blocks.peak_start, blocks.n_peaks)
    fill = _choose_at_random if random else _choose_by_product

    def share(first: int, step: int) -> None:
        fill(first, step, runs, query, key, near, (peak, logit, n_above))

    threads = torch.get_num_threads()
    if threads == 1 or int(blocks.n_genes @ blocks.n_peaks) < _SHARED:
        share(0, 1)
    else:
        with _blas().limit(limits=1, user_api="blas"):  # each thread multiplies on its own
            list(_pool(threads).map(lambda first: share(first, threads), range(threads)))
    return peak, logit, n_above


@functools.cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="bi2scope-attention")


@functools.cache
def _blas() -> ThreadpoolController:
    return ThreadpoolController()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)  # a child has none of its parent's threads


@numba.njit(nogil=True, cache=True)
def _choose_by_product(first, step, blocks, query, key, near, chosen):  # type: ignore[no-untyped-def]
    """Blocks ``first, first + step, ...``: logits are products of queries and keys."""
    gene_start, n_genes, peak_start, n_peaks = blocks
    heads, d = query[0].shape[1:]
    queries = np.empty((_GENES, d), query[0].dtype)
    keys = np.empty((n_peaks.max() if len(n_peaks) else 0, d), query[0].dtype)
    product = np.empty(_GENES * len(keys), query[0].dtype)
    for block in range(first, len(gene_start), step):
        p = n_peaks[block]
        for head in range(heads):
            _gather(key, peak_start[block], p, head, keys)
            for begin in range(0, n_genes[block], _GENES):
                g = min(_GENES, n_genes[block] - begin)
                gene = gene_start[block] + begin
                _gather(query, gene, g, head, queries)
                logits = product[: g * p].reshape(g, p)
                np.dot(queries[:g], keys[:p].T, logits)
                for i in range(g):
                    _choose_of_row(logits[i], gene + i, peak_start[block], head, near, chosen)


@numba.njit(nogil=True, cache=True)
def _choose_at_random(first, step, blocks, query, key, near, chosen):  # type: ignore[no-untyped-def]
    """The same with logits that are random numbers of the pair (:func:`_pair_logit` of the hashes of its nodes)."""
    gene_start, n_genes, peak_start, n_peaks = blocks
    heads = query[0].shape[1]
    logits = np.empty(n_peaks.max() if len(n_peaks) else 0, np.float32)
    for block in range(first, len(gene_start), step):
        for gene in range(gene_start[block], gene_start[block] + n_genes[block]):
            for head in range(heads):
                own = query[0][query[1][gene], head, 0]
                for j in range(n_peaks[block]):
                    logits[j] = _pair_logit(own, key[0][key[1][peak_start[block] + j], head, 0])
                _choose_of_row(logits[: n_peaks[block]], gene, peak_start[block], head, near, chosen)


@numba.njit(nogil=True, cache=True)
def _gather(nodes, start, n, head, out):  # type: ignore[no-untyped-def]
    """Queries or keys of a run of nodes."""
    table, row, count, per_count = nodes
    for i in range(n):
        own, times = table[row[start + i], head], count[start + i]
        for j in range(out.shape[1]):
            out[i, j] = own[j] + times * per_count[head, j]


@numba.njit(nogil=True, cache=True)
def _choose_of_row(logits, gene, peak_start, head, near, chosen):  # type: ignore[no-untyped-def]
    """Insert each logit that is among the highest so far; an equal one stays behind those that came before."""
    gene_place, peak_place, max_distance = near
    peaks, values = chosen[0][gene, head], chosen[1][gene, head]
    places, n, above, least = len(values), 0, 0, -np.inf
    for j in range(len(logits)):
        value = logits[j]
        if max_distance >= 0 and abs(peak_place[peak_start + j] - gene_place[gene]) > max_distance:
            continue
        above += value > 0
        if value <= least:
            continue  # and a NaN goes on: it must not vanish
        at = min(n, places - 1)
        while at > 0 and not values[at - 1] >= value:
            values[at], peaks[at] = values[at - 1], peaks[at - 1]
            at -= 1
        values[at], peaks[at] = value, peak_start + j
        n = min(n + 1, places)
        if n == places:
            least = values[places - 1]
    chosen[2][gene, head] = above


@numba.njit(nogil=True, cache=True)
def _pair_logit(gene, peak):  # type: ignore[no-untyped-def]
    """What :func:`bi2scope.model.random_attention.random_logits` says of one pair."""
    value = (gene ^ peak) & MASK
    for _ in range(ROUNDS):
        value = (value * MULTIPLIER) & MASK
        value ^= value >> 16
    return np.float32(((value >> 10) * 2 + 1) * (LARGEST / 2**23))
