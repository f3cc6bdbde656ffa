"""Small multiples: a panel for each chromosome, its peaks at their places in megabases, all tracks in one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import plotly.graph_objects as go

from bi2scope.dashboard.figures.genome import Span, start_of
from bi2scope.dashboard.figures.style import SCHEMES, Scheme, axis, base_layout, on_page, typed_array
from bi2scope.dashboard.figures.tracks import Genome, Track, highest_per_bin, peak_note

COLUMNS = 4
PANEL_HEIGHT = 150
MARGIN = {"l": 70, "r": 14, "t": 44, "b": 56}
BINS = 220
"""Dots of a track in a panel, at most; each is the highest peak of its bin."""

TITLE = 22
"""Room over a panel for its name, in pixels."""


def facets_figure(tracks: Sequence[Track], genome: Genome, scheme: Scheme = "light", *, bins: int = BINS) -> go.Figure:
    """All tracks over each chromosome on its own, with one range of values for all panels.

    Parameters
    ----------
    tracks
        Of one quantity; each keeps its colour.
    genome
        With the names of the peaks, whose starts are the places.
    bins
        Dots of a track in a panel, at most.
    """
    figure = go.Figure(layout=base_layout(scheme, **frame(len(genome.spans)), legend=legend(), hovermode="closest"))
    rows = rows_of(len(genome.spans))
    tracks = [replace(track, colour=on_page(track.colour, scheme)) for track in tracks]
    for at, span in enumerate(genome.spans):
        name = "" if at == 0 else str(at + 1)
        low, high = places_of(at, rows)
        for track in tracks:
            figure.add_trace(dots(track, genome, span, bins, name, shown=at == 0))
        last = at + COLUMNS >= len(genome.spans)
        figure.layout[f"xaxis{name}"] = axis(
            scheme, "Start of the peak (Mb)" if last else "", domain=low, anchor=f"y{name}", fixedrange=True, nticks=5,
            rangemode="tozero",
        )  # fmt: skip
        figure.layout[f"yaxis{name}"] = axis(
            scheme, tracks[0].quantity if at % COLUMNS == 0 else "", domain=high, anchor=f"x{name}", fixedrange=True,
            showticklabels=at % COLUMNS == 0, nticks=4, tickformat="~s" if tracks[0].level is None else "~g",
            showgrid=True, gridcolor=SCHEMES[scheme].line, gridwidth=0.5, rangemode="tozero",
            **({} if at == 0 else {"matches": "y"}),
        )  # fmt: skip
        figure.add_annotation(
            text=f"<b>{span.name}</b>", x=low[0], xref="paper", xanchor="left", y=high[1], yref="paper",
            yanchor="bottom", showarrow=False, font={"color": SCHEMES[scheme].text, "size": 12},
        )  # fmt: skip
        if tracks[0].level is not None:
            figure.add_shape(
                type="line", xref=f"x{name} domain", x0=0, x1=1, yref=f"y{name}", y0=tracks[0].level,
                y1=tracks[0].level, line={"color": SCHEMES[scheme].text, "width": 1, "dash": "dash"},
            )  # fmt: skip
    return figure


def dots(track: Track, genome: Genome, span: Span, bins: int, axes: str, *, shown: bool) -> go.Scatter:
    """A track over one chromosome; ``axes`` is the number of its panel as plotly has it, ``shown`` in the legend."""
    binned = highest_per_bin(track.values, span.start, span.stop, bins)
    keep = binned.value > 0
    peaks = binned.peak[keep]
    return go.Scatter(
        x=typed_array(np.array([start_of(genome.peaks[peak]) for peak in peaks.tolist()], dtype=np.float64) / 1e6),
        y=typed_array(binned.value[keep]),
        customdata=[peak_note(track, genome, peak) for peak in peaks.tolist()],
        name=track.label,
        legendgroup=track.label,
        showlegend=shown,
        mode="markers",
        marker={"size": 3.5, "color": track.colour, "opacity": 0.7},
        hovertemplate=f"<b>{track.label}</b>: %{{y:,.4g}}<br>%{{customdata}}<extra></extra>",
        xaxis=f"x{axes}",
        yaxis=f"y{axes}",
    )


def rows_of(count: int) -> int:
    """Rows of panels."""
    return max(1, -(-count // COLUMNS))


def height_of(count: int) -> int:
    """Height of a figure of ``count`` chromosomes, in pixels."""
    return rows_of(count) * (PANEL_HEIGHT + TITLE) + MARGIN["t"] + MARGIN["b"]


def places_of(at: int, rows: int) -> tuple[list[float], list[float]]:
    """Where a panel stands, across and up, as shares of the plotting area; the first is the upper left."""
    row, column = divmod(at, COLUMNS)
    share, gap = 1 / COLUMNS, 0.03
    unit = 1 / rows
    title = unit * TITLE * 2 / (PANEL_HEIGHT + TITLE)  # the ticks of the panel above, and the name
    across = [column * share, (column + 1) * share - (gap if column < COLUMNS - 1 else 0)]
    return across, [1 - (row + 1) * unit, 1 - row * unit - title]


def frame(count: int) -> dict[str, Any]:
    """Size and margins."""
    return {"height": height_of(count), "margin": MARGIN, "uirevision": "facets", "showlegend": True, "dragmode": False}


def legend() -> dict[str, Any]:
    """One line over the panels."""
    return {"orientation": "h", "x": 0, "y": 1, "yref": "paper", "yanchor": "bottom", "itemsizing": "constant"}
