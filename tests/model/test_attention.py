"""The block algorithm against the dense twin, on integers: products are exact, so equal logits are exactly equal."""

import numpy as np
import pytest
import torch
from dense import dense_denominators, dense_weights
from hypothesis import given
from networks import integer_cases, projected, random_graph, random_layout

from bi2scope.model.attention import LinkLogits, Projected, attend, sum_by_column
from bi2scope.model.batch import collate


@given(integer_cases())
def test_weights_are_those_of_the_dense_twin(case) -> None:
    batch, query, key, same = case
    links = attend(projected(query), projected(key), batch).links()
    found = np.zeros((query.shape[1], len(query), len(key)))
    found[links.head.numpy(), links.gene.numpy(), links.peak.numpy()] = links.weight.numpy()
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
    assert found.sum() == pytest.approx(links.weight.sum().item())  # and nothing outside the graphs' own blocks


def test_a_row_that_runs_out_of_pads_takes_its_next_scores() -> None:
    """Twelve peaks on the gene's chromosome, one elsewhere: 4 scores above 0.5, 1 pad, 5 negative logits."""
    layout = random_layout(np.random.default_rng(0), 1, 13, 2)
    object.__setattr__(layout, "gene_chromosome", np.array([0]))
    object.__setattr__(layout, "peak_chromosome", np.array([0] * 12 + [1]))
    graph = random_graph(np.random.default_rng(0), layout, 1.0)
    batch = collate([graph], layout.gene_chromosome, layout.peak_chromosome)
    logit = torch.tensor([4.0, 3, 2, 1, -1, -2, -3, -4, -5, -6, -7, -8, 99]).double()
    key = logit[:, None, None].clone().requires_grad_()
    weight = attend(projected(torch.ones(1, 1, 1).double()), projected(key), batch).weight[0, 0]
    score = torch.sigmoid(logit[:9])
    denominator = torch.exp(score).sum() + np.exp(0.5)
    np.testing.assert_allclose(weight[:4].detach(), torch.exp(score[:4]) / denominator, atol=1e-12)
    assert (weight[4:] == 0).all()
    weight.sum().backward()
    assert (key.grad[4:9] != 0).all()  # they carry gradient through the denominator
    assert (key.grad[9:] == 0).all()


def test_denominators_of_the_twin_are_those_of_the_published_rule() -> None:
    logits = np.array([[3.0, -1.0, 5.0]])
    same = np.array([[True, True, False]])
    wanted = np.exp(1 / (1 + np.exp(-3.0))) + np.exp(0.5) + np.exp(1 / (1 + np.exp(1.0)))
    assert dense_denominators(logits, same)[0] == pytest.approx(wanted)


def test_link_logits_pass_gradcheck() -> None:
    rng = np.random.default_rng(3)
    sizes = {"query": 4, "key": 6}
    tables = [torch.from_numpy(rng.standard_normal((n, 2, 3))).requires_grad_() for n in sizes.values()]
    per_count = [torch.from_numpy(rng.standard_normal((2, 3))).requires_grad_() for _ in sizes]
    slot = [torch.from_numpy(rng.integers(0, n, n + 3)) for n in sizes.values()]
    count = [torch.from_numpy(rng.standard_normal(n + 3)) for n in sizes.values()]
    peak = torch.from_numpy(rng.integers(-1, 9, (7, 2, 5)))

    def logits(*parts: torch.Tensor) -> torch.Tensor:
        query, key = (Projected(parts[i], slot[i], count[i], parts[2 + i]) for i in range(2))
        value = torch.einsum("ghd,ghkd->ghk", query.nodes(), key.nodes()[peak.clamp(min=0), torch.arange(2)[:, None]])
        value = value.detach().masked_fill(peak < 0, 0)
        return LinkLogits.apply(parts[0], parts[2], parts[1], parts[3], query, key, peak, value)

    assert torch.autograd.gradcheck(logits, (*tables, *per_count))


def test_sums_by_column_are_matrix_products() -> None:
    weight, column = torch.tensor([2.0, 1, 3, 0.5]), torch.tensor([1, 3, 3, 1])  # two rows of two links each
    value = torch.arange(6.0).view(2, 3)
    dense = torch.zeros(2, 5)
    dense[torch.tensor([0, 0, 1, 1]), column] = weight
    assert torch.equal(sum_by_column(weight, value, column, 2, torch.Size((5, 3))), dense.T @ value)


@given(integer_cases())
def test_uniform_attention_weighs_the_same_links_alike(case) -> None:
    batch, query, key, _ = case
    learned = attend(projected(query), projected(key), batch)
    uniform = attend(projected(query), projected(key), batch, "uniform")
    assert torch.equal(uniform.peak, learned.peak)
    assert torch.equal(uniform.logit, learned.logit)
    assert torch.equal(uniform.weight, (learned.weight > 0).double() / 10)


@pytest.mark.parametrize("heads", [1, 3])
def test_random_attention_is_spread_over_the_candidates_and_belongs_to_the_graph(heads: int) -> None:
    rng = np.random.default_rng(0)
    layout = random_layout(rng, 40, 400, 2)
    graphs = [random_graph(rng, layout, share) for share in (0.5, 0.5, 0.9)]
    batch = collate([*graphs, graphs[0]], layout.gene_chromosome, layout.peak_chromosome)
    nodes = [projected(torch.zeros(len(kind.slot), heads, 2)) for kind in (batch.genes, batch.peaks)]
    attention = attend(*nodes, batch, "random")
    links = attention.links()
    assert attention.peak.shape == (len(batch.genes.slot), heads, 10)
    assert ((links.logit > 0) & (links.logit < 6)).all()
    assert (links.weight > 0).all()
    genes, peaks = (kind.feature[kind.slot] for kind in (batch.genes, batch.peaks))
    same = layout.gene_chromosome[genes[links.gene]] == layout.peak_chromosome[peaks[links.peak]]
    assert same.all()
    first, last = (int(batch.genes.start[i]) for i in (0, 3))
    n = int(batch.genes.size[0])
    assert torch.equal(attention.logit[first : first + n], attention.logit[last : last + n])  # the same graph again
    assert not torch.equal(attention.logit[first : first + n, 0], attention.logit[first : first + n, -1]) or heads == 1
    chosen = np.bincount(peaks[links.peak][links.gene < n].numpy(), minlength=400)
    assert chosen.max() < 5 * chosen.sum() / 200  # no peak has many of the genes, as it would if it had its own logit
