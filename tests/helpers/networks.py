"""Small random networks and graphs."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import strategies as st

from bi2scope.data.graph import CellGraph
from bi2scope.model.config import ModelConfig
from bi2scope.model.network import Bi2Former, FeatureLayout


def random_layout(rng: np.random.Generator, n_genes: int, n_peaks: int, n_chromosomes: int) -> FeatureLayout:
    """Chromosomes drawn at random, so that some have genes or peaks only."""
    return FeatureLayout(
        gene_chromosome=np.sort(rng.integers(0, n_chromosomes, n_genes)),
        peak_chromosome=np.sort(rng.integers(0, n_chromosomes, n_peaks)),
        n_chromosomes=n_chromosomes,
        gene_attributes=rng.standard_normal((n_genes, 4)).astype(np.float32),
    )


def random_graph(rng: np.random.Generator, layout: FeatureLayout, density: float = 0.5) -> CellGraph:
    """At least one gene and one peak."""
    parts = []
    for n in (len(layout.gene_chromosome), len(layout.peak_chromosome)):
        kept = rng.random(n) < density
        kept[rng.integers(n)] = True
        parts += [np.flatnonzero(kept), rng.integers(1, 5, int(kept.sum())).astype(np.float32)]
    return CellGraph(*parts)


def random_network(seed: int, config: ModelConfig, layout: FeatureLayout, *, double: bool = True) -> Bi2Former:
    """A network with weights large enough that scores spread over (0, 1)."""
    torch.manual_seed(seed)
    network = Bi2Former(config, layout).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.mul_(1.5)
    return network.double() if double else network


@st.composite
def cases(draw: st.DrawFn) -> tuple[Bi2Former, list[CellGraph]]:
    """A network of random sizes and one to four graphs for it."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    layout = random_layout(rng, draw(st.integers(1, 20)), draw(st.integers(1, 60)), draw(st.integers(1, 5)))
    heads = draw(st.sampled_from([1, 2, 4]))
    config = ModelConfig(
        id_dim=draw(st.integers(1, 5)),
        hidden=2 * heads,
        heads=heads,
        layers=draw(st.integers(1, 3)),
        dropout=0,
        counts=draw(st.sampled_from(["raw", "log1p"])),
    )
    density = draw(st.sampled_from([0.0, 0.2, 0.9]))
    graphs = [random_graph(rng, layout, density) for _ in range(draw(st.integers(1, 4)))]
    return random_network(draw(st.integers(0, 2**31)), config, layout), graphs
