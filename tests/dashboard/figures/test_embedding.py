from __future__ import annotations

import random

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from wires import embedding

from bi2scope.dashboard.figures.embedding import (
    coloured_figure,
    drawn_cells,
    drawn_note,
    embedding_figure,
    ring_patch,
    type_order,
)
from bi2scope.dashboard.figures.style import TYPE_COLOURS


def test_one_trace_per_type_and_a_ring_around_the_cell() -> None:
    figure = embedding_figure(embedding(), chosen="c")
    assert [trace.name for trace in figure.data] == ["T", "B", "chosen cell"]
    assert list(figure.data[0].customdata) == ["a", "c"]
    assert (list(figure.data[2].x), list(figure.data[2].y)) == ([2.0], [1.0])


def test_colours_follow_the_data_sets_order_of_types() -> None:
    figure = embedding_figure(embedding(), types=["B", "T"])
    assert {trace.name: trace.marker.color for trace in figure.data[:2]} == {
        "B": TYPE_COLOURS[0],
        "T": TYPE_COLOURS[1],
    }


def test_axes_are_named_after_the_method() -> None:
    long = embedding().model_copy(
        update={"method": "UMAP of the RNA counts normalised per cell, 30 components (seed 0)"}
    )
    layout = embedding_figure(long).layout
    assert (layout.xaxis.title.text, layout.yaxis.title.text) == ("UMAP 1", "UMAP 2")


def test_no_ring_for_a_cell_that_is_not_there() -> None:
    assert list(embedding_figure(embedding(), chosen="zzz").data[-1].x) == []


def test_the_patch_moves_the_ring_alone() -> None:
    operations = ring_patch(embedding(), "d").to_plotly_json()["operations"]
    at = len(type_order(embedding()))
    assert {tuple(op["location"]): op["params"]["value"] for op in operations} == {
        ("data", at, "x"): [3.0],
        ("data", at, "y"): [0.0],
    }


@given(sizes=st.lists(st.integers(0, 60), min_size=1, max_size=6), most=st.integers(1, 80))
def test_of_many_cells_every_type_keeps_its_share(sizes: list[int], most: int) -> None:
    kinds = [f"type {i}" for i, size in enumerate(sizes) for _ in range(size)]
    random.Random(1).shuffle(kinds)
    drawn = drawn_cells(kinds, most)
    assert len(drawn) == len(set(drawn.tolist())) == min(len(kinds), most)
    assert (np.diff(drawn) > 0).all()
    for i, size in enumerate(sizes):
        kept = sum(kinds[at] == f"type {i}" for at in drawn)
        assert abs(kept - size * len(drawn) / max(len(kinds), 1)) <= 1
    assert bool(drawn_note(len(kinds), most)) == (len(kinds) > most)


def test_cells_that_are_left_out_are_neither_drawn_nor_coloured() -> None:
    whole = embedding()
    figure = embedding_figure(whole, chosen=whole.cell_id[1], most=2)
    assert sum(len(trace.x) for trace in figure.data[:-1]) == 2
    assert list(figure.data[-1].x) == [whole.x[1]]  # the ring stands, drawn or not
    coloured = coloured_figure(whole, [1.0] * len(whole.x), "count")
    assert sum(len(trace.x) for trace in coloured.data) == len(whole.x)
    assert {trace.type for trace in (*figure.data, *coloured.data)} == {"scatter"}
