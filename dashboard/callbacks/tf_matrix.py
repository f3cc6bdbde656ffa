"""Callbacks of the TF-binding view's table of types by tracks."""

from __future__ import annotations

from typing import Any

from dash import Dash, Input, Output, State, no_update
from dash.exceptions import PreventUpdate

from bi2scope.dashboard import ids, tf_matrix
from bi2scope.dashboard.address import MatrixMeasure, matrix_csv
from bi2scope.dashboard.callbacks.page import in_browser
from bi2scope.dashboard.client import Client
from bi2scope.dashboard.components import nothing_yet
from bi2scope.dashboard.controls import csv_link, cut_of
from bi2scope.dashboard.figures.style import Scheme
from bi2scope.dashboard.figures.track_matrix import height_of, matrix_figure, width_of
from bi2scope.dashboard.notices import or_notice
from bi2scope.dashboard.settings import Settings
from bi2scope.server.wire import Definition
from bi2scope.server.wire_tf import TrackMatrix

DRAWN = (ids.TF_MATRIX, "figure"), (ids.TF_MATRIX_CAPTION, "children"), (ids.TF_MATRIX_ROWS, "rowData")
"""Where the table is shown: what :func:`drawn` gives goes there."""


def drawn(matrix: TrackMatrix, measure: MatrixMeasure, scheme: Scheme) -> tuple[Any, ...]:
    """Figure, caption and rows of a table."""
    table = tf_matrix.spots(matrix, measure)
    figure = matrix_figure(table, measure, matrix.base_rate, scheme)
    return figure, tf_matrix.caption(matrix, measure), [spot.row for row in table for spot in row]


def register(app: Dash, client: Client, settings: Settings) -> None:
    """Add the callbacks to the app."""
    register_table(app, client, settings)
    register_chance(app, client)
    in_browser(
        app,
        "tfOpen",
        Output(ids.TF_TYPE, "value"),
        Output(ids.TF_TRACK, "value", allow_duplicate=True),
        Output(ids.TF_TAB, "value"),
        Input(ids.TF_MATRIX, "clickData"),
        Input(ids.TF_MATRIX_ROWS, "cellClicked"),
        Input(ids.TF_MATRIX_ROWS, "selectedRows"),
        State(ids.TF_MATRIX_ROWS, "rowData"),
        prevent_initial_call=True,
    )


def register_table(app: Dash, client: Client, settings: Settings) -> None:
    """The values at once, without what chance gives."""

    @app.callback(
        *(Output(*place) for place in DRAWN),
        Output(ids.TF_MATRIX, "style"),
        Output(ids.TF_MATRIX_FILES, "children"),
        Output(ids.TF_MATRIX_ASKED, "data"),
        Output(ids.TF_MATRIX_NOTICE, "children"),
        Input(ids.TF_MEASURE, "value"),
        Input(ids.TF_DEFINITION, "value"),
        Input(ids.SETTLED_OF["tf"], "data"),
        Input(ids.SCHEME, "data"),
        Input(ids.TF_SIGHT, "data"),
        Input(ids.TF_TRACK, "data"),
        State(ids.TF_MATRIX_ASKED, "data"),
    )
    @or_notice(6, instead=(no_update, "", [], {"display": "none"}, None, None))
    async def lay_out(
        measure: MatrixMeasure,
        definition: Definition,
        cut: dict[str, Any],
        scheme: Scheme,
        sight: str | None,
        held: list[dict[str, Any]] | None,
        before: dict[str, Any] | None,
    ) -> Any:
        request = asked(measure, definition, cut, scheme, held)
        if sight != "matrix" or request == before:
            raise PreventUpdate
        served = tf_matrix.served(measure)
        matrix = await client.track_matrix(served, cut_of(cut), definition, chance=False)
        if not matrix.tracks:
            return nothing_yet(), tf_matrix.none_held(), [], {"display": "none"}, None, request
        size = {"height": height_of(len(matrix.cell_types)), "minWidth": width_of(len(matrix.tracks))}
        link = csv_link(
            "Download this table CSV", href=matrix_csv(served, definition, cut_of(cut), settings.public_api)
        )
        return *drawn(matrix, measure, scheme), size, link, request


def register_chance(app: Dash, client: Client) -> None:
    """What chance gives, once nothing has moved for a while."""
    asked_last = Input(ids.TF_MATRIX_ASKED, "data", allow_optional=True)
    in_browser(app, "matrixIdle", asked_last, Input(ids.CUT, "data"), prevent_initial_call=True)

    @app.callback(
        *(Output(*place, allow_duplicate=True) for place in DRAWN),
        Output(ids.TF_MATRIX_NOTICE, "children", allow_duplicate=True),
        Input(ids.TF_MATRIX_IDLE, "data"),
        State(ids.TF_MEASURE, "value"),
        State(ids.TF_DEFINITION, "value"),
        State(ids.CUT_SETTLED, "data"),
        State(ids.SCHEME, "data"),
        State(ids.TF_TRACK, "data"),
        prevent_initial_call=True,
    )
    @or_notice(3)
    async def chance(
        idle: dict[str, Any] | None,
        measure: MatrixMeasure,
        definition: Definition,
        cut: dict[str, Any],
        scheme: Scheme,
        held: list[dict[str, Any]] | None,
    ) -> Any:
        if not idle or idle["asked"] != asked(measure, definition, cut, scheme, held):  # the controls have moved on
            raise PreventUpdate
        matrix = await client.track_matrix(tf_matrix.served(measure), cut_of(cut), definition)
        if not matrix.tracks:
            raise PreventUpdate
        return drawn(matrix, measure, scheme)


def asked(
    measure: MatrixMeasure,
    definition: Definition,
    cut: dict[str, Any],
    scheme: Scheme,
    held: list[dict[str, Any]] | None,
) -> dict[str, Any]:
    """What an answer is for, so that a later one can be told from it."""
    tracks = [item["value"] for group in held or [] for item in group["items"]]
    return {"measure": measure, "definition": definition, "cut": cut, "scheme": scheme, "tracks": tracks}
