"""Callbacks of the TF-binding view."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from dash import Dash, Input, Output, State, ctx, no_update
from dash.exceptions import PreventUpdate

from bi2scope.dashboard import ids, measures, tf
from bi2scope.dashboard.callbacks.cell import require_view
from bi2scope.dashboard.callbacks.page import in_browser
from bi2scope.dashboard.celltype import genome_of
from bi2scope.dashboard.client import Client
from bi2scope.dashboard.controls import cut_of
from bi2scope.dashboard.figures.forest import forest_figure
from bi2scope.dashboard.figures.style import Scheme
from bi2scope.dashboard.figures.tracks import tracks_figure, tracks_patch
from bi2scope.dashboard.notices import or_notice
from bi2scope.dashboard.settings import Settings
from bi2scope.server.wire import Definition
from bi2scope.server.wire_tf import TrackComparison

MEASURED = (ids.TF_FOREST, "figure"), (ids.TF_MEASURES, "children"), (ids.TF_WORDS, "children")
"""Where the measures are shown: what :func:`measured` gives goes there."""


def measured(comparison: TrackComparison, scheme: Scheme) -> tuple[Any, ...]:
    """Figure, table and words of the measures."""
    return forest_figure(comparison, scheme), measures.measures_table(comparison), measures.words(comparison)


def asked(bed: bytes, cell_type: str, definition: Definition, cut: dict[str, Any], scheme: Scheme) -> dict[str, Any]:
    """What an answer is for, so that a later one can be told from it."""
    digest = sha256(bed).hexdigest()
    return {"bed": digest, "cell_type": cell_type, "definition": definition, "cut": cut, "scheme": scheme}


def register(app: Dash, client: Client, settings: Settings) -> None:
    """Add the callbacks to the app."""

    @app.callback(
        Output(ids.TF_TRACKS, "figure"),
        Output(ids.TF_DRAWN, "data"),
        Output(ids.TF_SUMMARY, "children"),
        Output(ids.TF_RESULT, "style"),
        *(Output(*place) for place in MEASURED),
        Output(ids.TF_ASKED, "data"),
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
        State(ids.TF_ASKED, "data"),
    )
    @or_notice(8, instead=(no_update, None, "", {"display": "none"}, no_update, None, None, None))
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
        before: dict[str, Any] | None,
    ) -> Any:
        require_view(view, "tf", contents, cell_type)
        assert contents is not None
        assert cell_type is not None
        name = filename or "track.bed"
        bed = tf.uploaded(contents)
        comparison = await client.compare_track(cell_type, cut_of(cut), definition, name, bed, chance=False)
        dataset = await client.dataset()
        genome, tracks = genome_of(dataset), tf.tracks_of(comparison, scheme)
        now = [sha256(bed).hexdigest(), cell_type, definition, scheme]
        start, stop = window or (0, dataset.n_peaks)
        if drawn == now:
            figure: Any = tracks_patch(tracks, genome, start, stop, bins=settings.track_bins)
        else:
            figure = tracks_figure(tracks, genome, scheme, bins=settings.track_bins, height=tf.HEIGHT)
        request = asked(bed, cell_type, definition, cut, scheme)
        if request == before and ctx.triggered_id == ids.TF_WINDOW:  # zooming leaves the measures as they are
            shown: tuple[Any, ...] = (no_update,) * (len(MEASURED) + 1)
        else:
            shown = *measured(comparison, scheme), request
        return figure, now, tf.summary(comparison), {"display": "block"}, *shown

    register_chance(app, client)
    register_download(app, client)
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


def register_chance(app: Dash, client: Client) -> None:
    """Ask for intervals and null models once nothing has moved for a while; the first answer was without them."""
    in_browser(app, "tfIdle", Input(ids.TF_ASKED, "data"), Input(ids.CUT, "data"), prevent_initial_call=True)

    @app.callback(
        *(Output(*place, allow_duplicate=True) for place in MEASURED),
        Output(ids.TF_NOTICE, "children", allow_duplicate=True),
        Input(ids.TF_IDLE, "data"),
        State(ids.BED, "contents"),
        State(ids.BED, "filename"),
        State(ids.TF_TYPE, "value"),
        State(ids.TF_DEFINITION, "value"),
        State(ids.CUT_SETTLED, "data"),
        State(ids.SCHEME, "data"),
        prevent_initial_call=True,
    )
    @or_notice(3, instead=(no_update, no_update, "What chance gives could not be computed."))
    async def chance(
        idle: dict[str, Any] | None,
        contents: str | None,
        filename: str | None,
        cell_type: str,
        definition: Definition,
        cut: dict[str, Any],
        scheme: Scheme,
    ) -> Any:
        if not idle or not contents:
            raise PreventUpdate
        bed = tf.uploaded(contents)
        if idle["asked"] != asked(bed, cell_type, definition, cut, scheme):  # the controls have moved on
            raise PreventUpdate
        name = filename or "track.bed"
        return measured(await client.compare_track(cell_type, cut_of(cut), definition, name, bed), scheme)


def register_download(app: Dash, client: Client) -> None:
    """Both tracks as a file."""

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
