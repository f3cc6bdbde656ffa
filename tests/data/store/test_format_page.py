"""The page that describes the format names what a store holds, with its type, and its examples hold."""

import re
from dataclasses import replace
from pathlib import Path

import h5py
import hdf5plugin  # noqa: F401  registers the compression filter
import numpy as np
import pytest
from stores import RandomModel, histograms_of_all_types, tiny_attributes, tiny_multiome

from bi2scope.data.attention import CellAttention, Cut
from bi2scope.data.graph import cell_graph
from bi2scope.data.store import schema
from bi2scope.data.store.cells_table import Embedding
from bi2scope.data.store.links import StoredCounts, StoredLinks
from bi2scope.data.store.reader import StoreReader
from bi2scope.data.store.writer import StoreWriter

PAGE = (Path(__file__).parents[3] / "docs" / "store-format.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With all that a store may hold, but controls."""
    multiome, path = tiny_multiome(6), tmp_path_factory.mktemp("page") / "s.h5"
    multiome = replace(multiome, peak_dna=np.full((multiome.n_peaks, 256), 0.5, dtype=np.float32))
    model = RandomModel.of(multiome, np.random.default_rng(0), layers=2, heads=2)
    embedding = Embedding(np.zeros((6, 2)), "none", pooled=np.zeros((6, 16)))
    writing = StoreWriter(path, multiome, tiny_attributes(n_layers=2, n_heads=2))
    with histograms_of_all_types(), writing as writer:
        writer.write_embedding(embedding)
        writer.write_factors(model.factors())
        for cell in range(6):
            writer.write_cell(model.attend(multiome, cell_graph(multiome, cell, cell), 50))
    return path


def described() -> dict[str, str]:
    """Path to type, of each row of the page's tree."""
    rows = re.findall(r"^\| (`(?:[a-z]+/.+?|pooled`)) \| (.+?) \|", PAGE, flags=re.MULTILINE)
    return {path: kind for paths, kind in rows for path in re.findall(r"`(.+?)`", paths)}


def stored(path: Path) -> dict[str, str]:
    """Path to type, of each array of a store; a categorical counts as one."""
    found: dict[str, str] = {}

    def visit(name: str, item: h5py.Group | h5py.Dataset) -> None:
        place = re.sub(r"type\d+", "type{t}", re.sub(r"head\d+", "head{j}", re.sub(r"layer\d+", "layer{i}", name)))
        if isinstance(item, h5py.Group):
            if item.attrs.get("encoding-type") == b"categorical":
                found[place] = "categorical"
        elif place.rsplit("/", 1)[0] not in found:
            found[place] = "text" if h5py.check_string_dtype(item.dtype) else item.dtype.name

    with h5py.File(path) as file:
        file.visititems(visit)
    return found


def test_every_array_is_named_with_its_type_and_no_other(path: Path) -> None:
    page, store = described(), stored(path)
    assert sorted(page) == sorted(store)
    for key, kind in store.items():
        assert kind in page[key] or "int" in page[key], key


def test_every_path_of_the_schema_is_named() -> None:
    page, of_head = described(), "layer{i}/head{j}"
    for key, dtype in schema.HISTOGRAM.items():
        assert page[f"{schema.CUMULATIVE}/{of_head}/type{{t}}/{key}"] == dtype.name
    for n_cells in (10, 1 << 16):
        for key, dtype in schema.map_arrays(n_cells).items():
            assert dtype.name in page[f"{schema.MAP}/{of_head}/type{{t}}/{key}"]
    for key in (schema.LINK, schema.ROW, schema.N_LINKS, schema.DEPTH):
        assert f"{schema.LINKS}/{of_head}/{key}" in page
    for key in (schema.LAST, "peak", *schema.INDEX_ARRAYS):
        assert f"{schema.ACROSS}/{of_head}/type{{t}}/{key}" in page
    for key, dtype in schema.INDEX_ARRAYS.items():
        assert page[f"{schema.ACROSS}/{of_head}/type{{t}}/{key}"] == dtype.name
    for key in schema.FACTOR_ARRAYS:
        assert f"{schema.FACTORS}/{key}" in page
    for table, columns in (
        (schema.CELLS, schema.CELL_COLUMNS),
        (schema.GENES, schema.GENE_COLUMNS),
        (schema.PEAKS, schema.PEAK_COLUMNS),
    ):
        for column in (schema.INDEX_NAMES[table], *columns):
            assert f"{table}/{column}" in page


def test_every_root_attribute_is_named_and_written(path: Path) -> None:
    table = PAGE.split("## Root attributes")[1].split("## Tree")[0]
    named = {
        name for row in re.findall(r"^\| (`.+?) \|", table, flags=re.MULTILINE) for name in re.findall(r"`(\w+)`", row)
    }
    with h5py.File(path) as file:
        assert set(schema.REQUIRED_ATTRIBUTES) == set(file.attrs)
    assert named == {*schema.REQUIRED_ATTRIBUTES, *schema.OPTIONAL_ATTRIBUTES}
    assert f"| `format_version` | integer | {schema.FORMAT_VERSION} |" in PAGE
    assert schema.MAGIC in PAGE
    assert PAGE.startswith(f"# The attention store, format {schema.FORMAT_VERSION}\n")


def test_edges_units_and_keys_are_those_of_the_page() -> None:
    assert len(schema.EDGE_SCORES) == 52
    assert "the 52 edges" in PAGE
    assert schema.EDGE_SCORES[:2] + schema.EDGE_SCORES[-3:] == (0.5, 0.51, 0.99, 0.995, 0.999)
    assert "0.5, 0.51, ... 0.99, 0.995, 0.999" in PAGE
    assert f"units of 1/{schema.SCORE_UNIT:,} and weights in units of 1/{schema.WEIGHT_UNIT:,}" in PAGE
    assert f"1 to {schema.SINGLE_RANKS}, 25, 30, 35, 40, 45, 50, then every 50" in PAGE
    assert schema.rank_ends(50) == (*range(1, 21), 25, 30, 35, 40, 45, 50)
    assert schema.rank_ends(7) == (1, 2, 3, 4, 5, 6, 7)
    assert schema.rank_ends(120)[-4:] == (45, 50, 100, 120)
    assert schema.rank_ends(0) == ()


def test_the_worked_example_reads_as_it_says(tmp_path: Path) -> None:
    """The arrays of the page, put into a file as they stand there."""
    example = PAGE.split("## Worked example")[1]
    arrays = {
        key: np.array([float(number) for number in numbers.split(",")])
        for key, numbers in re.findall(r"^    ([a-z_/\[\]0-9]+) +\[(.+?)\]", example, flags=re.MULTILINE)
    }
    with h5py.File(tmp_path / "example.h5", "w") as file:
        group = file.create_group("head")
        for key, values in arrays.items():
            if not key.endswith("]"):
                (file if "/" in key else group)[key] = values.astype(np.int64)
        link, row = np.zeros((2, 2, 9), dtype=np.uint16), np.zeros((2, 3, 3), dtype=np.int32)
        for key, values in arrays.items():
            if found := re.fullmatch(r"(row|link)\[(\d)\]\[(\d)\]", key):
                bits = values.astype(np.float32).view(np.int32) if found[1] + found[3] == "row2" else values
                {"link": link, "row": row}[found[1]][int(found[2]), int(found[3]), : len(values)] = bits
        group["link"], group["row"] = link, row
        file["rna/data"], file["atac/data"] = np.ones(4, dtype=np.float32), np.ones(8, dtype=np.float32)
        counts = StoredCounts(file["rna"]), StoredCounts(file["atac"])
        first, second = (StoredLinks(group, *counts, "learned").cell(cell) for cell in (0, 1))
    np.testing.assert_allclose(first.logit, [2.1, 0.9, 0.2, 1.5, 0.3], rtol=1e-3)
    np.testing.assert_allclose(second.logit, [0.7], rtol=1e-3)
    gene_9 = slice(*first.row_start[2:4])
    assert first.peak[gene_9].tolist() == [31, 30]
    assert first.rank[gene_9].tolist() == [1, 2]
    assert first.links(Cut()).weight[-2:] == pytest.approx([0.213, 0.167], abs=5e-4)
    assert first.links(Cut()).truncated
    assert first.peak[:3].tolist() == [12, 10, 15]
    assert (second.gene.tolist(), second.peak.tolist()) == ([7], [13])
    assert isinstance(first, CellAttention)


def test_the_code_of_the_page_reads_a_store(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code = PAGE.split("```python")[1].split("```")[0].replace("cell = 17", "cell = 4")
    monkeypatch.chdir(path.parent)
    (path.parent / "store.h5").write_bytes(path.read_bytes())
    names: dict[str, np.ndarray] = {}
    exec(code, names)
    with StoreReader.open(path) as reader:
        links = reader.attention(4)
        np.testing.assert_array_equal(names["gene"], links.gene[links.row])
        np.testing.assert_array_equal(names["peak"], links.peak)
        np.testing.assert_allclose(names["score"], 1 / (1 + np.exp(-links.logit)), rtol=1e-6)
