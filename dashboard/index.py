"""The page's HTML: its frame, for a first map without Dash, and Dash's scripts, which wait until it is asked for.

A browser takes seconds to run Dash, its components and plotly.js. ``assets/first.js`` and ``assets/sketch.js`` need
none of them: they ask for the map and draw it into the frame while the scripts are still being fetched.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import plotly
from dash import Dash, html
from dash.fingerprint import build_fingerprint

from bi2scope.dashboard.cell import MAP_HEIGHT
from bi2scope.dashboard.components import aria
from bi2scope.dashboard.markup import markup

EARLY: Final = ("first.js", "sketch.js")
"""Scripts that run before Dash's."""

UNUSED: Final = "/dash_table/"
"""Scripts of Dash's for tables of a kind that no view has."""

PLOTLY: Final = "package_data/plotly.min.js"

INDEX: Final = """<!DOCTYPE html>
<html lang="en">
    <head>
        {%metas%}
        {%early%}
        <title>{%title%}</title>
        {%favicon%}
        {%css%}
    </head>
    <body>
        {%frame%}
        {%app_entry%}
        <footer>
            {%config%}
            <template id="page-scripts" data-plotly="{%plotly%}">
            {%scripts%}
            {%renderer%}
            </template>
        </footer>
    </body>
</html>
"""


class Screen(Dash):
    """Dash with this page's own order of scripts."""

    def interpolate_index(self, *args: Any, **parts: Any) -> str:
        """The HTML, from the parts that Dash makes."""
        scripts = [tag for tag in parts["scripts"].splitlines() if UNUSED not in tag]
        page: str = super().interpolate_index(*args, **parts | {"scripts": "\n".join(scripts)})  # type: ignore[no-untyped-call]
        for name, text in (("early", self.early()), ("frame", markup(frame())), ("plotly", self.plotly())):
            page = page.replace("{%" + name + "%}", text)
        return page

    def early(self) -> str:
        """Tags of the scripts that run before Dash's."""
        paths = ((name, Path(self.config.assets_folder) / name) for name in EARLY)
        named = (f"{self.get_asset_url(name)}?m={path.stat().st_mtime}" for name, path in paths)
        return "".join(f'<script src="{each}"></script>' for each in named)

    def plotly(self) -> str:
        """Address of plotly.js, under a name that lets the browser keep it."""
        written = int(Path(plotly.__file__).with_name("package_data").joinpath("plotly.min.js").stat().st_mtime)
        name = build_fingerprint(PLOTLY, plotly.__version__, written)  # type: ignore[no-untyped-call]
        return f"{self.config.requests_pathname_prefix}_dash-component-suites/plotly/{name}"


IGNORED: Final = "^(" + "|".join(map(re.escape, EARLY)) + ")$"
"""Names in the folder of assets that Dash is not to load by itself."""


def frame() -> html.Div:
    """The cell view's frame, with everything in the place where Dash will put it."""
    main = html.Div(
        [
            html.Div(id="first-warning"),
            html.Div(
                [html.Div(id="first-title", className="cell-title"), html.Div(id="first-numbers", className="numbers")],
                className="cell-head",
            ),
            html.Div(
                html.Div([html.Div(className="first-bar"), html.Div(id="first-map", style={"height": MAP_HEIGHT})]),
                className="map-and-table",
            ),
        ],
        className="first-main",
    )
    header = html.Div(html.Span("bi2scope", className="brand"), className="first-header")
    side = html.Div("The controls follow …", className="first-side")
    return html.Div([header, side, main], id="first", role="status", **aria(label="Loading"))
