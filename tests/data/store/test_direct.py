"""Sums over many cells read past HDF5: the same numbers, and in doubt what HDF5 says."""

import gc
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from stores import tiny_store

from bi2scope.data.attention import Cut
from bi2scope.data.errors import StoreDamagedError
from bi2scope.data.store import cumulative, direct
from bi2scope.data.store.cumulative import CumulativeScores, cut_sums
from bi2scope.data.store.links import StoredLinks
from bi2scope.data.store.reader import StoreReader
from bi2scope.data.store.tables import COMPRESSED

N_CELLS, LINKS = 40, "links/layer0/head0"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_store(tmp_path_factory.mktemp("direct") / "s.h5", n_cells=N_CELLS, k_max=12)


@pytest.fixture
def path(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(whole, tmp_path / "copy.h5"))


@pytest.fixture(scope="module")
def reader(whole: Path) -> Iterator[StoreReader]:
    with StoreReader.open(whole) as reader:
        yield reader


def from_links(reader: StoreReader, cut: Cut, cells: list[int] | range = range(N_CELLS)) -> np.ndarray:
    sums = reader.cumulative_of_cells(cells, cut, from_links=True)
    return as_array(sums)


def as_array(sums: CumulativeScores) -> np.ndarray:
    return np.vstack([sums.links, sums.score, sums.weight, sums.n_open, np.full(len(sums.links), sums.truncated)])


def by_hdf5(path: Path, cut: Cut) -> np.ndarray:
    """The same without knowing where the chunks lie, cell by cell."""
    with mock.patch.object(direct, "_address_of_pread", return_value=0), StoreReader.open(path) as reader:
        sums = from_links(reader, cut)
        assert reader.stored_links(0, 0).direct is None
        return sums


@settings(max_examples=40, deadline=None)
@given(
    threshold=st.sampled_from([0.5, 0.62, 0.8, 0.95, 0.999, 1.0]) | st.floats(0.5, 1),
    top_k=st.none() | st.integers(1, 20),
    cells=st.lists(st.integers(0, N_CELLS - 1), min_size=N_CELLS // 4, unique=True),
)
def test_sums_are_those_of_the_cells_one_by_one(
    reader: StoreReader, threshold: float, top_k: int | None, cells: list[int]
) -> None:
    cut = Cut(threshold, top_k)
    with mock.patch.object(StoredLinks, "stored", side_effect=AssertionError("left to HDF5")):
        sums = reader.cumulative_of_cells(cells, cut, from_links=True)
    one_by_one = [reader.attention(cell).links(cut) for cell in cells]
    links = sum(np.bincount(found.peak, minlength=reader.n_peaks) for found in one_by_one)
    np.testing.assert_array_equal(sums.links, links)
    assert sums.truncated == any(found.truncated for found in one_by_one)
    alone = [cut_sums(reader.stored_links(0, 0), np.array([cell]), reader.n_peaks, cut).sums for cell in cells]
    np.testing.assert_array_equal(sums.score * 4096, sum(alone)[1])
    np.testing.assert_array_equal(sums.weight * 65536, sum(alone)[2])


def test_no_chunk_is_read_behind_the_last_link_that_survives(path: Path) -> None:
    """Cells of many chunks: the highest ranks lie in the first."""
    with h5py.File(path, "r+") as file:
        links = file[LINKS]
        values = links["link"][:]
        del links["link"]
        links.create_dataset("link", data=values, chunks=(1, 2, 16), **COMPRESSED)
    for cut in (Cut(0.5), Cut(0.9), Cut(0.999), Cut(0.7, 3)):
        with StoreReader.open(path) as reader:
            np.testing.assert_array_equal(from_links(reader, cut), by_hdf5(path, cut))
    with StoreReader.open(path) as reader:
        of_links = reader.stored_links(0, 0).direct.cells.link
        per_cell = of_links.size.reshape(N_CELLS, of_links.per_cell)
        per_cell[:, 4:] = 0  # as if not there
        with mock.patch.object(StoredLinks, "stored", side_effect=AssertionError("left to HDF5")):
            from_links(reader, Cut(1.0))
            with pytest.raises(AssertionError, match="left to HDF5"):
                from_links(reader, Cut(0.5))


def test_a_cell_in_doubt_is_read_by_hdf5(path: Path) -> None:
    """Chunks of one array each were written without their filters."""
    with h5py.File(path, "r+") as file:
        for key, place in ((f"{LINKS}/link", (7, 0, 0)), (f"{LINKS}/row", (11, 0, 0))):
            dataset, (cell, *_) = file[key], place
            chunk = np.zeros((dataset.shape[1], dataset.chunks[2]), dataset.dtype)
            here = dataset[cell, :, : chunk.shape[1]]
            chunk[:, : here.shape[1]] = here
            dataset.id.write_direct_chunk(place, chunk.tobytes(), 0b11)
    read: list[int] = []
    stored = StoredLinks.stored
    with StoreReader.open(path) as reader, pytest.MonkeyPatch.context() as patch:
        patch.setattr(StoredLinks, "stored", lambda self, cell, k=None: read.append(cell) or stored(self, cell, k))
        found = from_links(reader, Cut(0.6))
    assert sorted(read) == [7, 11]
    np.testing.assert_array_equal(found, by_hdf5(path, Cut(0.6)))


def test_a_file_cut_short_while_it_is_read_is_damaged(path: Path) -> None:
    with StoreReader.open(path) as reader:
        from_links(reader, Cut(0.6))
        first = reader.stored_links(0, 0).direct.cells.link.offset[0]
        os.truncate(path, int(first) + 10)
        with pytest.raises(StoreDamagedError, match="chosen cells"):
            from_links(reader, Cut(0.6))


@pytest.mark.parametrize("array", ["link", "row", "own"])
def test_places_that_lead_nowhere_are_left_to_hdf5(path: Path, array: str) -> None:
    wanted = by_hdf5(path, Cut(0.6))
    for offset, size in ((1 << 60, 100), (-1, 100), (0, 1 << 40), (0, -5), (8, 16), (0, 64)):
        with StoreReader.open(path) as reader:
            places = getattr(reader.stored_links(0, 0).direct.cells, array)
            places.offset[:3], places.size[:3] = offset, size
            np.testing.assert_array_equal(from_links(reader, Cut(0.6)), wanted)


def test_a_file_behind_other_bytes_is_read_by_hdf5(path: Path, tmp_path: Path) -> None:
    behind = tmp_path / "behind.h5"
    with h5py.File(path) as file, h5py.File(behind, "w", userblock_size=512, libver="v110") as copy:
        for key, value in file.attrs.items():
            copy.attrs[key] = value
        for key in file:
            file.copy(key, copy)
    with StoreReader.open(behind) as reader:
        assert reader.stored_links(0, 0).direct is None
        np.testing.assert_array_equal(from_links(reader, Cut(0.6, 5)), by_hdf5(path, Cut(0.6, 5)))


def test_the_file_stays_open_for_who_still_reads(path: Path) -> None:
    """HDF5's descriptor is gone with its file, and the next file that is opened gets its number."""
    reader = StoreReader.open(path)
    links, n_peaks = reader.stored_links(0, 0), reader.n_peaks
    wanted = cut_sums(links, np.arange(N_CELLS), n_peaks, Cut(0.6)).sums
    descriptor = links.direct.cells.source.descriptor
    reader.close()
    with path.open("rb"):
        np.testing.assert_array_equal(cut_sums(links, np.arange(N_CELLS), n_peaks, Cut(0.6)).sums, wanted)
    del reader, links
    gc.collect()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_few_cells_do_not_make_all_places_known(path: Path) -> None:
    with StoreReader.open(path) as reader:
        from_links(reader, Cut(0.6), [3, 4])
        assert "direct" not in vars(reader.stored_links(0, 0))
        from_links(reader, Cut(0.6), range(N_CELLS // cumulative._WORTH_SHARE))
        assert reader.stored_links(0, 0).direct is not None
