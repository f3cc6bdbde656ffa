"""Callbacks of the cell-type view's other parts: the difference of two types, and the regulatory map."""

from __future__ import annotations

import asyncio
from typing import Any

from dash import Dash, Input, Output, State
from dash.exceptions import PreventUpdate

from bi2scope.dashboard import contrast, ids, regulatory
from bi2scope.dashboard.address import Feature, difference_csv
from bi2scope.dashboard.callbacks.page import require_view
from bi2scope.dashboard.client import Client
from bi2scope.dashboard.components import nothing_yet
from bi2scope.dashboard.controls import csv_link, cut_of
from bi2scope.dashboard.figures.pairs import Box, pairs_figure, spoken, squares
from bi2scope.dashboard.figures.style import Scheme
from bi2scope.dashboard.figures.volcano import beside_figure, volcano_figure
from bi2scope.dashboard.nearest import TssShelf
from bi2scope.dashboard.notices import or_notice
from bi2scope.dashboard.settings import Settings


def require_part(view: str, part: str, mine: str, *chosen: object) -> None:
    """Stop a callback whose part of the cell-type view is out of sight, or for which something is to be chosen."""
    require_view(view, "celltype", *chosen)
    if part != mine:
        raise PreventUpdate


def register_difference(app: Dash, client: Client, settings: Settings, genes: TssShelf) -> None:
    """Volcano, attention beside accessibility, table."""

    @app.callback(
        Output(ids.VOLCANO, "figure"),
        Output(ids.BESIDE_OPEN, "figure"),
        Output(ids.DIFFERENCE_TITLE, "children"),
        Output(ids.DIFFERENCE_CAPTION, "children"),
        Output(ids.DIFFERENCE_TABLE, "rowData"),
        Output(ids.DIFFERENCE_TABLE, "columnDefs"),
        Output(ids.DIFFERENCE_FILE, "children"),
        Output(ids.DIFFERENCE_NOTICE, "children"),
        Input(ids.KIND, "value"),
        Input(ids.AGAINST, "value"),
        Input(ids.FEATURE, "value"),
        Input(ids.SETTLED_OF["celltype"], "data"),
        Input(ids.SCHEME, "data"),
        Input(ids.VIEW, "value"),
        Input(ids.PART, "value"),
    )
    @or_notice(7, instead=(nothing_yet(), nothing_yet(), "Difference", [], [], contrast.columns("peaks"), []))
    async def draw_difference(
        kind: str | None,
        against: str,
        feature: Feature,
        cut_given: dict[str, Any],
        scheme: Scheme,
        view: str,
        part: str,
    ) -> Any:
        require_part(view, part, "difference", kind)
        assert kind is not None
        cut, asked = cut_of(cut_given), {"against": against} if against else {}
        dataset, body = await asyncio.gather(
            client.dataset(), client.difference(kind, feature, cut, limit=contrast.MOST_POINTS, **asked)
        )
        tss = await genes.of(dataset.dataset_digest)
        found, counted = contrast.Contrasted.of(body, tss), "accessibility" if feature == "peaks" else "expression"
        csv = csv_link("Download CSV", href=difference_csv(kind, asked, feature, cut, settings.public_api))
        return (
            volcano_figure(found, kind, against or "others", counted, scheme),
            beside_figure(found, kind, counted, scheme),
            contrast.title(body),
            contrast.caption(body, dataset.k_max),
            contrast.rows(body, tss),
            contrast.columns(feature),
            csv,
        )


def register_map(app: Dash, client: Client, settings: Settings) -> None:
    """Matrix and table of the regulatory map."""

    @app.callback(
        Output(ids.PAIRS_MAP, "figure"),
        Output(ids.PAIRS_DRAWN, "data"),
        Output(ids.PAIRS_TITLE, "children"),
        Output(ids.PAIRS_CAPTION, "children"),
        Output(ids.PAIRS_TABLE, "rowData"),
        Output(ids.PAIRS_FILE, "children"),
        Output(ids.PAIRS_NOTICE, "children"),
        Input(ids.KIND, "value"),
        Input(ids.MAP_CHROMOSOME, "value"),
        Input(ids.PAIRS_WINDOW, "data"),
        Input(ids.LAYER, "value"),
        Input(ids.HEAD, "value"),
        Input(ids.SCHEME, "data"),
        Input(ids.VIEW, "value"),
        Input(ids.PART, "value"),
        State(ids.CUT, "data"),
    )
    @or_notice(6, instead=(nothing_yet(), None, "Regulatory map", [], [], []))
    async def draw_map(
        kind: str | None,
        chromosome: str | None,
        window: list[int] | None,
        layer: str,
        head: str,
        scheme: Scheme,
        view: str,
        part: str,
        cut_given: dict[str, Any],
    ) -> Any:
        require_part(view, part, "map", kind, chromosome)
        assert kind is not None and chromosome is not None  # noqa: PT018
        cut = cut_of({**cut_given, "layer": int(layer), "head": int(head)})
        dataset, body, whole = await asyncio.gather(
            client.dataset(),
            client.region_pairs(kind, chromosome, cut, limit=regulatory.MOST_PAIRS),
            client.region(chromosome, cut, bins=1),
        )
        box = Box(*(window or (0, whole.chrom_end, 0, whole.chrom_end)))
        seen = squares(body.pairs, box)
        none_there = regulatory.nothing_there(body)
        return (
            pairs_figure(body, seen, box, whole.chrom_end, scheme),
            spoken(body.pairs, seen, box),
            regulatory.title(body),
            none_there or regulatory.caption(body, dataset.k_max),
            regulatory.rows(body),
            regulatory.files(kind, chromosome, cut, settings.public_api),
        )
