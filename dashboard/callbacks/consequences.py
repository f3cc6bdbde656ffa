"""Callback of what the sliders leave in a cell type; that of a cell comes with its numbers."""

from __future__ import annotations

import asyncio
from typing import Any

from dash import Dash, Input, Output

from bi2scope.dashboard import ids
from bi2scope.dashboard.callbacks.page import require_view
from bi2scope.dashboard.client import Client
from bi2scope.dashboard.consequences import consequences
from bi2scope.dashboard.controls import cut_of
from bi2scope.dashboard.notices import or_instead


def register(app: Dash, client: Client) -> None:
    """Add the callback to the app."""

    @app.callback(
        [Output(ids.LEFT_OF_TYPE, "children")],
        Input(ids.CUT_SETTLED, "data"),
        Input(ids.TYPES, "value"),
        Input(ids.TF_TYPE, "value"),
        Input(ids.VIEW, "value"),
    )
    @or_instead(None)
    async def count(cut: dict[str, Any], types: list[str], tf_type: str | None, view: str) -> Any:
        chosen = {"celltype": next(iter(types or []), None), "tf": tf_type}.get(view)
        require_view(view, view if chosen else "", chosen)
        profile, dataset = await asyncio.gather(client.type_profile(str(chosen), cut_of(cut)), client.dataset())
        return (consequences(profile, dataset.k_max),)
