"""What the sliders leave in a cell type: asked by the page's scripts, as what they leave in a cell is."""

from __future__ import annotations

from dash import Dash, Input, Output

from bi2scope.dashboard import ids
from bi2scope.dashboard.callbacks.page import in_browser


def register(app: Dash) -> None:
    """Add the callback to the app."""
    in_browser(
        app,
        "leftOfType",
        Output(ids.LEFT_OF_TYPE, "data-of"),
        Input(ids.VIEW, "value"),
        Input(ids.CUT_SETTLED, "data"),
        Input(ids.TYPES, "value", allow_optional=True),
        Input(ids.TF_TYPE, "value", allow_optional=True),
    )
