"""The maps beside a cell's own: at other thresholds, of a second cell, of its type's mean; and what sets them apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import dash_mantine_components as dmc
import numpy as np
from dash import html

from bi2scope.dashboard import ids
from bi2scope.dashboard.components import aria
from bi2scope.dashboard.figures.colours import Colouring, Colours
from bi2scope.dashboard.figures.heatmap import caption, counted, raster, tooltip_bins
from bi2scope.dashboard.figures.panels import Framed, Panel, Panels, Raster
from bi2scope.server.wire import Heatmap
from bi2scope.server.wire_maps import TypeHeatmap

Beside = Literal["alone", "thresholds", "cell", "type"]
BESIDE: tuple[Beside, ...] = get_args(Beside)
LABELS: dict[Beside, str] = {
    "alone": "One map",
    "thresholds": "Four thresholds",
    "cell": "Second cell",
    "type": "Mean of type",
}

THRESHOLDS = (0.5, 0.8, 0.9, 0.95)
"""Those of the paper's figure of one cell."""

NOTHING: dict[Colouring, float | None] = {"score": 0.5, "logit": 0.0, "weight": 0.0, "rank": None}
"""What a pair without a link counts as in a difference: no agreement of query and key. A rank has no such value."""


@dataclass(frozen=True, slots=True)
class Shown:
    """Several maps: their figure's parts, what the tooltip reads, the sentence under them."""

    panels: Panels
    bins: dict[str, Any]
    caption: str


def beside_controls(beside: Beside, other: str | None) -> dmc.Group:
    """What stands beside the cell's map, and which cell if it is a cell."""
    choice = dmc.SegmentedControl(
        id=ids.BESIDE,
        data=[{"value": value, "label": label} for value, label in LABELS.items()],
        value=beside,
        size="xs",
        **aria(label="Maps side by side"),
    )
    cells = dmc.Select(
        id=ids.OTHER,
        data=[{"value": other, "label": other}] if other else [],
        value=other,
        searchable=True,
        allowDeselect=False,
        nothingFoundMessage="No barcode begins so",
        placeholder="Barcode of the second cell",
        size="xs",
        w=190,
        **aria(label="Second cell (barcode)"),
    )
    box = html.Div(cells, id=ids.OTHER_BOX, style={"display": "block" if beside == "cell" else "none"})
    return dmc.Group([choice, box], gap="xs")


def at_thresholds(heatmaps: Sequence[Heatmap], colours: Colours) -> Shown:
    """The cell's map at the paper's thresholds."""
    panels = [
        Panel(f"Score > {one.threshold:g}: {counted(one.n_links, 'link', ',')}", raster(one, colours.quantity))
        for one in heatmaps
    ]
    first = heatmaps[0]
    k = "k is off" if first.top_k is None else f"k is {first.top_k}"
    text = f"The same cell at the paper's four thresholds, whatever the slider says; {k}. {resolution(first)}"
    shown = Panels(first, panels, colours, f"{first.cell_id}|thresholds")
    return Shown(shown, several(heatmaps, [one.title for one in panels]), text)


def two_cells(one: Heatmap, other: Heatmap, colours: Colours) -> Shown:
    """A cell, another, and the first minus the second."""
    first, second = raster(one, colours.quantity), raster(other, colours.quantity)
    missing = NOTHING[colours.quantity]
    panels = [
        Panel(f"{heatmap.cell_id} ({heatmap.cell_type}): {counted(heatmap.n_links, 'link', ',')}", values)
        for heatmap, values in ((one, first), (other, second))
    ]
    panels.append(Panel(f"{one.cell_id} − {other.cell_id}", difference(first, second, missing), True))
    rule = (
        "Ranks are compared where both have a link"
        if missing is None
        else f"A pair without a link counts as {colours.quantity} {missing:g}"
    )
    text = f"Axes: the genes and peaks that either cell has. {rule}. {common(one, other)}{resolution(one)}"
    shown = Panels(one, panels, colours, f"{one.cell_id}|cell|{other.cell_id}")
    return Shown(shown, several([one, other], [panel.title for panel in panels]), text)


def with_type(one: Heatmap, mean: TypeHeatmap, colours: Colours) -> Shown:
    """A cell, the mean of its type, and the first minus the second where both have a value."""
    quantity = of_type(colours.quantity)
    first, second = raster(one, quantity), type_raster(mean, quantity)
    panels = [
        Panel(f"{one.cell_id}: {counted(one.n_links, 'link', ',')}", first),
        Panel(f"Mean of {mean.cell_type} ({counted(mean.n_cells, 'cell', ',')}): {mean.n_pairs:,} pairs", second),
        Panel(f"{one.cell_id} − mean, where both have a value", difference(first, second, None), True),
    ]
    instead = "" if quantity == colours.quantity else f"A type has no mean {colours.quantity}: the score is shown. "
    text = (
        f"{instead}Mean {quantity} over the cells of the type that have the link, of pairs linked in "
        f"{counted(mean.least_cells, 'cell')} or more; the sliders cut the cell alone. Axes: the cell's own genes and "
        f"peaks. {resolution(one)}"
    )
    shown = Panels(one, panels, replace(colours, quantity=quantity), f"{one.cell_id}|type")
    return Shown(shown, several([one, mean], [panel.title for panel in panels]), text)


def of_type(colouring: Colouring) -> Colouring:
    """What colour stands for where the regulatory map, which has scores and weights alone, stands beside a cell's."""
    return "weight" if colouring == "weight" else "score"


def type_raster(mean: TypeHeatmap, colouring: Colouring) -> Raster:
    """``(rows, columns)`` the mean of each bin's highest pair, NaN where there is none."""
    rows = -(-(mean.gene_stop - mean.gene_start) // mean.gene_step)
    columns = -(-(mean.peak_stop - mean.peak_start) // mean.peak_step)
    values = np.full((rows, columns), np.nan, dtype=np.float32)
    values[mean.bins.row, mean.bins.column] = getattr(mean.bins, f"mean_{colouring}")
    return values


def difference(first: Raster, second: Raster, missing: float | None) -> Raster:
    """First minus second; where one alone has a value the other is ``missing``; with ``None``, only where both have."""
    if missing is None:
        return first - second
    either = np.isfinite(first) | np.isfinite(second)
    a, b = (np.where(np.isfinite(values), values, np.float32(missing)) for values in (first, second))
    return np.where(either, a - b, np.float32(np.nan)).astype(np.float32)


def common(one: Heatmap, other: Heatmap) -> str:
    """How many pairs both cells link, in a window near enough to tell."""
    if one.gene_step > 1 or one.peak_step > 1:
        return ""
    first, second = (set(zip(each.bins.gene, each.bins.peak, strict=True)) for each in (one, other))
    return f"{len(first & second):,} pairs in view are linked in both cells. "


def resolution(frame: Framed) -> str:
    """What a dot covers."""
    if frame.gene_step == frame.peak_step == 1:
        return "Each dot is one pair."
    size = f"{counted(frame.gene_step, 'gene')} by {counted(frame.peak_step, 'peak')}"
    return f"Each dot covers {size} and shows the best of them; zoom in, on any of the maps, to compare single pairs."


def several(maps: Sequence[Framed], titles: Sequence[str]) -> dict[str, Any]:
    """What the tooltip reads of each map, in their order."""
    return {"maps": [tooltip_bins(one) | {"title": title} for one, title in zip(maps, titles, strict=False)]}


def alone(heatmap: Heatmap, max_distance: int | None) -> tuple[dict[str, Any], str]:
    """The same and the sentence of a single map."""
    return {"maps": [tooltip_bins(heatmap) | {"title": ""}]}, caption(heatmap, max_distance)
