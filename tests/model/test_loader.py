"""Batches: what is in them, and that workers change nothing of it."""

import multiprocessing
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from multiomes import random_multiome

from bi2scope.data.graph import cell_graph
from bi2scope.data.multiome import Multiome
from bi2scope.data.pairs import Mismatches, Pairs, labelled_pairs
from bi2scope.model.batch import GraphBatch, collate
from bi2scope.model.config import protocol_defaults
from bi2scope.model.features import Normalisation, feature_layout
from bi2scope.model.loader import NodeDropout, PairLoader, _ahead
from bi2scope.model.network import FeatureLayout
from bi2scope.model.training import train

# machines with fewer cores than workers are tested too
pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create")


def cells(seed: int = 0, n_cells: int = 20) -> tuple[Multiome, FeatureLayout, Pairs]:
    multiome = random_multiome(seed, n_cells=n_cells)
    layout = feature_layout(multiome.genes, multiome.peaks, Normalisation())
    types = multiome.cells["cell_type"].cat.codes.to_numpy()
    mixture = Mismatches(1.5, 0.5)
    return multiome, layout, labelled_pairs(np.arange(n_cells), types, np.random.default_rng(seed), mixture)


def tensors(batch: GraphBatch) -> list[torch.Tensor]:
    nodes = [getattr(kind, part) for kind in (batch.genes, batch.peaks) for part in kind.__slots__]
    return [*nodes, batch.n_elsewhere, batch.blocks]


def equal(one: GraphBatch, other: GraphBatch) -> bool:
    return all(torch.equal(a, b) for a, b in zip(tensors(one), tensors(other), strict=True))


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_batches_are_the_pairs_in_order(workers: int) -> None:
    multiome, layout, pairs = cells()
    seen = 0
    for batch, label in PairLoader(multiome, layout, 8, workers).batches(pairs):
        here = pairs.take(np.arange(seen, min(seen + 8, len(pairs))))
        graphs = [cell_graph(multiome, int(r), int(a)) for r, a in zip(here.rna_cell, here.atac_cell, strict=True)]
        assert equal(batch, collate(graphs, layout.gene_chromosome, layout.peak_chromosome))
        assert label.tolist() == here.label.tolist()
        seen += len(label)
    assert seen == len(pairs) == 50


def test_node_dropout_does_not_depend_on_the_workers() -> None:
    multiome, layout, pairs = cells(1)
    drawn = []
    for workers in (0, 1, 3):
        rng = np.random.default_rng(5)
        loader = PairLoader(multiome, layout, 4, workers)
        epochs = [list(loader.batches(pairs, node_dropout=0.5, rng=rng)) for _ in range(2)]
        drawn.append(([batch for epoch in epochs for batch, _ in epoch], rng.random()))
        assert not equal(epochs[0][0][0], epochs[1][0][0])
    for batches, after in drawn[1:]:
        assert all(equal(one, other) for one, other in zip(drawn[0][0], batches, strict=True))
        assert after == drawn[0][1]


def test_node_dropout_is_a_generator_drawn_node_by_node() -> None:
    multiome, layout, pairs = cells(2)
    rng, plain = np.random.default_rng(9), np.random.default_rng(9)
    for generator in (rng, plain):
        generator.integers(0, 5, 3)  # leaves half a number, which must survive
    batches = list(PairLoader(multiome, layout, 4).batches(pairs, node_dropout=0.3, rng=rng))
    genes, peaks = [], []
    for r, a in zip(pairs.rna_cell, pairs.atac_cell, strict=True):
        graph = cell_graph(multiome, int(r), int(a))
        for index, kept in ((graph.gene_index, genes), (graph.peak_index, peaks)):
            number = plain.random(len(index))
            stay = [feature for feature, u in zip(index, number, strict=True) if u >= 0.3]
            kept += stay or [index[number.argmax()]]
    for kind, kept in (("genes", genes), ("peaks", peaks)):
        found = torch.cat([getattr(b, kind).feature[getattr(b, kind).slot] for b, _ in batches]).tolist()
        assert found == kept
    assert rng.bit_generator.state == plain.bit_generator.state


@given(st.integers(0, 2**32), st.integers(0, 5), st.integers(0, 200))
def test_a_stream_goes_ahead_as_if_drawn(seed: int, small: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    rng.integers(0, 3, small)
    ahead = np.random.Generator(_ahead(rng.bit_generator.state, n))
    rng.random(n)
    assert ahead.integers(0, 3, 4).tolist() == rng.integers(0, 3, 4).tolist()
    assert ahead.random() == rng.random()


def test_a_gene_and_a_peak_stay_when_almost_all_are_left_out() -> None:
    multiome, layout, pairs = cells(3)
    rng = np.random.default_rng(0)
    for batch, _ in PairLoader(multiome, layout, 5).batches(pairs, node_dropout=0.999, rng=rng):
        assert (batch.genes.size >= 1).all()
        assert (batch.peaks.size >= 1).all()
    graph = cell_graph(multiome, 0, 0)
    kept = [NodeDropout(0.9999, np.random.PCG64(s).state)([graph], 0)[0].gene_index for s in range(300)]
    assert {len(one) for one in kept} == {1}
    assert {int(one[0]) for one in kept} == set(graph.gene_index.tolist())


def test_batching_takes_nothing_of_torchs_random_numbers() -> None:
    multiome, layout, pairs = cells()
    state = torch.get_rng_state()
    for workers in (0, 1):
        list(PairLoader(multiome, layout, 8, workers).batches(pairs))
    assert torch.equal(torch.get_rng_state(), state)


def test_a_loader_left_early_stops_its_workers() -> None:
    multiome, layout, pairs = cells()
    batches = PairLoader(multiome, layout, 1, 2).batches(pairs)
    next(batches)
    assert len(multiprocessing.active_children()) == 2
    del batches
    assert multiprocessing.active_children() == []


def test_training_does_not_depend_on_the_workers() -> None:
    multiome = random_multiome(3, n_cells=60)
    model, config = protocol_defaults("bi2scope", epochs=2, seed=4, hard_share=0.5, mismatch_ratio=2)
    model = replace(model, id_dim=8, hidden=8)
    first, second = (train(multiome, model, config, progress=False, workers=workers) for workers in (0, 2))
    assert first.digest == second.digest
    assert first.report["test"] == second.report["test"]
