"""The regulatory map, the null sums, and answers beyond k_max."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from stores import RandomModel, tiny_attributes, tiny_multiome, tiny_store, write_store

from bi2scope.data.attention import Cut
from bi2scope.data.errors import NotFoundError
from bi2scope.data.graph import cell_graph
from bi2scope.data.store import gene_index, pairs
from bi2scope.data.store.cells_table import Embedding
from bi2scope.data.store.gene_index import chromosome_passes
from bi2scope.data.store.pairs import PairSources, linked_pairs
from bi2scope.data.store.reader import StoreReader
from bi2scope.data.store.regulatory import least_cells
from bi2scope.data.store.writer import StoreWriter

K_MAX = 9


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> StoreReader:
    multiome = tiny_multiome(40, seed=5)
    model = RandomModel.of(multiome, np.random.default_rng(5), heads=2)
    attributes = tiny_attributes(n_heads=2, k_max=K_MAX)
    path = write_store(tmp_path_factory.mktemp("across") / "s.h5", multiome, model, attributes, factors=True)
    return StoreReader.open(path)


def every_link(store: StoreReader, cells: np.ndarray, head: int, cut: Cut | None = None) -> pd.DataFrame:
    """All links of some cells, one by one."""
    tables = []
    for cell in cells:
        links = store.attention(int(cell), 0, head).links(cut or Cut())
        columns = {key: getattr(links, key) for key in ("gene", "peak", "rank", "logit", "score", "weight")}
        tables.append(pd.DataFrame({"cell": cell, **columns}))
    return pd.concat(tables, ignore_index=True)


def test_the_map_is_that_of_the_links_one_by_one(store: StoreReader) -> None:
    for name in store.cell_types:
        cells = store.cells_of(name)
        wanted = every_link(store, cells, 1).groupby(["gene", "peak"])[["score", "weight"]].agg(["count", "mean"])
        found = store.regulatory_map(name, 0, 1).pairs((0, 80))
        assert list(zip(found["gene"], found["peak"], strict=True)) == wanted.index.tolist()
        np.testing.assert_array_equal(found["n_cells"], wanted[("score", "count")])
        np.testing.assert_allclose(found["score"], wanted[("score", "mean")], atol=2e-4)
        np.testing.assert_allclose(found["weight"], wanted[("weight", "mean")], atol=3e-5)
        graphs = [store.graph(int(cell)) for cell in cells]
        for row in found.iloc[::97].itertuples():
            assert row.n_both == sum(row.gene in one.gene_index and row.peak in one.peak_index for one in graphs)


def test_the_map_is_sliced_by_genes_and_peaks(store: StoreReader) -> None:
    stored = store.regulatory_map("B cell")
    everything = stored.pairs((0, 80))
    some = stored.pairs((10, 30), (40, 90))
    wanted = everything[everything["gene"].between(10, 29) & everything["peak"].between(40, 89)]
    pd.testing.assert_frame_equal(some, wanted.reset_index(drop=True))
    assert len(stored) == len(everything)
    with pytest.raises(NotFoundError):
        store.regulatory_map("B")


@pytest.mark.parametrize("counter_bytes", [1 << 28, 12 * 200, 1])
def test_pairs_under_a_cut_are_those_of_its_links(
    store: StoreReader, monkeypatch: pytest.MonkeyPatch, counter_bytes: int
) -> None:
    """However many genes are counted at a time."""
    monkeypatch.setattr(pairs, "COUNTER_BYTES", counter_bytes)
    monkeypatch.setattr(pairs, "CELLS_AT_A_TIME", 5 if counter_bytes == 1 else 1 << 13)
    cells, cut, places = store.cells_of("B cell"), Cut(0.7, 6), store.places
    sources = PairSources(store.stored_links(0, 0), *store.counts, places.gene_chromosome, places.peak_chromosome)
    links = every_link(store, cells, 0, cut).groupby(["gene", "peak"])[["score", "weight"]].agg(["count", "sum"])
    for least in (1, 3):
        found = list(linked_pairs(sources, cells, cut, least))
        assert (len(found) == 1) == (counter_bytes == 1 << 28)
        key, n_cells, n_both, score, weight = (
            np.concatenate(parts)
            for parts in zip(
                *((np.stack([p.gene, p.peak], axis=1), p.n_cells, p.n_both, p.score, p.weight) for p in found),
                strict=True,
            )
        )
        wanted = links[links[("score", "count")] >= least]
        assert [tuple(row) for row in key] == wanted.index.tolist()
        np.testing.assert_array_equal(n_cells, wanted[("score", "count")])
        np.testing.assert_allclose(score / 4096, wanted[("score", "sum")], atol=2e-4 * len(cells))
        np.testing.assert_allclose(weight / 65536, wanted[("weight", "sum")], atol=3e-5 * len(cells))
        graphs = [store.graph(int(cell)) for cell in cells]
        for (gene, peak), both in list(zip(key, n_both, strict=True))[::31]:
            assert both == sum(gene in one.gene_index and peak in one.peak_index for one in graphs)


def test_rare_pairs_are_left_out_of_all_but_small_types() -> None:
    assert [least_cells(n) for n in (0, 1, 20, 21, 200, 201, 480, 5_000)] == [1, 1, 1, 2, 2, 3, 5, 50]


def test_the_map_of_a_larger_type_has_pairs_of_two_cells_or_more(tmp_path: Path) -> None:
    with StoreReader.open(tiny_store(tmp_path / "s.h5", n_cells=80)) as reader:
        cells = reader.cells_of("B cell")
        wanted = every_link(reader, cells, 0).groupby(["gene", "peak"])["score"].agg(["count", "mean"])
        wanted = wanted[wanted["count"] >= 2]
        stored = reader.regulatory_map("B cell")
        found = pd.concat([stored.pairs(run) for run in stored.gene_runs(500)], ignore_index=True)
        assert stored.least_cells == 2
        assert list(zip(found["gene"], found["peak"], strict=True)) == wanted.index.tolist()
        np.testing.assert_array_equal(found["n_cells"], wanted["count"])
        np.testing.assert_allclose(found["score"], wanted["mean"], atol=2e-4)


def test_passes_take_every_chromosome_once(monkeypatch: pytest.MonkeyPatch) -> None:
    chromosome = np.repeat([0, 1, 4, 5], [3, 1, 5, 2])
    runs = [(0, 3), (3, 4), (4, 9), (9, 11)]
    assert list(chromosome_passes(chromosome, 10)) == [runs]
    monkeypatch.setattr(gene_index, "WAITING_LINKS", 500)
    assert list(chromosome_passes(chromosome, 1000)) == [runs[:2], runs[2:]]


def test_null_sums_add_up_to_the_links(store: StoreReader) -> None:
    """Every link is thrown onto some peak: in all, as many as there are."""
    for cut in (None, Cut(0.85, 3)):
        null, sums = store.null("CD4 naive", cut, 0, 1), store.cumulative("CD4 naive", cut or Cut(), 0, 1)
        for expected, observed in zip(null.expected, (sums.links, sums.score, sums.weight), strict=True):
            assert expected.sum() == pytest.approx(observed.sum(), rel=1e-4)
        assert (null.variance >= -1e-9).all()


def test_what_was_cut_at_k_max_is_answered_from_the_factors(store: StoreReader, tmp_path: Path) -> None:
    multiome = tiny_multiome(40, seed=5)
    model = RandomModel.of(multiome, np.random.default_rng(5), heads=2)
    for cell in (0, 11):
        graph = cell_graph(multiome, cell, cell)
        for cut in (Cut(0.6, 25), Cut()):
            assert store.attention(cell, 0, 1).links(cut).truncated
            found = store.attention_for(cell, cut, 0, 1).links(cut)
            wanted = model.attend(multiome, graph, cut.top_k or 300)[0][1].links(cut)
            assert not found.truncated
            np.testing.assert_array_equal(found.peak, wanted.peak)
            np.testing.assert_allclose(found.logit, wanted.logit, rtol=1e-5, atol=1e-6)
            np.testing.assert_allclose(found.weight, wanted.weight, rtol=1e-5)
        kept = store.attention_for(cell, Cut(0.6, K_MAX), 0, 1)
        np.testing.assert_array_equal(kept.logit, store.attention(cell, 0, 1).logit)


def test_without_factors_or_in_deeper_layers_truncated_is_told(tmp_path: Path) -> None:
    multiome = tiny_multiome(6)
    model = RandomModel.of(multiome, np.random.default_rng(0), layers=2)
    attributes = tiny_attributes(n_layers=2, k_max=3)
    path = write_store(tmp_path / "s.h5", multiome, model, attributes, factors=True)
    with StoreReader.open(path) as reader:
        assert not reader.attention_for(0, Cut(), 0).links(Cut()).truncated
        assert reader.attention_for(0, Cut(), 1).links(Cut()).truncated
    bare = write_store(tmp_path / "bare.h5", multiome, model, attributes)
    with StoreReader.open(bare) as reader:
        assert reader.recompute is None
        assert reader.attention_for(0, Cut(), 0).links(Cut()).truncated


def test_pooled_and_quality_columns_return(tmp_path: Path) -> None:
    multiome, rng = tiny_multiome(8), np.random.default_rng(0)
    pooled = rng.normal(size=(8, 6)).astype(np.float32)
    quality = pd.DataFrame({"total_counts": rng.integers(1, 99, 8), "share_mito": rng.random(8)})
    model = RandomModel.of(multiome, rng)

    def write(name: str, embedding: Embedding) -> Path:
        with StoreWriter(tmp_path / name, multiome, tiny_attributes(metrics={"auroc": 0.9})) as writer:
            writer.write_embedding(embedding)
            for cell in range(8):
                writer.write_cell(model.attend(multiome, cell_graph(multiome, cell, cell), 50))
        return tmp_path / name

    with StoreReader.open(write("s.h5", Embedding(np.zeros((8, 2)), "none", pooled, quality))) as reader:
        np.testing.assert_array_equal(reader.pooled(), pooled)
        assert reader.cells["total_counts"].tolist() == quality["total_counts"].tolist()
        assert reader.cells["share_mito"].tolist() == quality["share_mito"].tolist()
        assert reader.attributes.metrics == {"auroc": 0.9}
    for wrong in (quality.rename(columns={"share_mito": "n_genes"}), quality[:5], quality.astype(str)):
        with pytest.raises(ValueError, match="quality columns"):
            write("t.h5", Embedding(np.zeros((8, 2)), "none", None, wrong))
    with pytest.raises(ValueError, match="one row per cell"):
        write("t.h5", Embedding(np.zeros((8, 2)), "none", pooled[:5]))
