"""Cumulative scores: the histogram, the direct sum and the naive dense sum agree, truncation is told."""

import contextlib
import itertools
import threading
import tracemalloc
from pathlib import Path
from unittest import mock

import h5py
import numpy as np
import pytest
from dense import dense_scores, dense_weights
from hypothesis import given, settings
from hypothesis import strategies as st
from stores import RandomModel, tiny_attributes, tiny_multiome, tiny_store, write_store

from bi2scope.data.attention import Cut
from bi2scope.data.errors import NotFoundError, StoreError
from bi2scope.data.graph import cell_graph
from bi2scope.data.multiome import Multiome
from bi2scope.data.store import bins, chosen, counting, cumulative, histogram_writer, schema
from bi2scope.data.store import reader as reader_module
from bi2scope.data.store.cells_table import Embedding
from bi2scope.data.store.check import check_store
from bi2scope.data.store.cumulative import cut_sums
from bi2scope.data.store.halves import rounded
from bi2scope.data.store.links import StoredLinks
from bi2scope.data.store.reader import StoreReader
from bi2scope.data.store.schema import EDGE_SCORES, SCORE_UNIT, WEIGHT_UNIT, rank_ends
from bi2scope.data.store.writer import StoreWriter

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
    """Gene by gene, over full matrices: links, score, weight. A link survives by its logit as the store keeps it."""
    sums = np.zeros((3, multiome.n_peaks))
    for cell in np.flatnonzero(multiome.cells["cell_type"] == name):
        graph = cell_graph(multiome, cell, cell)
        same = multiome.gene_chromosome[graph.gene_index][:, None] == multiome.peak_chromosome[graph.peak_index]
        logits = model.logits(graph, layer, head).astype(np.float64)  # float32 scores of 1 tie, and rank is by logit
        scores, weights = dense_scores(logits, same), dense_weights(logits, same)
        kept = np.where(same & (logits > 0), rounded(np.where(logits > 0, logits, 1)), 0)
        for row in range(len(logits)):
            order = np.argsort(-np.where(same[row], logits[row], -np.inf), kind="stable")[: cut.top_k]
            for column in order:
                if 1 / (1 + np.exp(-kept[row, column])) > np.float32(cut.threshold):
                    peak = graph.peak_index[column]
                    sums[:, peak] += 1, scores[row, column], weights[row, column]
    return sums[0], sums[1], sums[2]


@pytest.mark.parametrize(
    "cut", [Cut(0.5, 5), Cut(0.9, 1), Cut(0.99, 12), Cut(0.5, 10), Cut(0.73, 3), Cut(0.6, 11), Cut(0.985, 12)], ids=str
)
@pytest.mark.parametrize(("layer", "head"), [(0, 0), (1, 1)])
def test_sums_are_those_over_full_matrices(
    store: StoreReader, cells: Multiome, model: RandomModel, cut: Cut, layer: int, head: int
) -> None:
    for name in cells.cell_types:
        found = store.cumulative(name, cut, layer, head)
        links, score, weight = dense_sums(cells, model, name, cut, layer, head)
        np.testing.assert_array_equal(found.links, links)
        assert (np.abs(found.score - score) <= links * (1.3e-4 + 0.5 / SCORE_UNIT) + 1e-9).all()
        assert (np.abs(found.weight - weight) <= links * (1e-4 + 0.5 / WEIGHT_UNIT) + 1e-9).all()
        own = cells.cells["cell_type"] == name
        np.testing.assert_array_equal(found.n_open, np.asarray((cells.atac[np.flatnonzero(own)] > 0).sum(axis=0))[0])
        assert found.n_cells == own.sum()


def same_sums(one: cumulative.CumulativeScores, other: cumulative.CumulativeScores) -> None:
    for key in ("links", "score", "weight", "n_open"):
        np.testing.assert_array_equal(getattr(one, key), getattr(other, key))
    assert (one.n_cells, one.truncated) == (other.n_cells, other.truncated)


@settings(max_examples=60, deadline=None)
@given(
    threshold=st.sampled_from([*EDGE_SCORES, 1.0]) | st.floats(0.5, 1),
    top_k=st.none() | st.integers(1, 20),
    place=st.tuples(st.integers(0, 1), st.integers(0, 1)),
)
def test_any_cut_of_the_histogram_is_the_direct_sum(
    store: StoreReader, threshold: float, top_k: int | None, place: tuple[int, int]
) -> None:
    """To the last bit: both add whole numbers."""
    cut = Cut(threshold, top_k)
    for name in store.cell_types:
        direct = store.cumulative_of_cells(store.cells_of(name), cut, *place, from_links=True)
        same_sums(store.cumulative(name, cut, *place), direct)


@settings(max_examples=60, deadline=None)
@given(
    cells=st.lists(st.integers(0, 39), unique=True),
    threshold=st.sampled_from([0.5, 0.62, 0.8, 0.999, 1.0]) | st.floats(0.5, 1),
    top_k=st.none() | st.integers(1, 20),
)
def test_any_cells_of_any_types_are_the_direct_sum(
    store: StoreReader, cells: list[int], threshold: float, top_k: int | None
) -> None:
    """Whichever of a type's cells are read: those asked for, or the others."""
    cut, place = Cut(threshold, top_k), (1, 0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chosen, "WORTH_CELLS", 0)
        found = store.cumulative_of_cells(cells, cut, *place)
    same_sums(found, store.cumulative_of_cells(cells, cut, *place, from_links=True))


def test_no_more_than_half_of_a_type_is_read(store: StoreReader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chosen, "WORTH_CELLS", 0)
    read: list[int] = []
    stored = StoredLinks.stored
    monkeypatch.setattr(
        StoredLinks, "stored", lambda self, cell, top_k=None: read.append(int(cell)) or stored(self, cell, top_k)
    )
    most, few = store.cells_of(store.cell_types[0])[1:], store.cells_of(store.cell_types[1])[:2]
    store.cumulative_of_cells([*most, *few], Cut(0.7, 4))
    assert sorted(read) == sorted([store.cells_of(store.cell_types[0])[0], *few])
    assert store.cumulative_of_cells(most, Cut(0.7)).truncated  # one cell tells; the rest need not be read
    assert len(read) < 10


def test_every_edge_is_answered_without_reading_links(store: StoreReader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader_module, "cut_sums", lambda *given: pytest.fail("read the links"))
    store._recent.clear()
    for threshold in (*EDGE_SCORES, 1.0):
        assert store.cumulative(store.cell_types[0], Cut(threshold, 3)).n_cells
    with pytest.raises(pytest.fail.Exception):
        store.cumulative(store.cell_types[0], Cut(0.7654, 3))


def test_the_slider_steps_are_edges() -> None:
    assert all(round(step / 100, 2) in EDGE_SCORES for step in range(50, 100))
    assert all(bins.bin_of_threshold(edge) == place for place, edge in enumerate(EDGE_SCORES))
    assert bins.bin_of_threshold(0.505) is None
    assert bins.bin_of_threshold(1.0) == bins.BINS


@settings(max_examples=30, deadline=None)
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


def test_the_size_of_the_blocks_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The histogram has the same bytes whether it was counted at once or frame by frame."""
    wanted = tiny_store(tmp_path / "one.h5", n_cells=20, k_max=14)
    monkeypatch.setattr(histogram_writer, "COUNTER_BYTES", 8 * 300 * 70)
    found = tiny_store(tmp_path / "other.h5", n_cells=20, k_max=14)
    with h5py.File(wanted) as one, h5py.File(found) as other:
        for code in range(3):
            for key in (*schema.HISTOGRAM, schema.OFFSET, schema.SUMS, schema.KEY_BIN, schema.KEY_RANK):
                path = f"cumulative/layer0/head0/type{code}/{key}"
                np.testing.assert_array_equal(one[path][:], other[path][:])


@pytest.fixture(scope="module")
def long_rows(tmp_path_factory: pytest.TempPathFactory) -> StoreReader:
    """Rows of up to 57 links, so that ranks stand in groups."""
    multiome = tiny_multiome(18, 40, 700, density=0.5, seed=5)
    model = RandomModel.of(multiome, np.random.default_rng(5))
    path = write_store(tmp_path_factory.mktemp("long") / "s.h5", multiome, model, tiny_attributes(k_max=57))
    return StoreReader.open(path)


@settings(max_examples=40, deadline=None)
@given(threshold=st.sampled_from(EDGE_SCORES), top_k=st.none() | st.sampled_from(rank_ends(57)) | st.integers(1, 70))
def test_a_k_at_the_end_of_a_group_is_counted_and_any_other_summed(
    long_rows: StoreReader, threshold: float, top_k: int | None
) -> None:
    cut, name = Cut(threshold, top_k), long_rows.cell_types[1]
    assert long_rows.stored_links(0, 0).depth.max() == 57
    found = long_rows.cumulative(name, cut)
    same_sums(found, long_rows.cumulative_of_cells(long_rows.cells_of(name), cut, from_links=True))
    kept = long_rows._sums_of_type((0, 0), None, 1, cut)
    assert (kept is None) == (top_k is not None and 20 < top_k < 57 and top_k not in (25, 30, 35, 40, 45, 50))


def test_a_type_of_few_links_has_no_histogram(tmp_path: Path, store: StoreReader, cells: Multiome) -> None:
    model = RandomModel.of(cells, np.random.default_rng(2), layers=2, heads=2)
    attributes = tiny_attributes(n_layers=2, n_heads=2, k_max=K_MAX)
    with mock.patch("stores.histograms_of_all_types", contextlib.nullcontext):
        path = write_store(tmp_path / "s.h5", cells, model, attributes)
    with StoreReader.open(path) as reader:
        assert reader._sums_of_type((1, 0), None, 0, Cut()) is None
        for cut in (Cut(), Cut(0.8, 4), Cut(0.7777)):
            same_sums(reader.cumulative("B cell", cut, 1, 0), store.cumulative("B cell", cut, 1, 0))
            some = reader.cells_of("B cell")[1:]
            same_sums(reader.cumulative_of_cells(some, cut), store.cumulative_of_cells(some, cut, from_links=True))
        assert check_store(path) == []


@settings(max_examples=60, deadline=None)
@given(
    gaps=st.lists(st.integers(1, 200_000), min_size=1, max_size=6),
    counts=st.lists(st.integers(1, 3_000_000), min_size=6, max_size=6),
    weights=st.booleans(),
)
def test_what_an_entry_cannot_hold_stands_in_several(gaps: list[int], counts: list[int], weights: bool) -> None:
    peak = np.cumsum(gaps) - 1
    counters, weight = np.zeros(peak[-1] + 3, dtype=np.uint64), np.zeros((peak[-1] + 3) * weights, dtype=np.uint64)
    for at, n in zip(peak, counts, strict=False):
        counters[at] = (n << counting.SCORE_BITS) + 37 * n
        if weights:
            weight[at] = 60_000 * n
    entries = counting.entries_of(counters, weight)
    assert [each.dtype for each in entries] == list(schema.HISTOGRAM.values())
    total = np.zeros((3, len(counters)), dtype=np.int64)
    offset = np.array([0, len(entries[0])])
    assert counting.add_entries(offset, 0, np.array([1000]), entries, 1, total)
    wanted = np.zeros_like(total)
    for at, n in zip(peak, counts, strict=False):
        wanted[:, at] = n, 37 * n + 1000 * n, 60_000 * n * weights
    np.testing.assert_array_equal(total, wanted)
    assert not counting.add_entries(offset, 0, np.array([1000]), entries, 1, total[:, : peak[-1]].copy())


def test_memory_of_a_sum_does_not_grow_with_the_cells(tmp_path: Path) -> None:
    peaks_of_memory = []
    for n_cells in (100, 400):
        with StoreReader.open(tiny_store(tmp_path / f"{n_cells}.h5", n_cells=n_cells)) as reader:
            links, n_peaks = reader.stored_links(0, 0), len(reader.peaks)
            cut_sums(links, np.arange(n_cells), n_peaks, Cut(0.6, 7))
            tracemalloc.start()
            cut_sums(links, np.arange(n_cells), n_peaks, Cut(0.6, 7))
            peaks_of_memory.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    assert peaks_of_memory[1] < 1.3 * peaks_of_memory[0]


def test_any_cells_are_summed_once_each(store: StoreReader) -> None:
    chosen = [7, 3, 3, 31]
    found = store.cumulative_of_cells(chosen, Cut(0.7, 4))
    links = np.zeros(len(store.peaks))
    for cell in (3, 7, 31):
        links += np.bincount(store.attention(cell).links(Cut(0.7, 4)).peak, minlength=len(links))
    np.testing.assert_array_equal(found.links, links)
    assert found.n_cells == 3
    assert store.cumulative_of_cells([], Cut()).links.sum() == 0
    with pytest.raises(NotFoundError):
        store.cumulative_of_cells([40], Cut())


def test_a_type_without_cells_has_zeros(tmp_path: Path) -> None:
    multiome = tiny_multiome(12)
    chosen = np.flatnonzero(multiome.cells["cell_type"] != "B cell")
    fewer = multiome.take_cells(chosen)
    path = write_store(tmp_path / "s.h5", fewer, RandomModel.of(fewer, np.random.default_rng(0)), tiny_attributes())
    with StoreReader.open(path) as reader:
        for cut in (Cut(0.5, 5), Cut(0.6, 5), Cut(0.6123)):
            empty = reader.cumulative("B cell", cut)
            assert (empty.n_cells, empty.links.sum(), empty.n_open.sum(), empty.truncated) == (0, 0, 0, False)
        assert len(reader.regulatory_map("B cell").pairs((0, 80))) == 0
        assert not reader.null("B cell").expected.any()


def test_a_control_lies_beside_the_model(tmp_path: Path) -> None:
    multiome = tiny_multiome(20)
    models = [RandomModel.of(multiome, np.random.default_rng(seed)) for seed in (1, 2)]
    control = write_store(tmp_path / "control.h5", multiome, models[1], tiny_attributes(attention="uniform"))
    other = tiny_store(tmp_path / "other.h5", n_cells=19)
    path = tmp_path / "s.h5"
    with StoreWriter(path, multiome, tiny_attributes()) as writer:
        writer.write_embedding(Embedding(np.zeros((20, 2)), "none"))
        writer.write_control("uniform-attention", control)
        with pytest.raises(StoreError, match="differs in cells/cell_id"):
            writer.write_control("of-others", other)
        with pytest.raises(StoreError, match="cannot be called"):
            writer.write_control("a/b", control)
        for cell in range(20):
            writer.write_cell(models[0].attend(multiome, cell_graph(multiome, cell, cell), 50))
    with StoreReader.open(path) as reader, StoreReader.open(control) as alone:
        assert reader.controls == ["uniform-attention"]
        for cut in (Cut(), Cut(0.8, 7)):
            one = reader.cumulative("B cell", cut, control="uniform-attention")
            same_sums(one, alone.cumulative("B cell", cut))
            assert (one.links != reader.cumulative("B cell", cut).links).any()
        with pytest.raises(NotFoundError, match="control"):
            reader.cumulative("B cell", Cut(), control="none")
        with pytest.raises(NotFoundError, match="threshold"):
            reader.cumulative("B cell", Cut(0.7654), control="uniform-attention")
        assert (schema.OFFSET in reader._file["cumulative/layer0/head0/type0"]) is False


def test_sums_are_kept_within_bounds_and_cannot_be_written_to(
    store: StoreReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, cut = store.cell_types[1], Cut(0.61, 4)
    first = store.cumulative(name, cut)
    assert store.cumulative(name, cut) is first
    with pytest.raises(ValueError, match="read-only"):
        first.links[0] = 1
    monkeypatch.setattr(chosen, "KEPT_BYTES", 3 * 4 * first.links.nbytes)
    for k in range(1, 9):
        store.cumulative(name, Cut(0.62, k))
    assert len(store._recent) == 3
    assert store.cumulative(name, cut) is not first


def test_threads_get_the_same_sums(store: StoreReader) -> None:
    cuts = [Cut(t, k) for t, k in itertools.product((0.55, 0.8, 0.917), (2, 5, None))]
    wanted = {cut: store.cumulative(store.cell_types[0], cut).score.copy() for cut in cuts}
    store._recent.clear()
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
