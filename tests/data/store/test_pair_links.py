"""One gene, or one peak, across cells: what reading the links of every cell gives, whatever way it is found."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import h5py
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stores import RandomModel, tiny_attributes, tiny_multiome

from bi2scope.data.attention import CellAttention, Cut
from bi2scope.data.candidates import Window
from bi2scope.data.errors import NotFoundError, StoreDamagedError
from bi2scope.data.factors import Factors, Recompute
from bi2scope.data.graph import cell_graph
from bi2scope.data.multiome import Multiome
from bi2scope.data.store import across_factors, gene_index, halves, schema, transposed
from bi2scope.data.store.across import PairLinks
from bi2scope.data.store.cells_table import Embedding
from bi2scope.data.store.check import CheckOptions, check_store
from bi2scope.data.store.floor import above_floor
from bi2scope.data.store.reader import StoreReader
from bi2scope.data.store.writer import StoreWriter

N_GENES, N_PEAKS = 30, 90
EMPTY = "Z cell"
KEYS = ("gene", "peak", "rank", "logit")


@dataclass(frozen=True)
class Kind:
    """What store is made: the first layer is that of factors, the second one's links are in the store alone."""

    seed: int = 0
    n_cells: int = 12
    layers: int = 1
    heads: int = 1
    k_max: int = 5
    floor: float = 0.5
    counts: str = "raw"
    attention: str = "learned"
    max_distance: int | None = None
    largest_count: float = 5

    @property
    def multiome(self) -> Multiome:
        """Cells of three types and none of a fourth; nobody expresses the last gene or has the last peak."""
        multiome = tiny_multiome(self.n_cells, N_GENES, N_PEAKS, seed=self.seed)
        types = multiome.cells["cell_type"].cat.add_categories([EMPTY])
        rna, atac = multiome.rna.tolil(), multiome.atac.tolil()
        rna[:, N_GENES - 1], atac[:, N_PEAKS - 1] = 0, 0
        rna, atac = (counts.tocsr().astype(np.float32) for counts in (rna, atac))
        for counts in (rna, atac):
            counts.data[:1] = self.largest_count
        return replace(multiome, cells=pd.DataFrame({"cell_type": types}), rna=rna, atac=atac)

    def factors(self, rng: np.random.Generator) -> Factors:
        """Quarters of whole numbers: with raw counts no sum of products is rounded, and many are equal."""
        hidden = 3 * self.heads

        def quarters(*shape: int) -> np.ndarray:
            return (rng.integers(-6, 7, shape) / 4).astype(np.float32)

        query, key = quarters(N_GENES, hidden), quarters(N_PEAKS, hidden)
        if self.counts != "raw":
            query, key = (rng.normal(size=part.shape).astype(np.float32) for part in (query, key))
        return Factors(query, quarters(hidden), key, quarters(hidden), self.heads, self.counts)

    def write(self, path: Path) -> StoreReader:
        """Write it, with the links of each cell worked out one cell at a time."""
        multiome, rng = self.multiome, np.random.default_rng(self.seed)
        window = Window.of(multiome.genes, multiome.peaks, self.max_distance)
        places = multiome.gene_chromosome, multiome.peak_chromosome
        first = Recompute(self.factors(rng), *places, window, "uniform" if self.attention == "uniform" else "learned")
        others = RandomModel.of(multiome, rng, self.layers, self.heads, self.max_distance)
        same = {key: getattr(self, key) for key in ("k_max", "floor", "attention", "max_distance")}
        attributes = tiny_attributes(n_layers=self.layers, n_heads=self.heads, **same)
        with StoreWriter(path, multiome, attributes) as writer:
            writer.write_embedding(Embedding(np.zeros((self.n_cells, 2)), "none"))
            if self.attention != "random":
                writer.write_factors(first.factors)
            for cell in range(self.n_cells):
                graph = cell_graph(multiome, cell, cell)
                layers = others.attend(multiome, graph, self.k_max)
                layers[0] = [first.attention(graph, self.k_max, head) for head in range(self.heads)]
                writer.write_cell([[above_floor(one, self.floor) for one in heads] for heads in layers])
        return StoreReader.open(path)


def one_by_one(reader: StoreReader, cells: np.ndarray, place: tuple[int, int], cut: Cut | None) -> pd.DataFrame:
    """The links of each of some cells that the store keeps, or that survive a cut."""
    tables = [pd.DataFrame(columns=["cell", *KEYS])]
    for cell in map(int, cells):
        one = reader.attention(cell, *place)
        columns = {"gene": one.gene[one.row], "peak": one.peak, "rank": one.rank, "logit": one.logit}
        if cut is not None:
            if place[0] == 0 and reader.recompute is not None:
                one = reader.recompute.attention(reader.graph(cell), cut.top_k, place[1])
                one = replace(one, logit=halves.rounded(one.logit))
            links = one.links(cut)
            columns = {key: getattr(links, key) for key in KEYS}
        tables.append(pd.DataFrame({"cell": cell, **columns}))
    return pd.concat([table for table in tables if len(table)] or tables[:1], ignore_index=True)


def all_the_same(reader: StoreReader, cells: np.ndarray, place: tuple[int, int], cut: Cut | None = None) -> None:
    """Every gene and every peak across cells, against the links of the cells."""
    wanted = one_by_one(reader, cells, place, cut)
    graphs = {int(cell): reader.graph(int(cell)) for cell in cells}
    for gene in range(N_GENES):
        found = reader.links_of_gene(gene, cells, *place, cut)
        assert found.cells.tolist() == [cell for cell, graph in graphs.items() if gene in graph.gene_index]
        same(found, "peak", wanted[wanted["gene"] == gene])
    for peak in range(2, N_PEAKS, 3):
        found = reader.links_of_peak(peak, cells, *place, cut)
        assert found.cells.tolist() == [cell for cell, graph in graphs.items() if peak in graph.peak_index]
        same(found, "gene", wanted[wanted["peak"] == peak])


def same(found: PairLinks, other_side: str, wanted: pd.DataFrame) -> None:
    columns = {"cell": found.cell, other_side: found.feature, "rank": found.rank, "logit": found.logit}
    for key, values in columns.items():
        assert values.tolist() == wanted[key].tolist(), key


kinds = st.builds(
    Kind,
    seed=st.integers(0, 10_000),
    n_cells=st.integers(1, 14),
    layers=st.integers(1, 2),
    heads=st.integers(1, 2),
    k_max=st.sampled_from([1, 3, 5, 100]),
    floor=st.sampled_from([0.5, 0.62, 0.9]),
    attention=st.sampled_from(["learned", "uniform", "random"]),
    max_distance=st.sampled_from([None, None, 120_000, 1]),
)
cuts = st.one_of(st.none(), st.builds(Cut, st.sampled_from([0.5, 0.62, 0.81]), st.sampled_from([1, 4, 9, None])))


@settings(max_examples=10, deadline=None)
@given(kind=kinds, cut=cuts)
def test_across_cells_is_what_the_cells_say_one_by_one(kind: Kind, cut: Cut | None) -> None:
    """To the bit, ties in genome order among it: no product of these factors is rounded."""
    with TemporaryDirectory() as folder, kind.write(Path(folder) / "s.h5") as reader:
        for place in reader.layers_and_heads():
            for cells in (reader.cells_of("B cell"), np.arange(reader.n_cells)[::2]):
                all_the_same(reader, cells, place, cut)
            assert not len(reader.links_of_peak(0, [], *place, cut).cells)
        assert not len(reader.links_of_gene(0, reader.cells_of(EMPTY)).cell)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pairs") / "s.h5"
    Kind(seed=3, n_cells=20, layers=2, heads=2).write(path).close()
    return path


def test_a_few_entries_at_a_time_give_the_same(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of cells and of genes, and two threads, where one of each would do."""
    for module in (across_factors, gene_index, transposed):
        monkeypatch.setattr(module, "MOST_ENTRIES", 7)
    monkeypatch.setattr(across_factors, "_GENES_AT_ONCE", 2)
    monkeypatch.setattr(across_factors, "_WORTH_A_THREAD", 1)
    monkeypatch.setattr(across_factors.os, "cpu_count", lambda: 2)
    with StoreReader.open(path) as reader:
        for place in ((0, 1), (1, 0)):
            all_the_same(reader, np.arange(0, 20, 3), place)


@pytest.mark.slow
def test_large_stores_have_wider_types(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "position_dtype", lambda number: np.dtype("<u4"))
    with Kind(layers=2, largest_count=300).write(tmp_path / "s.h5") as reader:
        for place in ((0, 0), (1, 0)):
            all_the_same(reader, np.arange(12), place)
    assert check_store(tmp_path / "s.h5", CheckOptions(full=True)) == []
    with h5py.File(tmp_path / "s.h5") as file:
        assert file["across/rna/cell"].dtype == file["across/atac/peak"].dtype == np.uint32
        assert file["across/rna/count"].dtype == file["across/atac/count"].dtype == np.uint16


@pytest.mark.parametrize(("number", "kind"), [(65_536, "uint16"), (65_537, "uint32")])
def test_positions_are_as_wide_as_they_must_be(number: int, kind: str) -> None:
    assert schema.position_dtype(number) == kind


@pytest.mark.parametrize(
    ("largest", "kind"), [(255, "uint8"), (256, "uint16"), (65_535, "uint16"), (65_536, "float32"), (2.5, "float32")]
)
def test_counts_are_kept_exactly_in_the_smallest_type(largest: float, kind: str) -> None:
    blocks = [np.asarray([1, 2], dtype=np.float32), np.asarray([largest], dtype=np.float32)]
    assert schema.count_dtype(blocks) == kind


def test_logarithms_of_counts_agree_but_for_rounding(tmp_path: Path) -> None:
    with Kind(seed=8, n_cells=20, counts="log1p", k_max=6).write(tmp_path / "s.h5") as reader:
        cells = np.arange(20)
        wanted = one_by_one(reader, cells, (0, 0), None).astype(float)
        genes = [reader.links_of_gene(gene, cells) for gene in range(N_GENES)]
        peaks = [reader.links_of_peak(peak, cells) for peak in range(N_PEAKS)]
    for key, other, parts in (("gene", "peak", genes), ("peak", "gene", peaks)):
        tables = [
            pd.DataFrame({"cell": one.cell, key: float(i), other: one.feature, "rank": one.rank, "logit": one.logit})
            for i, one in enumerate(parts)
        ]
        found = pd.concat([table for table in tables if len(table)]).astype(float)
        both = wanted.merge(found, on=["cell", "gene", "peak"])
        assert len(both) >= 0.999 * max(len(wanted), len(found)) > 0
        assert (both["rank_x"] == both["rank_y"]).mean() > 0.999
        np.testing.assert_allclose(both["logit_x"], both["logit_y"], rtol=2**-10, atol=1e-4)


def test_chromosomes_without_genes_come_in_natural_order(tmp_path: Path) -> None:
    """Peaks on chr2 alone, between chromosomes that have genes: the codes of both tables ascend."""
    multiome = Kind(seed=4).multiome
    kept = np.flatnonzero(multiome.genes["chrom"] != "chr2")
    multiome = replace(multiome, genes=multiome.genes.iloc[kept], rna=multiome.rna[:, kept].tocsr())
    model = RandomModel.of(multiome, np.random.default_rng(4))
    with StoreWriter(tmp_path / "s.h5", multiome, tiny_attributes(k_max=5)) as writer:
        writer.write_embedding(Embedding(np.zeros((12, 2)), "none"))
        writer.write_factors(model.factors())
        for cell in range(12):
            writer.write_cell(model.attend(multiome, cell_graph(multiome, cell, cell), 5))
    assert check_store(tmp_path / "s.h5", CheckOptions(full=True)) == []
    with StoreReader.open(tmp_path / "s.h5") as reader:
        wanted = one_by_one(reader, np.arange(12), (0, 0), None)
        for gene in range(len(kept)):
            found = reader.links_of_gene(gene, np.arange(12))
            assert found.feature.tolist() == wanted["peak"][wanted["gene"] == gene].tolist()


def test_links_beyond_k_max_are_there_or_said_to_be_missing(path: Path) -> None:
    with StoreReader.open(path) as reader:
        cells = np.arange(20)
        kept, every = reader.links_of_gene(2, cells), reader.links_of_gene(2, cells, cut=Cut())
        assert len(kept.cell) < len(every.cell)
        assert not every.truncated
        assert not reader.links_of_peak(3, cells, 0, cut=Cut()).truncated
        for cut in (Cut(0.5, 9), Cut(0.5, 5), Cut(0.9)):
            attended = {int(cell): reader.attention(int(cell), 1) for cell in cells}
            said = []
            for gene in range(N_GENES):
                rows = [one_row(one, gene) for one in attended.values() if gene in one.gene]
                said.append(reader.links_of_gene(gene, cells, 1, cut=cut).truncated)
                assert said[-1] == any(row.cut_off(cut) for row in rows)
            assert any(said) != (cut.top_k == 5)
            for peak in range(0, N_PEAKS, 7):
                code = reader.places.peak_chromosome[peak]
                rows = [
                    one_row(one, gene)
                    for cell, one in attended.items()
                    for gene in one.gene[reader.places.gene_chromosome[one.gene] == code]
                    if peak in reader.graph(cell).peak_index
                ]
                assert reader.links_of_peak(peak, cells, 1, cut=cut).truncated == any(row.cut_off(cut) for row in rows)


def one_row(attention: CellAttention, gene: int) -> CellAttention:
    at = int(np.flatnonzero(attention.gene == gene)[0])
    own = slice(*attention.row_start[at : at + 2])
    return replace(
        attention,
        gene=attention.gene[[at]],
        row_start=np.asarray([0, own.stop - own.start]),
        peak=attention.peak[own],
        logit=attention.logit[own],
        n_above=attention.n_above[[at]],
        denominator=attention.denominator[[at]],
    )


def test_what_is_not_there_is_said(path: Path) -> None:
    with StoreReader.open(path) as reader:
        for feature, cells, place in ((N_GENES, [0], (0, 0)), (0, [20], (0, 0)), (0, [0], (2, 0)), (0, [0], (0, 2))):
            with pytest.raises(NotFoundError):
                reader.links_of_gene(feature, cells, *place)
        for feature, cells, place in ((-1, [0], (0, 0)), (0, [-1], (0, 0)), (0, [0], (-1, 0)), (N_PEAKS, [0], (1, 1))):
            with pytest.raises(NotFoundError):
                reader.links_of_peak(feature, cells, *place)


WITH_FACTORS, WITHOUT = ("across/layer0/head0/type0", "across/layer1/head0/type0")
IMPOSSIBLE: list[tuple[str, int, Callable[[np.ndarray], np.ndarray]]] = [
    ("across/rna/offset", 0, lambda values: values[:, ::-1]),
    ("across/rna/cell", 0, lambda values: values + 60_000),
    ("across/rna/count", 0, np.zeros_like),
    ("across/atac/offset", 0, lambda values: values - 1),
    ("across/atac/offset", 0, lambda values: values + 1_000_000),
    ("across/atac/peak", 0, lambda values: values + 60_000),
    ("across/atac/count", 0, np.zeros_like),
    (f"{WITH_FACTORS}/last", 0, lambda values: values[:-40]),
    (f"{WITHOUT}/n_links", 1, lambda values: values + 1),
    (f"{WITHOUT}/offset", 1, lambda values: values + 1),
    (f"{WITHOUT}/peak", 1, lambda values: values + 60_000),
    (f"{WITHOUT}/step", 1, lambda values: values[:-1]),
]


def ask_all(reader: StoreReader, cells: np.ndarray, layer: int) -> None:
    for gene in range(N_GENES):
        reader.links_of_gene(gene, cells, layer)
        reader.links_of_peak(3 * gene, cells, layer)


@pytest.mark.parametrize(("key", "layer", "change"), IMPOSSIBLE)
def test_content_that_cannot_be_is_damage(
    path: Path, tmp_path: Path, key: str, layer: int, change: Callable[[np.ndarray], np.ndarray]
) -> None:
    spoiled = Path(shutil.copy(path, tmp_path / "s.h5"))
    with h5py.File(spoiled, "r+") as file:
        values = change(file[key][:])
        del file[key]
        file[key] = values
    with StoreReader.open(spoiled) as reader:
        cells = reader.cells_of(reader.cell_types[0])
        with pytest.raises(StoreDamagedError, match="across"):
            ask_all(reader, cells, layer)
    assert any("across" in violation for violation in check_store(spoiled, CheckOptions(full=True)))


@pytest.mark.parametrize(
    "key",
    [
        "across/rna/cell",
        "across/rna/count",
        "across/atac/peak",
        "across/atac/count",
        f"{WITH_FACTORS}/last",
        f"{WITHOUT}/cut",
        f"{WITHOUT}/peak",
        f"{WITHOUT}/step",
    ],
)
def test_content_that_is_another_is_found_by_the_check(path: Path, tmp_path: Path, key: str) -> None:
    spoiled = Path(shutil.copy(path, tmp_path / "s.h5"))
    with h5py.File(spoiled, "r+") as file:
        file[key][1] += 1
    violations = check_store(spoiled, CheckOptions(full=True))
    assert any(key.rsplit("/", 1)[0] in violation for violation in violations), violations


def test_the_store_of_these_tests_is_sound(path: Path) -> None:
    assert check_store(path, CheckOptions(full=True)) == []
    assert check_store(path, CheckOptions(cells=3)) == []


def test_factors_come_before_the_sums(tmp_path: Path) -> None:
    kind = Kind(n_cells=3)
    multiome, model = kind.multiome, kind.factors(np.random.default_rng(0))
    recompute = Recompute(model, multiome.gene_chromosome, multiome.peak_chromosome)

    def too_late() -> None:
        with StoreWriter(tmp_path / "s.h5", multiome, tiny_attributes()) as writer:
            for cell in range(3):
                writer.write_cell([[recompute.attention(cell_graph(multiome, cell, cell), 50)]])
            writer.write_cumulative(0)
            writer.write_factors(model)

    with pytest.raises(ValueError, match="summed already"):
        too_late()
