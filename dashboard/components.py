"""Small pieces that several views are made of, and the types of what a view gives back."""

from __future__ import annotations

from typing import Any, TypeAlias

from dash import dcc
from dash.development.base_component import Component

from bi2scope.dashboard.figures.style import graph_config

Part: TypeAlias = Component | str | None
Parts: TypeAlias = list[Part]


def aria(**named: str) -> dict[str, Any]:
    """Attributes for screen readers: ``aria(label="Links")`` is ``{"aria-label": "Links"}``."""
    return {f"aria-{name}": value for name, value in named.items()}


def nothing_yet() -> dict[str, Any]:
    """An empty figure without axes, for a graph whose first answer is still to come."""
    clear, hidden = "rgba(0,0,0,0)", {"visible": False}
    return {"data": [], "layout": {"xaxis": hidden, "yaxis": hidden, "paper_bgcolor": clear, "plot_bgcolor": clear}}


def busy(children: Part, name: str, awaited: str = "figure") -> dcc.Loading:
    """A veil over a part of the page while what it waits for is on its way, once that takes noticeably long."""
    target: Any = {name: awaited}
    return dcc.Loading(
        children,
        target_components=target,
        delay_show=500,
        overlay_style={"visibility": "visible", "opacity": 0.45},
        type="dot",
        color="#1c7ed6",
    )


def graph(name: str, file_name: str, *, wheel: bool = True, mode_bar: bool = True, **rest: Any) -> dcc.Graph:
    """A graph whose pictures are saved as ``file_name``; ``wheel`` lets the mouse wheel zoom."""
    config: Any = graph_config(file_name, wheel=wheel) | ({} if mode_bar else {"displayModeBar": False})
    return dcc.Graph(id=name, config=config, figure=nothing_yet(), **rest)


def candidates_text(max_distance: int | None) -> str:
    """Which peaks a gene may attend to, in words."""
    return "all peaks of the chromosome" if max_distance is None else f"peaks within {max_distance:,} bp of the TSS"
