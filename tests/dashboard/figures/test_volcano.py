from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bi2scope.dashboard.contrast import Contrasted
from bi2scope.dashboard.figures.volcano import beside_figure, significance, thinned, volcano_figure


def found(n: int = 4) -> Contrasted:
    effect = np.linspace(0.2, 0.9, n)
    return Contrasted(
        [f"chr1:{i}-{i + 1}" for i in range(n)], [f"G{i}" for i in range(n)], effect, 10.0 ** -np.arange(n), effect,
        np.full(n, 0.5),
    )  # fmt: skip


@given(arrays(np.float64, st.tuples(st.just(2), st.integers(0, 60)), elements=st.floats(-1, 1)))
def test_every_point_stays_or_lies_where_an_earlier_one_is_drawn(points: np.ndarray) -> None:
    x, y = points
    drawn = thinned(x, y)
    assert drawn.tolist() == sorted(set(drawn.tolist()))
    for i in range(len(x)):
        near = (np.abs(x[drawn] - x[i]) <= np.ptp(x) / 159 + 1e-12) & (
            np.abs(y[drawn] - y[i]) <= np.ptp(y) / 109 + 1e-12
        )
        assert (near & (drawn <= i)).any()


def test_a_rate_of_zero_has_a_place() -> None:
    assert significance(np.array([1.0, 0.01, 0.0])).tolist() == [0.0, 2.0, 300.0]


def test_the_volcano_is_coloured_by_the_counts_alone_and_names_both_sides() -> None:
    figure = volcano_figure(found(), "B", "T", "accessibility")
    assert figure.data[0].marker.color.tolist() == [0.5] * 4
    assert [point[0] for point in figure.data[0].customdata] == found().key
    texts = {note.text for note in figure.layout.annotations}
    assert {"higher in B →", "← higher in T", "FDR 5%"} <= texts
    assert set(figure.data[1].text) <= set(found().label)


def test_beside_accessibility_the_points_of_both_kinds_are_named_apart() -> None:
    figure = beside_figure(found(), "B", "accessibility")
    assert [trace.name for trace in figure.data[:3]] == ["FDR above 5%", "FDR 5% or below", "the same"]
    assert len(figure.data[0].x) + len(figure.data[1].x) == 4
    assert figure.data[0].y[0] == 0.2  # q is 1


def test_nothing_to_compare_is_an_empty_figure() -> None:
    none = np.zeros(0)
    empty = Contrasted([], [], none, none, none, none)
    assert len(volcano_figure(empty, "B", "T", "accessibility").data[0].x) == 0
    assert len(beside_figure(empty, "B", "accessibility").data[0].x) == 0
