"""The page that describes the format names what a store holds, with its type, and its examples hold."""

import re
from pathlib import Path

import h5py
import hdf5plugin  # noqa: F401  registers the compression filter
import numpy as np
import pytest
from stores import tiny_store

from bi2scope.data.attention import CellAttention, Cut
from bi2scope.data.store import schema
from bi2scope.data.store.links import StoredCounts, StoredLinks
from bi2scope.data.store.reader import StoreReader

PAGE = (Path(__file__).parents[3] / "docs" / "store-format.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_store(tmp_path_factory.mktemp("page") / "s.h5", n_cells=6, layers=2, heads=2)


def described() -> dict[str, str]:
    """Path to type, of each row of the page's tree."""
    rows = re.findall(r"^\| (`[a-z]+/.+?) \| (.+?) \|", PAGE, flags=re.MULTILINE)
    return {path: kind for paths, kind in rows for path in re.findall(r"`(.+?)`", paths)}


def stored(path: Path) -> dict[str, str]:
    """Path to type, of each array of a store; a categorical counts as one."""
    found: dict[str, str] = {}

    def visit(name: str, item: h5py.Group | h5py.Dataset) -> None:
        place = re.sub(r"head\d+", "head{j}", re.sub(r"layer\d+", "layer{i}", name))
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
    page = described()
    links, cumulative = "links/layer{i}/head{j}", "cumulative/layer{i}/head{j}"
    for key, dtype in schema.ROW_ARRAYS.items():
        assert page[f"{links}/{key}"] == dtype.name
    for key, dtype in schema.DEFINITIONS.items():
        assert page[f"{cumulative}/{key}"] == dtype.name
    for key in (*schema.LINK_ARRAYS, schema.ROW_OFFSET, schema.LINK_OFFSET):
        assert f"{links}/{key}" in page
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


def test_the_grid_is_the_one_of_the_page() -> None:
    assert ", ".join(f"{threshold:g}" for threshold in schema.GRID_THRESHOLDS) in PAGE
    assert f"those of {', '.join(map(str, schema.GRID_TOP_K))} below k_max" in PAGE
    assert schema.grid_top_k(50) == (1, 5, 10, 20, 50)
    assert schema.grid_top_k(10) == (1, 5, 10)
    assert schema.grid_top_k(1) == (1,)


def test_the_worked_example_reads_as_it_says(tmp_path: Path) -> None:
    """The arrays of the page, put into a file as they stand there."""
    example = PAGE.split("## Worked example")[1]
    arrays = {
        key: np.array([float(number) for number in numbers.split(",")])
        for key, numbers in re.findall(r"^    ([a-z_/]+) +\[(.+?)\]", example, flags=re.MULTILINE)
    }
    with h5py.File(tmp_path / "example.h5", "w") as file:
        group = file.create_group("head")
        for key, values in arrays.items():
            parent = file if "/" in key else group
            parent[key] = values if key in ("logit", "denominator") else values.astype(np.int64)
        file["atac/data"] = np.ones(8, dtype=np.float32)
        first, second = (StoredLinks(group, StoredCounts(file["atac"])).cell(cell) for cell in (0, 1))
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
