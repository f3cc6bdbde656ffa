"""The cells as points of a two-dimensional embedding, coloured by type, the current one ringed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go
from dash import Patch

from bi2scope.dashboard.figures.style import SCHEMES, Scheme, axis, base_layout, on_page, type_colour
from bi2scope.server.wire import Embedding

MOST_DRAWN = 30_000
"""Cells of a figure at most, each an element of the page. WebGL would draw more, but plotly compiles what draws by it
out of texts, which the page's policy on scripts forbids."""

MANY = 5_000
"""More cells than these have smaller points."""

MOST_NAMED = 8
"""Cell types that a figure of a fixed height has room to name."""


def type_order(embedding: Embedding) -> list[str]:
    """Cell types in order of first appearance; their colours follow it."""
    return list(dict.fromkeys(embedding.cell_type))


def drawn_cells(cell_type: Sequence[str], most: int) -> npt.NDArray[np.int64]:
    """``(n_drawn,)`` ascending positions of the cells that are drawn: all, or a share of every type, evenly."""
    if len(cell_type) <= most:
        return np.arange(len(cell_type))
    by_type = np.argsort(np.unique(np.array(cell_type), return_inverse=True)[1], kind="stable")
    return np.sort(by_type[(np.arange(most) * len(cell_type)) // most])


def drawn_note(n_cells: int, most: int) -> str:
    """What to say where not all cells are drawn."""
    return f"{most:,} of {n_cells:,} cells are drawn, of every type the same share." if n_cells > most else ""


def embedding_figure(
    embedding: Embedding,
    scheme: Scheme = "light",
    *,
    chosen: str | None = None,
    types: Sequence[str] | None = None,
    height: int | None = 300,
    most: int = MOST_DRAWN,
) -> go.Figure:
    """One trace per cell type, and last a ring around the chosen cell; ``types`` gives the order of the colours.

    ``height`` is in pixels; without one the figure is as high as the page has room. ``most`` cells are drawn.
    """
    drawn = drawn_cells(embedding.cell_type, most)
    kinds, x, y, names = columns_of(embedding, drawn)
    figure = go.Figure(layout=frame(embedding, scheme, height, legend=True))
    for i, kind in enumerate(types or type_order(embedding)):
        at = kinds == kind
        figure.add_trace(
            go.Scatter(
                x=x[at], y=y[at], customdata=names[at].tolist(), name=kind, mode="markers",
                marker={"size": size_of(drawn), "color": on_page(type_colour(i), scheme), "opacity": 0.75},
                hovertemplate="%{customdata}<extra>" + kind + "</extra>",
            )
        )  # fmt: skip
    figure.add_trace(
        go.Scatter(
            **ring(embedding, chosen), mode="markers", name="chosen cell", showlegend=False, hoverinfo="skip",
            marker={"size": 13, "color": "rgba(0,0,0,0)", "line": {"width": 2.5, "color": SCHEMES[scheme].text}},
        )
    )  # fmt: skip
    return figure


def coloured_figure(
    embedding: Embedding,
    values: Sequence[float | None],
    name: str,
    scheme: Scheme = "light",
    *,
    height: int | None = 300,
    absent: str = "no value",
) -> go.Figure:
    """The cells coloured by a number each; the highest lie on top, cells without the number are grey, ``absent``.

    The scale ends at the 99th percentile of what is above the lowest value, so that a single cell does not hold it.
    """
    number = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    drawn = drawn_cells(embedding.cell_type, MOST_DRAWN)
    known = number[np.isfinite(number)]
    low = float(known.min()) if len(known) else 0.0
    above = known[known > low]
    high = float(np.percentile(above, 99)) if len(above) else low + 1
    kinds, x, y, names = columns_of(embedding, drawn)
    number = number[drawn]
    order = np.argsort(np.nan_to_num(number, nan=-np.inf), kind="stable")
    figure = go.Figure(layout=frame(embedding, scheme, height, legend=False))
    for own, colour in ((order[~np.isfinite(number[order])], None), (order[np.isfinite(number[order])], number)):
        marker: dict[str, Any] = {"size": size_of(drawn), "color": SCHEMES[scheme].line}
        if colour is not None:
            marker |= {
                "color": colour[own], "cmin": low, "cmax": high,
                "colorscale": [list(stop) for stop in SCHEMES[scheme].score_scale],
                "colorbar": {
                    "title": {"text": name.replace(", ", "<br>"), "font": {"size": 11}}, "thickness": 12, "len": 0.8,
                    "tickfont": {"size": 10}, "outlinewidth": 0, "nticks": 6,
                },
            }  # fmt: skip
        figure.add_trace(
            go.Scatter(
                x=x[own], y=y[own], customdata=names[own].tolist(), text=kinds[own].tolist(), mode="markers",
                name=name if colour is not None else absent, marker=marker,
                hovertemplate="%{customdata}, %{text}<br>"
                + ("%{marker.color:,.4~g}" if colour is not None else absent) + "<extra></extra>",
            )
        )  # fmt: skip
    return figure


def columns_of(embedding: Embedding, drawn: npt.NDArray[np.int64]) -> tuple[npt.NDArray[Any], ...]:
    """Type, place on both axes and name of the cells that are drawn."""
    kinds, names = (np.array(column, dtype=object)[drawn] for column in (embedding.cell_type, embedding.cell_id))
    return kinds, np.array(embedding.x)[drawn], np.array(embedding.y)[drawn], names


def size_of(drawn: npt.NDArray[np.int64]) -> int:
    """Pixels of a point."""
    return 5 if len(drawn) <= MANY else 3


def to_choose(figure: go.Figure) -> go.Figure:
    """The same figure, in which dragging goes round cells; it stays marked while the colours change."""
    figure.update_layout(dragmode="lasso", selectionrevision="cells", newselection={"line": {"width": 1.5}})
    return figure


def frame(embedding: Embedding, scheme: Scheme, height: int | None, legend: bool) -> dict[str, Any]:
    """Layout: both axes named after the method (its first word: "UMAP"), no ticks, the types below if there is room."""
    n_types, columns = len(type_order(embedding)), 4 if height is None else 2
    legend = legend and (height is None or n_types <= MOST_NAMED)
    legend_height = 20 * -(-n_types // columns)
    bare = {"showticklabels": False, "title": {"font": {"size": 11}, "standoff": 4}}
    named = [axis(scheme, "") | bare for _ in range(2)]
    for i, one in enumerate(named, start=1):
        one["title"] = one["title"] | {"text": f"{short_name(embedding.method)} {i}"}
    return base_layout(
        scheme,
        height=height,
        margin={"l": 24, "r": 6, "t": 6, "b": 30 + (legend_height if legend else 0)},
        showlegend=legend,
        legend={
            "orientation": "h",
            "yref": "container",
            "y": 0.01,
            "yanchor": "bottom",
            "x": 0,
            "font": {"size": 11},
            "itemsizing": "constant",
        },
        uirevision="embedding",
        clickmode="event",
        dragmode="pan",
        xaxis=named[0],
        yaxis=named[1],
    )


def short_name(method: str) -> str:
    """The method without its parameters: "UMAP" of "UMAP (RNA, log1p, ...)"."""
    return re.split(r"[,;:(]| of ", method, maxsplit=1)[0].strip() or method


def ring(embedding: Embedding, chosen: str | None) -> dict[str, list[float]]:
    """Where the ring stands; nowhere when no cell of that name is there."""
    if chosen is None or chosen not in embedding.cell_id:
        return {"x": [], "y": []}
    at = embedding.cell_id.index(chosen)
    return {"x": [embedding.x[at]], "y": [embedding.y[at]]}


def ring_patch(embedding: Embedding, chosen: str | None) -> Patch:
    """Move the ring, which is the last trace."""
    patch = Patch()
    at = len(type_order(embedding))
    for key, value in ring(embedding, chosen).items():
        patch["data"][at][key] = value
    return patch
