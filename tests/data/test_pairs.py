import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bi2scope.data.errors import DatasetError
from bi2scope.data.pairs import (
    easy_mismatches,
    epochs,
    labelled_pairs,
    matched_pairs,
)
from bi2scope.data.splits import split_cells, split_pairs

SEEDS = st.integers(0, 2**32 - 1)


@st.composite
def typed_cells(draw):
    """Types of some cells, of at least two kinds, and a choice of those cells that still holds two."""
    types = np.array(draw(st.lists(st.sampled_from(["B", "T", "NK"]), min_size=2, max_size=60)), dtype=object)
    types[:2] = ["B", "T"]
    extra = draw(st.lists(st.integers(2, max(2, len(types) - 1)), unique=True))
    chosen = np.array([1, 0, *[cell for cell in extra if cell < len(types)]])
    return types, chosen


def rng(seed=0):
    return np.random.default_rng(seed)


def test_matched_pairs_are_of_one_cell():
    pairs = matched_pairs([4, 2, 9])
    assert pairs.rna_cell.tolist() == pairs.atac_cell.tolist() == [4, 2, 9]
    assert pairs.label.tolist() == [1, 1, 1]


@given(typed_cells(), SEEDS)
def test_mismatches_are_of_two_types_and_of_the_cells_given(cells, seed):
    types, chosen = cells
    pairs = easy_mismatches(chosen, types, rng(seed))
    assert pairs.rna_cell.tolist() == chosen.tolist()
    assert set(pairs.atac_cell) <= set(chosen)
    assert (types[pairs.rna_cell] != types[pairs.atac_cell]).all()
    assert (pairs.label == 0).all()


def test_every_cell_of_another_type_is_drawn_equally_often():
    types = np.array(["a"] * 1 + ["b"] * 3 + ["c"] * 6)
    draws = np.array([easy_mismatches(np.arange(10), types, rng(seed)).atac_cell for seed in range(3000)])
    for cell, of_cell in enumerate(draws.T):
        others = np.flatnonzero(types != types[cell])
        share = np.bincount(of_cell, minlength=10)[others] / len(draws)
        np.testing.assert_allclose(share, 1 / len(others), atol=0.05)


def test_one_cell_type_cannot_be_mismatched():
    with pytest.raises(DatasetError, match="The 3 cells to pair are all of one cell type; a mismatched pair needs two"):
        easy_mismatches([0, 1, 2], ["T", "T", "T", "B"], rng())


@given(typed_cells(), SEEDS)
def test_labels_are_balanced_and_each_cell_is_matched_once(cells, seed):
    types, chosen = cells
    pairs = labelled_pairs(chosen, types, rng(seed))
    assert len(pairs) == 2 * len(chosen)
    assert pairs.label.sum() == len(chosen)
    matched = pairs.take(np.flatnonzero(pairs.label == 1))
    assert sorted(matched.rna_cell) == sorted(chosen)
    assert (matched.rna_cell == matched.atac_cell).all()


@given(typed_cells(), SEEDS)
def test_the_same_seed_gives_the_same_pairs(cells, seed):
    types, chosen = cells
    first, second = labelled_pairs(chosen, types, rng(seed)), labelled_pairs(chosen, types, rng(seed))
    for column in ("rna_cell", "atac_cell", "label"):
        assert (getattr(first, column) == getattr(second, column)).all()


def as_set(pairs):
    return set(zip(pairs.rna_cell.tolist(), pairs.atac_cell.tolist(), pairs.label.tolist(), strict=True))


def test_fresh_epochs_draw_anew_and_fixed_ones_only_shuffle():
    types = np.repeat(["a", "b", "c"], 20)
    first, second = itertools.islice(epochs(np.arange(60), types, rng(), fresh=True), 2)
    assert as_set(first) != as_set(second)
    first, second, third = itertools.islice(epochs(np.arange(60), types, rng(), fresh=False), 3)
    assert as_set(first) == as_set(second) == as_set(third)
    assert first.rna_cell.tolist() != second.rna_cell.tolist()


@given(st.lists(st.integers(0, 4), min_size=10, max_size=300), SEEDS)
def test_splits_are_disjoint_whole_and_stratified(types, seed):
    types = np.array(types)
    split = split_cells(types, rng(seed))
    parts = (split.train, split.validation, split.test)
    assert sorted(np.concatenate(parts)) == list(range(len(types)))
    for part, fraction in zip(parts, (0.8, 0.1, 0.1), strict=True):
        assert abs(len(part) - fraction * len(types)) <= 1
        assert (np.diff(part) > 0).all()
        for kind in np.unique(types):
            assert abs((types[part] == kind).sum() - fraction * (types == kind).sum()) < 2
    again = split_cells(types, rng(seed))
    assert (again.test == split.test).all()
    assert (again.validation == split.validation).all()


def test_another_seed_gives_another_split():
    types = np.repeat(["a", "b"], 50)
    assert split_cells(types, rng(1)).test.tolist() != split_cells(types, rng(2)).test.tolist()


def test_a_split_of_cells_keeps_pairs_of_its_parts_apart():
    types = np.repeat(["a", "b", "c"], 30)
    split = split_cells(types, rng())
    used = [
        {*pairs.rna_cell, *pairs.atac_cell}
        for pairs in (labelled_pairs(part, types, rng(1)) for part in (split.train, split.validation, split.test))
    ]
    assert not used[0] & used[1]
    assert not used[0] & used[2]
    assert not used[1] & used[2]


def test_a_split_of_pairs_keeps_both_labels_in_proportion_but_shares_cells():
    types = np.repeat(["a", "b"], 50)
    pairs = labelled_pairs(np.arange(100), types, rng())
    split = split_pairs(pairs, rng(1))
    assert sorted(np.concatenate((split.train, split.validation, split.test))) == list(range(200))
    assert [pairs.take(part).label.sum() for part in (split.train, split.validation, split.test)] == [80, 10, 10]
    assert [len(part) for part in (split.train, split.validation, split.test)] == [160, 20, 20]
    assert set(pairs.take(split.train).rna_cell) & set(pairs.take(split.test).rna_cell)


@pytest.mark.parametrize("n_cells", [0, 1, 2, 3])
def test_too_few_cells_cannot_be_split(n_cells):
    with pytest.raises(DatasetError, match=f"{n_cells} cells are too few to split into 80% / 10% / 10%"):
        split_cells(np.arange(n_cells) % 2, rng())


def test_fractions_sum_to_one():
    with pytest.raises(DatasetError, match="must be 0 or more and sum to 1"):
        split_cells(np.arange(50), rng(), (0.8, 0.1, 0.2))


def test_a_part_may_be_left_out():
    split = split_cells(np.zeros(50), rng(), (0.9, 0.1, 0.0))
    assert (len(split.train), len(split.validation), len(split.test)) == (45, 5, 0)
