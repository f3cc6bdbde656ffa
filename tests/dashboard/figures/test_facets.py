"""A panel for each chromosome."""

from __future__ import annotations

import base64
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bi2scope.dashboard.figures.facets import COLUMNS, facets_figure, height_of, places_of, rows_of
from bi2scope.dashboard.figures.genome import Span
from bi2scope.dashboard.figures.tracks import Genome, Track

PEAKS = [*(f"chr1:{i}000000-{i}000500" for i in range(1, 7)), *(f"chr2:{i}000000-{i}000500" for i in range(1, 5))]
GENOME = Genome([Span("chr1", 0, 6), Span("chr2", 6, 10)], 10, PEAKS)
ONE = Track("B", "Lift", np.array([0.0, 2, 0, 1, 0, 0, 3, 0, 0, 0.5]), "#0072b2", level=1.0)
OTHER = replace(ONE, label="T", values=np.arange(10.0), colour="#d55e00")


def numbers(given: dict[str, str]) -> list[float]:
    return np.frombuffer(base64.b64decode(given["bdata"]), dtype=given["dtype"]).tolist()


def test_every_peak_with_a_value_stands_at_its_start_on_its_own_chromosome() -> None:
    figure = facets_figure([ONE, OTHER], GENOME).to_plotly_json()
    assert [trace["xaxis"] for trace in figure["data"]] == ["x", "x", "x2", "x2"]
    first, _, third, _ = figure["data"]
    assert (numbers(first["x"]), numbers(first["y"])) == ([2, 4], [2, 1])
    assert (numbers(third["x"]), numbers(third["y"])) == ([1, 4], [3, 0.5])
    assert first["customdata"] == [PEAKS[1], PEAKS[3]]
    assert [trace["showlegend"] for trace in figure["data"]] == [True, True, False, False]


def test_panels_have_one_range_and_the_line_of_chance() -> None:
    layout = facets_figure([ONE, OTHER], GENOME).layout
    assert layout.yaxis2.matches == "y"
    assert [shape.y0 for shape in layout.shapes] == [1.0, 1.0]
    assert not facets_figure([replace(ONE, level=None)], GENOME).layout.shapes


@pytest.mark.parametrize("count", [1, 4, 5, 25])
def test_no_panel_covers_another(count: int) -> None:
    places = [places_of(at, rows_of(count)) for at in range(count)]
    for (across, up), (other, above) in combinations(places, 2):
        assert across[1] <= other[0] or other[1] <= across[0] or up[1] < above[0] or above[1] < up[0]
    assert all(-1e-9 <= low < high <= 1 + 1e-9 for place in places for low, high in place)
    assert height_of(count) >= height_of(max(1, count - COLUMNS))


@given(st.lists(st.floats(0, 1e6), min_size=6, max_size=6), st.integers(1, 6))
def test_fewer_dots_keep_the_highest(values: list[float], bins: int) -> None:
    track = replace(ONE, values=np.array(values))
    shown = facets_figure([track], Genome([Span("chr1", 0, 6)], 6, PEAKS[:6]), bins=bins).data[0].to_plotly_json()
    found = numbers(shown["y"])
    assert len(found) <= bins
    assert max(found, default=0) == max(values)
