"""Cell-type view: cumulative scores along the genome, and what its other two parts share with them."""

from __future__ import annotations

from collections.abc import Sequence

import dash_mantine_components as dmc
from dash import dcc, html

from bi2scope.dashboard import contrast, ids, regulatory
from bi2scope.dashboard.address import Panels, Part, Quantity, Shown, TypeShown, scores_csv
from bi2scope.dashboard.client import Cut
from bi2scope.dashboard.components import Parts, aria, graph
from bi2scope.dashboard.controls import (
    DEFINITION_SENTENCES,
    QUANTITIES,
    QUANTITY_LABELS,
    csv_link,
    segments,
    truncated_note,
    type_options,
)
from bi2scope.dashboard.figures.genome import peak_spans
from bi2scope.dashboard.figures.style import type_colour
from bi2scope.dashboard.figures.tracks import Genome, Track
from bi2scope.dashboard.links import PEAK_COLUMNS, grid, least_open, values_of
from bi2scope.dashboard.nearest import Tss
from bi2scope.server.wire import CellTypeSummary, ChromosomeSpan, DatasetInfo, PeakScores

MOST_TRACKS = 6

PANEL_LABELS: dict[Panels, str] = {"one": "Along one axis", "each": "Panel each"}

PART_LABELS: dict[Part, str] = {"peaks": "Peaks", "difference": "Difference", "map": "Regulatory map"}

HOW_TO_READ: dict[Panels, str] = {
    "one": "Each step shows its highest peak; names are of the nearest TSS, linked or not. Drag or turn the wheel to "
    "zoom.",
    "each": "Each dot is the highest peak of its bin; all panels have one range.",
}

SENTENCES: dict[Quantity, str] = {
    "lift": "Lift: a peak's sum of scores over what its accessibility alone predicts (dashed: 1), which is the "
    "chromosome's sum shared out by the cells in which each peak is open.",
    "links": DEFINITION_SENTENCES["links"],
    "score": DEFINITION_SENTENCES["score"],
    "weight": DEFINITION_SENTENCES["weight"],
}


def side(dataset: DatasetInfo, chosen: Sequence[str], shown: Shown) -> Parts:
    """Controls of the view; of each part its own."""
    types, kinds = dataset.cell_types, shown.kinds
    sides: dict[Part, Parts] = {
        "peaks": peaks_side(types, dataset.chromosomes, chosen, kinds),
        "difference": contrast.side(types, kinds),
        "map": regulatory.side(dataset.chromosomes, kinds.chromosome),
    }
    one = dmc.Select(
        id=ids.KIND,
        label="Cell type",
        data=type_options(types),
        value=next(iter(chosen), None),
        allowDeselect=False,
        size="sm",
        style={"display": "block" if kinds.part != "peaks" else "none"},
    )
    boxes = [
        html.Div(sides[part], id=ids.PART_SIDES[part], className="side-part", style=visible(part == kinds.part))
        for part in PART_LABELS
    ]
    return [one, *boxes, dcc.Store(id=ids.TYPE_STATE)]


def visible(shown: bool) -> dict[str, str]:
    """Style of what may be out of sight; the browser sets the same."""
    return {"display": "flex" if shown else "none"}


def peaks_side(
    types: Sequence[CellTypeSummary], chromosomes: Sequence[ChromosomeSpan], chosen: Sequence[str], kinds: TypeShown
) -> Parts:
    """Controls of the tracks: which types, which quantity, how the chromosomes lie, which one."""
    return [
        dmc.MultiSelect(
            id=ids.TYPES,
            label="Cell types",
            description=f"One track each, at most {MOST_TRACKS}",
            data=type_options(types),
            value=list(chosen),
            maxValues=MOST_TRACKS,
            size="sm",
        ),
        segments(ids.DEFINITION, "Quantity", QUANTITY_LABELS, kinds.quantity),
        segments(ids.TRACK_PANELS, "Chromosomes", {str(key): text for key, text in PANEL_LABELS.items()}, kinds.panels),
        dmc.Select(
            id=ids.CHROMOSOME,
            label="Go to chromosome",
            placeholder="Whole genome",
            data=[{"value": f"{span.start}-{span.stop}", "label": span.name} for span in peak_spans(chromosomes)],
            clearable=True,
            searchable=True,
            nothingFoundMessage="No such chromosome",
            size="sm",
        ),
        html.Div(id=ids.PEAKS_CSV),
    ]


def panel(shown: Shown) -> Parts:
    """The main part: one tab for each of the three parts."""
    panels: dict[Part, Parts] = {"peaks": peaks_panel(), "difference": contrast.panel(), "map": regulatory.panel()}
    tabs = dmc.TabsList(
        [dmc.TabsTab(label, value=part) for part, label in PART_LABELS.items()], **aria(label="Parts of the view")
    )
    return [
        dmc.Tabs(
            [tabs, *[dmc.TabsPanel(panels[part], value=part, pt="md") for part in PART_LABELS]],
            id=ids.PART,
            value=shown.kinds.part,
            variant="pills",
            className="view-parts",
        )
    ]


def peaks_panel() -> Parts:
    """The tracks, the table."""
    return [
        html.H2("Cumulative scores along the genome"),
        html.P(id=ids.TRACKS_CAPTION, className="caption"),
        html.Div(id=ids.TRACKS_NOTICE),
        graph(ids.TRACKS, "cumulative-scores", style={"height": 420}),
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


def track_of(scores: PeakScores, quantity: Quantity, dataset: DatasetInfo, tss: Tss | None = None) -> Track:
    """A cell type's cumulative scores as a track, in the type's own colour; the highest named by the nearest gene."""
    names = [kind.name for kind in dataset.cell_types]

    def name_of(peak: int) -> str:
        near = tss.nearest(scores.chrom[peak], scores.start[peak], scores.end[peak]) if tss else None
        return near.name if near else ""

    return Track(
        label=f"{scores.cell_type} ({scores.n_cells:,} cells)",
        quantity="Lift" if quantity == "lift" else QUANTITIES[quantity],
        values=values_of(scores, quantity),
        colour=type_colour(names.index(scores.cell_type)),
        notes=[f"open in {n:,} of {scores.n_cells:,} cells" for n in scores.n_open],
        name_of=name_of,
        level=1.0 if quantity == "lift" else None,
    )


def caption(scores: Sequence[PeakScores], kinds: TypeShown, k_max: int) -> Parts:
    """What the tracks show; and a note when the store's own limit cut some links."""
    beware = (
        "Drawn are peaks open in enough cells ("
        + ", ".join(f"{one.cell_type} {least_open(one.n_cells):,}" for one in scores)
        + "): of fewer a lift says little."
        if kinds.quantity == "lift"
        else "Types with more cells, and peaks open in more cells, have larger sums."
    )
    parts: Parts = [f"{SENTENCES[kinds.quantity]} {beware} {HOW_TO_READ[kinds.panels]} A click opens the place."]
    return [*parts, truncated_note(k_max)] if any(one.truncated for one in scores) else parts


def nothing_left(scores: Sequence[PeakScores], quantity: Quantity) -> dmc.Alert | None:
    """A sentence and a way back where the cut leaves no link in any of the types."""
    if any(values_of(one, quantity).any() for one in scores):
        return None
    return dmc.Alert(
        "Lower the threshold or raise k; the key r resets both.",
        title="This cut leaves no link in the chosen types.",
        color="orange",
        variant="light",
    )


def peaks_title(quantity: Quantity, most: int) -> str:
    """Title of the table."""
    return f"Highest {most:,} peaks of each type, by {QUANTITY_LABELS[quantity].lower()}"


def downloads(types: Sequence[str], cut: Cut, public_api: str) -> list[html.A]:
    """One CSV of all peaks for each type shown."""
    return [csv_link(f"Download {kind} CSV", href=scores_csv(kind, cut, public_api)) for kind in types]
