"""The gene x peak map of one cell, in genome order: a raster of at most one bin per few pixels, and its patches.

The server bins; a bin shows the highest score among its links, and the page refetches the window on every zoom,
so that near views are exact. Empty bins are NaN, which plotly leaves transparent.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go
from dash import Patch

from bi2scope.dashboard.figures.colours import SCORES, Colouring, Colours
from bi2scope.dashboard.figures.genome import Span, Ticks, gene_spans, gene_ticks, peak_spans, peak_ticks
from bi2scope.dashboard.figures.style import SCHEMES, Scheme, axis, base_layout, typed_array
from bi2scope.server.wire import Heatmap
from bi2scope.server.wire_maps import TypeHeatmap

HEIGHT = 560
"""Height of the map in the lowest window that the page is made for, in pixels; it grows with the window."""

MARGIN = {"l": 92, "r": 18, "t": 12, "b": 62}
NARROWEST = 560.0
"""Width of the plotting area in the narrowest window that the page is made for, in pixels."""


def raster(heatmap: Heatmap, colouring: Colouring = "score") -> npt.NDArray[np.float32]:
    """``(rows, columns)`` the quantity of each bin's best link, NaN where there is no link."""
    rows = -(-(heatmap.gene_stop - heatmap.gene_start) // heatmap.gene_step)
    columns = -(-(heatmap.peak_stop - heatmap.peak_start) // heatmap.peak_step)
    scores = np.full((rows, columns), np.nan, dtype=np.float32)
    scores[heatmap.bins.row, heatmap.bins.column] = getattr(heatmap.bins, colouring)
    return scores


def placement(heatmap: Heatmap | TypeHeatmap) -> dict[str, float]:
    """Where the raster lies: the middle of its first bin and the size of a bin, on both axes."""
    return {
        "x0": heatmap.peak_start + (heatmap.peak_step - 1) / 2,
        "dx": heatmap.peak_step,
        "y0": heatmap.gene_start + (heatmap.gene_step - 1) / 2,
        "dy": heatmap.gene_step,
    }


def ticks_of(heatmap: Heatmap) -> tuple[Ticks, Ticks]:
    """Ticks of the peaks (across) and of the genes (down) for the window."""
    across = peak_ticks(
        peak_spans(heatmap.chromosomes),
        heatmap.peak_names,
        heatmap.peak_start,
        heatmap.peak_stop,
        pixels=NARROWEST,
    )
    down = gene_ticks(
        gene_spans(heatmap.chromosomes),
        heatmap.gene_names,
        heatmap.gene_start,
        heatmap.gene_stop,
        pixels=HEIGHT - MARGIN["t"] - MARGIN["b"],
    )
    return across, down


def titles_of(heatmap: Heatmap, across: Ticks, down: Ticks) -> tuple[str, str]:
    """Titles of the two axes."""
    return (
        f"Open peaks, genome order (n = {heatmap.n_peaks:,}{across.suffix})",
        f"Expressed genes, genome order (n = {heatmap.n_genes:,}{down.suffix})",
    )


def outline(heatmap: Heatmap | TypeHeatmap, scheme: Scheme) -> list[dict[str, Any]]:
    """Two shapes under the raster: the blocks where a link is possible, shaded, and the chromosome bounds."""
    colours = SCHEMES[scheme]
    shared = [c for c in heatmap.chromosomes if c.gene_stop > c.gene_start and c.peak_stop > c.peak_start]
    blocks = " ".join(
        rectangle(c.peak_start - 0.5, c.gene_start - 0.5, c.peak_stop - 0.5, c.gene_stop - 0.5) for c in shared
    )
    across = bounds(peak_spans(heatmap.chromosomes))
    down = bounds(gene_spans(heatmap.chromosomes))
    lines = [f"M{x},-0.5 V{heatmap.n_genes - 0.5}" for x in across]
    lines += [f"M-0.5,{y} H{heatmap.n_peaks - 0.5}" for y in down]
    shapes: list[dict[str, Any]] = []
    if blocks:
        shapes.append({"type": "path", "path": blocks, "fillcolor": colours.band, "line": {"width": 0}})
    if lines:
        shapes.append({"type": "path", "path": " ".join(lines), "line": {"width": 0.5, "color": colours.line}})
    return [shape | {"layer": "below"} for shape in shapes]


def rectangle(left: float, top: float, right: float, bottom: float) -> str:
    """A closed path around a rectangle."""
    return f"M{left},{top} H{right} V{bottom} H{left} Z"


def bounds(spans: list[Span]) -> list[float]:
    """Where one chromosome ends and the next begins."""
    return [span.stop - 0.5 for span in spans[:-1]]


def heatmap_figure(
    heatmap: Heatmap, scheme: Scheme = "light", colours: Colours = SCORES, *, values: bool = True
) -> go.Figure:
    """The map with its axes, colour bar and chromosomes; the view stays where the reader moved it within one cell.

    Without ``values`` the page lays them out from the bins that its tooltip reads: most bins are empty, and those that
    are not take a tenth of the bytes.
    """
    across, down = ticks_of(heatmap)
    across_title, down_title = titles_of(heatmap, across, down)
    spikes = {
        "showspikes": True,
        "spikemode": "across",
        "spikethickness": 1,
        "spikedash": "dot",
        "spikecolor": SCHEMES[scheme].muted,
        "tickangle": 0,
        "ticklabeloverflow": "allow",  # measuring each label would take as long as drawing the map
    }
    shown = getattr(heatmap.bins, colours.quantity)
    trace = go.Heatmap(
        **({"z": typed_array(colours.laid(raster(heatmap, colours.quantity)))} if values else {}),
        **placement(heatmap),
        **colours.looks(colours.ends(shown), scheme),
        hoverinfo="none",
        hoverongaps=False,
    )
    layout = base_layout(
        scheme,
        margin=MARGIN,
        uirevision=heatmap.cell_id,
        shapes=outline(heatmap, scheme),
        xaxis=axis(
            scheme,
            across_title,
            **limits(heatmap.n_peaks),
            tickvals=across.positions,
            ticktext=across.texts,
            **spikes,
        ),
        yaxis=axis(
            scheme,
            down_title,
            **limits(heatmap.n_genes, upside_down=True),
            tickvals=down.positions,
            ticktext=down.texts,
            **spikes,
        ),
    )
    layout["yaxis"]["title"]["standoff"] = 3  # left of the longest name of a gene
    return go.Figure(data=[trace], layout=layout)


def limits(length: int, *, upside_down: bool = False) -> dict[str, Any]:
    """The whole axis, which panning and zooming may not leave."""
    low, high = -0.5, max(length, 1) - 0.5
    shown = [high, low] if upside_down else [low, high]
    return {"range": shown, "minallowed": low, "maxallowed": high}


def heatmap_patch(heatmap: Heatmap) -> Patch:
    """What changes in the figure of the same cell when the cut or the window does, but for the values themselves."""
    across, down = ticks_of(heatmap)
    across_title, down_title = titles_of(heatmap, across, down)
    patch = Patch()
    for key, value in placement(heatmap).items():
        patch["data"][0][key] = value
    for name, ticks, title in (("xaxis", across, across_title), ("yaxis", down, down_title)):
        patch["layout"][name]["tickvals"] = ticks.positions
        patch["layout"][name]["ticktext"] = ticks.texts
        patch["layout"][name]["title"]["text"] = title
    return patch


def tooltip_bins(heatmap: Heatmap | TypeHeatmap) -> dict[str, Any]:
    """What the tooltip reads in the browser: where bins lie and, as JSON, the bins as columns and the window's names.

    Text, because Dash walks through every number of a list before it writes it: 200 ms for 10,000 bins, text 1 ms.
    """
    return {
        **placement(heatmap),
        "cell": heatmap.cell_id,
        "cell_type": heatmap.cell_type,
        "gene_start": heatmap.gene_start,
        "gene_stop": heatmap.gene_stop,
        "peak_start": heatmap.peak_start,
        "peak_stop": heatmap.peak_stop,
        "columns": -(-(heatmap.peak_stop - heatmap.peak_start) // heatmap.peak_step),
        "json": heatmap.model_dump_json(include={"bins", "gene_names", "peak_names"}),
    }


def caption(heatmap: Heatmap, max_distance: int | None = None) -> str:
    """How the raster is to be read, in a sentence or two under it; the limit on the distance only when there is one."""
    near = "" if max_distance is None else f" A gene attends to peaks within {max_distance:,} bp of its TSS only."
    if heatmap.gene_step == heatmap.peak_step == 1:
        return f"{heatmap.n_links:,} links in view; each dot is one link.{near}"
    size = f"{counted(heatmap.gene_step, 'gene')} by {counted(heatmap.peak_step, 'peak')}"
    return (
        f"{heatmap.n_links:,} links in view; each dot covers {size} and shows its best link. "
        "Drag or turn the wheel to zoom in, down to single links; double-click for the whole genome."
        f"{near}"
    )


def counted(number: int, noun: str, form: str = "") -> str:
    """A number with its noun: "1 gene", "6 genes"; ``form`` is "," for thousands."""
    return f"{number:{form}} {noun}" if number == 1 else f"{number:{form}} {noun}s"
