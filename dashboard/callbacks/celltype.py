"""Callbacks of the cell-type view."""

from __future__ import annotations

import asyncio
from typing import Any

from dash import Dash, Input, Output, State, no_update

from bi2scope.dashboard import celltype, ids
from bi2scope.dashboard.callbacks.cell import require_view
from bi2scope.dashboard.callbacks.page import in_browser
from bi2scope.dashboard.client import Client
from bi2scope.dashboard.controls import cut_data, cut_of
from bi2scope.dashboard.figures.style import Scheme
from bi2scope.dashboard.figures.tracks import height_of, tracks_figure, tracks_patch
from bi2scope.dashboard.links import peak_rows
from bi2scope.dashboard.notices import or_notice
from bi2scope.dashboard.settings import Settings
from bi2scope.server.wire import Definition


def register(app: Dash, client: Client, settings: Settings) -> None:
    """Add the callbacks to the app."""

    @app.callback(
        Output(ids.TRACKS, "figure"),
        Output(ids.TRACKS, "style"),
        Output(ids.TRACKS_DRAWN, "data"),
        Output(ids.TRACKS_CAPTION, "children"),
        Output(ids.PEAKS, "rowData"),
        Output(ids.PEAKS_TITLE, "children"),
        Output(ids.PEAKS_CSV, "children"),
        Output(ids.TRACKS_NOTICE, "children"),
        Input(ids.TYPES, "value"),
        Input(ids.DEFINITION, "value"),
        Input(ids.CUT_SETTLED, "data"),
        Input(ids.TRACK_WINDOW, "data"),
        Input(ids.SCHEME, "data"),
        Input(ids.VIEW, "value"),
        State(ids.TRACKS_DRAWN, "data"),
    )
    @or_notice(7)
    async def draw_tracks(
        types: list[str],
        definition: Definition,
        cut_given: dict[str, Any],
        window: list[int] | None,
        scheme: Scheme,
        view: str,
        drawn: list[Any] | None,
    ) -> Any:
        require_view(view, "celltype", types)
        cut = cut_of(cut_given)
        dataset = await client.dataset()
        scores = await asyncio.gather(*[client.scores(kind, cut) for kind in types])
        tracks = [celltype.track_of(one, definition, dataset) for one in scores]
        genome = celltype.genome_of(dataset, scores[0].peak)
        frame = [types, definition, scheme]
        now = [*frame, cut_data(cut)]
        start, stop = window or (0, dataset.n_peaks)
        if drawn is not None and drawn[:3] == frame:
            figure: Any = tracks_patch(tracks, genome, start, stop, bins=settings.track_bins)
        else:
            figure = tracks_figure(tracks, genome, scheme, bins=settings.track_bins)
        if drawn == now:  # only the window moved: the table stands
            return figure, no_update, no_update, no_update, no_update, no_update, no_update
        rows = [row for one in scores for row in peak_rows(one, definition, settings.top_peaks)]
        return (
            figure,
            {"height": height_of(len(tracks))},
            now,
            celltype.caption(scores, definition, dataset.k_max),
            rows,
            celltype.peaks_title(definition, settings.top_peaks),
            celltype.downloads(types, cut, settings.public_api),
        )

    in_browser(
        app,
        "trackWindow",
        Output(ids.TRACK_WINDOW, "data"),
        Input(ids.TRACKS, "relayoutData"),
        State(ids.TRACKS, "id"),
        prevent_initial_call=True,
    )
