import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    log_loss,
    precision_score,
    recall_score,
    roc_auc_score,
)

from bi2scope.model.evaluation import auprc, auroc, measure, pair_weights


@given(st.lists(st.tuples(st.integers(-3, 3), st.booleans()), min_size=2, max_size=60), st.booleans())
def test_metrics_are_those_of_scikit_learn(rows: list[tuple[int, bool]], balanced: bool) -> None:
    rows = [*rows, (1, True), (-1, False), (1, False), (-1, True)]
    odds, label = np.array([row[0] + 0.1 for row in rows]), np.array([int(row[1]) for row in rows])
    log_probability = np.column_stack((-np.logaddexp(0, odds), -np.logaddexp(0, -odds)))
    weight = pair_weights(label, balanced=balanced)
    found, called = measure(log_probability, label, weight), odds > 0
    assert found["n_pairs"] == len(rows)
    assert found["accuracy"] == pytest.approx(accuracy_score(label, called, sample_weight=weight))
    assert found["loss"] == pytest.approx(log_loss(label, np.exp(log_probability), sample_weight=weight))
    assert found["auroc"] == pytest.approx(roc_auc_score(label, odds))
    assert found["auprc"] == pytest.approx(average_precision_score(label, odds, sample_weight=weight))
    assert found["base_rate"] == pytest.approx(0.5 if balanced else label.mean())
    for kind, name in ((1, "matched"), (0, "mismatched")):
        for function, measured in ((precision_score, "precision"), (recall_score, "recall")):
            wanted = function(label, called, sample_weight=weight, pos_label=kind, zero_division=0)
            assert found[f"{measured}_{name}"] == pytest.approx(wanted)


def test_balanced_classes_weigh_the_same() -> None:
    weight = pair_weights(np.array([1, 0, 0, 0, 0]), balanced=True)
    assert weight.tolist() == [0.5, 0.125, 0.125, 0.125, 0.125]


def test_auroc_needs_both_classes() -> None:
    assert auroc(np.array([0.1, 0.9]), np.array([True, True])) is None
    assert auprc(np.array([0.1, 0.9]), np.array([False, False]), np.array([0.5, 0.5])) is None


def test_precision_of_a_random_order_is_the_base_rate() -> None:
    rng = np.random.default_rng(0)
    label = (np.arange(9_000) % 9 == 0).astype(np.int64)
    odds = rng.normal(size=len(label))
    for balanced, base in ((True, 0.5), (False, 1 / 9)):
        found = measure(np.column_stack((-odds, odds)), label, pair_weights(label, balanced=balanced))
        assert found["base_rate"] == pytest.approx(base)
        assert found["auprc"] == pytest.approx(base, rel=0.06)


def test_accuracy_against_one_kind_of_mismatches_is_balanced() -> None:
    #                matched     easy      hard
    label = np.array([1, 1, 1, 1, 0, 0, 0, 0, 0])
    hard = np.array([False] * 6 + [True] * 3)
    called = np.array([1, 1, 1, 0, 0, 0, 1, 1, 0])
    log_probability = np.log(np.where(np.column_stack((called == 0, called == 1)), 0.9, 0.1))
    found = measure(log_probability, label, pair_weights(label, balanced=True), hard)
    assert found["accuracy_easy"] == pytest.approx((3 / 4 + 1) / 2)
    assert found["accuracy_hard"] == pytest.approx((3 / 4 + 1 / 3) / 2)
    found = measure(log_probability, label, pair_weights(label, balanced=True), label == 0)
    assert found["accuracy_easy"] is None
    assert found["accuracy_hard"] == pytest.approx(found["accuracy"])
    assert "accuracy_hard" not in measure(log_probability, label, pair_weights(label, balanced=True))
