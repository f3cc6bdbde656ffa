"""One gene's row: its peaks by rank, and what threshold and k cut of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import plotly.graph_objects as go

from bi2scope.dashboard.client import Cut
from bi2scope.dashboard.figures.style import SCHEMES, Scheme, axis, base_layout
from bi2scope.server.wire import LinkColumns

HEIGHT = 236
SCORES = (0.5, 0.8, 0.9, 0.95, 0.99, 0.999, 0.9999)


def logit_of(score: float) -> float:
    """The logit of a score below 1."""
    return float(np.log(score / (1 - score)))


def kept(links: LinkColumns, cut: Cut) -> list[bool]:
    """Which of the peaks survive a cut."""
    most = len(links.rank) + max(links.rank, default=0) if cut.top_k is None else cut.top_k
    return [score > cut.threshold and rank <= most for score, rank in zip(links.score, links.rank, strict=True)]


def row_figure(links: LinkColumns, cut: Cut, peak: str | None, scheme: Scheme = "light") -> go.Figure:
    """Logit against rank, with the score on the right; lines where threshold and k cut, a ring around one peak."""
    colours, stays = SCHEMES[scheme], kept(links, cut)
    traces = [
        points(links, [at for at, stay in enumerate(stays) if stay], "Links", color=colours.primary),
        points(
            links, [at for at, stay in enumerate(stays) if not stay], "Cut", color=colours.muted, symbol="circle-open"
        ),
    ]
    if peak in links.peak:
        ring = {"color": colours.secondary, "symbol": "circle-open", "size": 14, "line": {"width": 2}}
        traces.append(points(links, [links.peak.index(peak)], "Chosen peak", **ring))
    highest = max([*links.logit, 1.0])
    top, last = highest * 1.08, max([*links.rank, 10]) + 0.5
    layout = base_layout(
        scheme,
        margin={"l": 52, "r": 56, "t": 26, "b": 40},
        height=HEIGHT,
        hovermode="closest",
        uirevision="row",
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom", "font": {"size": 11}},
        shapes=cut_lines(cut, top, last, scheme),
        xaxis=axis(scheme, "Rank of the peak among the gene's", range=[0.4, last], nticks=10, ticks="outside"),
        yaxis=axis(scheme, "Logit", range=[min(0.0, *links.logit, 0.0) - 0.03 * top, top], nticks=6, ticks="outside"),
        yaxis2=axis(
            scheme, "Score", overlaying="y", matches="y", side="right", fixedrange=True, ticks="outside",
            tickvals=[logit_of(score) for score in SCORES], ticktext=[f"{score:g}" for score in SCORES],
        ),
    )  # fmt: skip
    # an axis without a trace is not drawn
    traces.append(go.Scatter(x=[None], y=[None], yaxis="y2", showlegend=False, hoverinfo="skip"))
    return go.Figure(data=traces, layout=layout)


def points(links: LinkColumns, at: list[int], name: str, **marker: Any) -> go.Scatter:
    """Some of the peaks."""
    return go.Scatter(
        x=[links.rank[i] for i in at],
        y=[links.logit[i] for i in at],
        customdata=[
            f"{links.peak[i]}<br>{links.distance_to_tss[i]:+,} bp to the TSS<br>score {links.score[i]:.4f}, "
            f"weight {links.weight[i]:.4f}"
            for i in at
        ],
        mode="markers",
        name=name,
        marker={"size": 7, **marker},
        hovertemplate="%{customdata}<br>rank %{x}, logit %{y:.3f}<extra></extra>",
    )


def cut_lines(cut: Cut, top: float, last: float, scheme: Scheme) -> list[dict[str, Any]]:
    """Where threshold and k cut; a line that lies beyond the plot is left out."""
    line = {"color": SCHEMES[scheme].text, "width": 1, "dash": "dash"}
    lines: list[dict[str, Any]] = []
    label: dict[str, Any]
    if cut.threshold < 1 and logit_of(cut.threshold) < top:
        height = logit_of(cut.threshold)
        label = {
            "text": f"threshold {cut.threshold:g}",
            "textposition": "end",
            "yanchor": "bottom",
            "font": {"size": 11},
        }
        lines.append({"type": "line", "x0": 0.4, "x1": last, "y0": height, "y1": height, "line": line, "label": label})
    if cut.top_k is not None and cut.top_k < last:
        place = cut.top_k + 0.5
        label = {
            "text": f"k {cut.top_k}",
            "textposition": "end",
            "textangle": 0,
            "xanchor": "left",
            "yanchor": "top",
            "font": {"size": 11},
        }
        lines.append({"type": "line", "x0": place, "x1": place, "y0": 0, "y1": top, "line": line, "label": label})
    return lines
