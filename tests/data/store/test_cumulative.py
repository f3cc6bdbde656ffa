"""Cumulative scores: the stored grid, the direct sum and the naive dense sum agree, truncation is told."""

import itertools
import threading
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from dense import dense_scores, dense_weights
from hypothesis import given, settings
from hypothesis import strategies as st
from stores import RandomModel, tiny_attributes, tiny_multiome, tiny_store, write_store

from bi2scope.data.attention import Cut
from bi2scope.data.errors import NotFoundError
from bi2scope.data.graph import cell_graph
from bi2scope.data.multiome import Multiome
from bi2scope.data.store import reader as reader_module
from bi2scope.data.store.cumulative import cut_sums, grid_sums
from bi2scope.data.store.reader import StoreReader
from bi2scope.data.store.schema import GRID_THRESHOLDS, grid_top_k

K_MAX = 12


@pytest.fixture(scope="module")
def cells() -> Multiome:
    return tiny_multiome(40, seed=2)


@pytest.fixture(scope="module")
def model(cells: Multiome) -> RandomModel:
    return RandomModel.of(cells, np.random.default_rng(2), layers=2, heads=2)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, cells: Multiome, model: RandomModel) -> StoreReader:
    attributes = tiny_attributes(n_layers=2, n_heads=2, k_max=K_MAX)
    path = write_store(tmp_path_factory.mktemp("sums") / "s.h5", cells, model, attributes)
    return StoreReader.open(path)


def dense_sums(
    multiome: Multiome, model: RandomModel, name: str, cut: Cut, layer: int, head: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gene by gene, over full matrices: links, score, weight."""
    sums = np.zeros((3, multiome.n_peaks))
    for cell in np.flatnonzero(multiome.cells["cell_type"] == name):
        graph = cell_graph(multiome, cell, cell)
        same = multiome.gene_chromosome[graph.gene_index][:, None] == multiome.peak_chromosome[graph.peak_index]
        logits = model.logits(graph, layer, head).astype(np.float64)  # float32 scores of 1 tie, and rank is by logit
        scores, weights = dense_scores(logits, same), dense_weights(logits, same)
        for row in range(len(logits)):
            order = np.argsort(-np.where(same[row], logits[row], -np.inf), kind="stable")[: cut.top_k]
            for column in order:
                if scores[row, column] > np.float32(cut.threshold):
                    peak = graph.peak_index[column]
                    sums[:, peak] += 1, scores[row, column], weights[row, column]
    return sums[0], sums[1], sums[2]


@pytest.mark.parametrize(
    "cut", [Cut(0.5, 5), Cut(0.9, 1), Cut(0.99, 12), Cut(0.5, 10), Cut(0.73, 3), Cut(0.6, 11), Cut(0.995, 12)], ids=str
)
@pytest.mark.parametrize(("layer", "head"), [(0, 0), (1, 1)])
def test_sums_are_those_over_full_matrices(
    store: StoreReader, cells: Multiome, model: RandomModel, cut: Cut, layer: int, head: int
) -> None:
    for name in cells.cell_types:
        found = store.cumulative(name, cut, layer, head)
        links, score, weight = dense_sums(cells, model, name, cut, layer, head)
        np.testing.assert_array_equal(found.links, links)
        np.testing.assert_allclose(found.score, score, rtol=1e-5)
        np.testing.assert_allclose(found.weight, weight, rtol=1e-5)
        own = cells.cells["cell_type"] == name
        np.testing.assert_array_equal(found.n_open, np.asarray((cells.atac[np.flatnonzero(own)] > 0).sum(axis=0))[0])
        assert found.n_cells == own.sum()


@pytest.mark.parametrize("top_k", [*grid_top_k(K_MAX), None])
@pytest.mark.parametrize("threshold", GRID_THRESHOLDS)
def test_the_grid_is_the_direct_sum(store: StoreReader, threshold: float, top_k: int | None) -> None:
    cut = Cut(threshold, top_k)
    for code, name in enumerate(store.cell_types):
        on_grid = store._from_grid(code, cut, (1, 0))
        cells = np.flatnonzero(store._type_code == code)
        direct = cut_sums(store._links[1][0].blocks(cells), len(store.peaks), cut)
        for definition in ("links", "score", "weight"):
            np.testing.assert_allclose(getattr(on_grid, definition), getattr(direct, definition), rtol=1e-6)
        assert on_grid.truncated == direct.truncated, name


@settings(max_examples=40, deadline=None)
@given(threshold=st.floats(0.5, 1), top_k=st.none() | st.integers(1, 20))
def test_truncated_is_told_as_for_the_cells_one_by_one(store: StoreReader, threshold: float, top_k: int | None) -> None:
    cut = Cut(threshold, top_k)
    for name in store.cell_types:
        cells = np.flatnonzero(store.cells["cell_type"] == name)
        wanted = any(store.attention(int(cell)).links(cut).truncated for cell in cells)
        assert store.cumulative(name, cut).truncated == wanted


def test_what_was_cut_at_k_max_is_told(store: StoreReader) -> None:
    name = store.cell_types[0]
    assert not store.cumulative(name, Cut(0.5, K_MAX)).truncated
    for top_k in (K_MAX + 1, 1000, None):
        assert store.cumulative(name, Cut(0.5, top_k)).truncated
    np.testing.assert_array_equal(
        store.cumulative(name, Cut(0.5, None)).links, store.cumulative(name, Cut(0.5, K_MAX)).links
    )


def test_the_number_of_cells_in_a_block_changes_nothing(store: StoreReader) -> None:
    cells, links, n_peaks = np.arange(1, 40, 2), store._links[0][0], len(store.peaks)
    whole = grid_sums(links.blocks(cells), n_peaks, GRID_THRESHOLDS, grid_top_k(K_MAX))
    for block_links in (1, 500, 2_000):
        pieces = grid_sums(links.blocks(cells, block_links), n_peaks, GRID_THRESHOLDS, grid_top_k(K_MAX))
        np.testing.assert_array_equal(pieces.links, whole.links)
        np.testing.assert_allclose(pieces.weight, whole.weight, rtol=1e-12)
        np.testing.assert_array_equal(pieces.truncated, whole.truncated)


def test_blocks_are_bounded_and_hold_every_link_once(store: StoreReader) -> None:
    links = store._links[0][0]
    per_cell = np.diff(links.link_offset)
    cells = np.array([0, 1, 2, 7, 9, 10, 30, 31, 39])
    blocks = list(links.blocks(cells, block_links=2 * int(per_cell.max())))
    assert len(blocks) > 1
    assert max(len(block.peak) for block in blocks) <= 2 * per_cell.max()
    wanted = [store.attention(int(cell)) for cell in cells]
    for field, of_block in (("peak", "peak"), ("logit", "logit"), ("rank", "rank"), ("n_above", "n_above")):
        np.testing.assert_array_equal(
            np.concatenate([getattr(block, of_block) for block in blocks]),
            np.concatenate([getattr(cell, field) for cell in wanted]),
        )


def test_memory_of_a_sum_does_not_grow_with_the_cells(tmp_path: Path) -> None:
    peaks_of_memory = []
    for n_cells in (100, 400):
        with StoreReader.open(tiny_store(tmp_path / f"{n_cells}.h5", n_cells=n_cells)) as reader:
            links, n_peaks = reader._links[0][0], len(reader.peaks)
            cut_sums(links.blocks(np.arange(n_cells), 5_000), n_peaks, Cut(0.6, 7))
            tracemalloc.start()
            cut_sums(links.blocks(np.arange(n_cells), 5_000), n_peaks, Cut(0.6, 7))
            peaks_of_memory.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    assert peaks_of_memory[1] < 1.3 * peaks_of_memory[0]


def test_a_type_without_cells_has_zeros(tmp_path: Path) -> None:
    multiome = tiny_multiome(12)
    chosen = np.flatnonzero(multiome.cells["cell_type"] != "B cell")
    fewer = multiome.take_cells(chosen)
    path = write_store(tmp_path / "s.h5", fewer, RandomModel.of(fewer, np.random.default_rng(0)), tiny_attributes())
    with StoreReader.open(path) as reader:
        for cut in (Cut(0.5, 5), Cut(0.6, 5)):
            empty = reader.cumulative("B cell", cut)
            assert (empty.n_cells, empty.links.sum(), empty.n_open.sum(), empty.truncated) == (0, 0, 0, False)


def test_sums_are_kept_within_bounds_and_cannot_be_written_to(
    store: StoreReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, cut = store.cell_types[1], Cut(0.61, 4)
    first = store.cumulative(name, cut)
    assert store.cumulative(name, cut) is first
    with pytest.raises(ValueError, match="read-only"):
        first.links[0] = 1
    monkeypatch.setattr(reader_module, "KEPT_SUMS_BYTES", 3 * 4 * first.links.nbytes)
    for k in range(1, 9):
        store.cumulative(name, Cut(0.62, k))
    assert len(store._sums) == 3
    assert store.cumulative(name, cut) is not first


def test_threads_get_the_same_sums(store: StoreReader) -> None:
    cuts = [Cut(t, k) for t, k in itertools.product((0.55, 0.8, 0.91), (2, 5, None))]
    wanted = {cut: store.cumulative(store.cell_types[0], cut).score.copy() for cut in cuts}
    store._sums.clear()
    differing: list[Cut] = []

    def read(seed: int) -> None:
        shuffled = [cuts[i] for i in np.random.default_rng(seed).permutation(len(cuts))]
        scores = {cut: store.cumulative(store.cell_types[0], cut).score for cut in shuffled}
        differing.extend(cut for cut in shuffled if not np.array_equal(scores[cut], wanted[cut]))

    threads = [threading.Thread(target=read, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not differing


def test_an_unknown_cell_type_is_named(store: StoreReader) -> None:
    with pytest.raises(NotFoundError, match="CD4 naif") as caught:
        store.cumulative("CD4 naif", Cut())
    assert caught.value.nearest == ["CD4 naive"]
