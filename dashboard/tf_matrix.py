"""Types by tracks: one measure of every TF-binding track that the service holds in every cell type."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import dash_ag_grid as dag
import dash_mantine_components as dmc
from dash import dcc, html

from bi2scope.dashboard import ids
from bi2scope.dashboard.address import MatrixMeasure
from bi2scope.dashboard.components import Part, Parts, aria, graph
from bi2scope.dashboard.controls import DEFINITION_LABELS
from bi2scope.dashboard.links import GRID_OPTIONS, THREE, WHOLE, grid, number, text
from bi2scope.dashboard.measures import LEVEL, MEANINGS
from bi2scope.server.wire_tf import MeasureName, TrackMatrix

GAIN_NAMES: dict[MatrixMeasure, str] = {
    "gain_auroc": "AUROC, accessibility regressed out",
    "gain_pearson": "Pearson, accessibility regressed out",
    "gain_spearman": "Spearman, accessibility regressed out",
}

ABOVE, BELOW = "▲", "▼"
WAITING = "Computing what chance gives…"

COLUMNS = [
    text("cell_type", "Cell type", minWidth=110),
    number("n_cells", "Cells", WHOLE, minWidth=70),
    text("track", "Track", minWidth=150, flex=2),
    number("n_peaks_bound", "Bound peaks", WHOLE, minWidth=100),
    number("value", "Value", THREE, minWidth=80),
    number("low", "95 % from", THREE, minWidth=90),
    number("high", "to", THREE, minWidth=70),
    number("accessibility", "Accessibility", THREE, minWidth=105, headerTooltip="The same measure of accessibility"),
    number("z", "z", {"function": "params.value == null ? '' : d3.format('.1f')(params.value)"}, minWidth=66,
           headerTooltip="Standard deviations from the mean of the matched null"),
    number("p", "p", {"function": "params.value == null ? '' : d3.format('.2g')(params.value)"}, minWidth=76,
           headerTooltip="Against tracks moved among peaks alike in accessibility and width"),
    number("q", "FDR", {"function": "params.value == null ? '' : d3.format('.2g')(params.value)"}, minWidth=76,
           headerTooltip="Of p over the whole table (Benjamini-Hochberg)"),
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Spot:
    """One type and track, with what its number is read beside; ``accessibility`` is ``None`` for gains."""

    cell_type: str
    n_cells: int
    track: str
    track_id: str
    n_peaks_bound: int
    value: float | None
    low: float | None
    high: float | None
    accessibility: float | None
    z: float | None
    p: float | None
    q: float | None

    @property
    def mark(self) -> str:
        """Whether the value lies above or below chance at the false discovery rate; empty if neither."""
        if self.q is None or self.z is None or self.q > LEVEL:
            return ""
        return ABOVE if self.z > 0 else BELOW

    @property
    def row(self) -> dict[str, Any]:
        """As a row of the grid."""
        return {name: getattr(self, name) for name in self.__slots__}


def served(measure: MatrixMeasure) -> MeasureName:
    """The measure to ask the service for."""
    return cast(MeasureName, measure.removeprefix("gain_"))


def name_of(measure: MatrixMeasure) -> str:
    """A measure's name."""
    return GAIN_NAMES[measure] if measure in GAIN_NAMES else MEANINGS[served(measure)].name.partition(",")[0]


def spots(matrix: TrackMatrix, measure: MatrixMeasure) -> list[list[Spot]]:
    """The table ``[type][track]``."""
    gains = measure in GAIN_NAMES
    names = {"value": "gain" if gains else "value"} | {
        short: f"gain_{full}" if gains else full
        for short, full in (("low", "low"), ("high", "high"), ("z", "z_matched"), ("p", "p_matched"),
                            ("q", "q_all_matched"))
    }  # fmt: skip
    tables = {name: getattr(matrix, full) for name, full in names.items()}
    tables["accessibility"] = None if gains else matrix.accessibility
    return [
        [
            Spot(
                cell_type=cell_type,
                n_cells=matrix.n_cells[i],
                track=track.name,
                track_id=track.track_id,
                n_peaks_bound=matrix.n_peaks_bound[j],
                **{name: None if table is None else table[i][j] for name, table in tables.items()},
            )
            for j, track in enumerate(matrix.tracks)
        ]
        for i, cell_type in enumerate(matrix.cell_types)
    ]


def panel(measure: MatrixMeasure) -> Parts:
    """Choice of the measure, the table as a figure, and as rows."""
    groups: dict[str, list[Any]] = {
        "Of the score": ["auroc", "auprc", "spearman"],
        "Of the paper": ["cosine", "cosine_of_ranks", "pearson", "jaccard_top_n"],
        "Other": ["odds_ratio"],
        "After accessibility": list(GAIN_NAMES),
    }
    choice = dmc.Select(
        id=ids.TF_MEASURE,
        label="Measure",
        data=[
            {
                "group": group,
                "items": [{"value": name, "label": name_of(name)} for name in some],
            }
            for group, some in groups.items()
        ],
        value=measure,
        allowDeselect=False,
        size="sm",
        w=320,
    )
    return [
        html.Div([choice, html.Div(id=ids.TF_MATRIX_FILES, className="files")], className="table-head matrix-head"),
        html.P(id=ids.TF_MATRIX_CAPTION, className="caption", **aria(live="polite")),
        html.Div(id=ids.TF_MATRIX_NOTICE),
        html.Div(
            graph(ids.TF_MATRIX, "tf-matrix", wheel=False),
            className="matrix-box", tabIndex="0", role="region",
            **aria(label="Types by tracks, as a figure; the table below holds the same numbers."),
        ),
        html.H3("The same as a table: choose a row to open its comparison", id=ids.TF_MATRIX_TITLE),
        rows_of_table(),
        dcc.Store(id=ids.TF_MATRIX_ASKED),
        dcc.Store(id=ids.TF_MATRIX_IDLE),
    ]  # fmt: skip


def rows_of_table() -> dag.AgGrid:
    """The grid; its rows are chosen with the mouse, or with arrow keys and the space bar."""
    table = grid(ids.TF_MATRIX_ROWS, COLUMNS, "matrix-table")
    chosen = {"mode": "singleRow", "checkboxes": False, "enableClickSelection": True}
    table.dashGridOptions = GRID_OPTIONS | {"rowSelection": chosen}
    return table


def none_held() -> Part:
    """What to do when the service holds no track."""
    return html.Div(
        [
            html.P("The service holds no TF-binding track yet, so there is nothing to lay out here."),
            html.P(["Drop a BED file and keep it on the service, or start it with a folder of tracks: ",
                    html.Code("bi2scope serve STORE --tracks FOLDER")]),
        ],
        className="prose",
    )  # fmt: skip


def caption(matrix: TrackMatrix, measure: MatrixMeasure) -> str:
    """What the numbers are, over what, and what the marks mean."""
    return " ".join(sentences(matrix, measure))


def sentences(matrix: TrackMatrix, measure: MatrixMeasure) -> Iterator[str]:
    """The caption, a sentence at a time."""
    k = "no limit k" if matrix.top_k is None else f"k ≤ {matrix.top_k:,}"
    definition = DEFINITION_LABELS[matrix.definition].lower()
    yield (
        f"{name_of(measure)} of each track and the cumulative {definition} of each type, over "
        f"{matrix.n_peaks_compared:,} peaks; links above {matrix.threshold:g}, {k}."
    )
    if measure not in GAIN_NAMES:
        yield "In grey, the same measure when the score is just accessibility in the type."
    if matrix.draws:
        yield (
            f"{ABOVE} above, {BELOW} below tracks moved among peaks alike in accessibility and width: false discovery "
            f"rate ≤ {LEVEL:.0%} over the table, {matrix.draws:,} draws.".replace("5%", "5 %")
        )
    else:
        yield WAITING
    yield "Click a cell to open its comparison."
    yield from matrix.notes
