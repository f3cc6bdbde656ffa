"""The history of a training: one row per epoch, in the report and as CSV."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bi2scope.data.files import replacing

_MEASURED = ("loss", "accuracy", "auroc", "auprc", "ece")


def epoch_record(
    epoch: int, seconds: float, train: tuple[float, float], learning_rate: float, found: Mapping[str, Any]
) -> dict[str, Any]:
    """One epoch, with the keys of ``EpochRecord`` (``server/wire.py``).

    Parameters
    ----------
    epoch, seconds
        Its number and how long it took.
    train
        Mean loss and accuracy over its training pairs, on the way.
    learning_rate
        Of its last step.
    found
        Metrics of the validation pairs at its end.
    """
    return {
        "epoch": epoch,
        "seconds": seconds,
        "train_loss": train[0],
        "train_accuracy": train[1],
        "learning_rate": learning_rate,
        **{f"validation_{name}": found[name] for name in _MEASURED},
    }


def write_history(path: Path, history: Sequence[Mapping[str, Any]]) -> None:
    """Write a history as CSV, one row per epoch; the file is whole or as it was."""
    if not history:
        return
    with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(history[0]))
        writer.writeheader()
        writer.writerows(history)
