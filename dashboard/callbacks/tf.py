"""Callbacks of the TF-binding view: which track, and one track beside one cell type."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from dash import Dash, Input, Output, State, ctx, no_update
from dash.exceptions import PreventUpdate

from bi2scope.dashboard import ids, measures, tf
from bi2scope.dashboard.address import DROPPED
from bi2scope.dashboard.callbacks.page import in_browser
from bi2scope.dashboard.celltype import genome_of
from bi2scope.dashboard.client import BedFile, Client
from bi2scope.dashboard.controls import cut_of
from bi2scope.dashboard.figures import binding
from bi2scope.dashboard.figures.forest import forest_figure
from bi2scope.dashboard.figures.style import Scheme
from bi2scope.dashboard.figures.tracks import tracks_figure, tracks_patch
from bi2scope.dashboard.notices import or_notice
from bi2scope.dashboard.settings import Settings
from bi2scope.server.wire import Definition
from bi2scope.server.wire_tf import TrackComparison

MEASURED = (ids.TF_FOREST, "figure"), (ids.TF_MEASURES, "children"), (ids.TF_WORDS, "children")
"""Where the measures are shown: what :func:`measured` gives goes there."""

SCATTERED = (ids.TF_SCATTER, "figure"), (ids.TF_SCATTER_CAPTION, "children")
"""Where score and signal are shown against each other."""


def measured(comparison: TrackComparison, scheme: Scheme) -> tuple[Any, ...]:
    """Figure, table and words of the measures."""
    return forest_figure(comparison, scheme), measures.measures_table(comparison), measures.words(comparison)


def scattered(comparison: TrackComparison, scheme: Scheme) -> tuple[Any, ...]:
    """Figure and words of score against signal."""
    return binding.binding_figure(comparison, tf.quantity_of(comparison), scheme), binding.caption(comparison)


def track_of(chosen: str | None, contents: str | None, filename: str | None) -> str | BedFile:
    """The track that is chosen: the id of one that the service holds, or the file that was dropped."""
    if chosen == DROPPED and contents:
        return BedFile(filename or "track.bed", tf.uploaded(contents))
    if not chosen or chosen == DROPPED:
        raise PreventUpdate
    return chosen


def asked(
    track: str | BedFile, cell_type: str, definition: Definition, cut: dict[str, Any], scheme: Scheme
) -> dict[str, Any]:
    """What an answer is for, so that a later one can be told from it."""
    name = sha256(track.content).hexdigest() if isinstance(track, BedFile) else track
    return {"track": name, "cell_type": cell_type, "definition": definition, "cut": cut, "scheme": scheme}


def register(app: Dash, client: Client, settings: Settings) -> None:
    """Add the callbacks to the app."""
    register_choice(app, client)
    register_comparison(app, client, settings)
    register_chance(app, client)
    register_download(app, client)


def register_choice(app: Dash, client: Client) -> None:
    """The tracks to choose from: what the service holds, and a file that was dropped; keep it, delete it."""

    @app.callback(
        Output(ids.TF_TRACK, "data"),
        Output(ids.TF_TRACK, "value"),
        Output(ids.TF_TRACK_NOTICE, "children"),
        Input(ids.BED, "filename"),
        Input(ids.BED, "last_modified"),
        Input(ids.TF_KEEP, "n_clicks"),
        Input(ids.TF_FORGET, "n_clicks"),
        State(ids.BED, "contents"),
        State(ids.TF_TRACK, "value"),
        prevent_initial_call=True,
    )
    @or_notice(2)
    async def choose(
        filename: str | None, _when: float, _keep: int, _forget: int, contents: str | None, chosen: str | None
    ) -> Any:
        dropped = filename
        if ctx.triggered_id == ids.TF_KEEP:
            track = track_of(chosen, contents, filename)
            assert isinstance(track, BedFile)
            chosen, dropped = (await client.keep_track(track)).track_id, None
        elif ctx.triggered_id == ids.TF_FORGET:
            await client.forget_track(str(chosen))
            chosen = DROPPED if dropped else None
        else:
            chosen = DROPPED
        held = (await client.tracks()).tracks
        chosen = chosen or next((track.track_id for track in held), None)
        return tf.track_options(held, dropped), chosen

    in_browser(
        app,
        "tfButtons",
        Output(ids.TF_KEEP, "style"),
        Output(ids.TF_FORGET, "style"),
        Input(ids.TF_TRACK, "value"),
        Input(ids.TF_TRACK, "data"),
    )
    in_browser(
        app,
        "tfShown",
        Output(ids.TF_SHOWN, "data"),
        Input(ids.TF_TYPE, "value"),
        Input(ids.TF_DEFINITION, "value"),
        Input(ids.TF_TRACK, "value"),
        Input(ids.TF_TAB, "value"),
        Input(ids.TF_MEASURE, "value"),
    )
    in_browser(
        app,
        "tfSight",
        Output(ids.TF_SIGHT, "data"),
        Input(ids.VIEW, "value"),
        Input(ids.TF_TAB, "value"),
        State(ids.TF_SIGHT, "data"),
    )


def register_comparison(app: Dash, client: Client, settings: Settings) -> None:
    """One track beside one type, for the tabs of tracks, scatter and measures."""

    @app.callback(
        Output(ids.TF_TRACKS, "figure"),
        Output(ids.TF_DRAWN, "data"),
        Output(ids.TF_SUMMARY, "children"),
        Output(ids.TF_RESULT, "className"),
        *(Output(*place) for place in (*SCATTERED, *MEASURED)),
        Output(ids.TF_ASKED, "data"),
        Output(ids.TF_NOTICE, "children"),
        Input(ids.TF_TRACK, "value"),
        Input(ids.BED, "contents"),
        Input(ids.TF_TYPE, "value"),
        Input(ids.TF_DEFINITION, "value"),
        Input(ids.SETTLED_OF["tf"], "data"),
        Input(ids.TF_WINDOW, "data"),
        Input(ids.SCHEME, "data"),
        Input(ids.TF_SIGHT, "data"),
        State(ids.BED, "filename"),
        State(ids.TF_DRAWN, "data"),
        State(ids.TF_ASKED, "data"),
    )
    @or_notice(10, instead=(no_update, None, "", "refused", no_update, "", no_update, None, None, None))
    async def compare(
        chosen: str | None,
        contents: str | None,
        cell_type: str | None,
        definition: Definition,
        cut: dict[str, Any],
        window: list[int] | None,
        scheme: Scheme,
        sight: str | None,
        filename: str | None,
        drawn: list[str] | None,
        before: dict[str, Any] | None,
    ) -> Any:
        if sight != "compare" or not cell_type:
            raise PreventUpdate
        track = track_of(chosen, contents, filename)
        request = asked(track, cell_type, definition, cut, scheme)
        moved = request == before and ctx.triggered_id == ids.TF_WINDOW
        if request == before and not moved:  # the view has come back into sight as it was
            raise PreventUpdate
        comparison = await client.compare_track(cell_type, cut_of(cut), definition, track, chance=False)
        dataset = await client.dataset()
        genome, tracks = genome_of(dataset), tf.tracks_of(comparison, scheme)
        now = [request["track"], cell_type, definition, scheme]
        start, stop = window or (0, dataset.n_peaks)
        if drawn == now:
            figure: Any = tracks_patch(tracks, genome, start, stop, bins=settings.track_bins)
        else:
            figure = tracks_figure(tracks, genome, scheme, bins=settings.track_bins, height=tf.HEIGHT)
        if moved:  # zooming leaves the rest as it is
            return figure, now, *(no_update,) * (len(SCATTERED) + len(MEASURED) + 3)
        return (
            figure,
            now,
            tf.summary(comparison),
            "",
            *scattered(comparison, scheme),
            *measured(comparison, scheme),
            request,
        )

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
    asked_last = Input(ids.TF_ASKED, "data", allow_optional=True)
    in_browser(app, "tfIdle", asked_last, Input(ids.CUT, "data"), prevent_initial_call=True)

    @app.callback(
        *(Output(*place, allow_duplicate=True) for place in MEASURED),
        Output(ids.TF_NOTICE, "children", allow_duplicate=True),
        Input(ids.TF_IDLE, "data"),
        State(ids.TF_TRACK, "value"),
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
        chosen: str | None,
        contents: str | None,
        filename: str | None,
        cell_type: str,
        definition: Definition,
        cut: dict[str, Any],
        scheme: Scheme,
    ) -> Any:
        if not idle:
            raise PreventUpdate
        track = track_of(chosen, contents, filename)
        if idle["asked"] != asked(track, cell_type, definition, cut, scheme):  # the controls have moved on
            raise PreventUpdate
        return measured(await client.compare_track(cell_type, cut_of(cut), definition, track), scheme)


def register_download(app: Dash, client: Client) -> None:
    """Both tracks as a file."""

    @app.callback(
        Output(ids.TF_FILE, "data"),
        Output(ids.TF_NOTICE, "children", allow_duplicate=True),
        Input(ids.TF_SAVE, "n_clicks"),
        State(ids.TF_TRACK, "value"),
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
        chosen: str | None,
        contents: str | None,
        filename: str | None,
        cell_type: str,
        definition: Definition,
        cut: dict[str, Any],
    ) -> Any:
        track = track_of(chosen, contents, filename)
        text = await client.track_csv(cell_type, cut_of(cut), definition, track)
        name = track.name if isinstance(track, BedFile) else await name_of(client, track)
        return ({"content": text, "filename": tf.csv_name(cell_type, name), "type": "text/csv"},)


async def name_of(client: Client, track_id: str) -> str:
    """Name of a held track."""
    return next((one.name for one in (await client.tracks()).tracks if one.track_id == track_id), track_id)
