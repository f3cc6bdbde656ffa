"""What verbs say of the data they read and of the models they made."""

from __future__ import annotations

from collections.abc import Iterable

import typer


def report_notes(notes: Iterable[str]) -> None:
    """Say aloud what reading the data changed."""
    for note in notes:
        typer.echo(f"note: {note}", err=True)


def report_accuracy(report: dict[str, object]) -> None:
    """Print the held-out accuracy beside the baseline and chance, the other metrics, and why training stopped early."""
    from bi2scope.data.training_report import accuracy_sentence, probability_sentence

    if report.get("stopped"):
        typer.echo(f"note: {report['stopped']}", err=True)
    for sentence in (accuracy_sentence(report), probability_sentence(report)):
        if sentence:
            typer.echo(sentence)
