"""Cuts, ranks and weights against the dense twin."""

import numpy as np
import pytest
from dense import dense_denominators, dense_scores, dense_weights
from hypothesis import given
from hypothesis import strategies as st

from bi2scope.data.attention import CellAttention, Cut, pruned_weight, score_of, softmax_denominator
from bi2scope.data.errors import ConfigurationError


@st.composite
def cells(draw):
    """Logits (float32) of one cell's genes and peaks, and which share a chromosome; both in genome order."""
    seed = draw(st.integers(0, 2**32 - 1))
    n_genes, n_peaks, n_chromosomes = draw(st.integers(1, 8)), draw(st.integers(0, 40)), draw(st.integers(1, 5))
    rng = np.random.default_rng(seed)
    genes, peaks = (np.sort(rng.integers(0, n_chromosomes, n)) for n in (n_genes, n_peaks))
    logits = rng.normal(draw(st.floats(-3, 3)), draw(st.floats(0.1, 30)), (n_genes, n_peaks)).astype(np.float32)
    return logits, genes[:, None] == peaks


def attention_of(logits, same_chromosome, k_max=None):
    """The same cell as rows of links, gene by gene."""
    rows, n_above, top = [], [], np.zeros((len(logits), 10), dtype=np.float32)
    for row, (logit, possible) in enumerate(zip(logits, same_chromosome, strict=True)):
        own = np.flatnonzero(possible)
        own = own[np.argsort(-logit[own], kind="stable")]
        top[row, : len(own[:10])] = score_of(logit[own[:10]])
        above = own[score_of(logit[own]) > 0.5]
        n_above.append(len(above))
        rows.append(above[:k_max])
    peak = np.concatenate([np.zeros(0, dtype=np.int32), *rows]).astype(np.int32)
    gene = np.repeat(np.arange(len(rows)), [len(row) for row in rows])
    return CellAttention(
        gene=np.arange(len(logits), dtype=np.int32),
        row_start=np.concatenate(([0], np.cumsum([len(row) for row in rows]))).astype(np.int64),
        peak=peak,
        logit=logits[gene, peak],
        n_above=np.array(n_above, dtype=np.int32),
        denominator=softmax_denominator(top, same_chromosome.sum(axis=1), (~same_chromosome).sum(axis=1)),
    )


@given(cells())
def test_denominators_are_those_of_the_dense_twin(cell):
    attention = attention_of(*cell)
    np.testing.assert_allclose(attention.denominator, dense_denominators(*cell), rtol=1e-6)


@given(cells())
def test_uncut_links_are_all_scores_above_one_half(cell):
    links, scores = attention_of(*cell).links(Cut()), dense_scores(*cell).astype(np.float32)
    assert not links.truncated
    found = np.zeros_like(scores)
    found[links.gene, links.peak] = links.score
    np.testing.assert_allclose(found, np.where(scores > 0.5, scores, 0), atol=1e-6)


@given(cells())
def test_weights_are_those_of_the_dense_twin(cell):
    links, weights = attention_of(*cell).links(Cut()), dense_weights(*cell)
    found = np.zeros_like(weights)
    found[links.gene, links.peak] = links.weight
    # Scores that round to one value in float32 may take the last places in another order, with the same weights.
    np.testing.assert_allclose(-np.sort(-found, axis=1), -np.sort(-weights, axis=1), atol=1e-5)


@given(cells(), st.floats(0.5, 1), st.none() | st.integers(1, 45))
def test_cuts_keep_the_highest_k_above_the_threshold(cell, threshold, top_k):
    logits, same = cell
    links = attention_of(logits, same).links(Cut(threshold, top_k))
    scores = score_of(np.where(same, logits, -np.inf).astype(np.float32))
    wanted = set()
    for gene, row in enumerate(scores):
        order = np.argsort(-np.where(same[gene], logits[gene], -np.inf), kind="stable")[:top_k]
        wanted |= {(gene, int(peak)) for peak in order if same[gene, peak] and row[peak] > np.float32(threshold)}
    assert set(zip(links.gene.tolist(), links.peak.tolist(), strict=True)) == wanted
    assert len(links) == len(wanted)
    assert not links.truncated


@given(cells())
def test_ranks_count_from_one_within_each_gene(cell):
    links = attention_of(*cell).links(Cut())
    for gene in np.unique(links.gene):
        of_gene = links.gene == gene
        assert links.rank[of_gene].tolist() == list(range(1, of_gene.sum() + 1))
        assert (np.diff(links.logit[of_gene]) <= 0).all()


@given(cells(), st.integers(0, 15), st.floats(0.5, 1), st.none() | st.integers(1, 20))
def test_a_cut_off_row_says_truncated_exactly_when_links_are_missing(cell, k_max, threshold, top_k):
    cut = Cut(threshold, top_k)
    kept, whole = attention_of(*cell, k_max=k_max).links(cut), attention_of(*cell).links(cut)
    if len(kept) < len(whole):
        assert kept.truncated
    if kept.truncated and k_max > 0:
        # The next link of a row is not known; it can only be suspected where the last kept one survives.
        rows = np.bincount(whole.gene, minlength=len(cell[0]))
        assert (rows >= k_max).any()
    if not kept.truncated:
        assert kept.peak.tolist() == whole.peak.tolist()


def test_the_worked_case_of_the_module():
    attention = CellAttention(
        gene=np.array([4, 7, 9], dtype=np.int32),
        row_start=np.array([0, 3, 3, 5]),
        peak=np.array([12, 10, 15, 31, 30], dtype=np.int32),
        logit=np.array([2.1, 0.9, 0.2, 1.5, 0.3], dtype=np.float32),
        n_above=np.array([8, 0, 2], dtype=np.int32),
        denominator=np.full(3, 17, dtype=np.float32),
    )
    assert attention.row.tolist() == [0, 0, 0, 2, 2]
    assert attention.rank.tolist() == [1, 2, 3, 1, 2]
    links = attention.links(Cut(0.6, 2))
    assert links.gene.tolist() == [4, 4, 9]
    assert links.peak.tolist() == [12, 10, 31]
    assert not links.truncated
    assert attention.links(Cut()).truncated
    assert not attention.links(Cut(0.6)).truncated  # the last link kept of gene 4 scores 0.55
    only = links.where(links.gene == 9)
    assert (only.peak.tolist(), only.rank.tolist(), len(only)) == ([31], [1], 1)


def test_weights_stop_after_the_tenth_rank():
    rank = np.arange(1, 13)
    weight = pruned_weight(np.full(12, 0.9, dtype=np.float32), rank, np.full(12, 20.0))
    np.testing.assert_allclose(weight[:10], np.exp(0.9) / 20, rtol=1e-6)
    assert weight[10:].tolist() == [0, 0]
    assert weight.dtype == np.float32


def test_pads_of_one_half_count_in_the_denominator():
    """The formula of the model for m scores above 0.5: their exponentials and (10 - m) pads of exp(0.5)."""
    top = np.array([[0.9, 0.8, 0.3] + [0.2] * 7], dtype=np.float32)
    found = softmax_denominator(top, np.array([10]), np.array([100]))
    np.testing.assert_allclose(found, np.exp(0.9) + np.exp(0.8) + 8 * np.exp(0.5), rtol=1e-6)
    # With one peak elsewhere, the next seven scores of the chromosome fill the places.
    found = softmax_denominator(top, np.array([10]), np.array([1]))
    wanted = np.exp(0.9) + np.exp(0.8) + np.exp(0.5) + np.exp(0.3) + 6 * np.exp(0.2)
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_a_cell_without_peaks_can_be_divided_by():
    assert softmax_denominator(np.zeros((2, 10)), np.zeros(2, int), np.zeros(2, int)).tolist() == [1, 1]


@pytest.mark.parametrize("threshold", [0.49, 1.01, -1, float("nan")])
def test_a_threshold_out_of_range_is_refused(threshold):
    with pytest.raises(ConfigurationError, match=r"The threshold is .*; it cuts on the score and goes from 0.5 to 1"):
        Cut(threshold)


@pytest.mark.parametrize("top_k", [0, -3])
def test_a_k_below_one_is_refused(top_k):
    with pytest.raises(ConfigurationError, match=f"k is {top_k}; it counts peaks per gene and starts at 1"):
        Cut(0.5, top_k)


def test_the_cut_on_the_score_is_strict():
    assert Cut(0.75).keeps(np.array([0.75, 0.7500001], dtype=np.float32), np.array([1, 1])).tolist() == [False, True]
