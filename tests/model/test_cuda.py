"""The same network on a GPU and on a CPU; skipped where there is no GPU."""

import numpy as np
import pytest
import torch
from networks import random_graph, random_layout, random_network
from torch.nn.functional import cross_entropy

from bi2scope.model.batch import collate
from bi2scope.model.config import ModelConfig

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU that torch can use")


@pytest.mark.parametrize("kind", ["learned", "uniform", "random"])
@pytest.mark.parametrize(("layers", "heads"), [(1, 1), (2, 4)])
def test_logits_links_and_gradients_agree(kind, layers: int, heads: int) -> None:
    rng = np.random.default_rng(layers)
    layout = random_layout(rng, 200, 900, 6)
    config = ModelConfig(id_dim=8, hidden=16, layers=layers, heads=heads, dropout=0, attention=kind)
    network = random_network(0, config, layout)
    graphs = [random_graph(rng, layout) for _ in range(5)]
    batch = collate(graphs, layout.gene_chromosome, layout.peak_chromosome)
    found = []
    for device in ("cpu", "cuda"):
        moved = network.to(device)
        moved.zero_grad()
        logits, attention = moved(batch.to(device, torch.float64))
        cross_entropy(logits, torch.ones(5, dtype=torch.long, device=device)).backward()
        gradients = {name: p.grad.cpu() for name, p in moved.named_parameters() if p.grad is not None}
        found.append((logits.detach().cpu(), [layer.peak.cpu() for layer in attention], gradients))
    (one, one_peaks, one_gradients), (other, other_peaks, other_gradients) = found
    torch.testing.assert_close(other, one, rtol=1e-9, atol=1e-9)
    assert all(torch.equal(a, b) for a, b in zip(one_peaks, other_peaks, strict=True))
    assert one_gradients.keys() == other_gradients.keys()
    for name, gradient in one_gradients.items():
        torch.testing.assert_close(other_gradients[name], gradient, rtol=1e-7, atol=1e-9)


def test_a_forward_pass_asks_the_device_for_nothing() -> None:
    rng = np.random.default_rng(0)
    layout = random_layout(rng, 200, 900, 6)
    network = random_network(0, ModelConfig(id_dim=8, hidden=16, dropout=0), layout, double=False).cuda()
    graphs = [random_graph(rng, layout) for _ in range(5)]
    batch = collate(graphs, layout.gene_chromosome, layout.peak_chromosome).to("cuda", torch.float32)
    network(batch)[0].sum().backward()
    torch.cuda.set_sync_debug_mode("error")
    try:
        network(batch)[0].sum().backward()
    finally:
        torch.cuda.set_sync_debug_mode("default")
