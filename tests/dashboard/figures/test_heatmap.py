from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import pytest
from wires import heatmap

from bi2scope.dashboard.figures.colours import Colouring, Colours
from bi2scope.dashboard.figures.heatmap import (
    caption,
    heatmap_figure,
    heatmap_patch,
    placement,
    raster,
    tooltip_bins,
)
from bi2scope.server.wire import HeatmapBins


def decoded(array: dict[str, str]) -> np.ndarray:
    values = np.frombuffer(base64.b64decode(array["bdata"]), dtype=array["dtype"])
    return values.reshape([int(n) for n in array["shape"].split(",")])


def binned() -> Any:
    """Five genes by seven peaks in bins of two by three; one bin holds two links."""
    bins = HeatmapBins(
        row=[0, 2], column=[0, 2], n_links=[2, 1], gene=[1, 4], peak=[2, 6], distance_to_tss=[5, -7],
        logit=[1.0, 2.0], score=[0.73, 0.88], rank=[1, 1], weight=[0.1, 0.2],
    )  # fmt: skip
    return heatmap(gene_step=2, peak_step=3, bins=bins)


def test_each_link_has_its_dot_and_the_rest_is_empty() -> None:
    scores = raster(heatmap())
    assert scores.shape == (5, 7)
    assert scores[4, 5] == np.float32(0.953)
    assert np.isfinite(scores).sum() == 3


def test_bins_lie_over_the_genes_and_peaks_they_cover() -> None:
    assert raster(binned()).shape == (3, 3)
    assert placement(binned()) == {"x0": 1.0, "dx": 3, "y0": 0.5, "dy": 2}


def test_genes_run_down_and_peaks_across_in_genome_order() -> None:
    figure = heatmap_figure(heatmap())
    assert list(figure.layout.xaxis.range) == [-0.5, 6.5]
    assert list(figure.layout.yaxis.range) == [4.5, -0.5]


def test_axes_name_what_they_count() -> None:
    big = heatmap(n_genes=1512, n_peaks=21_340, gene_stop=1512, peak_stop=21_340, gene_step=8, peak_step=67,
        gene_names=["g"] * 1512, peak_names=["chr1:1-2"] * 21_340,
        chromosomes=[
            heatmap().chromosomes[0].model_copy(update={"gene_stop": 800, "peak_stop": 11_000}),
            heatmap().chromosomes[1].model_copy(
                update={"gene_start": 800, "gene_stop": 1512, "peak_start": 11_000, "peak_stop": 21_340}
            ),
        ])  # fmt: skip
    figure = heatmap_figure(big)
    assert figure.layout.xaxis.title.text == "Open peaks, genome order (n = 21,340)"
    assert figure.layout.yaxis.title.text == "Expressed genes, genome order (n = 1,512)"
    assert list(figure.layout.xaxis.ticktext) == ["1", "2"]


def test_one_colour_bar_for_the_score_from_a_half_to_one() -> None:
    (trace,) = heatmap_figure(heatmap()).data
    assert (trace.zmin, trace.zmax, trace.colorbar.title.text) == (0.5, 1.0, "Score")


def test_both_schemes_end_on_the_colour_farthest_from_the_page() -> None:
    light, dark = (heatmap_figure(heatmap(), scheme).data[0].colorscale for scheme in ("light", "dark"))
    assert luminance(light[-1][1]) < luminance(light[0][1])
    assert luminance(dark[-1][1]) > luminance(dark[0][1])


def luminance(colour: str) -> float:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return 0.21 * red + 0.72 * green + 0.07 * blue


def test_the_bounds_lie_between_the_chromosomes() -> None:
    blocks, lines = heatmap_figure(heatmap()).layout.shapes
    assert lines.path == "M3.5,-0.5 V4.5 M-0.5,2.5 H6.5"
    assert blocks.path.count("Z") == 2
    assert {blocks.layer, lines.layer} == {"below"}


def test_the_patch_turns_the_old_figure_into_the_new_one() -> None:
    near = heatmap(
        gene_start=1, gene_stop=3, peak_start=2, peak_stop=4, gene_names=["G1", "G2"],
        peak_names=["chr1:3000-3500", "chr1:4000-4500"], n_links=1,
        bins=HeatmapBins(
            row=[1], column=[1], n_links=[1], gene=[2], peak=[3], distance_to_tss=[0], logit=[1.0], score=[0.731],
            rank=[1], weight=[0.12],
        ),
    )  # fmt: skip
    set_to = {tuple(op["location"]): op["params"]["value"] for op in heatmap_patch(near).to_plotly_json()["operations"]}
    fresh = heatmap_figure(near)
    assert ("data", 0, "z") not in set_to  # the page lays the values out, as it does those of a figure without
    assert heatmap_figure(near, values=False).data[0].z is None
    assert {key: set_to["data", 0, key] for key in ("x0", "dx", "y0", "dy")} == placement(near)
    for axis in ("xaxis", "yaxis"):
        assert set_to["layout", axis, "ticktext"] == list(fresh.layout[axis].ticktext)
        assert set_to["layout", axis, "title", "text"] == fresh.layout[axis].title.text
    assert set_to["layout", "yaxis", "ticktext"] == ["G1", "G2"]


def test_the_view_stays_within_a_cell_and_resets_for_another() -> None:
    assert heatmap_figure(heatmap()).layout.uirevision != heatmap_figure(heatmap(cell_id="other")).layout.uirevision


def test_a_cell_without_links_still_has_its_axes() -> None:
    empty = HeatmapBins(
        row=[], column=[], n_links=[], gene=[], peak=[], distance_to_tss=[], logit=[], score=[], rank=[], weight=[]
    )
    figure = heatmap_figure(heatmap(n_links=0, bins=empty))
    assert np.isnan(decoded(figure.to_plotly_json()["data"][0]["z"])).all()
    assert figure.layout.xaxis.title.text.startswith("Open peaks")


def test_the_caption_says_what_a_dot_is() -> None:
    assert caption(heatmap()) == "3 links in view; each dot is one link."
    assert "2 genes by 3 peaks" in caption(binned())
    assert "6 genes by 1 peak " in caption(heatmap(gene_step=6))


def test_the_caption_says_how_near_a_candidate_must_be() -> None:
    near = " A gene attends to peaks within 500,000 bp of its TSS only."
    for shown in (heatmap(), binned()):
        assert caption(shown, 500_000) == caption(shown) + near


def test_the_tooltip_can_find_its_link() -> None:
    data = tooltip_bins(binned())
    read = json.loads(data["json"])
    assert data["columns"] == 3
    assert read["bins"]["n_links"] == [2, 1]
    assert read["gene_names"][read["bins"]["gene"][1] - data["gene_start"]] == "G4"


@pytest.mark.parametrize(
    ("colouring", "title", "ends"),
    [
        ("logit", "Logit: log<br>odds of score<br>(top 2 % alike)", (0.0, pytest.approx(2.92))),
        ("rank", "Rank", (1.0, 2.0)),
        ("weight", "Weight", (0.0, 0.15)),
    ],
)
def test_colour_can_stand_for_what_does_not_saturate(
    colouring: Colouring, title: str, ends: tuple[float, float]
) -> None:
    (trace,) = heatmap_figure(heatmap(), colours=Colours(colouring)).data
    assert trace.colorbar.title.text == title
    assert (trace.zmin, trace.zmax) == ends
    assert trace.reversescale == (colouring == "rank")
    assert raster(heatmap(), colouring)[4, 5] == np.float32(getattr(heatmap().bins, colouring)[2])
