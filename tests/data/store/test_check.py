"""A sound store has no violations; each kind of wrong content, under valid checksums, has its sentence."""

import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from stores import tiny_store

from bi2scope.data.attention import Cut
from bi2scope.data.candidates import Window
from bi2scope.data.errors import StoreError
from bi2scope.data.store.check import MOST_VIOLATIONS, CheckOptions, check_store
from bi2scope.data.store.reader import StoreReader

LINKS = "links/layer0/head1"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_store(tmp_path_factory.mktemp("whole") / "s.h5", n_cells=15, layers=1, heads=2, k_max=6, factors=True)


@pytest.mark.parametrize("k_max", [3, 50])
def test_a_sound_store_has_no_violations(tmp_path: Path, k_max: int) -> None:
    path = tiny_store(tmp_path / "s.h5", n_cells=20, layers=2, k_max=k_max, factors=True)
    assert check_store(path, CheckOptions(full=True)) == []
    assert check_store(path, CheckOptions(cells=3)) == []


def set_to(key: str, place: int | tuple[int, ...], value: float) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        file[key][place] = value

    return change


def swap(key: str, one: int, other: int) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        values = file[key][:]
        values[[one, other]] = values[[other, one]]
        file[key][:] = values

    return change


def change_rows(plane: int, row: int, change: Callable[[int], int]) -> Callable[[h5py.File], None]:
    """Change a number of the first cell's rows, and what is derived from it, under valid checksums."""

    def changed(file: h5py.File) -> None:
        rows = file[f"{LINKS}/row"][0]
        rows[plane, row] = change(int(rows[plane, row]))
        file[f"{LINKS}/row"][0] = rows

    return changed


def denominator(value: float) -> int:
    return int(np.float32(value).view(np.int32))


def foreign_peak(file: h5py.File) -> None:
    """The first link of the first cell, on the first chromosome, to the cell's last peak, on the last one."""
    file[f"{LINKS}/link"][0, 0, 0] = file["cells/n_peaks"][0] - 1


def first_long_row(file: h5py.File) -> int:
    return int(np.flatnonzero(file[f"{LINKS}/row"][0, 0] > 2)[0])


def first_and_second(file: h5py.File) -> tuple[int, int]:
    """Where the first two links of a row of the first cell are."""
    n_links, row = file[f"{LINKS}/row"][0, 0], first_long_row(file)
    return int((n_links[:row] > 0).sum()), int((n_links > 0).sum() + (n_links[:row] > 1).sum())


def one_peak_twice(file: h5py.File) -> None:
    first, second = first_and_second(file)
    file[f"{LINKS}/link"][0, 0, second] = file[f"{LINKS}/link"][0, 0, first]


def step_up(file: h5py.File) -> None:
    """The second link of a row higher than the first: the step wraps around."""
    file[f"{LINKS}/link"][0, 1, first_and_second(file)[1]] = 65_530


def infinite(file: h5py.File) -> None:
    file[f"{LINKS}/link"][0, 1, first_and_second(file)[0]] = 0x7C00


def one_above_lost(file: h5py.File) -> None:
    rows = file[f"{LINKS}/row"][0]
    rows[1, int(np.flatnonzero((rows[0] < 6) & (rows[0] > 0))[0])] += 1
    file[f"{LINKS}/row"][0] = rows


def denominator_of_others(file: h5py.File) -> None:
    rows = file[f"{LINKS}/row"][0]
    row = first_long_row(file)
    rows[2, row] = denominator(rows[2, row : row + 1].view(np.float32)[0] / 4)
    file[f"{LINKS}/row"][0] = rows


def other_logits(file: h5py.File) -> None:
    file[f"{LINKS}/link"][:, 1, :5] += 40


def wrong_sum(file: h5py.File) -> None:
    for code in range(3):
        entries = file[f"cumulative/layer0/head1/type{code}/weight"]
        entries[len(entries) // 2] += 3


def wrong_key(file: h5py.File) -> None:
    for code in range(3):
        sums = file[f"cumulative/layer0/head0/type{code}/sums"]
        sums[0, 0, -1] += 1


def wrong_flag(file: h5py.File) -> None:
    for code in range(3):
        file[f"cumulative/layer0/head0/type{code}"].attrs["last_cut"] = 0


def wrong_null(file: h5py.File) -> None:
    for code in range(3):
        file[f"cumulative/layer0/head0/type{code}/expected"][1] += 1


def wrong_open(file: h5py.File) -> None:
    file["cumulative/n_open"][:, 5] += 1


def wrong_pairs(key: str, by: int) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        for code in range(3):
            values = file[f"map/layer0/head1/type{code}/{key}"]
            values[3] = max(0, int(values[3]) + by)

    return change


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (infinite, f"{LINKS}: a logit is not finite"),
        (step_up, "not in order of logit"),
        (foreign_peak, "joins two chromosomes"),
        (one_peak_twice, "two links to one peak"),
        (other_logits, "a logit is not that of the factors and counts"),
        (one_above_lost, "neither all its links"),
        (change_rows(0, 0, lambda n: n + 1), "rows do not add up"),
        (set_to(f"{LINKS}/n_links", 0, 1), "rows do not add up"),
        (set_to(f"{LINKS}/depth", 0, 7), "a row is longer than k_max"),
        (set_to(f"{LINKS}/depth", 0, 3), "rows do not add up"),
        (set_to(f"{LINKS}/link", (0, 0, slice(None)), 65_000), "damaged"),
        (change_rows(2, 2, lambda bits: denominator(0)), "denominator is not a number above zero"),
        (change_rows(2, 2, lambda bits: denominator(99)), "a denominator is not that"),
        (denominator_of_others, "add up to more than 1"),
        (set_to("cells/n_genes", 0, 1), "cells/n_genes is 1"),
        (set_to("atac/data", 4, -2), "atac/data: a stored count is not a number above zero"),
        (swap("atac/indices", 0, 1), "atac/indices: positions do not ascend"),
        (set_to("rna/indptr", 3, 0), "rna/indptr: does not ascend"),
        (swap("genes/start", 0, 1), "genes: not in genome order"),
        (set_to("peaks/end", 3, 0), "peaks: an interval ends"),
        (swap("peaks/chrom/codes", 0, 299), "peaks: not in genome order"),
        (set_to("cells/umap_1", 0, np.inf), "cells: the embedding is not finite"),
        (wrong_sum, "cumulative/layer0/head1/type"),
        (wrong_key, "cumulative/layer0/head0/type"),
        (wrong_flag, "not the sum over the cells of"),
        (wrong_null, "/expected: not what the cells of"),
        (wrong_open, "cumulative/n_open: wrong"),
        (wrong_pairs("n_cells", 1), "map/layer0/head1/type"),
        (wrong_pairs("n_both", -50), "/n_both: fewer cells"),
        (wrong_pairs("score", -9_000), "/score: not the scores"),
    ],
)
def test_wrong_content_is_said(whole: Path, tmp_path: Path, change: Callable[[h5py.File], None], sentence: str) -> None:
    path = Path(shutil.copy(whole, tmp_path / "s.h5"))
    with h5py.File(path, "r+") as file:
        change(file)
    violations = check_store(path)
    assert any(sentence in violation for violation in violations), violations
    assert len(violations) <= MOST_VIOLATIONS + 1


def test_the_cell_is_named_and_found_by_a_full_check(whole: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(whole, tmp_path / "s.h5"))
    with h5py.File(path, "r+") as file:
        name = file["cells/cell_id"].asstr()[4]
        rows = file[f"{LINKS}/row"][4]
        rows[2] = denominator(-1)
        file[f"{LINKS}/row"][4] = rows
    assert [violation for violation in check_store(path, CheckOptions(full=True)) if name in violation]
    chosen = [bool(check_store(path, CheckOptions(cells=2, seed=seed))) for seed in range(4)]
    assert not all(chosen)  # two cells of fifteen


def test_a_flipped_byte_in_any_array_is_found_whatever_cells_are_chosen(whole: Path, tmp_path: Path) -> None:
    names: list[str] = []
    with h5py.File(whole) as file:
        file.visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
        places = {name: file[name].id.get_chunk_info(0) for name in names if file[name].id.get_num_chunks()}
    content = whole.read_bytes()
    for name in sorted(places)[::4]:
        place = places[name].byte_offset + places[name].size // 2
        path = tmp_path / "s.h5"
        path.write_bytes(content[:place] + bytes([content[place] ^ 0x41]) + content[place + 1 :])
        try:
            violations = check_store(path, CheckOptions(cells=1))
        except StoreError as error:
            violations = [error.message]
        assert violations, name


def test_a_file_that_is_no_store_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        check_store(tmp_path / "none.h5")


def test_a_link_beyond_the_limit_is_said(tmp_path: Path) -> None:
    """Sound as it is; under a limit of one base less than its longest link it is not."""
    path = tiny_store(tmp_path / "s.h5", n_cells=15, max_distance=200_000)
    assert check_store(path) == []
    with StoreReader.open(path) as reader:
        window = Window.of(reader.genes, reader.peaks, 200_000)
        links = [reader.attention(cell).links(Cut()) for cell in range(reader.n_cells)]
    distance = np.concatenate([np.abs(window.peak_middle[one.peak] - window.gene_tss[one.gene]) for one in links])
    longest = int(distance.max())
    assert 0 < longest <= 200_000
    for limit, sound in ((longest, True), (longest - 1, False)):
        with h5py.File(path, "r+") as file:
            file.attrs["max_distance"] = limit
        violations = check_store(path)
        assert (violations == []) is sound
        assert all(f"more than max_distance, {limit:,} bp, from the gene's TSS" in each for each in violations)
