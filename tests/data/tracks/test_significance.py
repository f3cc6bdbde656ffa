from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bi2scope.data.tracks.significance import false_discovery_rates, held_against


def test_p_counts_the_observed_value_as_a_draw() -> None:
    draws = np.arange(99.0)
    chance = held_against(98.0, draws, two_sided=False)
    assert chance is not None
    assert chance.p == 2 / 100
    assert (chance.mean, chance.sd) == (49, pytest.approx(draws.std(ddof=1)))
    assert chance.z == pytest.approx(49 / chance.sd)
    both = held_against(98.0, draws, two_sided=True)
    low = held_against(-1.0, draws, two_sided=True)
    assert both is not None
    assert low is not None
    assert (both.p, low.p) == (4 / 100, 2 / 100)
    middle = held_against(49.0, draws, two_sided=True)
    assert middle is not None
    assert middle.p == 1


def test_equal_but_for_rounding_counts_as_equal() -> None:
    chance = held_against(0.3, np.array([0.1 + 0.2, 0.3 - 1e-16, 0.1]), two_sided=False)
    assert chance is not None
    assert chance.p == 3 / 4


def test_draws_that_do_not_vary_have_no_z_and_undefined_ones_no_chance() -> None:
    chance = held_against(1.0, np.ones(9), two_sided=False)
    assert chance is not None
    assert (chance.z, chance.p) == (None, 1.0)
    assert held_against(np.nan, np.ones(9), two_sided=False) is None
    assert held_against(1.0, np.array([1.0, np.nan]), two_sided=False) is None
    assert held_against(1.0, np.zeros(0), two_sided=False) is None


@given(st.lists(st.floats(0.001, 1), min_size=1, max_size=12))
def test_rates_are_those_of_benjamini_and_hochberg(given_p: list[float]) -> None:
    p = np.array(given_p)
    m, order = len(p), np.sort(p)
    wanted = [min(1, min(order[k] * m / (k + 1) for k in range(m) if order[k] >= each)) for each in p]
    assert false_discovery_rates(p) == pytest.approx(wanted)


def test_what_has_no_p_has_no_rate_and_is_not_counted() -> None:
    found = false_discovery_rates([[0.01, np.nan], [0.02, np.nan]])
    assert found[:, 0].tolist() == [0.02, 0.02]
    assert np.isnan(found[:, 1]).all()
    assert np.isnan(false_discovery_rates([np.nan])).all()
