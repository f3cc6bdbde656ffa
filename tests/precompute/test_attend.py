import numpy as np
import pytest
import torch
from dense_network import dense_forward
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import candidates, cases, random_graph, random_layout, random_network

from bi2scope.data.attention import Cut, Links
from bi2scope.data.graph import CellGraph
from bi2scope.model.batch import collate
from bi2scope.model.checkpoint import Trained
from bi2scope.model.config import ModelConfig, protocol_defaults
from bi2scope.model.features import Normalisation
from bi2scope.model.network import Bi2Former
from bi2scope.precompute.attend import attend


def places_of(links: Links, graph: CellGraph) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of links among the cell's own genes and peaks."""
    return np.searchsorted(graph.gene_index, links.gene), np.searchsorted(graph.peak_index, links.peak)


def trained_of(network: Bi2Former) -> Trained:
    """Enough of a trained model for :func:`attend`, in the network's precision."""
    return Trained(network, network.config, protocol_defaults("paper")[1], None, None, Normalisation())


@settings(deadline=None, max_examples=60)
@given(cases(), st.integers(1, 30))
def test_links_are_the_dense_twins(case, k_max: int) -> None:
    network, graphs = case
    layout, graph = network.layout, graphs[0]
    same = candidates(layout, graph.gene_index, graph.peak_index)
    found = attend(trained_of(network), graph, k_max)
    with torch.no_grad():
        wanted = dense_forward(network, graph)[1]
    assert (len(found), len(found[0])) == (network.config.layers, network.config.heads)
    for layer, (logits, weights) in zip(found, wanted, strict=True):
        for attention, logit, weight in zip(layer, logits.numpy(), weights.numpy(), strict=True):
            assert attention.gene.tolist() == graph.gene_index.tolist()
            above = same & (logit > 0)
            assert attention.n_above.tolist() == above.sum(axis=1).tolist()
            for row in range(len(graph.gene_index)):
                places = np.flatnonzero(above[row])
                places = places[np.argsort(-logit[row, places], kind="stable")][:k_max]
                links = slice(attention.row_start[row], attention.row_start[row + 1])
                assert attention.peak[links].tolist() == graph.peak_index[places].tolist()
                np.testing.assert_allclose(attention.logit[links], logit[row, places], rtol=1e-4, atol=1e-6)
            dense = np.zeros(weight.shape)
            links = attention.links(Cut())
            gene, peak = (
                np.searchsorted(i, j) for i, j in ((graph.gene_index, links.gene), (graph.peak_index, links.peak))
            )
            dense[gene, peak] = links.weight
            kept = np.zeros(weight.shape, dtype=bool)
            kept[gene, peak] = True
            np.testing.assert_allclose(dense, np.where(kept, weight, 0), atol=2e-6)
            if k_max >= 10:
                np.testing.assert_allclose(dense, weight, atol=2e-6)


@settings(deadline=None, max_examples=40)
@given(cases())
def test_weights_are_the_models_own(case) -> None:
    network, graphs = case
    layout, graph = network.layout, graphs[0]
    with torch.no_grad():
        batch = collate([graph], layout.gene_chromosome, layout.peak_chromosome, layout.window)
        own = network(batch.to("cpu", torch.float64))[1]
    for layer, attention in zip(attend(trained_of(network), graph, 50), own, strict=True):
        for head, cell in enumerate(layer):
            dense = np.zeros((len(graph.gene_index), len(graph.peak_index)))
            links = cell.links(Cut(top_k=10))
            gene, peak = (
                np.searchsorted(i, j) for i, j in ((graph.gene_index, links.gene), (graph.peak_index, links.peak))
            )
            dense[gene, peak] = links.weight
            own_links = attention.links()
            chosen = own_links.head == head
            found = dense[own_links.gene[chosen].numpy(), own_links.peak[chosen].numpy()]
            np.testing.assert_allclose(found, own_links.weight[chosen].numpy(), atol=2e-6)
            assert dense.sum() == pytest.approx(float(own_links.weight[chosen].sum()), abs=1e-4)


def test_a_cell_without_peaks_has_rows_without_links() -> None:
    network, whole = _one_case()
    graph = CellGraph(whole.gene_index, whole.gene_count, np.zeros(0, np.int64), np.zeros(0, np.float32))
    for layer in attend(trained_of(network), graph, 5):
        for attention in layer:
            assert attention.row_start.tolist() == [0] * (len(graph.gene_index) + 1)
            assert attention.denominator.tolist() == [1] * len(graph.gene_index)


def _one_case() -> tuple[Bi2Former, CellGraph]:
    rng = np.random.default_rng(0)
    layout = random_layout(rng, 10, 40, 3)
    network = random_network(0, ModelConfig(id_dim=3, hidden=4, heads=2, layers=2), layout)
    return network, random_graph(rng, layout)
