"""Score against binding, peak by peak: a density of the bound peaks, and how bound and unbound peaks are spread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from bi2scope.dashboard.controls import QUANTITIES
from bi2scope.dashboard.figures.style import SCHEMES, Scheme, axis, base_layout, typed_array
from bi2scope.server.wire_tf import TrackComparison

Floats = npt.NDArray[np.float64]

COLUMNS, ROWS = 64, 40
STEPS = 240
HEIGHT = 460
MARGIN = {"l": 72, "r": 16, "t": 34, "b": 62}
LEFT, RIGHT = (0.0, 0.54), (0.7, 1.0)
"""Parts of the width: the density (its colour bar follows), the two curves."""


@dataclass(frozen=True)
class Scale:
    """An axis that is linear up to ``unit`` and logarithmic beyond: ``log10(1 + x / unit)``."""

    unit: float

    @classmethod
    def of(cls, values: Floats) -> Scale:
        """The power of ten at or below the first tenth of what is above 0, at least a millionth of the highest."""
        above = values[values > 0]
        if len(above) == 0:
            return cls(1.0)
        low = max(float(np.quantile(above, 0.1)), 1e-6 * float(above.max()), 1e-300)
        return cls(float(10 ** np.floor(np.log10(low))))

    def place(self, values: Floats | float) -> Floats:
        """Where values lie on the axis."""
        return np.asarray(np.log10(1 + np.asarray(values, dtype=np.float64) / self.unit))

    def value(self, places: Floats) -> Floats:
        """The values at places."""
        return np.asarray(self.unit * (10**places - 1))

    def ticks(self, highest: float) -> dict[str, Any]:
        """Ticks at 0, the unit, and powers of ten from there, with 3 of each where there are few."""
        decades = self.unit * 10.0 ** np.arange(0, 12)
        marks = decades if highest > 300 * self.unit else np.sort(np.concatenate([decades, 3 * decades]))
        shown = [0.0, *marks[marks <= highest * 1.001].tolist()]
        return {"tickvals": self.place(np.array(shown)).tolist(), "ticktext": [f"{mark:,.6g}" for mark in shown]}


@dataclass(frozen=True)
class Peaks:
    """Compared peaks: cumulative score, signal of the track, whether it is above 0; ``(n,)`` each."""

    score: Floats
    signal: Floats

    @classmethod
    def of(cls, comparison: TrackComparison) -> Peaks:
        """Those of a comparison that are not in the blacklist."""
        columns = comparison.columns
        score, signal = np.asarray(columns.cumulative, np.float64), np.asarray(columns.tf, np.float64)
        kept = np.ones(len(score), bool) if columns.compared is None else np.asarray(columns.compared, bool)
        return cls(score[kept], signal[kept])

    @property
    def bound(self) -> npt.NDArray[np.bool_]:
        """Whether the track has a signal at the peak."""
        bound: npt.NDArray[np.bool_] = self.signal > 0
        return bound


def binding_figure(comparison: TrackComparison, quantity: str, scheme: Scheme = "light") -> go.Figure:
    """Left, the bound peaks by score and signal; right, the share of bound and of unbound peaks above each score.

    A track without scores has the right part alone.
    """
    peaks = Peaks.of(comparison)
    across = Scale.of(peaks.score)
    graded = comparison.score_column != "presence" and bool(peaks.bound.any())
    figure = go.Figure(
        layout=base_layout(
            scheme,
            height=HEIGHT,
            margin=MARGIN,
            hovermode="closest",
            dragmode=False,
            legend={"orientation": "h", "x": 1, "xanchor": "right", "y": 1.005, "yanchor": "bottom"},
        )
    )
    score = f"{QUANTITIES[comparison.definition]}, {comparison.cell_type}"
    if graded:
        add_density(figure, peaks, across, scheme)
        highest = float(peaks.signal.max())
        figure.layout.xaxis = axis(scheme, scaled(score, across), domain=LEFT, fixedrange=True,
                                   **across.ticks(float(peaks.score.max())))  # fmt: skip
        figure.layout.yaxis = axis(scheme, scaled(f"{quantity}, {comparison.track}", Scale.of(peaks.signal)),
                                   fixedrange=True, **Scale.of(peaks.signal).ticks(highest))  # fmt: skip
    add_curves(figure, peaks, across, scheme)
    figure.layout.xaxis2 = axis(scheme, scaled(score, across), domain=RIGHT if graded else (0.0, 1.0), anchor="y2",
                                fixedrange=True, **across.ticks(float(peaks.score.max(initial=0))))  # fmt: skip
    figure.layout.yaxis2 = axis(
        scheme, "Share of peaks with a higher score", anchor="x2", range=[0, 1.02], tickformat=".0%", fixedrange=True,
        showgrid=True, gridcolor=SCHEMES[scheme].line, gridwidth=0.5,
    )  # fmt: skip
    return figure


def scaled(title: str, scale: Scale) -> str:
    """Title of an axis with a line on its scale."""
    return f"{title}<br><span style='font-size:11px'>linear to {scale.unit:g}, logarithmic beyond</span>"


def add_density(figure: go.Figure, peaks: Peaks, across: Scale, scheme: Scheme) -> None:
    """Number of bound peaks in each bin of score and signal."""
    up, bound = Scale.of(peaks.signal), peaks.bound
    x, y = across.place(peaks.score[bound]), up.place(peaks.signal[bound])
    columns = np.linspace(0, max(float(x.max()), 1e-6) * 1.0001, COLUMNS + 1)
    rows = np.linspace(float(y.min()) * 0.9999, max(float(y.max()), 1e-6) * 1.0001, ROWS + 1)
    counts = np.histogram2d(y, x, bins=(rows, columns))[0]
    with np.errstate(divide="ignore"):
        shown = np.where(counts > 0, np.log10(counts), np.nan)
    most = max(int(counts.max()), 1)
    marks = [mark for mark in (1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000) if mark <= most]
    figure.add_trace(
        go.Heatmap(
            z=typed_array(shown.astype(np.float32)),
            x0=float(columns[0] + columns[1]) / 2,
            dx=float(columns[1] - columns[0]),
            y0=float(rows[0] + rows[1]) / 2,
            dy=float(rows[1] - rows[0]),
            customdata=density_tips(counts, across.value(columns), up.value(rows)),
            hovertemplate="%{customdata}<extra></extra>",
            hoverongaps=False,
            colorscale=SCHEMES[scheme].score_scale,
            meta=[across.value(columns).tolist(), up.value(rows).tolist()],
            zmin=0,
            zmax=float(np.log10(most)) or 1.0,
            colorbar={
                "title": {"text": "Bound peaks", "side": "top", "font": {"size": 12}}, "x": LEFT[1] + 0.01,
                "xanchor": "left", "thickness": 12, "len": 0.9, "outlinewidth": 0, "tickvals": np.log10(marks).tolist(),
                "ticktext": [f"{mark:,}" for mark in marks],
            },
        )
    )  # fmt: skip


def density_tips(counts: Floats, columns: Floats, rows: Floats) -> list[list[str]]:
    """Tooltip of each bin; empty where no peak is."""
    return [
        [
            f"{counts[i, j]:,.0f} bound peaks<br>score {columns[j]:,.3g} to {columns[j + 1]:,.3g}"
            f"<br>signal {rows[i]:,.3g} to {rows[i + 1]:,.3g}" if counts[i, j] else ""
            for j in range(counts.shape[1])
        ]
        for i in range(counts.shape[0])
    ]  # fmt: skip


def add_curves(figure: go.Figure, peaks: Peaks, across: Scale, scheme: Scheme) -> None:
    """Share of the bound and of the unbound peaks with a score above each of some values."""
    colours = SCHEMES[scheme]
    places = np.linspace(0, float(across.place(peaks.score.max(initial=0))), STEPS)
    values = across.value(places)
    for name, some, colour, dash in (
        ("Bound", peaks.score[peaks.bound], colours.secondary, "solid"),
        ("Not bound", peaks.score[~peaks.bound], colours.muted, "dash"),
    ):
        ordered = np.sort(some)
        share = 1 - np.searchsorted(ordered, values, side="right") / max(len(ordered), 1)
        figure.add_trace(
            go.Scatter(
                x=typed_array(places), y=typed_array(share), xaxis="x2", yaxis="y2", mode="lines",
                name=f"{name} ({len(ordered):,})", line={"color": colour, "width": 2, "dash": dash},
                customdata=typed_array(values),
                hovertemplate=f"{name}: %{{y:.1%}} of peaks score above %{{customdata:,.4g}}<extra></extra>",
            )
        )  # fmt: skip


def caption(comparison: TrackComparison) -> str:
    """What is drawn, and the measures that sum it up."""
    peaks = Peaks.of(comparison)
    given = {measure.name: measure.value for measure in comparison.measures}
    told = [
        f"Over {len(peaks.score):,} peaks, {int(peaks.bound.sum()):,} of them bound; colour counts the bound ones. "
        "Both axes are linear near 0, so that peaks without a link have a place."
    ]
    if (auroc := given.get("auroc")) is not None:
        told.append(f"AUROC {auroc:.3f}: a bound peak scores higher than an unbound one in "
                    f"{100 * auroc:.0f} % of pairs, ties counting half.")  # fmt: skip
    if given.get("spearman") is not None:
        told.append(f"Spearman {given['spearman']:.3f} over all peaks, unbound ones as 0.")
    return " ".join(told)
