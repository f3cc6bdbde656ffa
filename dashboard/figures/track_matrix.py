"""Types by tracks: one measure as a heatmap with its numbers, accessibility's own beside each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from bi2scope.dashboard.address import MatrixMeasure
from bi2scope.dashboard.figures.style import DIMMED, PALE, SCHEMES, Scheme, axis, base_layout
from bi2scope.dashboard.measures import chance_level, figure_text, interval_text
from bi2scope.dashboard.tf_matrix import Spot, name_of

ROW, COLUMN = 56, 92
"""Height of a row and least width of a column, in pixels."""
MARGIN = {"l": 170, "r": 20, "t": 76, "b": 16}
NAME = 24
"""Letters of a name that are written out; the tooltip has all."""


def height_of(n_types: int) -> int:
    """Height of the figure, in pixels."""
    return ROW * max(n_types, 1) + MARGIN["t"] + MARGIN["b"]


def width_of(n_tracks: int) -> int:
    """Least width at which every number fits, in pixels."""
    return COLUMN * n_tracks + MARGIN["l"] + MARGIN["r"]


def matrix_figure(
    table: Sequence[Sequence[Spot]], measure: MatrixMeasure, base_rates: Sequence[float], scheme: Scheme = "light"
) -> go.Figure:
    """Heatmap of ``table[type][track]``: numbers, marks of chance, accessibility alone; colours run from chance.

    Parameters
    ----------
    base_rates
        ``(n_tracks,)`` share of the compared peaks that are bound.
    """
    values = np.array([[np.nan if spot.value is None else spot.value for spot in row] for row in table], dtype=float)
    bound = [
        f"<b>{short(spot.track)}</b><br>{spot.n_peaks_bound:,} bound, {100 * rate:.0f} %"
        for spot, rate in zip(table[0], base_rates, strict=True)
    ]
    columns, rows = list(range(len(bound))), list(range(len(table)))
    figure = go.Figure(
        go.Heatmap(
            z=values.tolist(),
            x=columns,
            y=rows,
            text=[[written(spot, DIMMED[scheme]) for spot in row] for row in table],
            texttemplate="%{text}",
            textfont={"size": 13, "color": SCHEMES[scheme].text},
            hovertext=[[tip(spot, measure) for spot in row] for row in table],
            hovertemplate="%{hovertext}<extra></extra>",
            hoverongaps=False,
            xgap=2,
            ygap=2,
            showscale=False,
            **colours_of(values, measure, scheme),
        )
    )
    sizes = [f"{row[0].cell_type[:NAME]}<br>{row[0].n_cells:,} cells" for row in table]
    figure.update_layout(
        base_layout(scheme, height=height_of(len(rows)), margin=MARGIN, dragmode=False, hovermode="closest"),
        xaxis=axis(
            scheme, "", side="top", tickvals=columns, ticktext=bound,
            fixedrange=True, showline=False, tickangle=0 if len(columns) <= 12 else -40,
        ),
        yaxis=axis(
            scheme, "", tickvals=rows, ticktext=sizes, autorange="reversed", fixedrange=True, showline=False,
            ticklabelstandoff=6,
        ),
    )  # fmt: skip
    return figure


def written(spot: Spot, dimmed: str) -> str:
    """What stands in a cell: the value with its mark, accessibility's below."""
    value = f"<b>{figure_text(spot.value)}</b>{f' {spot.mark}' if spot.mark else ''}"
    if spot.accessibility is None:
        return value
    return f"{value}<br><span style='font-size:11px;color:{dimmed}'>{figure_text(spot.accessibility)}</span>"


def tip(spot: Spot, measure: MatrixMeasure) -> str:
    """Everything about a cell."""
    lines = [f"<b>{spot.track} in {spot.cell_type}</b>", f"{name_of(measure)}: {figure_text(spot.value)}"]
    if spot.low is not None:
        lines.append(f"95 %: {interval_text(spot.low, spot.high)}")
    if spot.accessibility is not None:
        lines.append(f"Accessibility alone: {figure_text(spot.accessibility)}")
    if spot.p is not None and spot.q is not None:
        z = "" if spot.z is None else f", z {spot.z:.1f}"
        lines.append(f"Matched null: p {spot.p:.2g}{z}; FDR over the table {spot.q:.2g}")
    return "<br>".join(lines)


def short(name: str) -> str:
    """A track's name without what all such files end with, cut where it is long."""
    for ending in (".gz", ".bed", ".narrowPeak", ".broadPeak", ".bedgraph", ".bdg", ".bg", "_peaks"):
        name = name.removesuffix(ending)
    return name if len(name) <= NAME else f"{name[: NAME - 1]}…"


def centre_of(measure: MatrixMeasure) -> float | None:
    """What a score that knows nothing gives, where it is one number for all tracks."""
    if measure == "gain_auroc":
        return 0.5
    if measure in ("gain_pearson", "gain_spearman"):
        return 0.0
    return chance_level(measure, None)  # type: ignore[arg-type]


def colours_of(values: npt.NDArray[np.float64], measure: MatrixMeasure, scheme: Scheme) -> dict[str, Any]:
    """Scale and range of the colours: about chance to either side alike, or from the lowest to the highest."""
    known = values[np.isfinite(values)]
    centre = centre_of(measure)
    if centre is None or len(known) == 0:
        low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
        return {
            "colorscale": list(zip((0, 1), PALE[scheme][1:], strict=True)),
            "zmin": low,
            "zmax": max(high, low + 1e-9),
        }
    reach = max(float(np.abs(known - centre).max()), 1e-9)
    return {
        "colorscale": list(zip((0, 0.5, 1), PALE[scheme], strict=True)),
        "zmin": centre - reach,
        "zmax": centre + reach,
    }
