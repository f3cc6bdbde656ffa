"""Cells chosen by type and by name, from the command line or from a file."""

from pathlib import Path

import pytest
from stores import tiny_multiome

from bi2scope.data.choice import CellChoice, parse_names
from bi2scope.data.errors import DatasetError, InputError, NotFoundError

CELLS = tiny_multiome(30)


def test_all_are_kept_as_they_are_when_nothing_is_chosen() -> None:
    assert CellChoice().of(CELLS) is CELLS


def test_types_and_names_both_count_and_the_order_stays() -> None:
    types = ("CD4 naive", "B cell")
    wanted = CELLS.cells.index[CELLS.cells["cell_type"].isin(types)]
    chosen = CellChoice(types, tuple(wanted[[4, 1, 2]])).of(CELLS)
    assert list(chosen.cells.index) == list(wanted[[1, 2, 4]])
    assert set(chosen.cell_types) == set(chosen.cells["cell_type"])
    assert chosen.rna.shape[0] == chosen.atac.shape[0] == 3
    assert chosen.notes[-1] == "3 of the data set's 30 cells were chosen."


def test_unknown_names_are_told_with_the_nearest() -> None:
    with pytest.raises(NotFoundError, match=r"cell type named 'B cells'.*Nearest: B cell"):
        CellChoice(("B cells",)).of(CELLS)
    with pytest.raises(NotFoundError, match="cell named 'nobody'"):
        CellChoice(names=("nobody",)).of(CELLS)


def test_no_cell_left() -> None:
    other = CELLS.cells.index[CELLS.cells["cell_type"] == "B cell"][0]
    with pytest.raises(DatasetError, match="No cell is left: none of the 1 named is of the type CD4 naive"):
        CellChoice(("CD4 naive",), (other,)).of(CELLS)


def test_names_from_a_text_or_from_a_file(tmp_path: Path) -> None:
    assert parse_names("A, B cell,,A") == ("A", "B cell")
    path = tmp_path / "names.txt"
    path.write_text("\ufeffA\r\nB, with a comma\n\n", encoding="utf-8")
    assert parse_names(str(path)) == ("A", "B, with a comma")
    assert len(parse_names(",".join(f"cell{number}" for number in range(5_000)))) == 5_000
    path.write_bytes(b"\xff\xfe\xff")
    for wrong in (str(path), " , "):
        with pytest.raises(InputError):
            parse_names(wrong)
