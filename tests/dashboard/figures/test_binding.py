"""Score against binding: bins, scales, curves, words."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from wires import comparison, measure

from bi2scope.dashboard.figures.binding import Peaks, Scale, binding_figure, caption
from bi2scope.server.wire_tf import TrackColumns


def numbers(packed: dict[str, Any]) -> np.ndarray:
    flat = np.frombuffer(base64.b64decode(packed["bdata"]), dtype=packed["dtype"])
    return flat.reshape([int(n) for n in packed["shape"].split(",")]) if "shape" in packed else flat


@given(arrays(np.float64, st.integers(1, 40), elements=st.floats(0, 1e6)))
def test_a_scale_keeps_the_order_goes_back_and_has_a_place_for_zero(values: np.ndarray) -> None:
    scale = Scale.of(values)
    places = scale.place(values)
    assert scale.place(0.0) == 0
    assert (np.diff(places[np.argsort(values)]) >= 0).all()
    assert scale.value(places) == pytest.approx(values, rel=1e-6, abs=1e-6 * max(values.max(), scale.unit))


def test_every_bound_peak_is_counted_once_and_the_curves_are_shares() -> None:
    given_ = comparison()
    figure = binding_figure(given_, "BED score")
    density, bound, unbound = figure.data
    counts = 10 ** numbers(density.z.to_plotly_json() if hasattr(density.z, "to_plotly_json") else density.z)
    assert np.nansum(counts) == pytest.approx(3)
    assert (bound.name, unbound.name) == ("Bound (3)", "Not bound (4)")
    share = numbers(bound.y)
    assert share[0] == pytest.approx(1)
    assert share[-1] == 0
    assert (np.diff(share) <= 0).all()
    assert figure.layout.xaxis2.title.text.startswith("Sum of scores, B")


def test_a_track_without_scores_has_the_curves_alone() -> None:
    figure = binding_figure(comparison(score_column="presence"), "Present", "dark")
    assert [trace.type for trace in figure.data] == ["scatter", "scatter"]


def test_peaks_of_the_blacklist_are_left_out() -> None:
    columns = TrackColumns(tf=[0, 70, 10], cumulative=[1.0, 2.0, 3.0], compared=[1, 1, 0])
    assert Peaks.of(comparison(columns=columns)).score.tolist() == [1.0, 2.0]


def test_a_track_that_binds_nothing_compared_is_drawn_all_the_same() -> None:
    columns = TrackColumns(tf=[0, 0, 10], cumulative=[0.0, 0.0, 3.0], compared=[1, 1, 0])
    assert len(binding_figure(comparison(columns=columns), "BED score").data) == 2


def test_the_caption_puts_the_measures_in_words() -> None:
    said = caption(comparison(measures=[measure("auroc", 0.694), measure("spearman", 0.318)]))
    assert "Over 7 peaks, 3 of them bound" in said
    assert "AUROC 0.694: a bound peak scores higher than an unbound one in 69 % of pairs" in said
    assert "Spearman 0.318" in said
