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
    return (
        f"Held-out accuracy {test['accuracy']:.3f} on {test['n_pairs']} test pairs "
        f"(validation {validation['accuracy']:.3f}); beside it: {', '.join(against)}.{_by_kind(test)}"
    )


def _by_kind(metrics: Mapping[str, Any]) -> str:
    """Accuracy against easy and against hard mismatches, where hard ones were asked for."""
    if "accuracy_hard" not in metrics:
        return ""
    easy, hard = (metrics[name] for name in ("accuracy_easy", "accuracy_hard"))
    kinds = [f"{name} {value:.3f}" for name, value in (("easy", easy), ("hard", hard)) if value is not None]
    return f" Matched against mismatches of one kind alone (chance 0.500): {', '.join(kinds)}."
