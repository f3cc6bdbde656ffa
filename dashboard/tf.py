"""TF-binding view: a track of binding sites beside a cell type's cumulative scores, and how alike the two are."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from typing import Any

import dash_mantine_components as dmc
import numpy as np
from dash import dcc, html

from bi2scope.dashboard import ids, tf_matrix
from bi2scope.dashboard.address import DROPPED, TfShown, TfTab
from bi2scope.dashboard.client import ClientError
from bi2scope.dashboard.components import Part, Parts, aria, graph
from bi2scope.dashboard.controls import QUANTITIES, definition_control
from bi2scope.dashboard.figures.style import SCHEMES, Scheme
from bi2scope.dashboard.figures.tracks import Track, height_of
from bi2scope.server.wire import CellTypeSummary, Definition
from bi2scope.server.wire_tf import TrackComparison, TrackInfo

HEIGHT = 210
"""Height of each of the two tracks, in pixels."""

TAB_NAMES: dict[TfTab, str] = {
    "tracks": "Tracks",
    "scatter": "Scatter",
    "measures": "Measures",
    "matrix": "Types × tracks",
}
GROUPS = {"folder": "Of the service", "upload": "Uploaded to the service"}


def side(types: Sequence[CellTypeSummary], chosen: str | None, definition: Definition, track: Part, most: int) -> Parts:
    """Controls of the view: the track (held, or a BED of one's own), the type, the definition."""
    return [
        track,
        html.Div(
            [
                dcc.Upload(
                    id=ids.BED,
                    children=html.Div(
                        ["Drop a BED file here, or ", html.Span("choose one", className="choose", tabIndex="0")]
                    ),
                    multiple=False,
                    max_size=most,
                    className="drop",
                    className_active="drop active",
                    className_reject="drop reject",
                    style={},
                ),
                dmc.Text(
                    f"BED3 to BED6+, narrowPeak; plain or .gz, up to {most // 2**20} MiB. "
                    "It goes to this service alone.",
                    size="xs",
                    c="dimmed",
                    mt=4,
                ),
                html.Div(
                    [
                        dmc.Button("Keep it on the service", id=ids.TF_KEEP, size="xs", variant="default", mt=8),
                        dmc.Button("Delete this upload", id=ids.TF_FORGET, size="xs", variant="default", mt=8),
                    ],
                    className="track-buttons",
                ),
                html.Div(id=ids.TF_TRACK_NOTICE),
            ]
        ),
        dmc.Select(
            id=ids.TF_TYPE,
            label="Cell type",
            data=[{"value": kind.name, "label": f"{kind.name} ({kind.n_cells:,})"} for kind in types],
            value=chosen,
            allowDeselect=False,
            size="sm",
        ),
        definition_control(ids.TF_DEFINITION, "Cumulative score of", definition),
    ]


def track_control(held: Sequence[TrackInfo], shown: TfShown) -> dmc.Select:
    """Choice among the tracks that the service holds; the first of them unless the address names one."""
    known = [track.track_id for track in held]
    return dmc.Select(
        id=ids.TF_TRACK,
        label="TF-binding track",
        placeholder="Choose one" if held else "Drop a BED file below",
        data=track_options(held),
        value=shown.track if shown.track in known else next(iter(known), None),
        allowDeselect=False,
        searchable=len(known) > 8,
        nothingFoundMessage="No track is called so",
        size="sm",
    )


def track_options(held: Sequence[TrackInfo], dropped: str | None = None) -> list[dict[str, Any]]:
    """Tracks to choose from, by where they are; ``dropped`` is the name of a file that is not kept."""
    groups: list[dict[str, Any]] = [
        {
            "group": group,
            "items": [
                {"value": track.track_id, "label": f"{track.name} ({track.n_intervals:,})"}
                for track in held
                if track.source == source
            ],
        }
        for source, group in GROUPS.items()
    ]
    if dropped is not None:
        groups.append({"group": "Dropped here, not kept", "items": [{"value": DROPPED, "label": dropped}]})
    return [group for group in groups if group["items"]]


def panel(shown: TfShown) -> Parts:
    """The main part: what the measures say; two tracks, a scatter plot, the measures, the table of types by tracks."""
    panels: dict[TfTab, Parts] = {
        "tracks": tracks_panel(),
        "scatter": scatter_panel(),
        "measures": measures_panel(),
        "matrix": tf_matrix.panel(shown.measure),
    }
    return [
        html.H2("TF binding beside cumulative scores"),
        html.Div(id=ids.TF_NOTICE),
        dmc.Tabs(
            [
                dmc.TabsList(
                    [dmc.TabsTab(name, value=tab) for tab, name in TAB_NAMES.items()],
                    mb="md",
                    **aria(label="Parts of the view"),
                ),
                html.Div(
                    [
                        instruction(),
                        awaiting(),
                        html.Div(
                            [
                                html.P(id=ids.TF_SUMMARY, className="caption"),
                                html.Div(id=ids.TF_WORDS, className="verdict", **aria(live="polite")),
                            ],
                            className="with-track",
                        ),
                        *[
                            dmc.TabsPanel(html.Div(parts, className="part"), value=tab, pt=4)
                            for tab, parts in panels.items()
                        ],
                    ],
                    id=ids.TF_RESULT,
                    className="no-track",
                ),
            ],
            id=ids.TF_TAB,
            variant="pills",
            value=shown.tab,
        ),
        *[
            dcc.Store(id=name)
            for name in (ids.TF_DRAWN, ids.TF_WINDOW, ids.TF_ASKED, ids.TF_IDLE, ids.TF_SHOWN, ids.TF_SIGHT)
        ],
        dcc.Download(id=ids.TF_FILE),
    ]


def tracks_panel() -> Parts:
    """The paper's figure: binding above, cumulative scores below, one axis."""
    drawn = graph(ids.TF_TRACKS, "tf-binding", style={"height": height_of(2, HEIGHT)})
    save = dmc.Button("Download both tracks CSV", id=ids.TF_SAVE, color="#1864ab")
    return [html.Div([drawn, html.Div(save)], className="with-track part")]


def scatter_panel() -> Parts:
    """Score against signal, peak by peak."""
    drawn = graph(ids.TF_SCATTER, "tf-scatter", wheel=False)
    caption = html.P(id=ids.TF_SCATTER_CAPTION, className="caption")
    return [html.Div([drawn, caption], className="with-track part")]


def measures_panel() -> Parts:
    """The measures as a figure and as a table."""
    return [
        html.Div(
            [
                graph(ids.TF_FOREST, "tf-measures", wheel=False),
                html.Div(id=ids.TF_MEASURES, className="measures-box", role="region", tabIndex="0",
                         **aria(label="Measures")),
            ],
            className="forest-and-table with-track",
        )
    ]  # fmt: skip


def awaiting() -> html.Div:
    """In the place of the first comparison while it is made."""
    return html.Div(
        [
            html.P("Comparing the track with the cumulative scores …", className="caption"),
            dmc.Skeleton(height=2 * HEIGHT),
        ],
        className="awaiting",
        role="status",
    )


def instruction() -> html.Div:
    """What to do before there is a track."""
    return html.Div(
        [
            html.P(
                "Drop a BED file of binding sites (ChIP-seq peaks of a factor, on the same genome build) to lay it "
                "beside the cumulative scores of a cell type."
            ),
            html.P(["To have tracks here for everybody, start the service with a folder of them: ",
                    html.Code("bi2scope serve STORE --tracks FOLDER")]),
        ],
        className="without-track prose",
    )  # fmt: skip


def uploaded(contents: str) -> bytes:
    """The bytes of a file as the browser hands it over, ``data:...;base64,...``.

    Raises
    ------
    ClientError
        If it is not of that form.
    """
    try:
        return base64.b64decode(contents.partition(",")[2], validate=True)
    except (binascii.Error, ValueError) as error:
        raise ClientError("The file did not come through whole.", "Drop it again.") from error


def csv_name(cell_type: str, track: str) -> str:
    """Name of the file with both tracks; what no file system takes becomes a dash."""
    return "_".join(re.sub(r'[\s/\\:*?"<>|]+', "-", part) for part in ("bi2scope", "tf", cell_type, track)) + ".csv"


def quantity_of(comparison: TrackComparison) -> str:
    """What the signal of a track is."""
    return "Present" if comparison.score_column == "presence" else f"BED {comparison.score_column}"


def tracks_of(comparison: TrackComparison, scheme: Scheme) -> list[Track]:
    """TF binding above, cumulative score below, as in the paper's figure."""
    colours = SCHEMES[scheme]
    return [
        Track(
            comparison.track,
            quantity_of(comparison),
            np.asarray(comparison.columns.tf, dtype=np.float64),
            colours.secondary,
        ),
        Track(
            f"{comparison.cell_type}, cumulative {comparison.definition}",
            QUANTITIES[comparison.definition],
            np.asarray(comparison.columns.cumulative, dtype=np.float64),
            colours.primary,
        ),
    ]


def summary(comparison: TrackComparison) -> str:
    """How much of the BED meets the data set."""
    source = (
        "It has no score column: an interval counts as 1."
        if comparison.score_column == "presence"
        else f"A peak takes the highest {comparison.score_column} of the intervals that overlap it."
    )
    return (
        f"{comparison.n_intervals_used:,} of {comparison.n_intervals:,} intervals overlap a measured peak; "
        f"{comparison.n_peaks_bound:,} of {len(comparison.columns.tf):,} peaks are bound. {source}"
    )
