"""Tests of two groups on numbers that are mostly 0, beside scipy on the dense table."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bi2scope.data.differences import Entries, Method, odds_ratios, two_groups, two_shares


def entries_of(dense: np.ndarray, n_first: int) -> Entries:
    """Of a ``(n_cells, n_features)`` table, the cells of the first group on top."""
    cell, feature = np.nonzero(dense)
    return Entries(feature.astype(np.int32), dense[cell, feature].astype(np.float32), cell < n_first)


def sizes(dense: np.ndarray, n_first: int) -> tuple[np.ndarray, np.ndarray]:
    return np.full(dense.shape[1], n_first), np.full(dense.shape[1], len(dense) - n_first)


def u_of_scipy(dense: np.ndarray, n_first: int) -> tuple[np.ndarray, np.ndarray]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # columns of zeros alone
        found = stats.mannwhitneyu(dense[:n_first], dense[n_first:], method="asymptotic", axis=0)
    return found.statistic / (n_first * (len(dense) - n_first)), found.pvalue


tables = st.tuples(st.integers(1, 12), st.integers(1, 12), st.integers(0, 10_000), st.booleans())


@given(tables)
def test_mann_whitney_is_that_of_scipy(table: tuple[int, int, int, bool]) -> None:
    n_first, n_second, seed, whole = table
    rng = np.random.default_rng(seed)
    dense = rng.gamma(1, size=(n_first + n_second, 9)) * (rng.random((n_first + n_second, 9)) < rng.random(9))
    dense = (np.ceil(dense) if whole else dense).astype(np.float32)
    found = two_groups("mann-whitney", entries_of(dense, n_first), *sizes(dense, n_first))
    effect, p = u_of_scipy(dense.astype(np.float64), n_first)
    assert found.effect.tolist() == effect.tolist()
    np.testing.assert_allclose(found.p, p, rtol=1e-12)
    assert (np.sign(found.statistic) * (effect - 0.5) >= 0).all()


@given(tables)
def test_welch_is_that_of_scipy(table: tuple[int, int, int, bool]) -> None:
    n_first, n_second, seed, _ = table
    rng = np.random.default_rng(seed)
    n_first, n_second = n_first + 1, n_second + 1
    dense = rng.gamma(1, size=(n_first + n_second, 9)) * (rng.random((n_first + n_second, 9)) < rng.random(9))
    dense = dense.astype(np.float32).astype(np.float64)
    found = two_groups("welch", entries_of(dense, n_first), *sizes(dense, n_first))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        wanted = stats.ttest_ind(dense[:n_first], dense[n_first:], equal_var=False, axis=0)
    defined = (dense[:n_first].std(axis=0) > 0) | (dense[n_first:].std(axis=0) > 0)
    np.testing.assert_allclose(found.statistic[defined], wanted.statistic[defined], rtol=1e-9)
    np.testing.assert_allclose(found.p[defined], wanted.pvalue[defined], rtol=1e-8, atol=1e-300)
    assert np.isnan(found.p[~defined]).all()


def test_effect_of_welch_is_hedges_g_by_hand() -> None:
    dense = np.array([[2.0], [4.0], [6.0], [1.0], [1.0], [4.0]])
    found = two_groups("welch", entries_of(dense, 3), *sizes(dense, 3))
    pooled = np.sqrt((8 + 6) / 4)
    assert found.effect[0] == pytest.approx((4 - 2) / pooled * (1 - 3 / (4 * 4 - 1)))


@pytest.mark.parametrize("method", ["mann-whitney", "welch"])
def test_shares_are_tested_as_ones_and_zeros_are(method: Method) -> None:
    rng = np.random.default_rng(3)
    dense = (rng.random((40, 30)) < np.linspace(0.02, 0.98, 30)).astype(np.float32)
    both = sizes(dense, 15)
    wanted = two_groups(method, entries_of(dense, 15), *both)
    there = dense[:15].sum(axis=0).astype(int), dense[15:].sum(axis=0).astype(int)
    found = two_shares(method, *there, *both)
    for name in ("effect", "statistic", "p"):
        np.testing.assert_allclose(getattr(found, name), getattr(wanted, name), rtol=1e-9, atol=1e-12)
    table = [[int(there[0][9]), int(15 - there[0][9])], [int(there[1][9]), int(25 - there[1][9])]]
    assert odds_ratios(*there, *both)[9] == pytest.approx(stats.contingency.odds_ratio(table, kind="sample").statistic)
    assert odds_ratios(*(np.array([n]) for n in (3, 0, 3, 4)))[0] == pytest.approx((3.5 * 4.5) / (0.5 * 0.5))


def test_groups_may_differ_in_size_from_feature_to_feature() -> None:
    rng = np.random.default_rng(4)
    dense = rng.gamma(1, size=(20, 3)).astype(np.float32) * (rng.random((20, 3)) < 0.6)
    first, second = np.array([10, 8, 0]), np.array([10, 9, 10])
    there = np.ones((20, 3), dtype=bool)
    there[8:10, 1] = there[19, 1] = False
    dense[~there] = 0
    found = two_groups("mann-whitney", entries_of(dense, 10), first, second)
    for column in (0, 1):
        own = there[:, column]
        wanted = stats.mannwhitneyu(dense[:10, column][own[:10]], dense[10:, column][own[10:]], method="asymptotic")
        assert found.p[column] == pytest.approx(wanted.pvalue)
    assert np.isnan(found.p[2])


def test_no_entries_no_difference() -> None:
    nothing = Entries(*(np.zeros(0, dtype=kind) for kind in (np.int32, np.float32, bool)))
    found = two_groups("mann-whitney", nothing, np.array([4]), np.array([5]))
    assert (found.effect[0], found.statistic[0], found.p[0]) == (0.5, 0, 1)
    assert np.isnan(two_groups("welch", nothing, np.array([4]), np.array([5])).p[0])
