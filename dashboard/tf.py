"""TF-binding view: an uploaded BED beside a cell type's cumulative scores, and how alike the two are."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence

import dash_mantine_components as dmc
import numpy as np
from dash import dcc, html

from bi2scope.dashboard import ids
from bi2scope.dashboard.client import ClientError
from bi2scope.dashboard.components import Parts, busy, graph
from bi2scope.dashboard.controls import QUANTITIES, definition_control
from bi2scope.dashboard.figures.style import SCHEMES, Scheme
from bi2scope.dashboard.figures.tracks import Track, height_of
from bi2scope.server.wire import CellTypeSummary, Definition
from bi2scope.server.wire_tf import TrackComparison

HEIGHT = 210
"""Height of each of the two tracks, in pixels."""


def side(types: Sequence[CellTypeSummary], chosen: str | None, definition: Definition, most: int) -> Parts:
    """Controls of the view: the BED, the type, the definition."""
    return [
        html.Div(
            [
                dmc.Text("TF-binding track", size="sm", fw=600, mb=4),
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


def panel() -> Parts:
    """The main part: the two tracks, what the measures say, the measures as a figure and a table."""
    return [
        html.H2("TF binding beside cumulative scores"),
        html.Div(id=ids.TF_NOTICE),
        busy(instruction(), ids.TF_SUMMARY, "children"),
        html.Div(
            [
                busy(graph(ids.TF_TRACKS, "tf-binding", style={"height": height_of(2, HEIGHT)}), ids.TF_TRACKS),
                dcc.Store(id=ids.TF_DRAWN),
                dcc.Store(id=ids.TF_WINDOW),
                dcc.Store(id=ids.TF_ASKED),
                dcc.Store(id=ids.TF_IDLE),
                html.H3("Does attention say more than accessibility?", className="spaced"),
                html.Div(id=ids.TF_WORDS, className="verdict"),
                html.Div(
                    [
                        busy(graph(ids.TF_FOREST, "tf-measures", wheel=False), ids.TF_FOREST),
                        html.Div(id=ids.TF_MEASURES, className="measures-box"),
                    ],
                    className="forest-and-table",
                ),
                dmc.Button("Download both tracks CSV", id=ids.TF_SAVE, mt="md", color="#1864ab"),
                dcc.Download(id=ids.TF_FILE),
            ],
            id=ids.TF_RESULT,
            style={"display": "none"},
        ),
    ]


def instruction() -> html.Div:
    """What to do before there is a track; its place is taken by the summary of the comparison."""
    return html.Div(
        "Drop a BED file of binding sites (ChIP-seq peaks of a factor, on the same genome build) to lay it beside "
        "the cumulative scores of a cell type.",
        id=ids.TF_SUMMARY,
        className="caption",
    )


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


def tracks_of(comparison: TrackComparison, scheme: Scheme) -> list[Track]:
    """TF binding above, cumulative score below, as in the paper's figure."""
    colours = SCHEMES[scheme]
    quantity = "Present" if comparison.score_column == "presence" else f"BED {comparison.score_column}"
    return [
        Track(
            comparison.track,
            quantity,
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
