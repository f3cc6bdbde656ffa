import numpy as np
import pytest
import torch
from dense_network import dense_forward
from hypothesis import given, settings
from networks import by_padded_blocks, cases, random_graph, random_layout, random_network

from bi2scope.data.graph import CellGraph
from bi2scope.model import attention
from bi2scope.model.batch import collate
from bi2scope.model.config import ModelConfig


def batch_of(network, graphs):
    layout = network.layout
    return collate(graphs, layout.gene_chromosome, layout.peak_chromosome, layout.window).to("cpu", torch.float64)


@settings(deadline=None, max_examples=40)
@given(cases())
def test_logits_and_gradients_are_those_of_the_dense_twin(case) -> None:
    network, graphs = case
    found, _ = network(batch_of(network, graphs))
    wanted = torch.cat([dense_forward(network, graph)[0] for graph in graphs])
    torch.testing.assert_close(found, wanted, rtol=1e-8, atol=1e-8)
    direction = torch.linspace(-1, 1, found.numel()).view_as(found).double()
    gradients = [
        torch.autograd.grad((out * direction).sum(), list(network.parameters()), materialize_grads=True)
        for out in (found, wanted)
    ]
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-7, atol=1e-8 * (1 + float(other.abs().max())))


@settings(deadline=None, max_examples=40)
@given(cases())
def test_attention_is_that_of_the_dense_twin(case) -> None:
    network, graphs = case
    with torch.no_grad():
        for graph in graphs:
            batch = batch_of(network, [graph])
            for attention, (logit, weight) in zip(network(batch)[1], dense_forward(network, graph)[1], strict=True):
                found, links = torch.zeros_like(weight), attention.links()
                at = (links.head, links.gene, links.peak)
                found[at] = links.weight
                torch.testing.assert_close(found, weight, rtol=1e-8, atol=1e-8)
                torch.testing.assert_close(links.logit, logit[at], rtol=1e-8, atol=1e-8)
                torch.testing.assert_close(links.score, torch.sigmoid(logit[at]), rtol=1e-8, atol=1e-8)


@settings(deadline=None, max_examples=40)
@given(cases())
def test_a_batch_is_its_graphs_one_by_one(case) -> None:
    network, graphs = case
    with torch.no_grad():
        together = network(batch_of(network, graphs))[0]
        alone = torch.cat([network(batch_of(network, [graph]))[0] for graph in graphs])
    torch.testing.assert_close(together, alone, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("layers", "heads"), [(1, 1), (1, 2), pytest.param(2, 2, marks=pytest.mark.slow)])
def test_gradcheck(layers: int, heads: int) -> None:
    rng = np.random.default_rng(5)
    layout = random_layout(rng, 3, 25, 2)
    config = ModelConfig(id_dim=1, hidden=2 * heads, layers=layers, heads=heads, dropout=0)
    network = random_network(7, config, layout)
    batch = batch_of(network, [random_graph(rng, layout, 0.7) for _ in range(2)])
    names = [name for name, _ in network.named_parameters()]

    def logits(*values: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(network, dict(zip(names, values, strict=True)), (batch,))[0]

    assert torch.autograd.gradcheck(logits, tuple(network.parameters()), atol=1e-6)


def test_attention_alone_is_that_of_the_forward_pass() -> None:
    rng = np.random.default_rng(11)
    layout = random_layout(rng, 10, 40, 3)
    network = random_network(1, ModelConfig(id_dim=3, hidden=4, layers=3, heads=2, dropout=0), layout)
    batch = batch_of(network, [random_graph(rng, layout) for _ in range(3)])
    with torch.no_grad():
        for one, other in zip(network(batch)[1], network.attention(batch), strict=True):
            assert torch.equal(one.weight, other.weight)
            assert torch.equal(one.peak, other.peak)


def test_nothing_is_kept_on_the_module() -> None:
    rng = np.random.default_rng(2)
    layout = random_layout(rng, 6, 20, 2)
    network = random_network(1, ModelConfig(id_dim=3, hidden=4), layout, double=False)
    before = {name: set(vars(module)) for name, module in network.named_modules()}
    network(collate([random_graph(rng, layout)], layout.gene_chromosome, layout.peak_chromosome, layout.window))
    assert {name: set(vars(module)) for name, module in network.named_modules()} == before


def test_parameters_are_named_as_published() -> None:
    layout = random_layout(np.random.default_rng(0), 6, 20, 2)
    one, two = (
        random_network(0, ModelConfig(id_dim=3, hidden=4, heads=heads), layout).state_dict() for heads in (1, 2)
    )
    parts = ("rna_query", "atac_key", "rna_value", "atac_value", "rna_self_attention", "atac_self_attention")
    parts += ("dim_reduction_rna", "dim_reduction_atac")
    wanted = {f"cross_attention_layers.0.{part}.{kind}" for part in parts for kind in ("weight", "bias")}
    wanted |= {f"fc{i}.{kind}" for i in (1, 2, 3) for kind in ("weight", "bias")}
    assert set(one) == wanted | {"rna_idembedding.weight", "atac_idembedding.weight"}
    output = {
        f"cross_attention_layers.0.{side}_out_proj.{kind}" for side in ("rna", "atac") for kind in ("weight", "bias")
    }
    assert set(two) - set(one) == output


def test_a_graph_without_genes_or_peaks_stays_finite() -> None:
    layout = random_layout(np.random.default_rng(0), 6, 20, 2)
    network = random_network(0, ModelConfig(id_dim=3, hidden=4, layers=2), layout)
    none, one = np.zeros(0, np.int64), np.array([3])
    graphs = [
        CellGraph(none, none.astype(np.float32), one, np.ones(1, np.float32)),
        CellGraph(one, np.ones(1, np.float32), none, none.astype(np.float32)),
    ]
    assert torch.isfinite(network(batch_of(network, graphs))[0]).all()


def test_static_factors_give_the_first_layers_queries_and_keys() -> None:
    rng = np.random.default_rng(4)
    layout = random_layout(rng, 10, 40, 3)
    network = random_network(1, ModelConfig(id_dim=3, hidden=4, counts="log1p"), layout)
    graph = random_graph(rng, layout)
    with torch.no_grad():
        attention = network.attention(batch_of(network, [graph]))[0]
    factors = network.static_factors()
    query = (
        factors.query[graph.gene_index]
        + torch.log1p(torch.from_numpy(graph.gene_count))[:, None] * factors.query_per_count
    )
    torch.testing.assert_close(query, attention.query.nodes()[:, 0])
    key = (
        factors.key[graph.peak_index] + torch.log1p(torch.from_numpy(graph.peak_count))[:, None] * factors.key_per_count
    )
    torch.testing.assert_close(key, attention.key.nodes()[:, 0])


@settings(deadline=None, max_examples=40)
@given(cases())
def test_tables_of_all_features_change_nothing(case) -> None:
    network, graphs = case
    batch, tables = batch_of(network, graphs), network.tables()
    with torch.no_grad():
        for _ in range(2):  # the second time from what the first one left
            found, wanted = network(batch, tables), network(batch)
            torch.testing.assert_close(found[0], wanted[0], rtol=1e-9, atol=1e-9)
            for one, other in zip(found[1], wanted[1], strict=True):
                torch.testing.assert_close(one.weight, other.weight, rtol=1e-9, atol=1e-9)


@settings(deadline=None, max_examples=40)
@given(cases())
def test_padded_products_train_as_the_kernel_does(case) -> None:
    """What a GPU runs, on the CPU: logits and gradients."""
    network, graphs = case
    batch = batch_of(network, graphs)
    found = []
    with pytest.MonkeyPatch.context() as patch:
        for choose in (attention.top_peaks, by_padded_blocks):
            patch.setattr(attention, "top_peaks", choose)
            logits = network(batch)[0]
            gradients = torch.autograd.grad(logits[:, 1].sum(), list(network.parameters()), materialize_grads=True)
            found.append((logits, *gradients))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-9)


def test_mixed_precision_leaves_logits_in_float32() -> None:
    rng = np.random.default_rng(5)
    layout = random_layout(rng, 30, 120, 3)
    network = random_network(2, ModelConfig(id_dim=8, hidden=8, layers=2, heads=2, dropout=0), layout, double=False)
    graphs = [random_graph(rng, layout) for _ in range(3)]
    batch = collate(graphs, layout.gene_chromosome, layout.peak_chromosome)
    wanted = network(batch)[0]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits, layers = network(batch)
    assert all(layer.logit.dtype == torch.float32 for layer in layers)
    torch.testing.assert_close(logits.float(), wanted, rtol=0.1, atol=0.1)
    logits.float().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in network.parameters())
