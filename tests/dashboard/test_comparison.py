"""Maps side by side: what is laid beside a cell, what sets them apart, and that all share their axes and colours."""

from __future__ import annotations

import json

import numpy as np
import pytest
from wires import heatmap

from bi2scope.dashboard import comparison
from bi2scope.dashboard.comparison import NOTHING, THRESHOLDS, at_thresholds, common, difference, two_cells, with_type
from bi2scope.dashboard.figures.colours import SCORES, Colouring, Colours
from bi2scope.dashboard.figures.heatmap import raster
from bi2scope.dashboard.figures.panels import panels_figure, panels_patch, places_of
from bi2scope.server.wire import Heatmap, HeatmapBins
from bi2scope.server.wire_maps import TypeHeatmap, TypeHeatmapBins

NAN = np.float32(np.nan)


def second() -> Heatmap:
    """Another cell on the same axes; it shares the first link of the first cell, with another score."""
    own = heatmap().bins
    bins = HeatmapBins(
        row=[own.row[0], 3], column=[own.column[0], 5], n_links=[1, 1], gene=[own.gene[0], 3], peak=[own.peak[0], 5],
        distance_to_tss=[0, 9], logit=[4.0, 1.0], score=[0.982, 0.731], rank=[1, 2], weight=[0.2, 0.1],
    )  # fmt: skip
    return heatmap(cell_id="other", bins=bins, n_links=2)


def mean_of_type() -> TypeHeatmap:
    one = heatmap()
    own = one.bins
    bins = TypeHeatmapBins(
        row=own.row[:2], column=own.column[:2], n_pairs=[1, 1], gene=own.gene[:2], peak=own.peak[:2],
        distance_to_tss=[0, 1], n_cells=[4, 2], n_both=[6, 5], mean_score=[0.6, 0.7], mean_weight=[0.1, 0.05],
    )  # fmt: skip
    shared = one.model_dump(include=set(TypeHeatmap.model_fields) - {"bins", "cell_type"})
    return TypeHeatmap(cell_type=one.cell_type, n_cells=9, least_cells=2, n_pairs=2, bins=bins, **shared)


def test_a_pair_that_one_cell_lacks_counts_as_no_association() -> None:
    first = np.array([[0.9, NAN, 0.75, NAN]], dtype=np.float32)
    other = np.array([[0.8, 0.7, NAN, NAN]], dtype=np.float32)
    assert difference(first, other, 0.5) == pytest.approx(np.array([[0.1, -0.2, 0.25, NAN]]), nan_ok=True)
    assert difference(first, other, None) == pytest.approx(np.array([[0.1, NAN, NAN, NAN]]), nan_ok=True)


@pytest.mark.parametrize("colouring", list(NOTHING))
def test_two_cells_share_axes_and_colours_and_the_third_map_is_what_sets_them_apart(colouring: Colouring) -> None:
    one, other = heatmap(), second()
    shown = two_cells(one, other, Colours(colouring))
    own, beside, apart = (panel.values for panel in shown.panels.shown)
    assert np.array_equal(apart, difference(raster(one, colouring), raster(other, colouring), NOTHING[colouring]), True)
    assert np.array_equal(own, raster(one, colouring), True)
    assert np.array_equal(beside, raster(other, colouring), True)
    figure = panels_figure(shown.panels)
    assert [trace.zmin for trace in figure.data[:2]] == [figure.data[0].zmin] * 2
    assert [trace.zmax for trace in figure.data[:2]] == [figure.data[0].zmax] * 2
    assert figure.data[2].zmin == -figure.data[2].zmax < 0
    assert [trace.showscale for trace in figure.data] == [True, False, None]
    for axis in (figure.layout.xaxis2, figure.layout.xaxis3):
        assert axis.matches == "x"
        assert axis.range == figure.layout.xaxis.range
    assert "other" in figure.layout.annotations[1].text
    assert [read["cell"] for read in shown.bins["maps"]] == [one.cell_id, "other"]


def test_pairs_that_both_cells_link_are_counted_where_single_pairs_are_in_view() -> None:
    assert common(heatmap(), second()).startswith("1 pairs in view are linked in both cells")
    assert common(heatmap(gene_step=2), second()) == ""


def test_the_papers_thresholds_stand_side_by_side_with_their_links() -> None:
    maps = [heatmap(threshold=threshold, n_links=1_000 - at) for at, threshold in enumerate(THRESHOLDS)]
    shown = at_thresholds(maps, SCORES)
    assert [panel.title for panel in shown.panels.shown] == [
        "Score > 0.5: 1,000 links", "Score > 0.8: 999 links", "Score > 0.9: 998 links", "Score > 0.95: 997 links",
    ]  # fmt: skip
    places = places_of(shown.panels)
    assert len({(place.across, place.up) for place in places}) == 4
    assert [place.lowest for place in places] == [False, False, True, True]
    figure = panels_figure(shown.panels, "dark")
    assert {(trace.zmin, trace.zmax) for trace in figure.data} == {(0.5, 1.0)}


@pytest.mark.parametrize(("colouring", "shows"), [("score", "score"), ("logit", "score"), ("weight", "weight")])
def test_beside_the_mean_of_a_type_only_what_it_has_is_shown(colouring: Colouring, shows: Colouring) -> None:
    one, mean = heatmap(), mean_of_type()
    shown = with_type(one, mean, Colours(colouring, "log"))
    assert shown.panels.colours == Colours(shows, "log")
    values = shown.panels.shown[1].values
    at = mean.bins.row[0], mean.bins.column[0]
    assert values[at] == np.float32(getattr(mean.bins, f"mean_{shows}")[0])
    apart = shown.panels.shown[2].values
    assert np.isfinite(apart).sum() == 2
    assert apart[at] == pytest.approx(getattr(one.bins, shows)[0] - getattr(mean.bins, f"mean_{shows}")[0], abs=1e-6)
    assert ("no mean logit" in shown.caption) == (colouring == "logit")
    assert "mean_score" in json.loads(shown.bins["maps"][1]["json"])["bins"]


def test_the_patch_turns_the_old_panels_into_the_new_ones() -> None:
    shown = two_cells(heatmap(), second(), Colours("score", "log")).panels
    figure = panels_figure(shown).to_plotly_json()
    set_to = {tuple(op["location"]): op["params"]["value"] for op in panels_patch(shown).to_plotly_json()["operations"]}
    for at in range(3):
        assert set_to["data", at, "z"] == figure["data"][at]["z"]
        assert set_to["layout", "annotations", at, "text"] == figure["layout"]["annotations"][at]["text"]
        axis = f"xaxis{at + 1 if at else ''}"
        assert set_to["layout", axis, "ticktext"] == list(figure["layout"][axis]["ticktext"])
        assert set_to["layout", axis, "title", "text"] == figure["layout"][axis]["title"]["text"]


def test_only_a_second_cell_needs_a_barcode() -> None:
    boxes = [comparison.beside_controls(beside, None).children[1] for beside in comparison.BESIDE]
    assert [box.style["display"] for box in boxes] == ["none", "none", "block", "none"]
