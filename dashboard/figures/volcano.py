"""A difference of two groups of cells: effect against significance, and beside that of the counts alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from bi2scope.dashboard.contrast import LEVEL, Contrasted
from bi2scope.dashboard.figures.style import BETWEEN, SCHEMES, Scheme, axis, base_layout

HEIGHT = 460
LEAST_Q = 1e-300
ACROSS, DOWN = 160, 110
"""Places of a figure; of points that fall on the same place the first is drawn."""

MOST_LABELS = 9

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def thinned(x: Floats, y: Floats) -> Ints:
    """``(n_drawn,)`` points to draw, the first of each place of the figure."""
    if not len(x):
        return np.zeros(0, dtype=np.int64)
    places = [
        np.floor((each - each.min()) / (np.ptp(each) or 1.0) * (size - 1)).astype(np.int64)
        for each, size in ((x, ACROSS), (y, DOWN))
    ]
    _, first = np.unique(places[0] * DOWN + places[1], return_index=True)
    return np.sort(first)


def significance(q: Floats) -> Floats:
    """``-log10`` of the false discovery rate."""
    y: Floats = -np.log10(np.maximum(q, LEAST_Q))
    return y


def volcano_figure(found: Contrasted, first: str, second: str, counted: str, scheme: Scheme = "light") -> go.Figure:
    """Effect against the false discovery rate; colour is the same effect of the counts alone.

    Parameters
    ----------
    first, second
        Names of the groups.
    counted
        What the counts are: accessibility, or expression.
    """
    y = significance(found.q)
    drawn = thinned(found.effect, y)
    colours = SCHEMES[scheme]
    low, middle, high = BETWEEN[scheme]
    spread = max(float(np.abs(found.counted_effect[drawn] - 0.5).max(initial=0.0)), 0.05)
    figure = frame(scheme, f"Effect: chance that a cell of {first} has the higher sum", "−log10 FDR", "tozero")
    figure.add_trace(
        go.Scatter(
            x=found.effect[drawn], y=y[drawn], mode="markers", customdata=notes(found, drawn),
            marker={
                "size": 6, "opacity": 0.85, "color": found.counted_effect[drawn], "cmin": 0.5 - spread,
                "cmax": 0.5 + spread, "colorscale": [[0, low], [0.5, middle], [1, high]],
                "colorbar": {
                    "title": {"text": f"Effect of<br>{counted}<br>alone", "font": {"size": 11}}, "thickness": 12,
                    "len": 0.75, "tickformat": ".2f", "tickfont": {"size": 10}, "outlinewidth": 0,
                },
            },
            hovertemplate=hover(counted),
        )
    )  # fmt: skip
    figure.add_hline(y=float(-np.log10(LEVEL)), line={"color": colours.muted, "width": 1, "dash": "dash"})
    figure.add_vline(x=0.5, line={"color": colours.muted, "width": 1, "dash": "dot"})
    for x, anchor, text in ((1, "right", f"higher in {first} →"), (0, "left", f"← higher in {second}")):
        figure.add_annotation(
            text=text, x=x, xref="paper", xanchor=anchor, y=1, yref="paper", yanchor="bottom", showarrow=False,
            font={"size": 12, "color": colours.text},
        )  # fmt: skip
    figure.add_annotation(
        text=f"FDR {LEVEL:.0%}", x=1, xref="paper", xanchor="right", y=float(-np.log10(LEVEL)), yanchor="bottom",
        showarrow=False, font={"size": 11, "color": colours.muted},
    )  # fmt: skip
    add_labels(figure, found, found.effect, y, np.argsort(-y * np.abs(found.effect - 0.5), kind="stable"), scheme)
    return figure


def beside_figure(found: Contrasted, first: str, counted: str, scheme: Scheme = "light") -> go.Figure:
    """Effect of attention against that of the counts alone; on the diagonal they are the same."""
    colours = SCHEMES[scheme]
    figure = frame(scheme, f"Effect of {counted} alone", f"Effect of attention (higher in {first} above 0.5)", "normal")
    figure.update_layout(
        showlegend=True, legend={"orientation": "h", "x": 0, "y": 1.01, "yanchor": "bottom", "itemsizing": "constant"}
    )
    ends = [0.0, 1.0]
    if len(found.effect):
        both = np.concatenate([found.effect, found.counted_effect])
        ends = [float(both.min()), float(both.max())]
    for name, kept, colour, size in (
        (f"FDR above {LEVEL:.0%}", found.q > LEVEL, colours.muted, 4),
        (f"FDR {LEVEL:.0%} or below", found.q <= LEVEL, colours.primary, 5),
    ):
        own = np.flatnonzero(kept)
        own = own[thinned(found.counted_effect[own], found.effect[own])]
        figure.add_trace(
            go.Scatter(
                x=found.counted_effect[own], y=found.effect[own], mode="markers", name=name,
                customdata=notes(found, own), marker={"size": size, "color": colour, "opacity": 0.6},
                hovertemplate=hover(counted),
            )
        )  # fmt: skip
    figure.add_trace(
        go.Scatter(
            x=ends, y=ends, mode="lines", name="the same", hoverinfo="skip",
            line={"color": colours.text, "width": 1, "dash": "dash"},
        )
    )  # fmt: skip
    apart = np.where(found.q <= LEVEL, np.abs(found.effect - found.counted_effect), 0)
    order = np.argsort(-apart, kind="stable")
    add_labels(figure, found, found.counted_effect, found.effect, order[apart[order] > 0], scheme)
    return figure


def frame(scheme: Scheme, across: str, up: str, mode: str) -> go.Figure:
    """An empty figure with both axes named."""
    grid = {"showgrid": True, "gridcolor": SCHEMES[scheme].line, "gridwidth": 0.5}
    return go.Figure(
        layout=base_layout(
            scheme,
            height=HEIGHT,
            margin={"l": 62, "r": 16, "t": 34, "b": 58},
            hovermode="closest",
            showlegend=False,
            clickmode="event",
            uirevision="difference",
            xaxis=axis(scheme, across, **grid),
            yaxis=axis(scheme, up, rangemode=mode, **grid),
        )
    )


def notes(found: Contrasted, drawn: Ints) -> list[list[Any]]:
    """What a point's tooltip says, and what it opens."""
    columns = (found.effect, found.q, found.counted_effect)
    return [[found.key[i], found.label[i], *(float(f"{column[i]:.4g}") for column in columns)] for i in drawn.tolist()]


def hover(counted: str) -> str:
    """Template of the tooltips."""
    return (
        "<b>%{customdata[0]}</b> %{customdata[1]}<br>effect %{customdata[2]:.3f}, FDR %{customdata[3]:.2~e}"
        f"<br>effect of {counted} alone %{{customdata[4]:.3f}}<extra></extra>"
    )


def add_labels(figure: go.Figure, found: Contrasted, x: Floats, y: Floats, order: Ints, scheme: Scheme) -> None:
    """Names at the first points of an order, none near another."""
    wide, high = (float(np.ptp(each)) or 1.0 if len(each) else 1.0 for each in (x, y))
    taken: list[int] = []
    for i in order[: 6 * MOST_LABELS].tolist():
        near = any(abs(x[i] - x[j]) < 0.16 * wide and abs(y[i] - y[j]) < 0.05 * high for j in taken)
        if not found.label[i] or near or any(found.label[i] == found.label[j] for j in taken):
            continue
        taken.append(i)
        if len(taken) == MOST_LABELS:
            break
    figure.add_trace(
        go.Scatter(
            x=x[taken], y=y[taken], text=[found.label[i] for i in taken], mode="text", textposition="top center",
            textfont={"size": 11, "color": SCHEMES[scheme].text}, hoverinfo="skip", showlegend=False, cliponaxis=False,
        )
    )  # fmt: skip
