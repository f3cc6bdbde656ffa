from __future__ import annotations

from wires import embedding

from bi2scope.dashboard.figures.embedding import embedding_figure, ring_patch, type_order
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
