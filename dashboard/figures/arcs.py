"""Arcs from a TSS to a peak: their shape, and the traces that draw a bounded number of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go
from plotly.colors import sample_colorscale

from bi2scope.dashboard.arcs import Arc, Place, Sight
from bi2scope.dashboard.figures.style import SCHEMES, Scheme

Height = Literal["share", "score", "logit", "distance"]

LEVELS = 8
"""Steps of colour: each is one trace, whatever the number of arcs."""

POINTS = {"solid": 41, "dot": 15}
"""Points of an arc with both ends in the window, and of one that leaves it."""

HIGHLIGHT = "chosen"
"""Name of the trace that the browser fills with the chosen arc."""

Doubles = npt.NDArray[np.float64]


def height_of_arc(arc: Arc, height: Height) -> float:
    """How high the middle of an arc stands."""
    if height == "distance":
        return abs(arc.middle - arc.tss) / 1e6
    return float(getattr(arc, height) or 0.0)


def arc_points(arc: Arc, high: float, view: Place, n_points: int) -> tuple[Doubles, Doubles]:
    """Points of the upper half of an ellipse over TSS and peak, as far as a view shows it; Mb and height.

    Points are spread by the angle, so that both ends are as round as the top.
    """
    centre, radius = (arc.tss + arc.middle) / 2, max(abs(arc.middle - arc.tss) / 2, 1.0)
    left, right = np.clip((np.array([view.start, view.end]) - centre) / radius, -1, 1)
    angle = np.linspace(np.arccos(left), np.arccos(right), n_points)
    return (centre + radius * np.cos(angle)) / 1e6, high * np.sin(angle)


def arc_traces(
    rows: Sequence[Arc], sight: Sight, view: Place, *, height: Height, least: float, scheme: Scheme
) -> list[go.Scatter]:
    """Traces of the arcs, by level of the mean score; dotted where an end lies out of the window.

    ``customdata`` of each point is the arc's position among ``rows``.
    """
    traces = []
    for dash, positions in (("dot", sight.leaving), ("solid", sight.inside)):
        for level in range(LEVELS):
            own = [at for at in reversed(positions) if level_of(rows[at].score, least) == level]
            if own:
                traces.append(_trace(rows, own, view, height=height, dash=dash, level=level, scheme=scheme))
    return traces


def level_of(score: float, least: float) -> int:
    """Level of a score between the threshold and 1."""
    share = (score - least) / (1 - least) if least < 1 else 1.0
    return min(LEVELS - 1, max(0, int(share * LEVELS)))


def _trace(
    rows: Sequence[Arc], own: Sequence[int], view: Place, *, height: Height, dash: str, level: int, scheme: Scheme
) -> go.Scatter:
    x: list[float | None] = []
    y: list[float | None] = []
    of: list[int | None] = []
    for at in own:
        across, up = arc_points(rows[at], height_of_arc(rows[at], height), view, POINTS[dash])
        x += [*across.round(7).tolist(), None]
        y += [*up.round(6).tolist(), None]
        of += [at] * POINTS[dash] + [None]
    return go.Scatter(
        x=x, y=y, customdata=of, mode="lines", hoverinfo="none", yaxis="y", showlegend=False, connectgaps=False,
        line={"color": level_colour(level, scheme), "width": 1.1 + level / LEVELS, "dash": dash},
        opacity=0.35 + 0.6 * level / (LEVELS - 1) if dash == "solid" else 0.3 + 0.35 * level / (LEVELS - 1),
    )  # fmt: skip


def level_colour(level: int, scheme: Scheme) -> str:
    """Colour of a level."""
    scale = [[at, colour] for at, colour in SCHEMES[scheme].score_scale]
    colour: str = sample_colorscale(scale, [level / (LEVELS - 1)])[0]
    return colour


def stepped_scale(scheme: Scheme) -> list[list[Any]]:
    """The levels' colours as a scale for the colour bar."""
    bounds = [(level / LEVELS, (level + 1) / LEVELS) for level in range(LEVELS)]
    return [[at, level_colour(level, scheme)] for level, pair in enumerate(bounds) for at in pair]


def colour_bar(least: float, scheme: Scheme, quantity: str, place: dict[str, Any]) -> go.Scatter:
    """A trace that shows nothing but the colour bar."""
    return go.Scatter(
        x=[None], y=[None], mode="markers", showlegend=False, hoverinfo="skip", yaxis="y",
        marker={
            "color": [least], "cmin": least, "cmax": 1 if least < 1 else 1.001, "colorscale": stepped_scale(scheme),
            "showscale": True,
            "colorbar": {
                "title": {"text": quantity, "side": "right", "font": {"size": 12}}, "thickness": 11, "nticks": 5,
                "outlinewidth": 0, "tickfont": {"size": 11, "color": SCHEMES[scheme].muted}, **place,
            },
        },
    )  # fmt: skip


def highlight(scheme: Scheme) -> go.Scatter:
    """The empty trace that the browser fills with the chosen arc."""
    return go.Scatter(
        x=[], y=[], mode="lines", name=HIGHLIGHT, hoverinfo="none", showlegend=False, yaxis="y",
        line={"color": SCHEMES[scheme].secondary, "width": 3.5},
    )  # fmt: skip
