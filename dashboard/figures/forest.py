"""Forest plot: attention's measures with their intervals, beside what chance and simpler scores give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go

from bi2scope.dashboard.figures.style import HUES, SCHEMES, VEIL, Scheme, axis, base_layout
from bi2scope.dashboard.measures import chance_level, figure_text, interval_text, name_of, ordered, p_text
from bi2scope.server.wire_tf import Measure, TrackComparison

ROW = 62
"""Height of a row, in pixels."""

MARGIN = {"l": 150, "r": 20, "t": 62, "b": 26}
LOGARITHMIC = frozenset({"odds_ratio"})
_ODDS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 1.5, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000)
LOG_TICKS = {"tickvals": _ODDS, "ticktext": [f"{value:g}" for value in _ODDS]}
ABOVE, BELOW = 0.42, -0.42
"""The two lanes of a row, which runs from -1 to 1: attention, and the scores beside it."""

SYMBOLS = ("square-open", "diamond-open", "triangle-up-open", "triangle-down-open")
CONTROL_SYMBOLS = ("hexagon-open", "star-open", "pentagon-open", "hourglass-open", "bowtie-open")


@dataclass(frozen=True, slots=True)
class Rival:
    """A score beside that of attention: how its marker looks and what the measure is."""

    label: str
    value: float
    symbol: str
    colour: str


def height_of(comparison: TrackComparison) -> int:
    """Height of the figure, in pixels."""
    return ROW * max(1, len(comparison.measures)) + MARGIN["t"] + MARGIN["b"]


def forest_figure(comparison: TrackComparison, scheme: Scheme = "light") -> go.Figure:
    """One row per measure, each on its own scale: point and 95 % interval, matched null, simpler scores, chance.

    The band of the matched null is its mean and two standard deviations to either side.
    """
    colours, rows = SCHEMES[scheme], ordered(comparison)
    figure = go.Figure(
        layout=base_layout(
            scheme,
            height=height_of(comparison),
            margin=MARGIN,
            dragmode=False,
            hovermode="closest",
            legend={"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom", "xanchor": "left", "yref": "paper"},
        )
    )
    for i, measure in enumerate(rows):
        add_row(figure, measure, comparison, scheme, i)
    named: set[str] = set()
    for trace in figure.data:
        trace.showlegend = trace.name not in named
        named.add(trace.name)
    figure.add_annotation(
        text="Value of the measure; each row has its own scale", x=0.5, xref="paper", y=0, yref="paper",
        yshift=-MARGIN["b"] + 2, yanchor="bottom", showarrow=False, font={"size": 13, "color": colours.text},
    )  # fmt: skip
    return figure


def add_row(figure: go.Figure, measure: Measure, comparison: TrackComparison, scheme: Scheme, i: int) -> None:
    """Axes and markers of one measure."""
    n_rows, suffix = len(comparison.measures), "" if i == 0 else str(i + 1)
    top, bottom = 1 - i / n_rows, 1 - (i + 0.66) / n_rows
    chance = chance_level(measure.name, comparison.base_rate)
    others = rivals(measure, scheme)
    scale = limits(measure, others, chance)
    label = name_of(measure.name, comparison)
    detail = {"auprc": chance and f"base rate {chance:.3f}", "odds_ratio": "log scale"}.get(measure.name)
    figure.layout[f"yaxis{suffix}"] = axis(
        scheme, "", domain=[bottom, top], range=[-1, 1], fixedrange=True, anchor=f"x{suffix}",
        tickvals=[0], ticktext=[f"<b>{label}</b>" + (f"<br>{detail}" if detail else "")],
        tickfont={"size": 12, "color": SCHEMES[scheme].text}, showline=False, ticklabelstandoff=6,
    )  # fmt: skip
    figure.layout[f"xaxis{suffix}"] = axis(
        scheme, "", range=scale, fixedrange=True, anchor=f"y{suffix}", nticks=6, ticks="outside", ticklen=3,
        type="log" if measure.name in LOGARITHMIC else "linear", tickcolor=SCHEMES[scheme].muted,
        **(LOG_TICKS if measure.name in LOGARITHMIC else {}),
    )  # fmt: skip
    on = {"xaxis": f"x{suffix}", "yaxis": f"y{suffix}"}
    if measure.value is None:
        figure.add_annotation(
            text="not defined", xref=f"x{suffix} domain", yref=f"y{suffix}", x=0.5, y=ABOVE, showarrow=False
        )
    for trace in traces_of(measure, label, others, chance, scheme):
        figure.add_trace(trace.update(on, meta=label))


def traces_of(
    measure: Measure, label: str, others: list[Rival], chance: float | None, scheme: Scheme
) -> list[go.Scatter]:
    """Marks of a row, the undermost first."""
    marks = [
        *null_band(measure, label, scheme),
        *chance_line(chance, scheme),
        *(rival_marker(rival, label) for rival in others),
    ]
    return [*marks, *attention_marker(measure, label, scheme)]


def rivals(measure: Measure, scheme: Scheme) -> list[Rival]:
    """Scores beside attention's for which the measure is defined."""
    fixed = {
        "Accessibility in the type": measure.accessibility,
        "Accessibility in all cells": measure.accessibility_all,
        "Number of links": measure.degree,
        "Peak width": measure.width,
    }
    found = [
        Rival(label, value, symbol, colour)
        for (label, value), symbol, colour in zip(fixed.items(), SYMBOLS, HUES[scheme], strict=True)
        if value is not None
    ]
    muted = SCHEMES[scheme].muted
    return found + [
        Rival(f"Control {name}", value, CONTROL_SYMBOLS[i % len(CONTROL_SYMBOLS)], muted)
        for i, (name, value) in enumerate(measure.controls.items())
        if value is not None
    ]


def band_of(measure: Measure) -> tuple[float, float] | None:
    """Mean of the matched null and two standard deviations to either side; above 0 for a logarithmic scale."""
    null = measure.null_matched
    if null is None:
        return None
    low, high = null.mean - 2 * null.sd, null.mean + 2 * null.sd
    if measure.name in LOGARITHMIC:
        low = max(low, high / 100)
    return low, high


def limits(measure: Measure, others: list[Rival], chance: float | None) -> list[float]:
    """Range of a row: all that is drawn in it and a little more; in powers of ten on a logarithmic scale."""
    given = [
        measure.value,
        measure.low,
        measure.high,
        chance,
        *(band_of(measure) or ()),
        *(one.value for one in others),
    ]
    log = measure.name in LOGARITHMIC
    drawn = np.array([value for value in given if value is not None and (value > 0 or not log)], dtype=np.float64)
    if len(drawn) == 0:
        return [0.0, 1.0]
    if log:
        drawn = np.log10(drawn)
    low, high = float(drawn.min()), float(drawn.max())
    margin = 0.04 * (high - low) or 0.05
    return [low - margin, high + margin]


def null_band(measure: Measure, label: str, scheme: Scheme) -> list[go.Scatter]:
    """Grey area of the matched null; none without draws."""
    band = band_of(measure)
    if band is None or measure.null_matched is None:
        return []
    (low, high), null = band, measure.null_matched
    return [
        go.Scatter(
            x=[low, high, high, low, low], y=[-1, -1, 1, 1, -1], mode="lines", fill="toself", hoveron="fills",
            name="Matched null, mean ± 2 sd", legendgroup="null", legendrank=2,
            line={"width": 0},
            fillcolor=VEIL[scheme],
            text=f"{label}, matched null: {null.mean:.3f} ± {2 * null.sd:.3f}", hoverinfo="text",
        )
    ]  # fmt: skip


def chance_line(chance: float | None, scheme: Scheme) -> list[go.Scatter]:
    """Dotted line at what a score that knows nothing gives."""
    if chance is None:
        return []
    return [
        go.Scatter(
            x=[chance, chance], y=[-1, 1], mode="lines", name="No association", legendgroup="chance",
            line={"dash": "dot", "width": 1.5, "color": SCHEMES[scheme].muted}, hoverinfo="skip",
        )
    ]  # fmt: skip


def rival_marker(rival: Rival, label: str) -> go.Scatter:
    """Hollow marker in the lower lane."""
    return go.Scatter(
        x=[rival.value], y=[BELOW], mode="markers", name=rival.label, legendgroup=rival.label, cliponaxis=False,
        marker={"symbol": rival.symbol, "size": 10, "color": rival.colour, "line": {"width": 2, "color": rival.colour}},
        hovertemplate=f"{label}<br>{rival.label}: {rival.value:.3f}<extra></extra>",
    )  # fmt: skip


def attention_marker(measure: Measure, label: str, scheme: Scheme) -> list[go.Scatter]:
    """Point and interval in the upper lane; none where the measure is not defined."""
    if measure.value is None:
        return []
    colour, error = SCHEMES[scheme].primary, interval_of(measure)
    lines = [f"<b>{label}</b>", f"Attention: {figure_text(measure.value)}"]
    if error:
        lines.append(f"95 %: {interval_text(measure.low, measure.high)}")
    if measure.null_matched is not None:
        lines.append(f"p matched {p_text(measure.null_matched)}, p shift {p_text(measure.null_shift)}")
    return [
        go.Scatter(
            x=[measure.value], y=[ABOVE], mode="markers", name="Attention, 95 % interval", legendgroup="attention",
            legendrank=1,
            marker={"symbol": "circle", "size": 11, "color": colour}, error_x=error, cliponaxis=False,
            hovertemplate="<br>".join(lines) + "<extra></extra>",
        )
    ]  # fmt: skip


def interval_of(measure: Measure) -> dict[str, Any] | None:
    """The interval as plotly takes it: distances from the value."""
    if measure.value is None or measure.low is None or measure.high is None:
        return None
    reach = {"array": [max(measure.high - measure.value, 0.0)], "arrayminus": [max(measure.value - measure.low, 0.0)]}
    return {"type": "data", "symmetric": False, "thickness": 2, "width": 4, **reach}
