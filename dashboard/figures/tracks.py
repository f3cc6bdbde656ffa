"""Tracks along the genome: peaks in genome order, the highest value of each bin, chromosomes as bands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go
from dash import Patch

from bi2scope.dashboard.figures.genome import CHARACTER, Span, Ticks, chromosome_ticks, peak_ticks
from bi2scope.dashboard.figures.style import SCHEMES, Scheme, axis, base_layout, on_page, typed_array

NARROWEST = 600.0
"""Width of the plotting area in the narrowest window that the page is made for, in pixels."""


MOST_LABELS = 8
"""Peaks of a track that are named in view."""

ROOM = 1.16
"""Height of a track with names, over its highest peak."""

TRACK_HEIGHT = 170
MARGIN = {"l": 78, "r": 14, "t": 6, "b": 66}


@dataclass(frozen=True, slots=True)
class Track:
    """One track: a value per peak of the data set.

    Attributes
    ----------
    label
        Name written over the track.
    quantity
        Title of its vertical axis, with the unit.
    values
        ``(n_peaks,)``.
    notes
        ``(n_peaks,)`` a line of the tooltip for each peak, or empty.
    name_of
        What is written over the highest peaks in view, by position; ``None`` leaves them without.
    level
        A value that a line is drawn at: what chance gives. Tracks that have one are ratios to it and share one range.
    """

    label: str
    quantity: str
    values: npt.NDArray[np.float64]
    colour: str
    notes: Sequence[str] = ()
    name_of: Callable[[int], str] | None = None
    level: float | None = None


@dataclass(frozen=True, slots=True)
class Genome:
    """The axis that tracks share: chromosomes along the peaks and the peaks' names (empty where not known)."""

    spans: Sequence[Span]
    n_peaks: int
    peaks: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Binned:
    """Highest value of each bin of a window: the middle of the bin, the value, the position of its peak."""

    middle: npt.NDArray[np.float64]
    value: npt.NDArray[np.float64]
    peak: npt.NDArray[np.int64]


def highest_per_bin(values: npt.NDArray[np.float64], start: int, stop: int, bins: int) -> Binned:
    """Cut ``values[start:stop]`` into at most ``bins`` equal bins and keep the highest of each, with its position."""
    window = np.asarray(values[start:stop], dtype=np.float64)
    step = max(1, -(-len(window) // bins))
    n_bins = -(-len(window) // step)
    padded = np.full(n_bins * step, -np.inf)
    padded[: len(window)] = window
    best = padded.reshape(n_bins, step).argmax(axis=1) + np.arange(n_bins) * step  # (n_bins,)
    middle = (start + np.arange(n_bins) * step + (step - 1) / 2).astype(np.float64)
    return Binned(middle, window[best], best.astype(np.int64) + start)


def trace_parts(track: Track, genome: Genome, start: int, stop: int, bins: int) -> dict[str, Any]:
    """What a track's trace draws for a window: positions, values, the lines of its tooltip."""
    binned = highest_per_bin(track.values, start, stop, bins)
    return {
        "x": typed_array(binned.middle),
        "y": typed_array(binned.value),
        "customdata": [peak_note(track, genome, int(position)) for position in binned.peak],
    }


def label_parts(track: Track, start: int, stop: int, bins: int) -> dict[str, Any]:
    """Names over the highest peaks of a window, none of them over another."""
    parts: dict[str, list[Any]] = {"x": [], "y": [], "text": [], "textposition": []}
    if track.name_of is None:
        return parts
    binned = highest_per_bin(track.values, start, stop, bins)
    scale = NARROWEST / max(stop - start, 1)
    taken: list[tuple[float, float]] = []
    for i in np.argsort(-binned.value, kind="stable")[: 4 * MOST_LABELS].tolist():
        if not binned.value[i] > 0 or len(taken) == MOST_LABELS:
            break
        name, at = track.name_of(int(binned.peak[i])), (binned.middle[i] - start) * scale
        half = CHARACTER * len(name) / 2 + 4
        if not name or name in parts["text"] or any(at - half < high and low < at + half for low, high in taken):
            continue
        taken.append((at - half, at + half))
        side = "right" if at < half else "left" if at > NARROWEST - half else "center"
        values = (float(binned.middle[i]), float(binned.value[i]), name, f"top {side}")
        for column, value in zip(parts.values(), values, strict=True):
            column.append(value)
    return parts


def rooms(tracks: Sequence[Track], labels: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """What each track's vertical axis is to include: names over the highest peaks, and those of tracks to compare."""
    highest = [max(parts["y"], default=0.0) for parts in labels]
    shared = max((top for track, top in zip(tracks, highest, strict=True) if track.level is not None), default=0.0)
    tops = [top if track.level is None else shared for track, top in zip(tracks, highest, strict=True)]
    return [{"include": [0, ROOM * top]} for top in tops]


def peak_note(track: Track, genome: Genome, position: int) -> str:
    """The tooltip's lines about one peak."""
    name = genome.peaks[position] if genome.peaks else chromosome_of(genome.spans, position)
    return f"{name}<br>{track.notes[position]}" if track.notes else name


def chromosome_of(spans: Sequence[Span], position: int) -> str:
    """Name of the chromosome at a position, with the peak's number on it."""
    span = next((span for span in spans if span.start <= position < span.stop), None)
    return "" if span is None else f"{span.name}, peak {position - span.start + 1:,}"


def ticks_of(genome: Genome, start: int, stop: int) -> Ticks:
    """Chromosome names, or coordinates where names of the peaks are known and the window is near."""
    if genome.peaks:
        return peak_ticks(genome.spans, genome.peaks[start:stop], start, stop, pixels=NARROWEST)
    return chromosome_ticks(genome.spans, start, stop, pixels=NARROWEST)


def tracks_figure(
    tracks: Sequence[Track], genome: Genome, scheme: Scheme = "light", *, bins: int = 1100, height: int = TRACK_HEIGHT
) -> go.Figure:
    """Tracks one above the other on one axis, ``height`` pixels each; the first is on top."""
    ticks = ticks_of(genome, 0, genome.n_peaks)
    figure = go.Figure(layout=frame(genome, ticks, scheme, height_of(len(tracks), height)))
    rows = rows_of(len(tracks), height)
    for i, (track, (low, high)) in enumerate(zip(tracks, rows, strict=True), start=1):
        suffix = "" if i == 1 else str(i)
        figure.add_trace(
            go.Scatter(
                **trace_parts(track, genome, 0, genome.n_peaks, bins),
                name=track.label,
                mode="lines",
                line={"width": 1, "color": on_page(track.colour, scheme), "shape": "hvh"},
                fill="tozeroy",
                hovertemplate=f"<b>{track.label}</b>: %{{y:,.4g}}<br>%{{customdata}}<extra></extra>",
                yaxis=f"y{suffix}",
            )
        )
        figure.layout[f"yaxis{suffix}"] = axis(
            scheme, track.quantity, domain=[low, high], rangemode="tozero", fixedrange=True, nticks=5,
            anchor="x", showgrid=True, gridcolor=SCHEMES[scheme].line, gridwidth=0.5,
            tickformat="~s" if track.level is None else "~g",
        )  # fmt: skip
        if track.level is not None:
            figure.add_shape(
                type="line", xref="paper", x0=0, x1=1, yref=f"y{suffix}", y0=track.level, y1=track.level,
                line={"color": SCHEMES[scheme].text, "width": 1, "dash": "dash"},
            )  # fmt: skip
        figure.add_annotation(
            text=f"<b>{track.label}</b>", x=0, xref="paper", xanchor="left", y=high, yref="paper",
            yanchor="bottom", showarrow=False, font={"color": SCHEMES[scheme].text, "size": 13},
        )  # fmt: skip
    labels = [label_parts(track, 0, genome.n_peaks, bins) for track in tracks]
    spaces = rooms(tracks, labels)
    for i, track in enumerate(tracks, start=1):  # behind the tracks, so that these keep their numbers
        if track.name_of is not None:
            figure.layout["yaxis" if i == 1 else f"yaxis{i}"].autorangeoptions = spaces[i - 1]
            figure.add_trace(
                go.Scatter(
                    **labels[i - 1], mode="text",
                    textfont={"size": 11, "color": SCHEMES[scheme].text}, hoverinfo="skip", cliponaxis=False,
                    yaxis="y" if i == 1 else f"y{i}",
                )
            )  # fmt: skip
    return figure


def height_of(count: int, height: int = TRACK_HEIGHT) -> int:
    """Height of a figure of ``count`` tracks, in pixels."""
    return height * count + MARGIN["t"] + MARGIN["b"]


def rows_of(count: int, height: int) -> list[tuple[float, float]]:
    """Vertical places of the tracks, as shares of the plotting area, the first on top; a label fits above each."""
    gap = 26 / (height * count)
    share = (1 - gap * count) / count
    return [(1 - (i + 1) * (share + gap), 1 - i * (share + gap) - gap) for i in range(count)]


def frame(genome: Genome, ticks: Ticks, scheme: Scheme, height: int) -> dict[str, Any]:
    """Layout under the tracks: the shared axis, and every second chromosome as a band."""
    bands = [
        {
            "type": "rect", "xref": "x", "yref": "paper", "x0": span.start - 0.5, "x1": span.stop - 0.5,
            "y0": 0, "y1": 1, "fillcolor": SCHEMES[scheme].band, "line": {"width": 0}, "layer": "below",
        }
        for span in genome.spans[1::2]
    ]  # fmt: skip
    return base_layout(
        scheme,
        height=height,
        margin=MARGIN,
        showlegend=False,
        hovermode="closest",
        hoverdistance=30,
        uirevision="genome",
        shapes=bands,
        xaxis=axis(
            scheme, title_of(genome, ticks), **limits(genome.n_peaks), **texts_of(ticks), anchor="free", position=0
        ),
    )


def limits(n_peaks: int) -> dict[str, Any]:
    """The whole axis, which panning and zooming may not leave."""
    last = max(n_peaks, 1) - 0.5
    return {"range": [-0.5, last], "minallowed": -0.5, "maxallowed": last}


def texts_of(ticks: Ticks) -> dict[str, Any]:
    """Ticks as an axis takes them."""
    return {"tickvals": ticks.positions, "ticktext": ticks.texts, "tickangle": 0}


def title_of(genome: Genome, ticks: Ticks) -> str:
    """Title of the shared axis."""
    return f"Peaks, genome order (n = {genome.n_peaks:,}{ticks.suffix})"


def tracks_patch(tracks: Sequence[Track], genome: Genome, start: int, stop: int, *, bins: int = 1100) -> Patch:
    """What changes in the figure of the same tracks when the window does: finer bins, ticks, the title."""
    ticks = ticks_of(genome, start, stop)
    patch = Patch()
    for i, track in enumerate(tracks):
        for key, value in trace_parts(track, genome, start, stop, bins).items():
            patch["data"][i][key] = value
    labels = [label_parts(track, start, stop, bins) for track in tracks]
    spaces = rooms(tracks, labels)
    labelled = [i for i, track in enumerate(tracks) if track.name_of is not None]
    for at, i in enumerate(labelled, start=len(tracks)):
        for key, value in labels[i].items():
            patch["data"][at][key] = value
        patch["layout"][f"yaxis{i + 1}" if i else "yaxis"]["autorangeoptions"] = spaces[i]
    patch["layout"]["xaxis"]["tickvals"] = ticks.positions
    patch["layout"]["xaxis"]["ticktext"] = ticks.texts
    patch["layout"]["xaxis"]["title"]["text"] = title_of(genome, ticks)
    return patch
