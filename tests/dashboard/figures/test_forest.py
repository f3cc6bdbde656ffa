from __future__ import annotations

from typing import Any

import pytest
from wires import comparison, measure

from bi2scope.dashboard.figures.forest import forest_figure, height_of
from bi2scope.dashboard.figures.style import HUES, SCHEMES, Scheme

ATTENTION, NULL = "Attention, 95 % interval", "Matched null, mean ± 2 sd"


def figure(scheme: Scheme = "light", **changes: Any) -> Any:
    measures = [measure("odds_ratio", 2.0, 1.5), measure("auroc"), measure("cosine", None), measure("auprc")]
    return forest_figure(comparison(measures=measures, base_rate=0.25, **changes), scheme)


def traces(drawn: Any, name: str) -> list[Any]:
    return [trace for trace in drawn.data if trace.name == name]


def test_a_row_has_the_point_its_interval_and_the_band_of_the_null() -> None:
    drawn = figure()
    auroc = traces(drawn, ATTENTION)[0]
    assert list(auroc.x) == [0.7]
    assert auroc.error_x.array == pytest.approx([0.02])
    assert auroc.error_x.arrayminus == pytest.approx([0.02])
    band = traces(drawn, NULL)[0]
    assert (min(band.x), max(band.x)) == pytest.approx((0.58, 0.62))
    assert band.xaxis == auroc.xaxis == "x2"


def test_rows_are_named_in_order_and_each_has_its_own_scale() -> None:
    layout = figure().layout
    names = [layout[f"yaxis{i}"].ticktext[0] for i in ("", 2, 3, 4)]
    assert names == [
        "<b>Cosine</b>", "<b>AUROC</b>", "<b>AUPRC</b><br>base rate 0.250", "<b>Odds ratio, top 1</b><br>log scale",
    ]  # fmt: skip
    assert [layout[f"xaxis{i}"].type for i in ("", 2, 3, 4)] == ["linear"] * 3 + ["log"]
    assert layout.xaxis2.range[0] < 0.5
    assert layout.xaxis2.range[1] > 0.72
    assert layout.xaxis4.range[0] < -0.2596  # log10 of 0.55, the width's


def test_simpler_scores_and_controls_have_hollow_markers_of_their_own() -> None:
    marks = {trace.name: trace.marker for trace in figure().data if trace.mode == "markers" and trace.name != ATTENTION}
    assert set(marks) == {
        "Accessibility in the type", "Accessibility in all cells", "Number of links", "Peak width",
        "Control uniform-attention",
    }  # fmt: skip
    assert all(mark.symbol.endswith("-open") for mark in marks.values())
    assert len({mark.symbol for mark in marks.values()}) == len({mark.color for mark in marks.values()}) == len(marks)


def test_each_name_is_in_the_legend_once() -> None:
    shown = [trace.name for trace in figure().data if trace.showlegend]
    assert len(shown) == len(set(shown)) == 8


def test_a_measure_that_is_not_defined_is_a_row_in_words() -> None:
    drawn = figure()
    assert len(traces(drawn, ATTENTION)) == 3
    assert "not defined" in [note.text for note in drawn.layout.annotations]


def test_without_draws_there_are_points_alone() -> None:
    drawn = forest_figure(comparison(measures=[measure("auroc", null=None)]))
    assert traces(drawn, NULL) == []
    assert traces(drawn, ATTENTION)[0].error_x.array is None


def test_the_line_of_no_association_is_that_of_the_measure() -> None:
    assert [trace.x[0] for trace in traces(figure(), "No association")] == [0.5, 0.25, 1.0]


def test_a_band_that_reaches_below_nothing_stays_on_the_logarithmic_scale() -> None:
    wide = measure("odds_ratio", 2.0, 1.0)
    assert wide.null_matched is not None
    wide = wide.model_copy(update={"null_matched": wide.null_matched.model_copy(update={"sd": 3.0})})
    drawn = forest_figure(comparison(measures=[wide]))
    assert min(traces(drawn, NULL)[0].x) == pytest.approx(0.07)


def test_an_answer_without_measures_is_an_empty_figure() -> None:
    assert len(forest_figure(comparison()).data) == 0
    assert height_of(comparison()) > 0


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize(("scheme", "page"), [("light", "#ffffff"), ("dark", "#242424")])
def test_marks_stand_out_from_the_page(scheme: Scheme, page: str) -> None:
    for colour in (*HUES[scheme], SCHEMES[scheme].primary, SCHEMES[scheme].muted):
        low, high = sorted((luminance(colour), luminance(page)))
        assert (high + 0.05) / (low + 0.05) >= 3
