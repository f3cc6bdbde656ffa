"""Chunks that are unpacked outside HDF5: the same numbers as HDF5 gives, and the same refusals."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from unittest import mock

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bi2scope.data.store import chunks
from bi2scope.data.store.chunks import PackedArray
from bi2scope.data.store.tables import COMPRESSED

N_CELLS, N_PLANES, WIDTH = 5, 2, 300


def stored(path: Path, dtype: str = "<u2", chunk: int = 128, filters: dict[str, object] = COMPRESSED) -> np.ndarray:
    """Values of which some hardly compress, in an array whose width is no multiple of the chunk."""
    rng = np.random.default_rng(3)
    values = rng.integers(0, np.iinfo(dtype).max, (N_CELLS, N_PLANES, WIDTH), dtype=dtype)
    values[::2] //= np.asarray(30, dtype=dtype)
    with h5py.File(path, "w", libver="v110") as file:
        file.create_dataset("x", data=values, chunks=(1, N_PLANES, chunk), **filters)
    return values


def unpacks(array: PackedArray, width: int = WIDTH) -> bool:
    """Whether chunks of the first cell are unpacked here, not by HDF5."""
    packed = array._packed(0, width, 0) if array.direct else None
    return packed is not None and array._unpacked(*packed, (0, width)) is not None


@pytest.mark.parametrize("dtype", ["<u2", "<u4", "<i4", "|u1"])
@pytest.mark.parametrize("chunk", [60, 128, 300])
def test_same_numbers_as_hdf5(tmp_path: Path, dtype: str, chunk: int) -> None:
    values = stored(tmp_path / "x.h5", dtype, chunk)
    with h5py.File(tmp_path / "x.h5") as file:
        array = PackedArray(file["x"])
        assert unpacks(array)
        for width in (0, 1, 59, 60, 128, 129, WIDTH, WIDTH + 9):
            for cell in range(N_CELLS):
                np.testing.assert_array_equal(array.columns(0, width, cell), values[cell, :, :width])
        for start, stop in ((1, 59), (59, 130), (129, WIDTH), (150, 150), (290, WIDTH + 9)):
            np.testing.assert_array_equal(array.columns(start, stop, 2), values[2, :, start:stop])


@pytest.mark.parametrize("n_chunks", [2, 5, 99])
def test_columns_of_an_array_without_cells(tmp_path: Path, n_chunks: int) -> None:
    """More chunks than are unpacked together are left to HDF5."""
    values = np.random.default_rng(1).integers(0, 9000, 10 * n_chunks - 3, dtype=np.int32)
    with h5py.File(tmp_path / "x.h5", "w", libver="v110") as file:
        array = PackedArray(file.create_dataset("x", data=values, chunks=(10,), **COMPRESSED))
        assert array.direct
        for start, stop in ((0, len(values)), (3, 4), (9, 11), (len(values) - 2, len(values)), (5, 5)):
            if stop <= len(values):
                np.testing.assert_array_equal(array.columns(start, stop), values[None, start:stop])


@pytest.mark.parametrize(
    "filters", [{}, {"fletcher32": True}, {"compression": "gzip", "fletcher32": True}], ids=["none", "sum", "gzip"]
)
def test_other_filters_are_left_to_hdf5(tmp_path: Path, filters: dict[str, object]) -> None:
    values = stored(tmp_path / "x.h5", filters=filters)
    with h5py.File(tmp_path / "x.h5") as file:
        array = PackedArray(file["x"])
        assert not unpacks(array)
        np.testing.assert_array_equal(array.columns(0, 200, 1), values[1, :, :200])


def test_a_library_that_hides_its_functions_is_done_without(tmp_path: Path) -> None:
    values = stored(tmp_path / "x.h5")
    with h5py.File(tmp_path / "x.h5") as file, mock.patch.object(chunks, "unpacker", return_value=0):
        array = PackedArray(file["x"])
        assert not unpacks(array)
        np.testing.assert_array_equal(array.columns(0, WIDTH, 1), values[1])


def test_a_chunk_without_its_filters_is_left_to_hdf5(tmp_path: Path) -> None:
    values = stored(tmp_path / "x.h5")
    with h5py.File(tmp_path / "x.h5", "r+") as file:
        file["x"].id.write_direct_chunk((0, 0, 0), values[1, :, :128].tobytes(), 0b11)
    with h5py.File(tmp_path / "x.h5") as file:
        array = PackedArray(file["x"])
        assert not unpacks(array, 100)
        np.testing.assert_array_equal(array.columns(0, 100, 0), values[1, :, :100])


@settings(max_examples=60, deadline=None)
@given(place=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_no_flipped_bit_passes(tmp_path_factory: pytest.TempPathFactory, place: float, bit: int) -> None:
    path = tmp_path_factory.mktemp("flipped") / "x.h5"
    stored(path)
    with h5py.File(path) as file:
        chunk = file["x"].id.get_chunk_info_by_coord((0, 0, 0))
    content = bytearray(path.read_bytes())
    content[chunk.byte_offset + int(place * chunk.size)] ^= 1 << bit
    path.write_bytes(content)
    with h5py.File(path) as file:
        array = PackedArray(file["x"])
        assert not unpacks(array, 100)
        with pytest.raises(OSError, match=r"[Cc]an't|checksum|read"):
            array.columns(0, 100, 0)
        array.columns(0, 100, 1)


@pytest.mark.parametrize("at", [3, 7, 11, 12, 14])
def test_sizes_that_pass_the_checksum_lead_nowhere(tmp_path: Path, at: int) -> None:
    """What the unpacking would follow beyond the chunk is not given to it."""
    stored(tmp_path / "x.h5")
    with h5py.File(tmp_path / "x.h5") as file:
        array = PackedArray(file["x"])
        packed, places = array._packed(0, 100, 0) or pytest.fail("it has the store's filters")
        start, end = int(places.offset[0]), int(places.offset[0] + places.size[0])
        packed[start + at] ^= 0b0101_0101
        packed[end - 4 : end] = fletcher(packed[start : end - 4].tobytes())
        assert array._unpacked(packed, places, (0, 100)) is None


def fletcher(content: bytes) -> np.ndarray:
    """The checksum as HDF5 appends it, word by word."""
    first = second = 0
    for i in range(0, len(content), 2):
        word = content[i : i + 2].ljust(2, b"\0")
        first = (first + int.from_bytes(word, "big")) % 65535
        second = (second + first) % 65535
    return np.frombuffer(np.asarray([second << 16 | first], dtype="<u4").tobytes(), dtype=np.uint8)


def test_threads_share_one_array(tmp_path: Path) -> None:
    values = stored(tmp_path / "x.h5")
    with h5py.File(tmp_path / "x.h5") as file, ThreadPoolExecutor(4) as pool:
        array = PackedArray(file["x"])
        asked = [i % N_CELLS for i in range(200)]
        for cell, found in zip(asked, pool.map(lambda cell: array.columns(0, WIDTH, cell), asked), strict=True):
            np.testing.assert_array_equal(found, values[cell])
