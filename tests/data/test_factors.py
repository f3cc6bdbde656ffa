"""Attention recomputed from factors is the dense one, for any k, head, limit on the distance and scale of counts."""

import dataclasses

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from stores import kept_links, tiny_multiome

from bi2scope.data.attention import CellAttention
from bi2scope.data.candidates import Window
from bi2scope.data.factors import Factors, Recompute
from bi2scope.data.graph import cell_graph
from bi2scope.data.multiome import Multiome


def random_factors(multiome: Multiome, heads: int, counts: str, seed: int = 0) -> Factors:
    rng = np.random.default_rng(seed)
    shapes = ((multiome.n_genes, 6 * heads), (6 * heads,), (multiome.n_peaks, 6 * heads), (6 * heads,))
    return Factors(*(rng.normal(size=shape).astype(np.float32) for shape in shapes), heads, counts)


def dense(factors: Factors, multiome: Multiome, cell: int, head: int, k: int, window: Window | None) -> CellAttention:
    """Queries and keys node by node, all pairs, rows one by one."""
    graph = cell_graph(multiome, cell, cell)
    read = np.log1p if factors.counts == "log1p" else np.array
    query = factors.query[graph.gene_index] + np.outer(read(graph.gene_count), factors.query_per_count)
    key = factors.key[graph.peak_index] + np.outer(read(graph.peak_count), factors.key_per_count)
    d = query.shape[1] // factors.heads
    logits = query[:, head * d : (head + 1) * d] @ key[:, head * d : (head + 1) * d].T
    same = multiome.gene_chromosome[graph.gene_index][:, None] == multiome.peak_chromosome[graph.peak_index]
    if window is not None:
        same &= window.near(graph.gene_index[:, None], graph.peak_index)
    return kept_links(logits.astype(np.float32), same, graph, k)


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 1000),
    heads=st.integers(1, 3),
    counts=st.sampled_from(["raw", "log1p"]),
    top_k=st.none() | st.integers(1, 40),
    max_distance=st.none() | st.sampled_from([1, 100_000, 400_000]),
)
def test_recomputed_is_the_dense_twin(
    seed: int, heads: int, counts: str, top_k: int | None, max_distance: int | None
) -> None:
    multiome = tiny_multiome(3, 30, 60, density=0.4, seed=seed)
    window = Window.of(multiome.genes, multiome.peaks, max_distance)
    factors = random_factors(multiome, heads, counts, seed)
    recompute = Recompute(factors, multiome.gene_chromosome, multiome.peak_chromosome, window)
    for cell in range(3):
        for head in range(heads):
            found = recompute.attention(cell_graph(multiome, cell, cell), top_k, head)
            wanted = dense(factors, multiome, cell, head, top_k or 1000, window)
            for key in ("gene", "row_start", "n_above"):
                np.testing.assert_array_equal(getattr(found, key), getattr(wanted, key))
            np.testing.assert_allclose(found.logit, wanted.logit, rtol=1e-4, atol=1e-5)
            np.testing.assert_allclose(found.denominator, wanted.denominator, rtol=1e-5)
            assert (found.peak != wanted.peak).sum() <= 0.01 * len(found.peak)  # rounding may swap neighbours


def test_a_cell_without_genes_or_peaks_has_no_links() -> None:
    multiome = tiny_multiome(2)
    factors = random_factors(multiome, 1, "raw")
    recompute = Recompute(factors, multiome.gene_chromosome, multiome.peak_chromosome)
    graph, none = cell_graph(multiome, 0, 0), np.zeros(0, dtype=np.int64)
    nothing = none.astype(np.float32)
    assert not len(recompute.attention(dataclasses.replace(graph, gene_index=none, gene_count=nothing), 5).gene)
    lonely = recompute.attention(dataclasses.replace(graph, peak_index=none, peak_count=nothing), None)
    assert (len(lonely.peak), len(lonely.gene)) == (0, len(graph.gene_index))


def test_factors_that_do_not_fit_are_refused() -> None:
    good = random_factors(tiny_multiome(2), 2, "raw")
    for change in ({"counts": "sqrt"}, {"heads": 5}, {"key_per_count": np.zeros(3, dtype=np.float32)}):
        with pytest.raises(ValueError, match=r"heads|width"):
            dataclasses.replace(good, **change)
