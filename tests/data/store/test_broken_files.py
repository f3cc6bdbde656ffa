"""Files that are no store, another version's, cut short or damaged: one clear sentence each, never wrong numbers."""

import hashlib
import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from stores import tiny_store

from bi2scope.data.attention import Cut
from bi2scope.data.errors import StoreDamagedError, StoreError, StoreFormatError
from bi2scope.data.store import schema
from bi2scope.data.store.check import check_store
from bi2scope.data.store.reader import StoreReader


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_store(tmp_path_factory.mktemp("whole") / "s.h5", n_cells=20, k_max=8, factors=True)


@pytest.fixture
def path(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(whole, tmp_path / "copy.h5"))


def refused(path: Path, kind: type[StoreError], *words: str) -> None:
    with pytest.raises(kind) as caught:
        StoreReader.open(path)
    assert type(caught.value) is kind
    assert str(path) in str(caught.value)
    for word in words:
        assert word in str(caught.value), str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_file(tmp_path: Path) -> None:
    refused(tmp_path / "none.h5", StoreError, "does not exist", "bi2scope precompute")


def test_a_folder(tmp_path: Path) -> None:
    refused(tmp_path, StoreError, "is a folder")


def test_an_empty_file(path: Path) -> None:
    path.write_bytes(b"")
    refused(path, StoreFormatError, "is empty")


def test_not_hdf5(path: Path) -> None:
    path.write_text("cell_id,gene\n")
    refused(path, StoreFormatError, "is not an HDF5 file")


def test_hdf5_of_something_else(path: Path) -> None:
    with h5py.File(path, "w") as file:
        file["X"] = np.zeros(3)
    refused(path, StoreFormatError, "not an attention store")


@pytest.mark.parametrize("version", [0, 2, 7, None, "abc"])
def test_another_version_names_both(path: Path, version: int | str | None) -> None:
    with h5py.File(path, "r+") as file:
        del file.attrs["format_version"]
        if version is not None:
            file.attrs["format_version"] = version
    refused(path, StoreFormatError, f"format {version}", f"reads format {schema.FORMAT_VERSION}")


def test_the_draft_is_refused_with_what_to_do(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file.attrs["format_version"] = 0
    refused(path, StoreFormatError, "Format 0 was a draft: precompute again")


def test_a_lost_chunk_is_damage_and_not_zeros(path: Path) -> None:
    """HDF5 gives zeros for a chunk that was never written; the numbers of links tell."""
    with h5py.File(path, "r+") as file:
        links = file["links/layer0/head0"]
        for key in ("link", "row"):
            shape, dtype, chunks, others = links[key].shape, links[key].dtype, links[key].chunks, links[key][1:]
            del links[key]
            links.create_dataset(key, shape, dtype, maxshape=(None,) * 3, chunks=chunks)[1:] = others
    with StoreReader.open(path) as reader:
        reader.attention(1)
        with pytest.raises(StoreDamagedError, match="cell 0"):
            reader.attention(0)


@pytest.mark.parametrize(
    ("key", "where", "value"),
    [
        ("links/layer0/head0/link", (0, 0, 3), 65_000),
        ("links/layer0/head0/row", (0, 0, 1), -3),
        ("links/layer0/head0/row", (0, 0, 1), 2_000_000_000),
        ("links/layer0/head0/depth", 0, 60_000),
        ("links/layer0/head0/n_links", 0, 1 << 40),
    ],
)
def test_what_passes_the_checksum_is_not_followed_out_of_bounds(
    path: Path, key: str, where: int | tuple[int, ...], value: int
) -> None:
    """Compiled code does not look where it reads: nothing may reach it that points elsewhere."""
    with h5py.File(path, "r+") as file:
        file[key][where] = value
    with StoreReader.open(path) as reader:
        for ask in (
            lambda: reader.attention(0),
            lambda: reader.cumulative_of_cells([0, 1], Cut()),
            lambda: reader.cumulative_of_cells([0, 1], Cut(0.5, 5)),
        ):
            with pytest.raises(StoreDamagedError):
                ask()
        reader.attention(1)


def test_a_peak_beyond_the_data_set_is_damage(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file["atac/indices"][2] = 70_000
    with StoreReader.open(path) as reader, pytest.raises(StoreDamagedError, match="beyond"):
        reader.cumulative_of_cells([0], Cut())


@pytest.mark.parametrize("share", [0.02, 0.3, 0.7, 0.99, 0.9999])
def test_cut_short(path: Path, share: float) -> None:
    content = path.read_bytes()
    left = int(len(content) * share)
    path.write_bytes(content[:left])
    refused(path, StoreDamagedError, f"cut short: {left:,} of {len(content):,} bytes are there")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("configuration", "{half"),
        ("notes", "["),
        ("training", "}"),
        ("floor", "half"),
        ("k_max", "many"),
        ("n_layers", "one"),
        ("format_version", [0, 1]),
    ],
)
def test_an_attribute_of_another_kind_is_refused(path: Path, key: str, value: object) -> None:
    with h5py.File(path, "r+") as file:
        file.attrs[key] = value
    with pytest.raises((StoreDamagedError, StoreFormatError)) as refusal:
        StoreReader.open(path)
    assert str(path) in refusal.value.message


def test_a_table_of_no_known_encoding_is_named(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        del file["cells"].attrs["encoding-type"]
    refused(path, StoreDamagedError, "cells")


def test_a_column_of_another_encoding_is_named(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        del file["cells/cell_type"]
        file["cells/cell_type"] = np.arange(len(file["cells/_index"]) if "_index" in file["cells"] else 60)
    refused(path, StoreDamagedError, "cells")


@pytest.mark.parametrize(
    "key",
    [
        *schema.REQUIRED_ATTRIBUTES[2:],
        "cells",
        "peaks/chrom",
        "atac/indices",
        "links/layer0/head0/link",
        "cumulative/n_open",
    ],
)
def test_a_missing_part_is_named(path: Path, key: str) -> None:
    with h5py.File(path, "r+") as file:
        if key in file.attrs:
            del file.attrs[key]
        else:
            del file[key]
    refused(path, StoreDamagedError)
    with pytest.raises(StoreDamagedError, match=key.rsplit("/", 1)[-1]):
        StoreReader.open(path)


@pytest.mark.parametrize(
    "key", ["links/layer0/head0/n_links", "links/layer0/head0/depth", "rna/data", "atac/indptr",
            "cells/cell_type/codes", "cumulative/edges", "cumulative/n_open"]
)  # fmt: skip
def test_an_array_of_another_length_is_named(path: Path, key: str) -> None:
    with h5py.File(path, "r+") as file:
        values = file[key][:]
        del file[key]
        file[key] = values[..., :-1]
    refused(path, StoreDamagedError, key)


def test_a_flipped_bit_in_links_is_seen_and_named(path: Path) -> None:
    with h5py.File(path) as file:
        place = file["links/layer0/head0/link"].id.get_chunk_info(0)
    flip(path, place.byte_offset + place.size // 2)
    with StoreReader.open(path) as reader:
        reader.graph(0)
        with pytest.raises(StoreDamagedError, match=r"links/layer0/head0, cell 0"):
            reader.attention(0)
        with pytest.raises(StoreDamagedError, match="chosen cells"):
            reader.cumulative_of_cells([0, 1], Cut(0.61))
        assert reader.cumulative("B cell", Cut(0.61)).links.any()  # from the histogram, which is whole
    assert any("links/layer0/head0" in violation for violation in check_store(path))


@pytest.mark.parametrize("n_bytes", [40, pytest.param(600, marks=[pytest.mark.slow, pytest.mark.timeout(1800)])])
def test_no_flipped_byte_anywhere_gives_other_numbers(whole: Path, path: Path, n_bytes: int) -> None:
    """Every byte is under a checksum, or does not matter: damage is told, or what is read is what was written."""
    wanted = digest_of_everything(whole)
    content = whole.read_bytes()
    rng = np.random.default_rng(n_bytes)
    told = 0
    for position in rng.choice(len(content), n_bytes, replace=False):
        path.write_bytes(content)
        flip(path, int(position))
        try:
            assert digest_of_everything(path) == wanted, f"byte {position} changes what is read, unseen"
        except (StoreDamagedError, StoreFormatError):
            told += 1
    assert told > n_bytes / 5


def flip(path: Path, position: int) -> None:
    with path.open("r+b") as file:
        file.seek(position)
        byte = file.read(1)[0]
        file.seek(position)
        file.write(bytes([byte ^ 0b0100_0001]))


def digest_of_everything(path: Path) -> str:
    sha = hashlib.sha256()

    def add(value: Any) -> None:
        sha.update(value.tobytes() if isinstance(value, np.ndarray) else str(value).encode())

    with StoreReader.open(path) as reader:
        add(reader.attributes)
        add(reader.embedding_method)
        for table in (reader.cells, reader.genes, reader.peaks):
            add(table.to_csv())
        for cell in range(reader.n_cells):
            graph, attention = reader.graph(cell), reader.attention(cell)
            for key in ("gene_index", "gene_count", "peak_index", "peak_count"):
                add(getattr(graph, key))
            for key in ("gene", "row_start", "peak", "logit", "n_above", "denominator"):
                add(getattr(attention, key))
        for feature in range(0, 80, 7):
            for links in (reader.links_of_gene(feature, range(20)), reader.links_of_peak(3 * feature, range(20))):
                for array in (links.cells, links.cell, links.feature, links.rank, links.logit):
                    add(array)
        some = reader.cumulative_of_cells(range(20), Cut(0.61), from_links=True)
        add(np.stack([some.links, some.score, some.weight]))
        for name in reader.cell_types:
            for threshold in schema.EDGE_SCORES[::7]:
                for k in (1, 5, 8, None):
                    sums = reader.cumulative(name, Cut(threshold, k))
                    for array in (sums.links, sums.score, sums.weight, sums.n_open):
                        add(array)
                    add(sums.truncated)
            add(reader.regulatory_map(name).pairs((0, len(reader.genes))).to_csv())
            null = reader.null(name)
            for array in (null.expected, null.variance):
                add(array)
        for array in (reader.recompute.factors.query, reader.recompute.factors.key):
            add(array)
    return sha.hexdigest()
