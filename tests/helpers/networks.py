"""Small random networks and graphs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from hypothesis import strategies as st
from scipy.linalg import block_diag

from bi2scope.data.candidates import Window
from bi2scope.data.graph import CellGraph
from bi2scope.model.attention import Projected
from bi2scope.model.batch import GraphBatch, collate
from bi2scope.model.config import ModelConfig
from bi2scope.model.network import Bi2Former, FeatureLayout
from bi2scope.model.selection import TopPeaks, block_logits, padded_top


def random_layout(rng: np.random.Generator, n_genes: int, n_peaks: int, n_chromosomes: int) -> FeatureLayout:
    """Chromosomes drawn at random, so that some have genes or peaks only."""
    return FeatureLayout(
        gene_chromosome=np.sort(rng.integers(0, n_chromosomes, n_genes)),
        peak_chromosome=np.sort(rng.integers(0, n_chromosomes, n_peaks)),
        n_chromosomes=n_chromosomes,
        gene_attributes=rng.standard_normal((n_genes, 4)).astype(np.float32),
    )


def random_window(
    rng: np.random.Generator, layout: FeatureLayout, max_distance: int, length: int = 100
) -> FeatureLayout:
    """The layout with places on chromosomes of a length: some alike, and not in order, as TSS and middles may be."""
    places = (rng.integers(0, length, len(codes)) for codes in (layout.gene_chromosome, layout.peak_chromosome))
    return replace(layout, window=Window(*places, max_distance))


def candidates(layout: FeatureLayout, gene: np.ndarray, peak: np.ndarray) -> np.ndarray:
    """(N, M) plainly: one chromosome, and near enough where there is a limit."""
    same = layout.gene_chromosome[gene][:, None] == layout.peak_chromosome[peak]
    if layout.window is None:
        return same
    distance = layout.window.peak_middle[peak] - layout.window.gene_tss[gene][:, None]
    return same & (abs(distance) <= layout.window.max_distance)


def windows() -> st.SearchStrategy[int | None]:
    """Limits on chromosomes of 100 bases: none, some that leave genes no candidate, some beyond every chromosome."""
    return st.sampled_from([None, 1, 10, 40, 99, 10**12])


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


def projected(nodes: torch.Tensor) -> Projected:
    """Queries or keys ``(n, heads, d)`` as they are, counts without a part in them."""
    return Projected(nodes, torch.arange(len(nodes)), nodes.new_zeros(len(nodes)), nodes.new_zeros(nodes.shape[1:]))


def by_padded_blocks(query, key, batch: GraphBatch, places: int) -> TopPeaks:
    """What other devices than a CPU do, on any device."""
    queries, keys = query.nodes(), key.nodes()
    shape = (query.heads, places)
    return padded_top(batch, batch.padded(), shape, lambda bucket: block_logits(queries, keys, bucket))


@st.composite
def cases(draw: st.DrawFn) -> tuple[Bi2Former, list[CellGraph]]:
    """A network of random sizes and one to four graphs for it."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    layout = random_layout(rng, draw(st.integers(1, 20)), draw(st.integers(1, 60)), draw(st.integers(1, 5)))
    max_distance = draw(windows())
    if max_distance is not None:
        layout = random_window(rng, layout, max_distance)
    heads = draw(st.sampled_from([1, 2, 4]))
    config = ModelConfig(
        id_dim=draw(st.integers(1, 5)),
        hidden=2 * heads,
        heads=heads,
        layers=draw(st.integers(1, 3)),
        dropout=0,
        counts=draw(st.sampled_from(["raw", "log1p"])),
        max_distance=max_distance,
    )
    density = draw(st.sampled_from([0.0, 0.2, 0.9]))
    graphs = [random_graph(rng, layout, density) for _ in range(draw(st.integers(1, 4)))]
    return random_network(draw(st.integers(0, 2**31)), config, layout), graphs


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
