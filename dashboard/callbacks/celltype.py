"""Callbacks of the cell-type view."""

from __future__ import annotations

import asyncio
from typing import Any

from dash import Dash, Input, Output, State, no_update

from bi2scope.dashboard import celltype, ids
from bi2scope.dashboard.address import Panels, Quantity, TypeShown
from bi2scope.dashboard.callbacks.kinds import register_difference, register_map, require_part
from bi2scope.dashboard.callbacks.page import in_browser
from bi2scope.dashboard.client import Client
from bi2scope.dashboard.controls import cut_data, cut_of
from bi2scope.dashboard.figures import facets
from bi2scope.dashboard.figures.style import Scheme
from bi2scope.dashboard.figures.tracks import height_of, tracks_figure, tracks_patch
from bi2scope.dashboard.links import peak_rows
from bi2scope.dashboard.nearest import TssShelf
from bi2scope.dashboard.notices import or_notice
from bi2scope.dashboard.settings import Settings


def register(app: Dash, client: Client, settings: Settings) -> None:
    """Add the callbacks to the app."""
    genes = TssShelf(client)
    register_peaks(app, client, settings, genes)
    register_difference(app, client, settings, genes)
    register_map(app, client, settings)
    register_parts(app)


def register_peaks(app: Dash, client: Client, settings: Settings, genes: TssShelf) -> None:
    """The tracks and the table of the highest peaks."""

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
        Input(ids.TRACK_PANELS, "value"),
        Input(ids.SETTLED_OF["celltype"], "data"),
        Input(ids.TRACK_WINDOW, "data"),
        Input(ids.SCHEME, "data"),
        Input(ids.VIEW, "value"),
        Input(ids.PART, "value"),
        State(ids.TRACKS_DRAWN, "data"),
    )
    @or_notice(7)
    async def draw_tracks(
        types: list[str],
        quantity: Quantity,
        panels: Panels,
        cut_given: dict[str, Any],
        window: list[int] | None,
        scheme: Scheme,
        view: str,
        part: str,
        drawn: list[Any] | None,
    ) -> Any:
        require_part(view, part, "peaks", types)
        cut = cut_of(cut_given)
        dataset = await client.dataset()
        scores = await asyncio.gather(*[client.scores(kind, cut) for kind in types])
        tss = await genes.of(dataset.dataset_digest)
        tracks = [celltype.track_of(one, quantity, dataset, tss) for one in scores]
        genome = celltype.genome_of(dataset, scores[0].peak)
        frame = [types, quantity, scheme, panels]
        now = [*frame, cut_data(cut)]
        start, stop = window or (0, dataset.n_peaks)
        if panels == "each":
            figure: Any = facets.facets_figure(tracks, genome, scheme)
        elif drawn is not None and drawn[:4] == frame:
            figure = tracks_patch(tracks, genome, start, stop, bins=settings.track_bins)
        else:
            figure = tracks_figure(tracks, genome, scheme, bins=settings.track_bins)
        if drawn == now:  # only the window moved: the table stands
            return figure, no_update, no_update, no_update, no_update, no_update, no_update
        rows = [row for one in scores for row in peak_rows(one, quantity, settings.top_peaks, tss)]
        return (
            figure,
            {"height": facets.height_of(len(genome.spans)) if panels == "each" else height_of(len(tracks))},
            now,
            [
                celltype.nothing_left(scores, quantity),
                *celltype.caption(scores, TypeShown(quantity=quantity, panels=panels), dataset.k_max),
            ],
            rows,
            celltype.peaks_title(quantity, settings.top_peaks),
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


def register_parts(app: Dash) -> None:
    """Which part is in sight, what the address says of it, and what a click opens; all in the browser."""
    in_browser(
        app,
        "showPart",
        *[Output(name, "style") for name in ids.PART_SIDES.values()],
        Output(ids.KIND, "style"),
        Input(ids.PART, "value"),
    )
    in_browser(
        app,
        "typeState",
        Output(ids.TYPE_STATE, "data"),
        Input(ids.PART, "value"),
        Input(ids.KIND, "value"),
        Input(ids.AGAINST, "value"),
        Input(ids.FEATURE, "value"),
        Input(ids.MAP_CHROMOSOME, "value"),
        Input(ids.TRACK_PANELS, "value"),
    )
    in_browser(app, "goToChromosome", Input(ids.CHROMOSOME, "value"), prevent_initial_call=True)
    in_browser(
        app,
        "nameChromosome",
        Output(ids.CHROMOSOME, "value"),
        Input(ids.TRACK_WINDOW, "data"),
        State(ids.CHROMOSOME, "data"),
        prevent_initial_call=True,
    )
    in_browser(
        app,
        "pairsWindow",
        Output(ids.PAIRS_WINDOW, "data"),
        Input(ids.PAIRS_MAP, "relayoutData"),
        Input(ids.MAP_CHROMOSOME, "value"),
        prevent_initial_call=True,
    )
    for figure in (ids.TRACKS, ids.VOLCANO, ids.BESIDE_OPEN):
        in_browser(
            app,
            "openPoint",
            Input(figure, "clickData"),
            State(ids.KIND, "value"),
            State(ids.TYPES, "value"),
            prevent_initial_call=True,
        )
    for table in (ids.PEAKS, ids.DIFFERENCE_TABLE, ids.PAIRS_TABLE):
        in_browser(
            app,
            "openRow",
            Input(table, "cellClicked"),
            State(table, "virtualRowData"),
            State(ids.KIND, "value"),
            prevent_initial_call=True,
        )
    in_browser(
        app,
        "openSquare",
        Input(ids.PAIRS_MAP, "clickData"),
        State(ids.PAIRS_DRAWN, "data"),
        State(ids.KIND, "value"),
        prevent_initial_call=True,
    )
    in_browser(
        app,
        "squareTooltip",
        *[Output(ids.PAIRS_TOOLTIP, prop) for prop in ("show", "bbox", "direction", "children")],
        Input(ids.PAIRS_MAP, "hoverData"),
        State(ids.PAIRS_DRAWN, "data"),
        prevent_initial_call=True,
    )
