"""Arcs, genes in rows, and the whole figure of the gene / locus view."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bi2scope.dashboard.arcs import Arc, Arcs, Place, sight_of
from bi2scope.dashboard.figures.arcs import LEVELS, arc_points, level_of
from bi2scope.dashboard.figures.gene_track import LETTER, MOST_ROWS, packed
from bi2scope.dashboard.figures.locus import Shown, locus_figure
from bi2scope.server.wire_genes import GeneColumns, PlaceColumns, Region, RegionScores, RegionTrack

WINDOW = Place("chr1", 0, 1_000_000)


def genes(starts: list[int], lengths: list[int]) -> GeneColumns:
    n = len(starts)
    return GeneColumns(
        gene_id=[f"E{i}" for i in range(n)], gene_name=[f"GENE{i}" for i in range(n)], gene_chrom=["chr1"] * n,
        gene_start=starts, gene_end=[a + b for a, b in zip(starts, lengths, strict=True)], gene_tss=starts,
        gene_strand=["+", "-"] * (n // 2) + ["+"] * (n % 2),
    )  # fmt: skip


def arc(middle: int, tss: int = 500_000, score: float = 0.9) -> Arc:
    peak = f"chr1:{middle - 250}-{middle + 250}"
    return Arc("E0", "GENE0", tss, "+", peak, middle - 250, middle + 250, middle - tss, 3, 6, score, 0.1, 2.0, 1.0)


def region(n_types: int = 2) -> Region:
    places = PlaceColumns(start=[100_000, 600_000], end=[100_500, 600_500], n_peaks=[1, 1])
    types = [
        RegionScores(cell_type=f"T{i}", n_cells=10 * (i + 1), truncated=False, n_open=[5, 1], links=[3, 0],
                     score=[2.5, 0], weight=[0.3, 0], lift=[1.5, None])
        for i in range(n_types)
    ]  # fmt: skip
    track = RegionTrack(
        track_id="0" * 16, name="CTCF.bed", score_column="score", n_intervals=1, start=[5], end=[9], score=[7]
    )
    return Region(
        chrom="chr1", start=0, end=1_000_000, chrom_end=2_000_000, threshold=0.5, top_k=None, layer=0, head=0,
        n_peaks=2,
        bin=None, genes=genes([480_000, 100_000], [40_000, 2_000]), places=places, cell_types=types, cell=None,
        tracks=[track],
    )  # fmt: skip


def test_an_arc_runs_from_the_tss_to_the_peak_and_is_highest_between() -> None:
    x, y = arc_points(arc(700_000), 0.4, WINDOW, 41)
    assert (x[0], x[-1]) == pytest.approx((0.5, 0.7))
    assert (y[0], y[-1]) == pytest.approx((0, 0), abs=1e-9)
    assert y.max() == pytest.approx(0.4)
    assert x[y.argmax()] == pytest.approx(0.6)


def test_of_an_arc_that_leaves_only_the_part_in_view_is_drawn() -> None:
    x, y = arc_points(arc(50_000_000), 1.0, WINDOW, 15)
    assert x.min() == pytest.approx(0.5)
    assert x.max() == pytest.approx(1.0)
    assert (np.diff(y) > 0).all()


@given(st.floats(0.5, 1), st.floats(0.5, 1))
def test_levels_rise_with_the_score(score: float, least: float) -> None:
    level = level_of(score, least)
    assert 0 <= level < LEVELS
    assert level <= level_of(1.0, least)


@given(
    st.lists(st.tuples(st.integers(0, 999_000), st.integers(200, 300_000)), min_size=1, max_size=60),
    st.sampled_from([400.0, 900.0]),
)
def test_named_genes_never_overlap(places: list[tuple[int, int]], pixels: float) -> None:
    given = genes([start for start, _ in places], [length for _, length in places])
    drawn = packed(given, WINDOW, pixels, first=["E0"])
    assert sorted(gene.gene_id for gene in drawn) == sorted(given.gene_id)
    assert drawn[0].gene_id == "E0"
    scale = pixels / WINDOW.size
    for row in range(MOST_ROWS):
        taken = []
        for gene in (gene for gene in drawn if gene.row == row):
            width = LETTER * len(gene.name)
            near, far = gene.start * scale, gene.end * scale
            taken.append((near - width, far) if gene.name_at == "left" else (near, far + width))
        taken.sort()
        assert all(one[1] <= other[0] for one, other in pairwise(taken))
    assert all((gene.row == MOST_ROWS) == (gene.name_at is None) for gene in drawn)


def test_the_figure_has_a_row_for_everything_on_one_axis() -> None:
    rows = [arc(700_000), arc(50_000_000, score=0.6)]
    shown = Shown(WINDOW, "E0", sight_of(rows, WINDOW), "share", "lift", 0.5, {"T0": "#0072b2", "T1": "#e69f00"})
    figure = locus_figure(region(), Arcs("gene", rows, 2, limited=False, truncated=False), shown)
    labels = [annotation.text for annotation in figure.layout.annotations]
    assert labels == [
        "Genes", "Peaks", "<b>T0</b> (10 cells) share of open cells", "<b>T0</b> (10 cells) lift",
        "<b>T1</b> (20 cells) share of open cells", "<b>T1</b> (20 cells) lift", "<b>CTCF.bed</b> score",
    ]  # fmt: skip
    axes = [figure.layout[name] for name in figure.layout if name.startswith("yaxis")]
    domains = sorted(tuple(axis.domain) for axis in axes)
    assert len(domains) == 8
    assert all(low[1] < high[0] for low, high in pairwise(domains))
    assert all(axis.anchor == "x" for axis in axes)
    assert tuple(figure.layout.xaxis.range) == (0, 1)
    assert figure.layout.yaxis.title.text == "Share of expressing cells"
    assert figure.layout.yaxis4.range == figure.layout.yaxis6.range  # types on one scale
    dashes = {
        trace.line.dash: {at for at in trace.customdata if at is not None} for trace in figure.data if trace.line.dash
    }
    assert dashes == {"solid": {0}, "dot": {1}}


def test_bins_are_named() -> None:
    binned = region(1).model_copy(update={"bin": 5_000})
    shown = Shown(WINDOW, None, sight_of([], WINDOW), "distance", "links", 0.5, {})
    figure = locus_figure(binned, Arcs("map", [], 0, limited=False, truncated=False), shown, "dark")
    labels = [annotation.text for annotation in figure.layout.annotations]
    assert "Peaks, in bins of 5,000 bp (zoom in for single ones)" in labels
    assert "<b>T0</b> (10 cells) sum of links, highest of each bin" in labels
    assert figure.layout.yaxis.title.text == "Distance (Mb)"
