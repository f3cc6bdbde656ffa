"""Why a gene attends to a peak: the four terms of the logit as stacked bars, the peak among its rivals in the row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from bi2scope.dashboard.figures.style import SCHEMES, Scheme, axis, base_layout
from bi2scope.server.wire_genes import Why

TERMS = {
    "static": "gene and peak alone",
    "gene_count_term": "the gene's count",
    "peak_count_term": "the peak's count",
    "interaction": "both counts together",
}
"""The terms, and what each is of."""

COLOURS = {"static": "#0072b2", "gene_count_term": "#e69f00", "peak_count_term": "#009e73", "interaction": "#cc79a7"}

ROW = 22
MARGIN = {"l": 190, "r": 16, "t": 54, "b": 42}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A peak of the gene's row with its terms, in the order of :data:`TERMS`."""

    peak: str
    rank: int
    logit: float
    terms: tuple[float, ...]
    own: bool = False


def candidates(why: Why) -> list[Candidate]:
    """The peak and its rivals, by rank."""
    rivals = why.rivals
    columns = zip(*(getattr(rivals, name) for name in TERMS), strict=True)
    others = [Candidate(*row) for row in zip(rivals.peak, rivals.rank, rivals.logit, columns, strict=True)]
    own = Candidate(why.peak, why.rank, why.logit, tuple(getattr(why, name) for name in TERMS), own=True)
    return sorted([own, *others], key=lambda one: one.rank)


def why_figure(why: Why, scheme: Scheme = "light") -> go.Figure:
    """Bars that sum to the logits, which are marked; the chosen peak is in bold."""
    shown = candidates(why)[::-1]
    labels = [label_of(one) for one in shown]
    figure = go.Figure(layout=_layout(len(shown), scheme))
    for i, (name, meaning) in enumerate(TERMS.items()):
        figure.add_trace(
            go.Bar(
                y=labels, x=[one.terms[i] for one in shown], orientation="h", name=meaning,
                marker={"color": COLOURS[name], "opacity": [1 if one.own else 0.6 for one in shown]},
                hovertemplate=f"{meaning}: %{{x:+.3f}}<extra></extra>",
            )
        )  # fmt: skip
    figure.add_trace(
        go.Scatter(
            y=labels, x=[one.logit for one in shown], mode="markers", name="logit",
            marker={"symbol": "diamond", "size": 8, "color": SCHEMES[scheme].text},
            hovertemplate="logit %{x:.3f}<extra></extra>",
        )
    )  # fmt: skip
    return figure


def label_of(one: Candidate) -> str:
    """Rank and name of a peak."""
    text = f"{one.rank:,}. {one.peak}"
    return f"<b>{text}</b>" if one.own else text


def _layout(n_rows: int, scheme: Scheme) -> dict[str, Any]:
    colours = SCHEMES[scheme]
    return base_layout(
        scheme,
        height=ROW * n_rows + MARGIN["t"] + MARGIN["b"],
        margin=MARGIN,
        barmode="relative",
        bargap=0.25,
        dragmode=False,
        showlegend=True,
        legend={"orientation": "h", "x": -0.3, "xanchor": "left", "y": 1.01, "yanchor": "bottom", "font": {"size": 11},
                "traceorder": "normal"},
        xaxis=axis(scheme, "Logit, and the terms it is the sum of", showgrid=True, gridcolor=colours.line,
                   gridwidth=0.5, zeroline=True, zerolinecolor=colours.muted, fixedrange=True),
        yaxis=axis(scheme, "", showline=False, fixedrange=True, automargin=False),
    )  # fmt: skip
