from wires import report

from bi2scope.data.training_report import accuracy_sentence, probability_sentence

OLD = report().model_dump(exclude_none=True)


def test_a_control_is_named_first() -> None:
    assert accuracy_sentence(OLD).startswith("Held-out accuracy 0.810 on ")
    assert accuracy_sentence(OLD | {"control": "random-peaks"}).startswith("Control random-peaks, not the model. Held")


def test_probabilities_are_told_where_they_were_measured() -> None:
    assert probability_sentence(OLD) == ""
    test = OLD["test"] | {"auroc": 0.9, "auprc": 0.875, "base_rate": 0.5, "ece": 0.125}
    new = OLD | {"test": test, "calibration": {"temperature": 1.5, "ece": 0.0625}}
    assert probability_sentence(new) == (
        "AUROC 0.900, AUPRC 0.875 (base rate 0.500), calibration error 0.125 (0.062 at temperature 1.50, not applied)."
    )
    assert probability_sentence(new | {"test": test | {"auroc": None, "auprc": None}}) == ""
