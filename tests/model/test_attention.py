"""The block algorithm against the dense twin, on integers: products are exact, so equal logits are exactly equal."""

import numpy as np
import pytest
import torch
from dense import dense_denominators, dense_weights
from hypothesis import given
from hypothesis import strategies as st
from networks import candidates, random_graph, random_layout, random_window, windows
from scipy.linalg import block_diag

from bi2scope.model.attention import LinkLogits, attend, sum_links, top_peaks
from bi2scope.model.batch import GraphBatch, collate


@st.composite
def integer_cases(draw: st.DrawFn) -> tuple[GraphBatch, torch.Tensor, torch.Tensor, np.ndarray]:
    """A batch, whole-number queries and keys, and which (gene, peak) of one graph are candidates."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    layout = random_layout(rng, draw(st.integers(1, 12)), draw(st.integers(1, 50)), draw(st.integers(1, 4)))
    max_distance = draw(windows())
    if max_distance is not None:
        layout = random_window(rng, layout, max_distance)
    graphs = [random_graph(rng, layout, draw(st.sampled_from([0.1, 0.5, 1.0]))) for _ in range(draw(st.integers(1, 3)))]
    batch = collate(graphs, layout.gene_chromosome, layout.peak_chromosome, layout.window)
    heads, span = draw(st.integers(1, 3)), draw(st.integers(0, 3))
    query, key = (
        torch.from_numpy(rng.integers(-span, span + 1, (sum(len(part) for part in parts), heads, 3))).double()
        for parts in ([g.gene_index for g in graphs], [g.peak_index for g in graphs])
    )
    return batch, query, key, block_diag(*(candidates(layout, g.gene_index, g.peak_index) for g in graphs)) > 0


@given(integer_cases(), st.integers(1, 60))
def test_highest_peaks_stand_by_logit_then_in_genome_order(case, places: int) -> None:
    batch, query, key, same = case
    top = top_peaks(query, key, batch.buckets, places, counted=True)
    logits = torch.einsum("ghd,phd->ghp", query, key).numpy()
    for gene, head in np.ndindex(*top.n_above.shape):
        candidates = np.flatnonzero(same[gene])
        wanted = candidates[np.argsort(-logits[gene, head, candidates], kind="stable")][:places]
        found = top.peak[gene, head].numpy()
        assert found[: len(wanted)].tolist() == wanted.tolist()
        assert (found[len(wanted) :] == -1).all()
        assert top.logit[gene, head, : len(wanted)].tolist() == logits[gene, head, wanted].tolist()
        assert top.n_above[gene, head] == (logits[gene, head, candidates] > 0).sum()


@given(integer_cases())
def test_weights_are_those_of_the_dense_twin(case) -> None:
    batch, query, key, same = case
    attention = attend(query, key, batch)
    found = np.zeros((query.shape[1], len(query), len(key)))
    found[attention.head.numpy(), attention.gene.numpy(), attention.peak.numpy()] = attention.weight.numpy()
    logits = torch.einsum("ghd,phd->hgp", query, key).numpy()
    for graph in range(batch.n_graphs):
        genes, peaks = (
            np.arange(int(n.start[graph]), int(n.start[graph] + n.size[graph])) for n in (batch.genes, batch.peaks)
        )
        cell = np.ix_(genes, peaks)
        for head in range(len(found)):
            wanted = dense_weights(logits[head][cell], same[cell])
            np.testing.assert_allclose(found[head][cell], wanted, atol=1e-12)
            assert (wanted[~same[cell]] == 0).all()
    assert found.sum() == pytest.approx(attention.weight.sum().item())  # and nothing outside the graphs' own blocks


def test_a_row_that_runs_out_of_pads_takes_its_next_scores() -> None:
    """Twelve peaks on the gene's chromosome, one elsewhere: 4 scores above 0.5, 1 pad, 5 negative logits."""
    layout = random_layout(np.random.default_rng(0), 1, 13, 2)
    object.__setattr__(layout, "gene_chromosome", np.array([0]))
    object.__setattr__(layout, "peak_chromosome", np.array([0] * 12 + [1]))
    graph = random_graph(np.random.default_rng(0), layout, 1.0)
    batch = collate([graph], layout.gene_chromosome, layout.peak_chromosome)
    logit = torch.tensor([4.0, 3, 2, 1, -1, -2, -3, -4, -5, -6, -7, -8, 99]).double()
    key = logit[:, None, None].clone().requires_grad_()
    attention = attend(torch.ones(1, 1, 1).double(), key, batch)
    score = torch.sigmoid(logit[:9])
    denominator = torch.exp(score).sum() + np.exp(0.5)
    np.testing.assert_allclose(attention.weight[:4].detach(), torch.exp(score[:4]) / denominator, atol=1e-12)
    assert (attention.weight[4:] == 0).all()
    attention.weight.sum().backward()
    assert (key.grad[4:9] != 0).all()  # they carry gradient through the denominator
    assert (key.grad[9:] == 0).all()


def test_denominators_of_the_twin_are_those_of_the_published_rule() -> None:
    logits = np.array([[3.0, -1.0, 5.0]])
    same = np.array([[True, True, False]])
    wanted = np.exp(1 / (1 + np.exp(-3.0))) + np.exp(0.5) + np.exp(1 / (1 + np.exp(1.0)))
    assert dense_denominators(logits, same)[0] == pytest.approx(wanted)


def test_link_logits_pass_gradcheck() -> None:
    rng = np.random.default_rng(3)
    query, key = (torch.from_numpy(rng.standard_normal((n, 3))).requires_grad_() for n in (4, 6))
    row, column = torch.tensor([0, 0, 1, 3, 3]), torch.tensor([5, 0, 0, 2, 5])

    def logits(query: torch.Tensor, key: torch.Tensor) -> torch.Tensor:
        value = (query[row] * key[column]).sum(1).detach()
        return LinkLogits.apply(query, key, row, column, value)

    assert torch.autograd.gradcheck(logits, (query, key))


def test_sums_over_links_are_matrix_products() -> None:
    dense = torch.tensor([[0, 2.0, 0], [0, 0, 0], [1, 0, 3]])
    row, column = dense.nonzero(as_tuple=True)
    value = torch.arange(6.0).view(3, 2)
    assert torch.equal(
        sum_links(dense[row, column], value, row, column, 5), torch.cat([dense @ value, torch.zeros(2, 2)])
    )
