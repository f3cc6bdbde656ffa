"""Small pieces that several views are made of, and the types of what a view gives back."""

from __future__ import annotations

from typing import Any, TypeAlias

from dash import dcc, html
from dash.development.base_component import Component

from bi2scope.dashboard.figures.style import graph_config

Part: TypeAlias = Component | str | None
Parts: TypeAlias = list[Part]

FILE_FORMS = {
    "csv": "CSV: the numbers that it draws",
    "svg": "SVG, 180 mm wide at most",
    "png": "PNG at 300 dots per inch, 180 mm wide at most",
}
"""What a figure can be saved as, and what that is."""


def aria(**named: str) -> dict[str, Any]:
    """Attributes for screen readers: ``aria(label="Links")`` is ``{"aria-label": "Links"}``."""
    return {f"aria-{name}": value for name, value in named.items()}


def nothing_yet() -> dict[str, Any]:
    """An empty figure without axes, for a graph whose first answer is still to come."""
    clear, hidden = "rgba(0,0,0,0)", {"visible": False}
    return {"data": [], "layout": {"xaxis": hidden, "yaxis": hidden, "paper_bgcolor": clear, "plot_bgcolor": clear}}


def graph(
    name: str, file_name: str, *, wheel: bool = True, mode_bar: bool = True, choose: bool = False, **rest: Any
) -> html.Div:
    """A graph with its buttons for files, which are named after ``file_name``.

    ``wheel`` lets the mouse wheel zoom, ``choose`` lets a lasso go round points.
    """
    config: Any = graph_config(wheel=wheel, choose=choose) | ({} if mode_bar else {"displayModeBar": False})
    return with_files(dcc.Graph(id=name, config=config, figure=nothing_yet(), **rest), name, file_name)


def with_files(drawn: dcc.Graph | html.Div, name: str, file_name: str) -> html.Div:
    """A graph and under it the buttons that save it; ``assets/saving.js`` acts on them."""
    called = file_name.replace("-", " ")
    buttons: Parts = []
    for form, meaning in FILE_FORMS.items():
        given: dict[str, Any] = {"data-save": form, "data-figure": name, "data-name": file_name}
        given |= aria(label=f"Save the {called} as {form.upper()}")
        buttons.append(html.Button(form.upper(), type="button", title=f"Save the {called} as {meaning}", **given))
    return html.Div([drawn, html.Div(buttons, className="figure-files")], className="figure")


def candidates_text(max_distance: int | None) -> str:
    """Which peaks a gene may attend to, in words."""
    return "all peaks of the chromosome" if max_distance is None else f"peaks within {max_distance:,} bp of the TSS"
