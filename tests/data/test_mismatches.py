"""Easy and hard mismatches: what they are, how many, and how evenly they are drawn."""

import itertools
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from bi2scope.data.errors import ConfigurationError, DatasetError
from bi2scope.data.pairs import (
    Mismatches,
    easy_mismatches,
    epochs,
    hard_mismatches,
    is_hard,
    labelled_pairs,
    mismatched_pairs,
)
from bi2scope.data.partners import distinct_draws
from bi2scope.data.splits import split_pairs

SEEDS = st.integers(0, 2**32 - 1)
RATIOS = st.floats(0.05, 6)
SHARES = st.floats(0, 1)
COLUMNS = ("rna_cell", "atac_cell", "label")


@st.composite
def typed_cells(draw):
    """Types of some cells, at least two of them, and a choice of those cells, in any order, that holds two of each."""
    kinds = draw(st.lists(st.sampled_from(["B", "T", "NK", "rare"]), min_size=0, max_size=40))
    types = np.array(["B", "B", "T", "T", *kinds], dtype=object)
    chosen = [*range(4), *draw(st.sets(st.integers(0, len(types) - 1)))]
    return types, np.array(draw(st.permutations(sorted(set(chosen)))))


def rng(seed=0):
    return np.random.default_rng(seed)


@given(typed_cells(), SEEDS, st.integers(1, 4))
def test_hard_mismatches_are_of_two_cells_of_one_type_among_those_given(cells, seed, n_each):
    types, chosen = cells
    pairs = hard_mismatches(chosen, types, rng(seed), n_each)
    assert (types[pairs.rna_cell] == types[pairs.atac_cell]).all()
    assert (pairs.rna_cell != pairs.atac_cell).all()
    assert set(pairs.atac_cell) <= set(chosen)
    assert (pairs.label == 0).all()
    able = [cell for cell in chosen if (types[chosen] == types[cell]).sum() > 1]
    assert pairs.rna_cell.tolist() == np.repeat(able, n_each).tolist()


@pytest.mark.parametrize("draw", [easy_mismatches, hard_mismatches])
@given(cells=typed_cells(), seed=SEEDS, n_each=st.integers(1, 6))
def test_no_pair_comes_twice_before_all_have_come(draw, cells, seed, n_each):
    types, chosen = cells
    pairs = draw(chosen, types, rng(seed), n_each)
    for cell in set(pairs.rna_cell):
        same = types[chosen] == types[cell]
        others = same.sum() - 1 if draw is hard_mismatches else (~same).sum()
        times = np.unique(pairs.atac_cell[pairs.rna_cell == cell], return_counts=True)[1]
        assert times.max() == -(-n_each // others)
        assert len(times) == min(n_each, others)


@given(typed_cells(), SEEDS, RATIOS, SHARES)
def test_mixtures_have_the_labels_kinds_and_numbers_asked_for(cells, seed, ratio, share):
    types, chosen = cells
    pairs = labelled_pairs(chosen, types, rng(seed), Mismatches(ratio, share))
    matched = pairs.label == 1
    assert (pairs.rna_cell[matched] == pairs.atac_cell[matched]).all()
    assert sorted(pairs.rna_cell[matched]) == sorted(chosen)
    total = max(1, int(np.floor(ratio * len(chosen) + 0.5)))
    assert (~matched).sum() == total
    assert (pairs.rna_cell[~matched] != pairs.atac_cell[~matched]).all()
    times = np.array([(pairs.rna_cell[~matched] == cell).sum() for cell in chosen])
    assert times.max() - times.min() <= 1
    able = np.array([(types[chosen] == types[cell]).sum() > 1 for cell in chosen])
    assert is_hard(pairs, types).sum() == min(int(np.floor(share * total + 0.5)), times[able].sum())


@given(typed_cells(), SEEDS, RATIOS, SHARES)
def test_the_same_seed_gives_the_same_mixture(cells, seed, ratio, share):
    types, chosen = cells
    first, second = (labelled_pairs(chosen, types, rng(seed), Mismatches(ratio, share)) for _ in range(2))
    for column in COLUMNS:
        assert (getattr(first, column) == getattr(second, column)).all()


@pytest.mark.parametrize("n_each", [1, 2, 4])
@pytest.mark.parametrize("draw", [easy_mismatches, hard_mismatches])
def test_every_possible_partner_is_drawn_equally_often(draw, n_each):
    types = np.array(["a"] * 5 + ["b"] * 6 + ["c"] * 8)
    generator = rng(7)
    counts = np.zeros((19, 19))
    for _ in range(2000):
        pairs = draw(np.arange(19), types, generator, n_each)
        np.add.at(counts, (pairs.rna_cell, pairs.atac_cell), 1)
    for cell, of_cell in enumerate(counts):
        same = types == types[cell]
        others = np.flatnonzero(same if draw is hard_mismatches else ~same)
        others = others[others != cell]
        assert of_cell[others].sum() == of_cell.sum() == 2000 * n_each
        if n_each < len(others):  # otherwise all are drawn every time
            # 114 tests in all: one in 10,000 of them by chance alone
            assert chisquare(of_cell[others]).pvalue > 1e-4


def test_every_set_of_partners_is_drawn_equally_often():
    draws = distinct_draws(rng(3), np.full(10_000, 5), np.full(10_000, 3)).reshape(-1, 3)
    sets = {frozenset(three): 0 for three in itertools.combinations(range(5), 3)}
    for row in draws:
        sets[frozenset(row.tolist())] += 1
    assert chisquare(list(sets.values())).pvalue > 1e-3


def test_the_only_cell_of_a_type_gets_easy_mismatches():
    types = np.array(["a", "b", "b", "b"])
    pairs = mismatched_pairs(np.arange(4), types, rng(), Mismatches(2, 1))
    assert len(pairs) == 8
    assert is_hard(pairs, types).sum() == 6
    assert pairs.rna_cell[~is_hard(pairs, types)].tolist() == [0, 0]


def test_one_cell_type_does_for_hard_mismatches_alone():
    pairs = mismatched_pairs(np.arange(4), np.array(["a"] * 4), rng(), Mismatches(1, 1))
    assert is_hard(pairs, np.array(["a"] * 4)).all()
    with pytest.raises(DatasetError, match="all of one cell type"):
        mismatched_pairs(np.arange(4), np.array(["a"] * 4), rng(), Mismatches(1, 0.5))


def test_hard_mismatches_need_two_cells_of_a_type():
    for draw in (
        lambda: hard_mismatches(np.arange(3), np.array(["a", "b", "c"]), rng()),
        lambda: mismatched_pairs(np.arange(3), np.array(["a", "b", "c"]), rng(), Mismatches(1, 0.5)),
    ):
        with pytest.raises(DatasetError, match="None of the cell types has two of the 3 cells to pair"):
            draw()


@pytest.mark.parametrize(("ratio", "share"), [(0, 0), (-1, 0), (float("nan"), 0), (1, -0.1), (1, 1.1), (1, np.nan)])
def test_mixtures_out_of_range_are_refused(ratio, share):
    with pytest.raises(ConfigurationError, match=r"must be above 0|must be from 0 to 1"):
        Mismatches(ratio, share)


def test_epochs_keep_the_mixture_and_draw_anew_or_not():
    types = np.repeat(["a", "b", "c"], 20)
    for fresh in (True, False):
        drawn = list(itertools.islice(epochs(np.arange(60), types, rng(), Mismatches(1.5, 0.4), fresh=fresh), 3))
        assert [(len(pairs), int(is_hard(pairs, types).sum())) for pairs in drawn] == [(150, 36)] * 3
        sets = [set(zip(pairs.rna_cell.tolist(), pairs.atac_cell.tolist(), strict=True)) for pairs in drawn]
        assert (sets[0] != sets[1]) is fresh
        assert drawn[0].rna_cell.tolist() != drawn[1].rna_cell.tolist()


def test_a_split_of_pairs_can_keep_kinds_and_types_in_proportion():
    types = np.repeat(["a", "b"], [200, 100])
    pairs = labelled_pairs(np.arange(300), types, rng(), Mismatches(1, 0.5))
    split = split_pairs(pairs, rng(1), cell_types=types)
    hard = is_hard(pairs, types)
    for part, fraction in ((split.train, 0.8), (split.validation, 0.1), (split.test, 0.1)):
        for kind in "ab":
            for chosen in (pairs.label == 1, hard, (pairs.label == 0) & ~hard):
                here = chosen & (types[pairs.rna_cell] == kind)
                assert abs(here[part].sum() - fraction * here.sum()) < 2


def test_each_kind_keeps_its_proportion_when_every_type_is_small():
    types = np.repeat(np.arange(40), 5)
    pairs = labelled_pairs(np.arange(200), types, rng(), Mismatches(1, 1))
    split = split_pairs(pairs, rng(1), cell_types=types)
    for part, n in ((split.train, 160), (split.validation, 20), (split.test, 20)):
        assert (pairs.label[part] == 1).sum() == is_hard(pairs.take(part), types).sum() == n


def test_a_million_pairs_take_seconds():
    types = rng(1).integers(0, 20, 10_000)
    began = time.perf_counter()
    pairs = labelled_pairs(np.arange(10_000), types, rng(2), Mismatches(99, 0.5))
    assert len(pairs) == 1_000_000
    assert time.perf_counter() - began < 15  # half a second on an idle core
