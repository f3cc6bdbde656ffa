"""The training report, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def accuracy_sentence(report: Mapping[str, Any]) -> str:
    """Held-out accuracy beside the baseline and chance, in one sentence.

    Parameters
    ----------
    report
        A training report (``server/wire.py``, ``TrainingReport``, has its keys).
    """
    test, validation = report["test"], report["validation"]
    against = [f"chance {report['chance']:.3f}"]
    if report["baseline_accuracy"] is not None:
        against.insert(0, f"{report['baseline_name']} {report['baseline_accuracy']:.3f}")
    control = f"Control {report['control']}, not the model. " if report.get("control") else ""
    return (
        f"{control}Held-out accuracy {test['accuracy']:.3f} on {test['n_pairs']} test pairs "
        f"(validation {validation['accuracy']:.3f}); beside it: {', '.join(against)}.{_by_kind(test)}"
    )


def _by_kind(metrics: Mapping[str, Any]) -> str:
    """Accuracy against easy and against hard mismatches, where hard ones were asked for."""
    if "accuracy_hard" not in metrics:
        return ""
    easy, hard = (metrics[name] for name in ("accuracy_easy", "accuracy_hard"))
    kinds = [f"{name} {value:.3f}" for name, value in (("easy", easy), ("hard", hard)) if value is not None]
    return f" Matched against mismatches of one kind alone (chance 0.500): {', '.join(kinds)}."


def probability_sentence(report: Mapping[str, Any]) -> str:
    """How well pairs are ranked, and how far their probabilities can be taken at their word; empty for old reports."""
    test, calibration = report["test"], report.get("calibration")
    if calibration is None or test.get("auprc") is None or test["auroc"] is None:
        return ""
    return (
        f"AUROC {test['auroc']:.3f}, AUPRC {test['auprc']:.3f} (base rate {test['base_rate']:.3f}), calibration error "
        f"{test['ece']:.3f} ({calibration['ece']:.3f} at temperature {calibration['temperature']:.2f}, not applied)."
    )
