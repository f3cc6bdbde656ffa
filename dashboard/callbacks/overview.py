"""Callbacks of the overview."""

from __future__ import annotations

from typing import Any

from dash import Dash, Input, Output, no_update

from bi2scope.dashboard import ids, overview
from bi2scope.dashboard.callbacks.page import in_browser, require_view
from bi2scope.dashboard.client import Client
from bi2scope.dashboard.figures.embedding import embedding_figure
from bi2scope.dashboard.figures.style import Scheme
from bi2scope.dashboard.figures.training import training_figure
from bi2scope.dashboard.notices import or_notice


def register(app: Dash, client: Client) -> None:
    """Add the callbacks to the app."""

    @app.callback(
        Output(ids.OVERVIEW_EMBEDDING, "figure"),
        Output(ids.CURVES, "figure"),
        Output(ids.EMBEDDING_METHOD, "children"),
        Output(ids.OVERVIEW_NOTICE, "children"),
        Input(ids.SCHEME, "data"),
        Input(ids.VIEW, "value"),
    )
    @or_notice(3)
    async def draw(scheme: Scheme, view: str) -> Any:
        require_view(view, "overview")
        dataset, embedding = await client.dataset(), await client.embedding()
        types = [kind.name for kind in dataset.cell_types]
        curves = no_update if dataset.training is None else training_figure(dataset.training, scheme)
        return (
            embedding_figure(embedding, scheme, types=types, height=overview.EMBEDDING_HEIGHT),
            curves,
            embedding.method,
        )

    in_browser(
        app,
        "openCell",
        Output(ids.CELL, "value", allow_duplicate=True),
        Output(ids.CELL, "data", allow_duplicate=True),
        Output(ids.VIEW, "value"),
        Input(ids.OVERVIEW_EMBEDDING, "clickData"),
        prevent_initial_call=True,
    )
