"""The sweep over many cells against one cell at a time, on whole numbers: both are exact, so every link is the same."""

import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from multiomes import random_multiome

from bi2scope.data.attention import score_of, softmax_denominator
from bi2scope.data.graph import cell_graph
from bi2scope.data.multiome import Multiome
from bi2scope.model.checkpoint import Trained
from bi2scope.model.config import ModelConfig, protocol_defaults
from bi2scope.model.features import Normalisation, feature_layout
from bi2scope.model.network import Bi2Former
from bi2scope.precompute import sweep, sweep_kernel
from bi2scope.precompute.attend import attend, attend_cells
from bi2scope.precompute.sweep import Sweep, can_sweep, place_type

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


def test_cells_with_few_peaks_elsewhere_are_left_to_the_model() -> None:
    multiome = random_multiome(3, n_cells=20, n_peaks=50)
    few = [one is None for one in Sweep(whole_numbers(multiome, 3), multiome, 4).attend(range(20))]
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


@pytest.mark.parametrize("place", [np.uint16, np.int32])
@pytest.mark.parametrize("places", [5, 150])
def test_a_guess_that_is_too_high_is_taken_back(place: type, places: int) -> None:
    """The first cell has the high logits of a gene, the next the low ones: nothing of the second is lost."""
    n = 400
    static = np.concatenate([np.linspace(9, 10, n), np.linspace(1, 2, n)]).astype(np.float32)
    chosen = (np.zeros((2, places), place), np.zeros((2, places), np.float32), np.zeros(2, int))
    none = np.zeros(2 * n, np.float32)
    sweep_kernel.sweep_genes(
        ((0, 1), np.array([0, 2]), np.array([0, 1]), none[:2]),
        (np.ones((1, 1), np.float32), none[:1]),
        static[None, :],
        (np.array([0, n]), np.array([n, 2 * n])),
        (np.arange(2 * n).astype(place), none, none),
        chosen,
        np.empty((1, 2 * n), np.float32),
    )
    assert chosen[0].tolist() == [list(range(n - 1, n - 1 - places, -1))] * 2
    np.testing.assert_array_equal(chosen[1], [static[n - places : n][::-1], static[2 * n - places :][::-1]])
    assert chosen[2].tolist() == [n, n]


@pytest.mark.parametrize(("n_peaks", "wanted"), [(1, np.uint16), (65_536, np.uint16), (65_537, np.int32)])
def test_every_place_of_a_chromosome_can_be_kept(n_peaks: int, wanted: type) -> None:
    assert place_type(n_peaks) == wanted
    assert np.iinfo(place_type(n_peaks)).max >= n_peaks - 1


@pytest.mark.parametrize("heads", [1, 3])
def test_links_do_not_depend_on_the_batches(heads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor do those of a cell change when the room that they were chosen in is used for the next batch."""
    multiome = random_multiome(5, n_cells=30, n_peaks=200)
    trained = whole_numbers(multiome, 5, heads)
    wanted = list(Sweep(trained, multiome, 6).attend(range(2, 29)))
    monkeypatch.setattr(sweep, "_LINK_BYTES", heads * 6 * 10 * 25)  # some 25 rows of ten places, four cells
    several = Sweep(trained, multiome, 6, threads=2)
    batches = list(several._batches(range(2, 29)))
    assert [first for first, _ in batches] == [2, *(stop for _, stop in batches[:-1])]
    assert batches[-1][1] == 29
    rows = [np.diff(multiome.rna.indptr)[first:stop] for first, stop in batches]
    assert all(sum(own) <= 25 or len(own) == 1 for own in rows)
    assert 3 < len(batches) < 15
    for found, one in zip(list(several.attend(range(2, 29))), wanted, strict=True):
        assert (found is None) == (one is None)
        for mine, other in zip(found[0] if found else [], one[0] if one else [], strict=True):
            for name in (*ARRAYS, "denominator"):
                np.testing.assert_array_equal(getattr(mine, name), getattr(other, name), err_msg=name)


def test_a_cell_larger_than_a_batch_is_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    multiome = random_multiome(2, n_cells=3)
    monkeypatch.setattr(sweep, "_LINK_BYTES", 1)
    one_by_one = Sweep(whole_numbers(multiome, 2), multiome, 4)
    assert list(one_by_one._batches(range(3))) == [(0, 1), (1, 2), (2, 3)]
    assert len(list(one_by_one.attend(range(3)))) == 3


def test_no_cells_have_no_links() -> None:
    multiome = random_multiome(2, n_cells=3)
    assert list(Sweep(whole_numbers(multiome, 2), multiome, 4).attend(range(2, 2))) == []


def test_cells_without_a_logit_above_0_have_no_links() -> None:
    multiome = random_multiome(4, n_cells=6, n_peaks=200)
    for one in Sweep(whole_numbers(multiome, 4, span=0), multiome, 4).attend(range(6)):
        assert one is not None
        assert len(one[0][0].peak) == len(one[0][0].logit) == 0
        assert one[0][0].row_start.tolist() == [0] * (len(one[0][0].gene) + 1)
        assert not one[0][0].n_above.any()


def test_memory_does_not_grow_with_the_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    multiome = random_multiome(7, n_cells=400, n_peaks=200)
    trained = whole_numbers(multiome, 7)
    monkeypatch.setattr(sweep, "_LINK_BYTES", 6 * 200 * 100)  # some 100 rows of 200 places
    swept = Sweep(trained, multiome, 200)
    most = {}
    for n_cells in (100, 400):
        tracemalloc.start()
        for _ in swept.attend(range(n_cells)):
            pass
        most[n_cells] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert most[400] < 1.3 * most[100]


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 10_000), st.sampled_from([0.01, 1, 100]), st.integers(10, 400))
def test_denominators_are_those_of_any_row(seed: int, spread: float, elsewhere: int) -> None:
    """Where there are ten peaks elsewhere or more: a logit of 0 stands for each of them that has a place."""
    rng = np.random.default_rng(seed)
    n_above, n_here = rng.integers(0, 11, 40), rng.integers(10, 30, 40)
    top = -np.sort(-rng.exponential(spread, (40, 10)).astype(np.float32), axis=1)
    there = np.arange(10) < n_above[:, None]
    wanted = softmax_denominator(score_of(np.where(there, top, -1)), n_here, np.full(40, elsewhere))
    np.testing.assert_allclose(sweep._denominator(np.where(there, top, np.float32(0))), wanted, rtol=2e-7)
