"""Two groups of cells of a store: against the dense table, on planted truth, and on labels that mean nothing."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pytest
from planted import planted_pairs, planted_store
from scipy import stats
from simulations import simulated
from stores import tiny_store

from bi2scope.data.attention import Cut
from bi2scope.data.differences import Method
from bi2scope.data.store import cell_sums
from bi2scope.data.store.cell_sums import Definition, Feature, SumsOf, SumsPerCell
from bi2scope.data.store.group_difference import Among, Contrast, difference
from bi2scope.data.store.reader import StoreReader

CUT = Cut(0.7, 5)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreReader]:
    with StoreReader.open(tiny_store(tmp_path_factory.mktemp("store") / "tiny.h5", layers=2, k_max=8)) as reader:
        yield reader


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreReader]:
    path = planted_store(tmp_path_factory.mktemp("store") / "planted.h5", simulated("tiny"))
    with StoreReader.open(path) as reader:
        yield reader


def dense_sums(reader: StoreReader, cells: np.ndarray, of: SumsOf, layer: int = 0) -> np.ndarray:
    """``(n_cells, n_features)`` plainly, from the links of each cell."""
    table = np.zeros((len(cells), len(reader.genes) if of.feature == "gene" else reader.n_peaks))
    for row, cell in enumerate(cells):
        links = reader.attention(int(cell), layer).links(of.cut)
        value = {"links": np.ones(len(links)), "score": links.score, "weight": links.weight}[of.definition]
        np.add.at(table[row], links.gene if of.feature == "gene" else links.peak, value.astype(float))
        if of.share:
            table[row] /= max(table[row].sum(), 1e-300)
    return table


@pytest.mark.parametrize(
    ("feature", "definition", "share"),
    list(itertools.product(["peak", "gene"], ["links", "score", "weight"], [False, True])),
)
def test_sums_are_those_of_the_links(
    reader: StoreReader, feature: Feature, definition: Definition, share: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cell_sums, "PASS_ENTRIES", 700)
    monkeypatch.setattr(cell_sums, "BLOCK_ENTRIES", 90)
    cells, of = np.array([3, 50, 7, 22]), SumsOf(feature, definition, CUT, share)
    sums = SumsPerCell(reader.stored_links(1, 0), reader.counts, reader.n_peaks, cells, of)
    wanted = dense_sums(reader, cells, of, layer=1)
    found, reached = np.zeros_like(wanted), 0
    nonzero = sums.nonzero(wanted.shape[1])
    for block in sums.blocks(nonzero):
        assert block.start == reached
        assert len(block.value) <= max(90, nonzero[block.start : block.stop].max())
        assert (block.value > 0).all()
        found[block.cell, block.start + block.feature] = block.value
        reached = block.stop
    assert reached == wanted.shape[1]
    np.testing.assert_allclose(found, wanted, rtol=1e-3 if definition == "weight" else 2e-4)
    counts = reader.counts[feature == "peak"]
    assert (
        nonzero.tolist()
        == sum(np.bincount(counts.indices(cell, cell + 1), minlength=wanted.shape[1]) for cell in cells).tolist()
    )  # type: ignore[union-attr]


def test_links_that_were_cut_off_are_told(reader: StoreReader) -> None:
    first, second = reader.cells_of("B cell"), reader.cells_of("CD4 naive")
    assert not difference(reader, first, second, Contrast(SumsOf("peak", "links", Cut(0.6, 8), True))).truncated
    assert difference(reader, first, second, Contrast(SumsOf("peak", "links", Cut(0.6, 9), True))).truncated


@pytest.mark.parametrize("feature", ["peak", "gene"])
@pytest.mark.parametrize("among", ["all", "nonzero"])
def test_differences_are_those_of_scipy_on_the_dense_table(reader: StoreReader, feature: Feature, among: Among) -> None:
    first, second = reader.cells_of("B cell"), reader.cells_of("CD4 naive")
    of = SumsOf(feature, "links", CUT, False)
    found = difference(reader, first, second, Contrast(of, among=among, least_share=0.5))
    table, n_first = dense_sums(reader, np.concatenate([first, second]), of), len(first)
    counts = np.zeros(table.shape, dtype=bool)
    for row, cell in enumerate([*first, *second]):
        graph = reader.graph(int(cell))
        counts[row, graph.gene_index if feature == "gene" else graph.peak_index] = True
    assert found.least_cells == int(np.ceil(0.5 * min(n_first, len(second))))
    there = (counts[:n_first].sum(axis=0), counts[n_first:].sum(axis=0))
    wanted = (table > 0).sum(axis=0) >= found.least_cells
    wanted &= (np.minimum(*there) >= 3) | (among == "all")
    rows = found.tested
    assert rows.feature.tolist() == np.flatnonzero(wanted).tolist()
    assert 0 < len(rows.feature) < table.shape[1]
    for at, place in enumerate(rows.feature):
        own = counts[:, place] if among == "nonzero" else np.ones(len(table), dtype=bool)
        groups = table[:n_first, place][own[:n_first]], table[n_first:, place][own[n_first:]]
        wanted_u = stats.mannwhitneyu(*groups, method="asymptotic")
        assert rows.p[at] == pytest.approx(wanted_u.pvalue, rel=1e-9)
        assert rows.effect[at] == pytest.approx(wanted_u.statistic / len(groups[0]) / len(groups[1]))
        assert (rows.mean_first[at], rows.mean_second[at]) == pytest.approx([group.mean() for group in groups])
        assert (rows.linked_first[at], rows.linked_second[at]) == tuple((group > 0).sum() for group in groups)
        opened = stats.mannwhitneyu(counts[:n_first, place], counts[n_first:, place], method="asymptotic")
        assert rows.nonzero_p[at] == pytest.approx(opened.pvalue, rel=1e-9)
        assert (rows.nonzero_first[at], rows.nonzero_second[at]) == (there[0][place], there[1][place])
    np.testing.assert_allclose(rows.q, stats.false_discovery_control(rows.p))


@pytest.mark.parametrize("method", ["mann-whitney", "welch"])
@pytest.mark.parametrize("among", ["all", "nonzero"])
def test_peaks_planted_in_one_type_come_first(planted: StoreReader, method: Method, among: Among) -> None:
    truth = simulated("tiny")
    for name in planted.cell_types:
        first = planted.cells_of(name)
        others = np.setdiff1d(np.arange(planted.n_cells), first)
        contrast = Contrast(SumsOf("peak", "score", Cut(0.9), True), method=method, among=among)
        rows = difference(planted, first, others, contrast).tested
        at_work = {each: planted_pairs(truth, each).any(axis=0)[rows.feature] for each in planted.cell_types}
        own, types = at_work[name], sum(each.astype(int) for each in at_work.values())
        alone, theirs = rows.statistic[own & (types == 1)], rows.statistic[~own]
        assert (len(alone) >= 3) & (len(theirs) >= 20), name
        assert stats.mannwhitneyu(alone, theirs).statistic / len(alone) / len(theirs) > 0.9, name
        assert own[np.argsort(-rows.statistic, kind="stable")[:10]].sum() >= 9, name


@pytest.mark.parametrize(("method", "among"), [("mann-whitney", "all"), ("welch", "all"), ("mann-whitney", "nonzero")])
def test_p_is_uniform_where_the_groups_mean_nothing(planted: StoreReader, method: Method, among: Among) -> None:
    """Cells of one type, parted at random: p over peaks and partings is uniform (Kolmogorov-Smirnov).

    What is high in a cell is high in all its peaks, so p of one parting go together: many partings, few peaks of each.
    """
    rng, cells, p = np.random.default_rng(7), planted.cells_of("CD14 Mono"), []
    contrast = Contrast(SumsOf("peak", "score", Cut(0.6), True), method=method, among=among, least_share=0.7)
    for _ in range(30):
        mixed = rng.permutation(cells)
        found = difference(planted, mixed[: len(mixed) // 2], mixed[len(mixed) // 2 :], contrast).tested
        p.append(rng.choice(found.p, 8, replace=False))
    assert stats.kstest(np.concatenate(p), "uniform").pvalue > 0.01
