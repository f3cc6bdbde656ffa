"""The sweep over many cells against one cell at a time, on whole numbers: both are exact, so every link is the same."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from multiomes import random_multiome

from bi2scope.data.graph import cell_graph
from bi2scope.data.multiome import Multiome
from bi2scope.model.checkpoint import Trained
from bi2scope.model.config import ModelConfig, protocol_defaults
from bi2scope.model.features import Normalisation, feature_layout
from bi2scope.model.network import Bi2Former
from bi2scope.precompute import sweep_kernel
from bi2scope.precompute.attend import attend, attend_cells
from bi2scope.precompute.sweep import Sweep, can_sweep, needs_negative_logits

ARRAYS = ("gene", "row_start", "peak", "logit", "n_above")


def whole_numbers(multiome: Multiome, seed: int, heads: int = 1, span: int = 2, **settings) -> Trained:
    """A model whose parameters are small whole numbers, and so are its logits."""
    config = ModelConfig(id_dim=3, hidden=4 * heads, heads=heads, **settings)
    network = Bi2Former(config, feature_layout(multiome.genes, multiome.peaks, Normalisation(), config.max_distance))
    generator = torch.Generator().manual_seed(seed)
    network.gene_static.copy_(network.gene_static.round())
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.randint(-span, span + 1, parameter.shape, generator=generator))
    training = protocol_defaults("paper")[1]
    return Trained(network.eval(), config, training, multiome.genes, multiome.peaks, Normalisation())


@settings(deadline=None, max_examples=30)
@given(
    seed=st.integers(0, 10_000),
    heads=st.sampled_from([1, 2]),
    k_max=st.sampled_from([1, 3, 10, 25]),
    span=st.integers(0, 2),
    threads=st.sampled_from([1, 2]),
)
def test_a_sweep_finds_the_links_of_every_cell(seed: int, heads: int, k_max: int, span: int, threads: int) -> None:
    multiome = random_multiome(seed, n_cells=7, n_peaks=90)  # a few of the cells have too few peaks for the sweep
    trained = whole_numbers(multiome, seed, heads, span)
    assert can_sweep(trained)
    found = list(attend_cells(trained, multiome, k_max, range(1, 7), threads))
    assert len(found) == 6
    for cell, layers in zip(range(1, 7), found, strict=True):
        for one, other in zip(layers[0], attend(trained, cell_graph(multiome, cell, cell), k_max)[0], strict=True):
            for name in ARRAYS:
                np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
                assert getattr(one, name).dtype == getattr(other, name).dtype
            np.testing.assert_allclose(one.denominator, other.denominator, rtol=1e-6)


def test_cells_with_few_peaks_elsewhere_are_attended_one_by_one() -> None:
    multiome = random_multiome(3, n_cells=20, n_peaks=50)
    few = [needs_negative_logits(multiome, cell) for cell in range(20)]
    for cell in range(20):
        graph = cell_graph(multiome, cell, cell)
        on = np.bincount(multiome.peak_chromosome[graph.peak_index])
        assert few[cell] == (len(graph.peak_index) - on.max() < 10)
    assert 0 < sum(few) < 20


@pytest.mark.parametrize("settings", [{"max_distance": 5_000}, {"attention": "random"}, {"layers": 2}])
def test_other_models_are_not_swept_but_give_the_same_links(settings) -> None:
    multiome = random_multiome(1, n_cells=4)
    trained = whole_numbers(multiome, 1, **settings)
    assert not can_sweep(trained)
    for cell, layers in zip(range(4), attend_cells(trained, multiome, 5, range(4)), strict=True):
        for found, wanted in zip(layers, attend(trained, cell_graph(multiome, cell, cell), 5), strict=True):
            assert found[0].peak.tolist() == wanted[0].peak.tolist()


def test_a_guess_that_is_too_high_is_taken_back() -> None:
    """The first cell has the high logits of a gene, the next the low ones: nothing of the second is lost."""
    n, places = 40, 5
    static = np.concatenate([np.linspace(9, 10, n), np.linspace(1, 2, n)]).astype(np.float32)
    chosen = (np.zeros((2, places), np.uint16), np.zeros((2, places), np.float32), np.zeros(2, int), np.zeros(2, int))
    none = np.zeros(2 * n, np.float32)
    sweep_kernel.sweep_genes(
        ((0, 1), np.array([0, 2]), np.array([0, 1]), none[:2], np.array([0, 1])),
        (np.ones((1, 1), np.float32), none[:1]),
        static[:, None],
        (np.array([0, n]), np.array([n, 2 * n])),
        (np.arange(2 * n, dtype=np.int32), none, none),
        chosen,
    )
    assert chosen[0].tolist() == [[39, 38, 37, 36, 35]] * 2
    assert chosen[2].tolist() == [places, places]
    assert chosen[3].tolist() == [n, n]


def test_the_order_of_the_links_is_that_of_a_stable_sort() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        logits = rng.integers(-3, 4, rng.integers(1, 120)).astype(np.float32)
        above = int((logits > 0).sum())
        kept = min(above, int(rng.integers(1, 30)))
        buffers = (np.empty(len(logits), np.int32), np.empty(len(logits), np.int64), np.empty(30, np.int64))
        guess = int(rng.integers(0, 4))
        n_above_guess = sweep_kernel._choose(logits, kept, np.float32(guess), *buffers)
        assert n_above_guess == ((logits > guess).sum() if (logits > guess).sum() >= kept else -1)
        found = (2**31 - 1) - (buffers[2][:kept] & 0xFFFFFFFF)
        assert found.tolist() == np.argsort(-logits, kind="stable")[:kept].tolist()


def test_memory_of_the_links_is_that_of_the_cells_asked_for() -> None:
    multiome = random_multiome(2, n_cells=9)
    trained = whole_numbers(multiome, 2)
    sweep = Sweep(trained, multiome, 4)
    assert len(list(sweep.attend(2, 5))) == 3
