"""Several maps on the same axes: small multiples, or two maps with their difference below; zooming one zooms all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go
from dash import Patch

from bi2scope.dashboard.figures.colours import QUANTITIES, Colours, colour_bar
from bi2scope.dashboard.figures.genome import Ticks, gene_spans, gene_ticks, peak_spans, peak_ticks
from bi2scope.dashboard.figures.heatmap import (
    HEIGHT,
    MARGIN,
    NARROWEST,
    limits,
    outline,
    placement,
)
from bi2scope.dashboard.figures.style import DIVERGING, SCHEMES, Scheme, axis, base_layout, typed_array
from bi2scope.server.wire import Heatmap
from bi2scope.server.wire_maps import TypeHeatmap

Raster = npt.NDArray[np.float32]
Framed = Heatmap | TypeHeatmap


@dataclass(frozen=True, slots=True)
class Panel:
    """One of the maps.

    Attributes
    ----------
    title
        What it shows, in a line above it.
    values
        ``(rows, columns)``, NaN where there is nothing.
    difference
        Whether they are differences of the others.
    """

    title: str
    values: Raster
    difference: bool = False


@dataclass(frozen=True, slots=True)
class Panels:
    """Maps on the axes of ``frame``; ``revision`` names what they show, as long as zooming stays as it is."""

    frame: Framed
    shown: Sequence[Panel]
    colours: Colours
    revision: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where a panel stands: shares of the plotting area, and which of its axes are written at."""

    across: tuple[float, float]
    up: tuple[float, float]
    leftmost: bool
    lowest: bool

    @property
    def pixels(self) -> tuple[float, float]:
        """Width and height in the narrowest window."""
        height = HEIGHT - MARGIN["t"] - MARGIN["b"]
        return NARROWEST * (self.across[1] - self.across[0]), height * (self.up[1] - self.up[0])


LEFT, RIGHT, WHOLE = (0.0, 0.485), (0.515, 1.0), (0.0, 1.0)
UPPER, LOWER = (0.53, 0.96), (0.0, 0.45)


def places_of(panels: Panels) -> list[Place]:
    """Two by two; a difference, the last of three, takes the whole width below the others."""
    above = [Place(LEFT, UPPER, True, False), Place(RIGHT, UPPER, False, False)]
    if panels.shown[-1].difference:
        return [*above, Place(WHOLE, LOWER, True, True)]
    return [*above, Place(LEFT, LOWER, True, True), Place(RIGHT, LOWER, False, True)]


def ends_of(panels: Panels) -> tuple[float, float]:
    """Values at the two ends of the colours, the same for all maps."""
    return panels.colours.ends(np.concatenate([one.values.ravel() for one in panels.shown if not one.difference]))


def laid(panels: Panels, panel: Panel) -> dict[str, str]:
    """A panel's values as its trace takes them; differences are on a linear scale always."""
    return typed_array(panel.values if panel.difference else panels.colours.laid(panel.values))


def ticks_at(panels: Panels, place: Place) -> tuple[Ticks, Ticks]:
    """Ticks of a panel's peaks and genes."""
    frame, (width, height) = panels.frame, place.pixels
    peaks, genes = peak_spans(frame.chromosomes), gene_spans(frame.chromosomes)
    return (
        peak_ticks(peaks, frame.peak_names, frame.peak_start, frame.peak_stop, pixels=width),
        gene_ticks(genes, frame.gene_names, frame.gene_start, frame.gene_stop, pixels=height),
    )


def panels_figure(panels: Panels, scheme: Scheme = "light") -> go.Figure:
    """The maps with their titles, one colour bar for all of them and another for the difference."""
    of_scores = panels.colours.looks(ends_of(panels), scheme)
    of_scores["colorbar"] |= {"len": 0.45, "y": 0.98}
    layout = base_layout(scheme, margin=MARGIN | {"l": 112}, uirevision=panels.revision, shapes=[], annotations=[])
    traces = []
    for at, (panel, place) in enumerate(zip(panels.shown, places_of(panels), strict=True), start=1):
        suffix = "" if at == 1 else str(at)
        looks = difference_looks(panels, panel, scheme) if panel.difference else of_scores | {"showscale": at == 1}
        traces.append(
            go.Heatmap(
                z=laid(panels, panel), **placement(panels.frame), **looks, xaxis=f"x{suffix}", yaxis=f"y{suffix}",
                hoverinfo="none", hoverongaps=False,
            )
        )  # fmt: skip
        layout["shapes"] += [
            shape | {"xref": f"x{suffix}", "yref": f"y{suffix}"} for shape in outline(panels.frame, scheme)
        ]
        layout["annotations"].append(
            {
                "text": panel.title, "xref": "paper", "yref": "paper", "x": place.across[0], "y": place.up[1],
                "xanchor": "left", "yanchor": "bottom", "showarrow": False, "font": {"size": 13},
            }
        )  # fmt: skip
        layout |= axes_at(panels, place, suffix, scheme)
    return go.Figure(data=traces, layout=layout)


def axes_at(panels: Panels, place: Place, suffix: str, scheme: Scheme) -> dict[str, Any]:
    """The two axes of a panel; those of all panels move together."""
    across, down = ticks_at(panels, place)
    shared = {
        "tickangle": 0,
        "ticklabeloverflow": "allow",
        "showspikes": True,
        "spikemode": "across",
        "spikethickness": 1,
        "spikedash": "dot",
    }
    shared["spikecolor"] = SCHEMES[scheme].muted
    x_title, y_title = titles_at(panels, place, across, down)
    axes = {
        f"xaxis{suffix}": axis(
            scheme, x_title, **limits(panels.frame.n_peaks), tickvals=across.positions, ticktext=across.texts,
            domain=place.across, anchor=f"y{suffix}", showticklabels=place.lowest,
            **({"matches": "x"} if suffix else {}), **shared,
        ),
        f"yaxis{suffix}": axis(
            scheme, y_title, **limits(panels.frame.n_genes, upside_down=True), tickvals=down.positions,
            ticktext=down.texts, domain=place.up, anchor=f"x{suffix}", showticklabels=place.leftmost,
            **({"matches": "y"} if suffix else {}), **shared,
        ),
    }  # fmt: skip
    axes[f"yaxis{suffix}"]["title"]["standoff"] = 3  # left of names that stand several columns deep
    return axes


def titles_at(panels: Panels, place: Place, across: Ticks, down: Ticks) -> tuple[str, str]:
    """Titles of the two axes of a panel; shorter than those of a single map, and only at the outer panels."""
    frame = panels.frame
    return (
        f"Peaks, genome order (n = {frame.n_peaks:,}{across.suffix})" if place.lowest else "",
        f"Genes (n = {frame.n_genes:,}{down.suffix})" if place.leftmost else "",
    )


def difference_looks(panels: Panels, panel: Panel, scheme: Scheme) -> dict[str, Any]:
    """Colours of differences: the same on either side of 0, the scores' own range or what 98 of 100 stay within."""
    quantity = QUANTITIES[panels.colours.quantity]
    known = np.abs(panel.values[np.isfinite(panel.values)])
    most = 0.5 if panels.colours.quantity == "score" else float(np.percentile(known, 98)) if len(known) else 1.0
    bar = replace(quantity, title="Difference", form="+" + quantity.form)
    return {
        "zmin": -max(most, 0.01),
        "zmax": max(most, 0.01),
        "colorscale": [[i / 2, colour] for i, colour in enumerate(DIVERGING[scheme])],
        "colorbar": colour_bar(bar, scheme) | {"len": 0.42, "y": 0.45, "nticks": 5},
    }


def panels_patch(panels: Panels) -> Patch:
    """What changes in the figure of the same maps when the cut or the window does."""
    patch = Patch()
    for at, (panel, place) in enumerate(zip(panels.shown, places_of(panels), strict=True)):
        suffix = "" if at == 0 else str(at + 1)
        patch["data"][at]["z"] = laid(panels, panel)
        for key, value in placement(panels.frame).items():
            patch["data"][at][key] = value
        patch["layout"]["annotations"][at]["text"] = panel.title
        across, down = ticks_at(panels, place)
        titles = titles_at(panels, place, across, down)
        for name, ticks, title in ((f"xaxis{suffix}", across, titles[0]), (f"yaxis{suffix}", down, titles[1])):
            patch["layout"][name]["tickvals"] = ticks.positions
            patch["layout"][name]["ticktext"] = ticks.texts
            patch["layout"][name]["title"]["text"] = title
    return patch
