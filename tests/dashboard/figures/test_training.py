from __future__ import annotations

from wires import report

from bi2scope.dashboard.figures.training import training_figure


def test_curves_stand_beside_chance_and_baseline() -> None:
    figure = training_figure(report())
    assert [trace.name for trace in figure.data] == ["training", "validation"]
    assert list(figure.data[1].x) == [1, 2, 3]
    texts = [note.text for note in figure.layout.annotations]
    assert texts == ["chance 0.50", "baseline 0.83", "kept: epoch 3"]
    assert figure.layout.yaxis.title.text == "Accuracy on pairs"


def test_without_a_baseline_there_is_no_line_for_it() -> None:
    texts = [note.text for note in training_figure(report(baseline=None)).layout.annotations]
    assert not any("baseline" in text for text in texts)
