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
from bi2scope.data.store.check import MOST_VIOLATIONS, check_store
from bi2scope.data.store.reader import StoreReader

LINKS = "links/layer0/head1"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_store(tmp_path_factory.mktemp("whole") / "s.h5", n_cells=15, layers=1, heads=2, k_max=6)


@pytest.mark.parametrize("k_max", [3, 50])
def test_a_sound_store_has_no_violations(tmp_path: Path, k_max: int) -> None:
    assert check_store(tiny_store(tmp_path / "s.h5", n_cells=20, layers=2, k_max=k_max)) == []


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


def foreign_peak(file: h5py.File) -> None:
    """The first link of the first cell, on the first chromosome, to the cell's last peak, on the last one."""
    file[f"{LINKS}/peak"][0] = file["cells/n_peaks"][0] - 1


def full_row(file: h5py.File) -> int:
    """A row that was cut at k_max, so that its links and the row's number of them can disagree."""
    return int(np.flatnonzero(file[f"{LINKS}/n_links"][:] > 2)[0])


def one_above_lost(file: h5py.File) -> None:
    row = int(np.flatnonzero(file[f"{LINKS}/n_links"][:] < 6)[0])
    file[f"{LINKS}/n_above"][row] += 1


def denominator_of_others(file: h5py.File) -> None:
    file[f"{LINKS}/denominator"][full_row(file)] /= 4


def wrong_sum(file: h5py.File) -> None:
    sums = file["cumulative/layer0/head1/weight"]
    for code in range(len(sums)):
        values = sums[code, 2, 1]
        values[np.flatnonzero(values)[0]] *= 1.0001
        sums[code, 2, 1] = values


def wrong_flag(file: h5py.File) -> None:
    flags = file["cumulative/layer0/head0/truncated"]
    flags[:] = 1 - flags[:]


def wrong_open(file: h5py.File) -> None:
    file["cumulative/n_open"][:, 5] += 1


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (set_to(f"{LINKS}/logit", 3, np.nan), "layer 0, head 1: a logit is not finite"),
        (set_to(f"{LINKS}/logit", 3, -0.1), "not above the floor"),
        (set_to(f"{LINKS}/logit", 0, 1e-3), "not in order of logit"),
        (foreign_peak, "joins two chromosomes"),
        (set_to(f"{LINKS}/gene", 0, 79), "not the cell's expressed genes"),
        (one_above_lost, "neither all its links"),
        (set_to(f"{LINKS}/n_links", 0, 1), "n_links does not add up"),
        (set_to(f"{LINKS}/peak", 0, 65_000), "damaged"),
        (set_to(f"{LINKS}/denominator", 2, 0), "denominator is not a number above zero"),
        (denominator_of_others, "add up to more than 1"),
        (set_to("cells/n_genes", 0, 1), "n_genes is 1"),
        (set_to("atac/data", 4, -2), "not a number above zero"),
        (swap("atac/indices", 0, 1), "positions do not ascend"),
        (swap("genes/start", 0, 1), "genes: not in genome order"),
        (set_to("peaks/end", 3, 0), "peaks: an interval ends"),
        (swap("peaks/chrom/codes", 0, 299), "peaks: not in genome order"),
        (set_to("cells/umap_1", 0, np.inf), "embedding is not finite"),
        (set_to(f"{LINKS}/link_offset", 3, 0), "link_offset: does not ascend"),
        (wrong_sum, "cumulative/layer0/head1: not the sum over the cells of"),
        (wrong_flag, "cumulative/layer0/head0: not the sum over the cells of"),
        (wrong_open, "cumulative/n_open: wrong"),
    ],
)
def test_wrong_content_is_said(whole: Path, tmp_path: Path, change: Callable[[h5py.File], None], sentence: str) -> None:
    path = Path(shutil.copy(whole, tmp_path / "s.h5"))
    with h5py.File(path, "r+") as file:
        change(file)
    violations = check_store(path)
    assert any(sentence in violation for violation in violations), violations
    assert len(violations) <= MOST_VIOLATIONS + 1


def test_the_cell_is_named(whole: Path, tmp_path: Path) -> None:
    path = Path(shutil.copy(whole, tmp_path / "s.h5"))
    with h5py.File(path, "r+") as file:
        offset = file[f"{LINKS}/link_offset"][4]
        name = file["cells/cell_id"].asstr()[4]
        file[f"{LINKS}/logit"][offset] = np.nan
    assert [violation for violation in check_store(path) if name in violation]


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
