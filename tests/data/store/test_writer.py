"""A store appears when it is whole and not before, and a failed one leaves what was there as it was."""

import dataclasses
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from stores import RandomModel, tiny_attributes, tiny_multiome, tiny_store

from bi2scope.data.attention import CellAttention
from bi2scope.data.errors import ConfigurationError, StoreError
from bi2scope.data.graph import cell_graph
from bi2scope.data.multiome import Multiome
from bi2scope.data.store.cells_table import Embedding
from bi2scope.data.store.growing import LARGEST_CHUNK, SMALLEST_CHUNK, chunk_length
from bi2scope.data.store.reader import StoreReader
from bi2scope.data.store.schema import peak_dtype
from bi2scope.data.store.writer import StoreWriter

HELPERS = Path(__file__).parents[2] / "helpers"


@pytest.fixture(scope="module")
def cells() -> Multiome:
    return tiny_multiome(12)


@pytest.fixture(scope="module")
def attention(cells: Multiome) -> list[list[list[CellAttention]]]:
    model = RandomModel.of(cells, np.random.default_rng(0))
    return [model.attend(cells, cell_graph(cells, cell, cell), 50) for cell in range(cells.n_cells)]


def nowhere(cells: Multiome) -> Embedding:
    return Embedding(np.zeros((cells.n_cells, 2)), "none")


def test_nothing_stands_at_the_path_until_the_end(
    tmp_path: Path, cells: Multiome, attention: list[list[list[CellAttention]]]
) -> None:
    path = tmp_path / "s.h5"
    with StoreWriter(path, cells, tiny_attributes()) as writer:
        writer.write_embedding(nowhere(cells))
        for one in attention:
            writer.write_cell(one)
            assert not path.exists()
            assert len(list(tmp_path.iterdir())) == 1
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, SystemExit])
def test_an_exception_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, cells: Multiome, attention: list[list[list[CellAttention]]], error: type[BaseException]
) -> None:
    path = tmp_path / "s.h5"
    path.write_text("what stood here before")

    def stop_half_way() -> None:
        with StoreWriter(path, cells, tiny_attributes(), overwrite=True) as writer:
            writer.write_embedding(nowhere(cells))
            for one in attention[:6]:
                writer.write_cell(one)
            raise error

    with pytest.raises(error):
        stop_half_way()
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_text() == "what stood here before"


def test_a_store_with_cells_missing_is_not_finished(
    tmp_path: Path, cells: Multiome, attention: list[list[list[CellAttention]]]
) -> None:
    def one_cell() -> None:
        with StoreWriter(tmp_path / "s.h5", cells, tiny_attributes()) as writer:
            writer.write_embedding(nowhere(cells))
            writer.write_cell(attention[0])

    def no_embedding() -> None:
        with StoreWriter(tmp_path / "s.h5", cells, tiny_attributes()) as writer:
            for one in attention:
                writer.write_cell(one)

    with pytest.raises(ValueError, match="1 of 12 cells"):
        one_cell()
    with pytest.raises(ValueError, match="embedding"):
        no_embedding()
    assert not list(tmp_path.iterdir())


def test_a_killed_writer_leaves_the_old_file(tmp_path: Path) -> None:
    path = tiny_store(tmp_path / "s.h5", n_cells=5)
    before = path.read_bytes()
    script = f"""
import sys, os, signal, numpy as np
sys.path.insert(0, {str(HELPERS)!r})
from pathlib import Path
from bi2scope.data.store.cells_table import Embedding
from bi2scope.data.store.writer import StoreWriter
from stores import *
cells = tiny_multiome(30)
model = RandomModel.of(cells, np.random.default_rng(0))
with StoreWriter(Path({str(path)!r}), cells, tiny_attributes(), overwrite=True) as writer:
    writer.write_embedding(Embedding(np.zeros((30, 2)), "none"))
    for cell in range(30):
        writer.write_cell(model.attend(cells, cell_graph(cells, cell, cell), 50))
    writer.write_cumulative(0)
    os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", script], check=False)
    assert done.returncode == -signal.SIGKILL
    assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 2  # the temporary file: nobody was left to remove it
    tiny_store(tmp_path / "other.h5", n_cells=5)  # and it is in nobody's way


def test_an_existing_file_is_not_replaced_unless_told(tmp_path: Path, cells: Multiome) -> None:
    path = tiny_store(tmp_path / "s.h5", n_cells=5)
    before = path.read_bytes()
    with pytest.raises(StoreError, match="exists already"):
        StoreWriter(path, cells, tiny_attributes())
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_appeared_meanwhile_is_not_replaced(
    tmp_path: Path, cells: Multiome, attention: list[list[list[CellAttention]]]
) -> None:
    path = tmp_path / "s.h5"

    def somebody_else_is_faster() -> None:
        with StoreWriter(path, cells, tiny_attributes()) as writer:
            writer.write_embedding(nowhere(cells))
            for one in attention:
                writer.write_cell(one)
            path.write_text("theirs")

    with pytest.raises(StoreError, match="exists already"):
        somebody_else_is_faster()
    assert path.read_text() == "theirs"
    assert list(tmp_path.iterdir()) == [path]


def test_open_readers_keep_the_store_that_was_replaced(tmp_path: Path) -> None:
    path = tiny_store(tmp_path / "s.h5", n_cells=20, seed=1)
    with StoreReader.open(path) as old:
        before = old.attention(15).logit
        path.unlink()
        tiny_store(path, n_cells=10, seed=2)
        np.testing.assert_array_equal(old.attention(15).logit, before)


def test_a_folder_that_is_not_there_is_one_sentence(tmp_path: Path, cells: Multiome) -> None:
    with pytest.raises(StoreError, match="cannot be written") as caught:
        StoreWriter(tmp_path / "none" / "s.h5", cells, tiny_attributes())
    assert "folder that exists" in caught.value.hint


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are POSIX")
def test_a_full_disk_is_one_sentence_and_leaves_nothing(tmp_path: Path) -> None:
    """A limit on the size of files stands in for the disk that is full."""
    script = f"""
import resource, sys
sys.path.insert(0, {str(HELPERS)!r})
from pathlib import Path
from bi2scope.data.errors import StoreError
from stores import tiny_store
import anndata.io
limit = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    tiny_store(Path({str(tmp_path / "s.h5")!r}))
except StoreError as error:
    print(error)
    sys.exit(7)
"""
    for limit in (0, 2_000, 40_000, 100_000, 200_000):
        done = subprocess.run(
            [sys.executable, "-c", script, str(limit)], capture_output=True, text=True, check=False,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        )  # fmt: skip
        assert done.returncode == 7, done.stderr
        assert "s.h5 cannot be written" in done.stdout
        assert "room on the disk" in done.stdout
        assert done.stderr == ""
        assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("k_max", [0, -1, 65_536])
def test_k_max_out_of_range(tmp_path: Path, cells: Multiome, k_max: int) -> None:
    with pytest.raises(ConfigurationError, match="1 to 65535"):
        StoreWriter(tmp_path / "s.h5", cells, tiny_attributes(k_max=k_max))
    assert not list(tmp_path.iterdir())


def test_attention_that_does_not_fit_the_cell_is_refused(
    tmp_path: Path, cells: Multiome, attention: list[list[list[CellAttention]]]
) -> None:
    first, second = attention[0], attention[1]

    def write(wrong: list[list[CellAttention]], **changes: int) -> None:
        with StoreWriter(tmp_path / "s.h5", cells, tiny_attributes(**changes)) as writer:
            writer.write_cell(wrong)

    with pytest.raises(ValueError, match="no count of"):
        write(second)
    light = dataclasses.replace(first[0][0], denominator=first[0][0].denominator / 20)
    with pytest.raises(ValueError, match="weighs more than 1"):
        write([[light]])
    upwards = dataclasses.replace(first[0][0], logit=first[0][0].logit[::-1])
    with pytest.raises(ValueError, match="do not descend"):
        write([[upwards]])
    with pytest.raises(ValueError, match="layer"):
        write([[*first[0], *first[0]]])
    with pytest.raises(ValueError, match="the store keeps 3"):
        write(first, k_max=3)


def test_peaks_are_two_bytes_while_the_largest_cell_allows() -> None:
    assert peak_dtype(65_536).itemsize == 2
    assert peak_dtype(65_537).itemsize == 4


@pytest.mark.parametrize("per_cell", [0, 1, 6_500, 40_000, 80_000, 1e9])
def test_a_chunk_holds_part_of_a_cell_within_bounds(per_cell: float) -> None:
    chunk = chunk_length(per_cell)
    assert SMALLEST_CHUNK <= chunk <= LARGEST_CHUNK
    assert chunk & (chunk - 1) == 0
    assert chunk <= per_cell / 2 < 2 * chunk or chunk in (SMALLEST_CHUNK, LARGEST_CHUNK)
