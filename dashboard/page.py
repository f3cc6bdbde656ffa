"""The page: what is there before anything is known, and the whole of it once the data set is."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import dash_mantine_components as dmc
from dash import dcc, html

from bi2scope.dashboard import cell, celltype, ids, locus, overview, tf
from bi2scope.dashboard.address import VIEWS, Shown, View, missing, missing_track
from bi2scope.dashboard.components import Parts, aria
from bi2scope.dashboard.controls import cut_controls
from bi2scope.dashboard.figures.style import as_light
from bi2scope.dashboard.header import header, reliability_warning
from bi2scope.dashboard.keys import keys_list
from bi2scope.dashboard.notices import address_notes
from bi2scope.dashboard.settings import Settings
from bi2scope.server.wire import CellSummary, DatasetInfo
from bi2scope.server.wire_service import StoreSummary
from bi2scope.server.wire_tf import TrackInfo

THEME = {"primaryColor": "blue", "defaultRadius": "sm", "cursorType": "pointer"}


def shell() -> dmc.MantineProvider:
    """What is there at once: the place for the page, and the store of the address that it opens with."""
    return dmc.MantineProvider(
        [
            dcc.Store(id=ids.BOOT, data=0),
            dcc.Store(id=ids.ADDRESS),
            dcc.Store(id=ids.SCHEME, data="light"),
            html.Div(id=ids.ALARM, className="alarm"),
            html.Div(id=ids.CONNECTION, className="connection", role="alert", hidden=True),
            html.Div(waiting(), id=ids.PAGE),
        ],
        theme=THEME,
        defaultColorScheme="auto",
    )


def waiting() -> html.Div:
    """Bars in the shape of the page while it is fetched."""
    return html.Div(
        [dmc.Skeleton(height=44, mb="md"), dmc.Skeleton(height=320, mb="md"), dmc.Skeleton(height=200)],
        style={"padding": 24},
        role="status",
        **aria(label="Loading"),
    )


@dataclass(frozen=True)
class Offered:
    """What the page offers to choose from, beside what the data set says.

    Attributes
    ----------
    cells
        The first cells of the data set.
    stores
        The data sets that the service holds.
    tracks
        The TF-binding tracks that it holds.
    """

    cells: Sequence[CellSummary] = ()
    stores: Sequence[StoreSummary] = ()
    tracks: Sequence[TrackInfo] = ()


def page(dataset: DatasetInfo, offered: Offered, shown: Shown, settings: Settings) -> dmc.AppShell:
    """The whole page for a data set, showing what the address asks for."""
    types = dataset.cell_types
    problems = [
        *shown.problems,
        *missing(shown, [kind.name for kind in types], dataset.k_max),
        *missing_track(shown, [track.track_id for track in offered.tracks]),
    ]
    parts = view_parts(shown.view, dataset, offered, shown, settings)
    sides, panels = ({view: found if view == shown.view else [] for view in VIEWS} for found in parts)
    return dmc.AppShell(
        [
            html.A("Skip to the content", href="#content", className="skip"),
            keys_list(),
            origin(dataset),
            dcc.Store(id=ids.OPENED),
            dcc.Store(id=ids.ZOOMED, data={name: getattr(shown, name) for name in ("view", "window", "span", "lasso")}),
            dmc.AppShellHeader(header(dataset, shown.view, offered.stores)),
            dmc.AppShellNavbar(
                dmc.ScrollArea(
                    html.Div(
                        [
                            *[section(ids.SIDES[view], sides[view], view == shown.view) for view in VIEWS],
                            cut_controls(dataset, shown.cut),
                        ],
                        className="side",
                    ),
                    h="100%",
                    type="auto",
                ),
                **aria(label="Controls"),
            ),
            dmc.AppShellMain(
                [
                    html.Div(id="content", tabIndex=-1),
                    address_notes(problems),
                    reliability_warning(dataset.training),
                    *[section(ids.PANELS[view], [tab_panel(view, panels[view])], view == shown.view) for view in VIEWS],
                ]
            ),
        ],
        id=ids.SHELL,
        header={"height": 92},
        navbar=navbar(shown.view),
        padding="md",
        transitionDuration=0,
    )


def view_parts(
    view: View, dataset: DatasetInfo, offered: Offered, shown: Shown, settings: Settings
) -> tuple[Parts, Parts]:
    """Controls and main part of one view. The page has those of the view in sight; others come when they are opened.

    The browser looks at every component of the page on every change, so those that nobody sees slow the others down.
    """
    types, cells = dataset.cell_types, offered.cells
    known = [name for name in shown.cell_types if any(kind.name == name for kind in types)]
    if view == "overview":
        return [], overview.panel(dataset, shown.by)
    if view == "cell":
        chosen = shown.cell or next((one.cell_id for one in cells), None)
        main = cell.panel(shown.colours, shown.beside, shown.other, shown.link)
        return cell.side(types, cells, chosen, shown.only), main
    if view == "locus":
        return locus.side(types, shown, cells), locus.panel(shown)
    if view == "celltype":
        return celltype.side(dataset, known or celltype.default_types(types), shown), celltype.panel(shown)
    first_type = known[0] if known else next((kind.name for kind in types), None)
    tracks = tf.track_control(offered.tracks, shown.tf)
    return tf.side(types, first_type, shown.definition, tracks, settings.max_bed_bytes), tf.panel(shown.tf)


def origin(dataset: DatasetInfo) -> html.Div:
    """What files that the browser makes say of themselves, and how it colours what they show."""
    lines = [
        f"bi2scope {dataset.version}",
        f"data set: {dataset.name}, SHA-256 {dataset.dataset_digest}",
        f"model: SHA-256 {dataset.model_digest}",
    ]
    given: dict[str, Any] = {
        "data-name": dataset.name,
        "data-lines": json.dumps(lines),
        "data-colours": json.dumps(as_light()),
    }
    return html.Div(id=ids.ORIGIN, hidden=True, **given)


def navbar(view: View) -> dict[str, Any]:
    """Width of the controls; the overview has none to show."""
    return {"width": 292, "breakpoint": "sm", "collapsed": {"desktop": view == "overview", "mobile": False}}


def tab_panel(view: View, children: Parts) -> html.Div:
    """What a tab of the header opens, under the name by which that tab calls it."""
    return html.Div(
        children,
        id=ids.TAB_PANELS[view],
        className="part",
        role="tabpanel",
        **aria(labelledby=f"{ids.VIEW}-tab-{view}"),
    )


def section(name: str, children: Parts, visible: bool) -> html.Div:
    """A part of the page that belongs to one view; the browser shows and hides it."""
    return html.Div(children, id=name, className="part", style={"display": "flex" if visible else "none"})
