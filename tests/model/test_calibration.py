import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss

from bi2scope.model.calibration import calibration, fitted_temperature, reliability


@given(st.lists(st.tuples(st.floats(-6, 6), st.booleans(), st.floats(0.1, 2)), min_size=1, max_size=60))
def test_figures_are_those_of_their_formulas(rows: list[tuple[float, bool, float]]) -> None:
    log_odds, matched, weight = (np.array(column) for column in zip(*rows, strict=True))
    weight = weight / weight.sum()
    found = calibration(log_odds, matched, weight)
    p = expit(log_odds)
    assert found["brier"] == pytest.approx(brier_score_loss(matched, p, sample_weight=weight, pos_label=True))
    error = 0.0
    for low in range(10):
        inside = (p * 10 >= low) & (p * 10 < low + 1)
        if inside.any():
            share = weight[inside].sum()
            error += share * abs((weight * (p - matched))[inside].sum() / share)
    assert found["ece"] == pytest.approx(error)
    assert sum(each["share"] for each in found["reliability"]) == pytest.approx(1)
    assert all(each["low"] <= each["predicted"] <= each["high"] for each in found["reliability"])


def test_bins_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    p = rng.random(500)
    matched = rng.random(500) < p**2
    bins = reliability(p, matched, np.full(500, 1 / 500))
    true, predicted = calibration_curve(matched, p, n_bins=10)
    assert [each["matched"] for each in bins] == pytest.approx(true.tolist())
    assert [each["predicted"] for each in bins] == pytest.approx(predicted.tolist())


def test_certainty_falls_in_the_outer_bins() -> None:
    bins = reliability(np.array([0.0, 1.0]), np.array([False, True]), np.array([0.5, 0.5]))
    assert [(each["low"], each["matched"]) for each in bins] == [(0.0, 0.0), (0.9, 1.0)]


@pytest.mark.parametrize("temperature", [0.25, 1.0, 4.0])
def test_the_temperature_that_logits_were_multiplied_by_is_found(temperature: float) -> None:
    rng = np.random.default_rng(1)
    true = rng.normal(0, 2, 20_000)
    matched = rng.random(len(true)) < expit(true)
    weight = np.full(len(true), 1 / len(true))
    found = fitted_temperature(true * temperature, matched, weight)
    assert found == pytest.approx(temperature, rel=0.05)
    before, after = (
        calibration(odds, matched, weight)["ece"] for odds in (true * temperature, true * temperature / found)
    )
    assert after < 0.01
    assert temperature == 1 or before > 5 * after


def test_pairs_that_are_all_right_or_all_wrong_have_a_temperature_too() -> None:
    odds, weight = np.array([3.0, -3.0]), np.array([0.5, 0.5])
    assert fitted_temperature(odds, np.array([True, False]), weight) == pytest.approx(0.01, rel=0.01)
    assert fitted_temperature(odds, np.array([False, True]), weight) == pytest.approx(100, rel=0.01)
