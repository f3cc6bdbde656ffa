from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from multiomes import random_multiome
from networks import candidates, random_graph, random_layout, random_network, random_window

from bi2scope.data.candidates import Window
from bi2scope.data.errors import ConfigurationError
from bi2scope.data.graph import cell_graph
from bi2scope.data.pairs import Pairs
from bi2scope.model.batch import collate
from bi2scope.model.config import ModelConfig
from bi2scope.model.features import Normalisation, feature_layout
from bi2scope.model.loader import PairLoader
from bi2scope.model.reach import narrow_blocks, reach_of


def test_the_worked_case_of_the_module() -> None:
    window = Window(np.array([5, 20, 90]), np.array([3, 12, 14, 40, 95]), 10)
    reach = reach_of(window, np.arange(3), np.arange(5), np.zeros(3, np.int64), np.zeros(5, np.int64))
    assert list(zip(reach.first.tolist(), reach.stop.tolist(), strict=True)) == [(0, 3), (1, 3), (4, 5)]
    assert reach.n_candidates.tolist() == [3, 2, 1]
    blocks = narrow_blocks(reach, np.zeros(3, np.int64), 2)
    runs = (blocks.gene_start, blocks.n_genes, blocks.peak_start, blocks.n_peaks)
    assert [part.tolist() for part in runs] == [[0, 2], [2, 1], [0, 4], [3, 1]]


@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.integers(1, 60), st.integers(1, 130), st.integers(1, 9))
def test_every_candidate_lies_in_its_genes_block_and_is_counted(
    seed: int, n_genes: int, n_peaks: int, max_distance: int, at_most: int
) -> None:
    rng = np.random.default_rng(seed)
    layout = random_window(rng, random_layout(rng, n_genes, n_peaks, 3), max_distance)
    gene, peak = np.arange(n_genes), np.arange(n_peaks)
    reach = reach_of(layout.window, gene, peak, layout.gene_chromosome, layout.peak_chromosome)
    wanted = candidates(layout, gene, peak)
    assert reach.n_candidates.tolist() == wanted.sum(axis=1).tolist()
    inside = np.zeros_like(wanted)
    blocks = narrow_blocks(reach, layout.gene_chromosome, at_most)
    runs = (blocks.gene_start, blocks.n_genes, blocks.peak_start, blocks.n_peaks)
    for start, many, first, peaks in zip(*runs, strict=True):
        assert many <= at_most
        assert not inside[start : start + many].any()
        inside[start : start + many, first : first + peaks] = True
    assert inside[wanted].all()
    same = layout.gene_chromosome[:, None] == layout.peak_chromosome
    assert same[inside].all()


def test_a_limit_beyond_every_chromosome_is_no_limit() -> None:
    rng = np.random.default_rng(4)
    layout = random_layout(rng, 30, 120, 3)
    graphs = [random_graph(rng, layout) for _ in range(3)]
    found = []
    for max_distance in (None, 100, 2**63 - 1):
        placed = layout if max_distance is None else random_window(np.random.default_rng(1), layout, max_distance)
        config = ModelConfig(id_dim=3, hidden=4, heads=2, layers=2, dropout=0, max_distance=max_distance)
        batch = collate(graphs, layout.gene_chromosome, layout.peak_chromosome, placed.window)
        with torch.no_grad():
            found.append(random_network(1, config, placed)(batch.to("cpu", torch.float64)))
    for logits, attentions in found[1:]:
        torch.testing.assert_close(logits, found[0][0], rtol=1e-12, atol=1e-12)
        for one, other in zip(attentions, found[0][1], strict=True):
            assert torch.equal(one.peak, other.peak)


def test_a_gene_without_candidates_has_no_links() -> None:
    layout = replace(
        random_layout(np.random.default_rng(0), 2, 3, 1),
        window=Window(np.array([0, 1000]), np.array([990, 1000, 1011]), 10),
    )
    graph = random_graph(np.random.default_rng(0), layout, 1.0)
    batch = collate([graph], layout.gene_chromosome, layout.peak_chromosome, layout.window)
    assert batch.n_elsewhere.tolist() == [3, 1]
    attention = random_network(0, ModelConfig(id_dim=2, hidden=2, max_distance=10), layout, double=False)(batch)[1][0]
    links = attention.links()
    assert set(links.gene.tolist()) == {1}
    assert set(links.peak.tolist()) <= {0, 1}


def test_two_limits_are_refused() -> None:
    rng = np.random.default_rng(0)
    layout = random_layout(rng, 4, 9, 2)
    with pytest.raises(ConfigurationError, match=r"max_distance is 10, that of the layout .* is None"):
        random_network(0, ModelConfig(id_dim=2, hidden=2, max_distance=10), layout)
    network = random_network(
        0, ModelConfig(id_dim=2, hidden=2, max_distance=10), random_window(rng, layout, 10), double=False
    )
    batch = collate([random_graph(rng, layout)], layout.gene_chromosome, layout.peak_chromosome)
    with pytest.raises(ConfigurationError, match="that of the batch is None"):
        network(batch)


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # machines with one core are tested too
@pytest.mark.parametrize("workers", [0, 1])
def test_batches_of_the_loader_keep_the_limit(workers: int) -> None:
    multiome = random_multiome(2)
    layout = feature_layout(multiome.genes, multiome.peaks, Normalisation(), 1_500_000)
    pairs = Pairs(*(np.arange(12) for _ in range(2)), np.ones(12, np.int64))
    graphs = [cell_graph(multiome, cell, cell) for cell in range(12)]
    wanted = collate(graphs, layout.gene_chromosome, layout.peak_chromosome, layout.window)
    ((found, _),) = PairLoader(multiome, layout, 12, workers).batches(pairs)
    assert found.max_distance == wanted.max_distance == 1_500_000
    assert torch.equal(found.n_elsewhere, wanted.n_elsewhere)
    assert torch.equal(found.blocks, wanted.blocks)
    for one, other in zip(found.padded(), wanted.padded(), strict=True):
        assert torch.equal(one.no_candidate(found.places), other.no_candidate(wanted.places))
    whole = collate(graphs, layout.gene_chromosome, layout.peak_chromosome)
    assert (found.n_elsewhere > whole.n_elsewhere).any()
