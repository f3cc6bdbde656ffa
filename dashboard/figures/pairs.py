"""A regulatory map as a matrix: peaks across, genes up, both by their place on the chromosome."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from bi2scope.dashboard.figures.style import SCHEMES, Scheme, axis, base_layout, typed_array
from bi2scope.server.wire_genes import MapColumns, RegionPairs

HEIGHT = 680
SQUARES = 200
"""Squares of the matrix across and up."""

BASES = 1e6
"""Of a unit of the axes: they are in megabases."""

SHARES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)
"""Ticks of the colour bar."""


@dataclass(frozen=True, slots=True)
class Box:
    """A window of the map in bases: of peaks ``left`` to ``right``, of TSSs ``bottom`` to ``top``."""

    left: int
    right: int
    bottom: int
    top: int

    def sides(self) -> tuple[float, float]:
        """Size of a square in bases, across and up."""
        return max(self.right - self.left, 1) / SQUARES, max(self.top - self.bottom, 1) / SQUARES


@dataclass(frozen=True, eq=False)
class Squares:
    """The squares of a window.

    Attributes
    ----------
    n_cells
        ``(SQUARES, SQUARES)`` most cells with a link, the lowest TSS first; NaN where there is no pair.
    best
        ``(SQUARES, SQUARES)`` place of that pair among all, -1 where there is none.
    n_pairs
        ``(SQUARES, SQUARES)``.
    """

    n_cells: npt.NDArray[np.float32]
    best: npt.NDArray[np.int64]
    n_pairs: npt.NDArray[np.int64]


def squares(pairs: MapColumns, box: Box) -> Squares:
    """Lay pairs over the squares of a window; the one linked in most cells, the first of equals, stands for each."""
    start, end, tss = (np.asarray(each, dtype=np.int64) for each in (pairs.peak_start, pairs.peak_end, pairs.gene_tss))
    n_cells = np.asarray(pairs.n_cells, dtype=np.float64)
    across, up = box.sides()
    column = np.floor(((start + end) // 2 - box.left) / across).astype(np.int64)
    row = np.floor((tss - box.bottom) / up).astype(np.int64)
    inside = np.flatnonzero((column >= 0) & (column < SQUARES) & (row >= 0) & (row < SQUARES))
    place = (row * SQUARES + column)[inside]
    order = np.lexsort((-n_cells[inside], place))
    places, first = np.unique(place[order], return_index=True)
    best = np.full(SQUARES * SQUARES, -1, dtype=np.int64)
    best[places] = inside[order[first]]
    highest = np.full(SQUARES * SQUARES, np.nan, dtype=np.float32)
    highest[places] = n_cells[best[places]]
    shape = (SQUARES, SQUARES)
    count = np.bincount(place, minlength=SQUARES * SQUARES)
    return Squares(highest.reshape(shape), best.reshape(shape), count.reshape(shape))


def steps(box: Box) -> dict[str, Any]:
    """Where the middles of the squares lie, in megabases."""
    across, up = box.sides()
    return {
        "x0": (box.left + across / 2) / BASES, "dx": across / BASES,
        "y0": (box.bottom + up / 2) / BASES, "dy": up / BASES,
    }  # fmt: skip


def spoken(pairs: MapColumns, found: Squares, box: Box) -> dict[str, Any]:
    """What the tooltip says of each square that has a pair, for the browser: columns, and the steps of the squares."""
    row, column = np.nonzero(found.best >= 0)
    best = found.best[row, column].tolist()
    names = ("gene_id", "gene_name", "peak", "distance_to_tss", "n_cells", "n_both", "mean_score", "gene_tss")
    columns = {name: [getattr(pairs, name)[i] for i in best] for name in names}
    place = (row * SQUARES + column).tolist()
    return {"squares": SQUARES, "place": place, "n_pairs": found.n_pairs[row, column].tolist(), **columns, **steps(box)}


def pairs_figure(body: RegionPairs, found: Squares, box: Box, end: int, scheme: Scheme = "light") -> go.Figure:
    """The matrix of a window of a chromosome; the colour is logarithmic.

    Parameters
    ----------
    end
        Last base of the chromosome.
    """
    share = np.log10(found.n_cells / max(body.n_cells, 1))
    colours, least = SCHEMES[scheme], max(body.least_cells, 1) / max(body.n_cells, 1)
    whole = {"minallowed": 0, "maxallowed": end / BASES, "ticks": "outside", "tickcolor": colours.muted}
    figure = go.Figure(
        layout=base_layout(
            scheme,
            height=HEIGHT,
            margin={"l": 66, "r": 10, "t": 10, "b": 52},
            hovermode="closest",
            clickmode="event",
            uirevision=f"{body.region}|{body.cell_type}",
            xaxis=axis(
                scheme,
                f"Middle of the peak on {body.region} (Mb)",
                range=[box.left / BASES, box.right / BASES],
                **whole,
            ),
            yaxis=axis(scheme, f"TSS on {body.region} (Mb)", range=[box.bottom / BASES, box.top / BASES], **whole),
        )
    )
    figure.add_trace(
        go.Scatter(
            x=[0, end / BASES], y=[0, end / BASES], mode="lines", hoverinfo="skip", showlegend=False,
            line={"color": colours.muted, "width": 1, "dash": "dot"},
        )
    )  # fmt: skip
    figure.add_trace(
        go.Heatmap(
            z=typed_array(share.astype(np.float32)), **steps(box), zmin=float(np.log10(least)), zmax=0,
            hoverongaps=False, hoverinfo="none", colorscale=[list(stop) for stop in colours.score_scale],
            colorbar={
                "title": {"text": f"{body.cell_type} cells<br>with the link", "font": {"size": 11}}, "thickness": 12,
                "tickvals": np.log10(SHARES).tolist(), "ticktext": [f"{each:.0%}" for each in SHARES],
                "tickfont": {"size": 10}, "outlinewidth": 0, "len": 0.8,
            },
        )
    )  # fmt: skip
    return figure
