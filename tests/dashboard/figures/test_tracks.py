from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from bi2scope.dashboard.figures.genome import CHARACTER, Span
from bi2scope.dashboard.figures.tracks import (
    MOST_LABELS,
    NARROWEST,
    Genome,
    Track,
    height_of,
    highest_per_bin,
    label_parts,
    rows_of,
    tracks_figure,
    tracks_patch,
)

GENOME = Genome([Span("chr1", 0, 6), Span("chr2", 6, 10)], 10, [f"chr{1 + (i > 5)}:{i}-{i + 1}" for i in range(10)])


def track(label: str = "B", top: int = 3) -> Track:
    values = np.zeros(10)
    values[top] = 7.5
    return Track(label, "Sum of scores", values, "#0072b2", notes=[f"note {i}" for i in range(10)])


@given(
    arrays(np.float64, st.integers(1, 200), elements=st.floats(-1e6, 1e6)),
    st.integers(1, 50),
    st.data(),
)
def test_bins_hold_the_highest_value_as_a_plain_loop_finds_it(
    values: np.ndarray, bins: int, data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(values) - 1))
    stop = data.draw(st.integers(start + 1, len(values)))
    binned = highest_per_bin(values, start, stop, bins)
    step = -(-(stop - start) // bins)
    expected = [max(values[i : min(i + step, stop)]) for i in range(start, stop, step)]
    assert binned.value.tolist() == expected
    assert len(expected) <= bins
    assert values[binned.peak].tolist() == expected


def test_a_window_as_long_as_the_bins_is_exact() -> None:
    binned = highest_per_bin(np.arange(10.0), 2, 7, 100)
    assert binned.middle.tolist() == [2, 3, 4, 5, 6]


def test_tracks_share_one_axis_and_each_has_its_own_scale() -> None:
    figure = tracks_figure([track("above"), track("below")], GENOME)
    assert [trace.yaxis for trace in figure.data] == ["y", "y2"]
    assert {trace.xaxis for trace in figure.data} == {None}
    assert figure.layout.yaxis.domain[0] > figure.layout.yaxis2.domain[1]
    assert figure.layout.yaxis.title.text == "Sum of scores"
    assert [note.text for note in figure.layout.annotations] == ["<b>above</b>", "<b>below</b>"]


def test_the_tooltip_names_the_peak_that_is_shown() -> None:
    (trace,) = tracks_figure([track(top=3)], GENOME, bins=2).data
    assert list(trace.customdata) == ["chr1:3-4<br>note 3", "chr1:5-6<br>note 5"]


def test_without_names_the_tooltip_counts_on_the_chromosome() -> None:
    nameless = Genome(GENOME.spans, 10)
    plain = Track("tf", "BED score", np.arange(10.0), "#d55e00")
    (trace,) = tracks_figure([plain], nameless, bins=1).data
    assert list(trace.customdata) == ["chr2, peak 4"]


def test_every_second_chromosome_is_a_band_behind_the_tracks() -> None:
    (band,) = tracks_figure([track()], GENOME).layout.shapes
    assert (band.x0, band.x1, band.layer) == (5.5, 9.5, "below")


def test_the_patch_refines_the_window() -> None:
    operations = tracks_patch([track()], GENOME, 0, 4, bins=100).to_plotly_json()["operations"]
    set_to = {tuple(op["location"]): op["params"]["value"] for op in operations}
    assert len(set_to["data", 0, "customdata"]) == 4
    assert "Mb" in set_to["layout", "xaxis", "title", "text"]


@given(st.integers(1, 8))
def test_rows_do_not_overlap_and_leave_room_for_their_labels(count: int) -> None:
    rows = rows_of(count, 170)
    assert all(-1e-9 <= low < high < 1 for low, high in rows)
    assert all(upper[0] > lower[1] for upper, lower in pairwise(rows))
    assert height_of(count) > 170 * count


def named(values: list[float]) -> Track:
    return Track("B", "Lift", np.array(values), "#0072b2", name_of=lambda i: "ABCDEFGHIJ"[i], level=1.0)


def test_the_highest_peaks_in_view_are_named_and_none_covers_another() -> None:
    parts = label_parts(named([0, 9, 8, 0, 0, 5, 0, 0, 0, 1]), 0, 10, 100)
    assert parts["text"] == ["B", "C", "F", "J"]
    assert label_parts(named([9, *[0] * 9]), 0, 1000, 10)["textposition"] == ["top right"]  # at the left end
    many = Track("B", "Lift", np.arange(1000.0), "#0072b2", name_of=lambda i: f"GENE{i}")
    middles = sorted(label_parts(many, 0, 1000, 500)["x"])
    assert 0 < len(middles) <= MOST_LABELS
    assert all((right - left) * NARROWEST / 1000 > 6 * CHARACTER for left, right in pairwise(middles))


def test_names_follow_the_window_behind_the_tracks() -> None:
    figure = tracks_figure([track(), named([0, 9, 0, 0, 0, 5, 0, 0, 0, 1])], GENOME)
    assert [trace.mode for trace in figure.data] == ["lines", "lines", "text"]
    assert figure.layout.yaxis2.autorangeoptions.include[1] > 9
    assert [shape.y0 for shape in figure.layout.shapes if shape.type == "line"] == [1.0]
    moved = str(tracks_patch([track(), named([0, 9, 0, 0, 0, 5, 0, 0, 0, 1])], GENOME, 4, 10).to_plotly_json())
    assert "['F', 'J']" in moved
    assert "'yaxis2'" in moved


def test_tracks_of_ratios_share_one_range_and_are_written_without_prefixes() -> None:
    high, low = named([0, 9, 0, 0, 0, 5, 0, 0, 0, 1]), named([0, 2, 0, 0, 0, 1.5, 0, 0, 0, 1])
    sums = replace(high, level=None)
    figure = tracks_figure([high, low, sums, replace(low, level=None)], GENOME)
    axes = [figure.layout[name] for name in ("yaxis", "yaxis2", "yaxis3", "yaxis4")]
    tops = [axis.autorangeoptions.include[1] for axis in axes]
    assert tops[0] == tops[1] == tops[2] > tops[3] > 2
    assert [axis.tickformat for axis in axes] == ["~g", "~g", "~s", "~s"]
    moved = tracks_patch([high, low], GENOME, 4, 10).to_plotly_json()["operations"]
    set_to = {tuple(op["location"]): op["params"]["value"] for op in moved}
    assert set_to["layout", "yaxis", "autorangeoptions"] == set_to["layout", "yaxis2", "autorangeoptions"]
