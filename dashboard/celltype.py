"""Cell-type view: cumulative scores along the genome, one track per cell type, and the highest peaks."""

from __future__ import annotations

from collections.abc import Sequence

import dash_mantine_components as dmc
import numpy as np
from dash import dcc, html

from bi2scope.dashboard import ids
from bi2scope.dashboard.address import scores_csv
from bi2scope.dashboard.client import Cut
from bi2scope.dashboard.components import Parts, busy, graph
from bi2scope.dashboard.controls import (
    DEFINITION_LABELS,
    DEFINITION_SENTENCES,
    QUANTITIES,
    csv_link,
    definition_control,
    truncated_note,
)
from bi2scope.dashboard.figures.genome import peak_spans
from bi2scope.dashboard.figures.style import type_colour
from bi2scope.dashboard.figures.tracks import Genome, Track
from bi2scope.dashboard.links import PEAK_COLUMNS, grid
from bi2scope.server.wire import CellTypeSummary, DatasetInfo, Definition, PeakScores

MOST_TRACKS = 6


def side(types: Sequence[CellTypeSummary], chosen: Sequence[str], definition: Definition) -> Parts:
    """Controls of the view: which types, which definition."""
    return [
        dmc.MultiSelect(
            id=ids.TYPES,
            label="Cell types",
            description=f"One track each, at most {MOST_TRACKS}",
            data=[{"value": kind.name, "label": f"{kind.name} ({kind.n_cells:,})"} for kind in types],
            value=list(chosen),
            maxValues=MOST_TRACKS,
            size="sm",
        ),
        definition_control(ids.DEFINITION, "Cumulative score of", definition),
        html.Div(id=ids.PEAKS_CSV),
    ]


def panel() -> Parts:
    """The main part: the tracks, the table."""
    return [
        html.H2("Cumulative scores along the genome"),
        html.P(id=ids.TRACKS_CAPTION, className="caption"),
        html.Div(id=ids.TRACKS_NOTICE),
        busy(graph(ids.TRACKS, "cumulative-scores"), ids.TRACKS),
        dcc.Store(id=ids.TRACKS_DRAWN),
        dcc.Store(id=ids.TRACK_WINDOW),
        html.H3("Highest peaks", id=ids.PEAKS_TITLE),
        grid(ids.PEAKS, PEAK_COLUMNS),
    ]


def default_types(types: Sequence[CellTypeSummary]) -> list[str]:
    """All types when they are few, else the three with most cells."""
    if len(types) <= 4:
        return [kind.name for kind in types]
    return [kind.name for kind in sorted(types, key=lambda kind: -kind.n_cells)[:3]]


def genome_of(dataset: DatasetInfo, peaks: Sequence[str] = ()) -> Genome:
    """The axis of the tracks."""
    return Genome(peak_spans(dataset.chromosomes), dataset.n_peaks, peaks)


def track_of(scores: PeakScores, definition: Definition, dataset: DatasetInfo) -> Track:
    """A cell type's cumulative scores as a track, in the type's own colour."""
    names = [kind.name for kind in dataset.cell_types]
    return Track(
        label=f"{scores.cell_type} ({scores.n_cells:,} cells)",
        quantity=QUANTITIES[definition],
        values=np.asarray(getattr(scores, definition), dtype=np.float64),
        colour=type_colour(names.index(scores.cell_type)),
        notes=[f"open in {n:,} of {scores.n_cells:,} cells" for n in scores.n_open],
    )


def caption(scores: Sequence[PeakScores], definition: Definition, k_max: int) -> Parts:
    """What the tracks show; and a note when the store's own limit cut some links."""
    parts: Parts = [
        f"{DEFINITION_SENTENCES[definition]} Each step of a track shows its highest peak; drag or turn the wheel to "
        "zoom. Types with more cells have larger sums."
    ]
    return [*parts, truncated_note(k_max)] if any(one.truncated for one in scores) else parts


def peaks_title(definition: Definition, most: int) -> str:
    """Title of the table."""
    return f"Highest {most:,} peaks of each type, by {DEFINITION_LABELS[definition].lower()}"


def downloads(types: Sequence[str], cut: Cut, public_api: str) -> list[html.A]:
    """One CSV of all peaks for each type shown."""
    return [csv_link(f"Download {kind} CSV", href=scores_csv(kind, cut, public_api)) for kind in types]
