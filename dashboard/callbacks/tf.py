"""Callbacks of the TF-binding view."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from dash import Dash, Input, Output, State, no_update

from bi2scope.dashboard import ids, tf
from bi2scope.dashboard.callbacks.cell import require_view
from bi2scope.dashboard.callbacks.page import in_browser
from bi2scope.dashboard.celltype import genome_of
from bi2scope.dashboard.client import Client
from bi2scope.dashboard.controls import cut_of
from bi2scope.dashboard.figures.style import Scheme
from bi2scope.dashboard.figures.tracks import tracks_figure, tracks_patch
from bi2scope.dashboard.notices import or_notice
from bi2scope.dashboard.settings import Settings
from bi2scope.server.wire import Definition


def register(app: Dash, client: Client, settings: Settings) -> None:
    """Add the callbacks to the app."""

    @app.callback(
        Output(ids.TF_TRACKS, "figure"),
        Output(ids.TF_DRAWN, "data"),
        Output(ids.TF_SUMMARY, "children"),
        Output(ids.TF_MEASURES, "children"),
        Output(ids.TF_RESULT, "style"),
        Output(ids.TF_NOTICE, "children"),
        Input(ids.BED, "contents"),
        Input(ids.TF_TYPE, "value"),
        Input(ids.TF_DEFINITION, "value"),
        Input(ids.CUT_SETTLED, "data"),
        Input(ids.TF_WINDOW, "data"),
        Input(ids.SCHEME, "data"),
        Input(ids.VIEW, "value"),
        State(ids.BED, "filename"),
        State(ids.TF_DRAWN, "data"),
    )
    @or_notice(5, instead=(no_update, None, "", None, {"display": "none"}))
    async def compare(
        contents: str | None,
        cell_type: str | None,
        definition: Definition,
        cut: dict[str, Any],
        window: list[int] | None,
        scheme: Scheme,
        view: str,
        filename: str | None,
        drawn: list[str] | None,
    ) -> Any:
        require_view(view, "tf", contents, cell_type)
        assert contents is not None
        assert cell_type is not None
        name = filename or "track.bed"
        bed = tf.uploaded(contents)
        comparison = await client.compare_track(cell_type, cut_of(cut), definition, name, bed)
        dataset = await client.dataset()
        genome, tracks = genome_of(dataset), tf.tracks_of(comparison, scheme)
        now = [sha256(bed).hexdigest(), cell_type, definition, scheme]
        start, stop = window or (0, dataset.n_peaks)
        if drawn == now:
            figure: Any = tracks_patch(tracks, genome, start, stop, bins=settings.track_bins)
        else:
            figure = tracks_figure(tracks, genome, scheme, bins=settings.track_bins, height=tf.HEIGHT)
        return figure, now, tf.summary(comparison), tf.measures_table(comparison), {"display": "block"}

    @app.callback(
        Output(ids.TF_FILE, "data"),
        Output(ids.TF_NOTICE, "children", allow_duplicate=True),
        Input(ids.TF_SAVE, "n_clicks"),
        State(ids.BED, "contents"),
        State(ids.BED, "filename"),
        State(ids.TF_TYPE, "value"),
        State(ids.TF_DEFINITION, "value"),
        State(ids.CUT_SETTLED, "data"),
        prevent_initial_call=True,
    )
    @or_notice(1)
    async def save(
        _clicks: int,
        contents: str,
        filename: str | None,
        cell_type: str,
        definition: Definition,
        cut: dict[str, Any],
    ) -> Any:
        name = filename or "track.bed"
        text = await client.track_csv(cell_type, cut_of(cut), definition, name, tf.uploaded(contents))
        return ({"content": text, "filename": tf.csv_name(cell_type, name), "type": "text/csv"},)

    in_browser(
        app,
        "trackWindow",
        Output(ids.TF_WINDOW, "data"),
        Input(ids.TF_TRACKS, "relayoutData"),
        State(ids.TF_TRACKS, "id"),
        prevent_initial_call=True,
    )
    in_browser(
        app,
        "dropLabel",
        Output(ids.BED, "children"),
        Input(ids.BED, "filename"),
        prevent_initial_call=True,
    )
