"""The genome track: arcs, genes, peaks, and the tracks of cell types, a cell and TFs on one axis in Mb."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from bi2scope.dashboard.arcs import Arcs, Over, Place, Sight
from bi2scope.dashboard.figures.arcs import Height, arc_traces, colour_bar, highlight
from bi2scope.dashboard.figures.gene_track import DrawnGene, gene_traces, n_rows, packed
from bi2scope.dashboard.figures.style import SCHEMES, Scheme, axis, base_layout, on_page, typed_array
from bi2scope.server.wire_genes import Region, RegionScores

Quantity = Literal["lift", "links", "score", "weight"]

QUANTITIES: dict[Quantity, str] = {
    "lift": "Lift", "links": "Sum of links", "score": "Sum of scores", "weight": "Sum of weights",
}  # fmt: skip

MARGIN = {"l": 64, "r": 84, "t": 8, "b": 46}
ARCS, TRACK, LABEL, GENE_ROW, PEAKS = 250, 44, 19, 19, 12
NARROWEST = 600.0
"""Width of the plotting area in the narrowest window that the page is made for, in pixels."""

SCORE_TITLES: dict[Over, str] = {"gene": "Mean score", "map": "Mean score", "cell": "Score"}
SHARES: dict[Over, str] = {
    "gene": "Share of expressing cells", "map": "Share of cells with both", "cell": "Share of cells",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shown:
    """What is drawn of a region: the window in sight, the arcs in it, and how."""

    window: Place
    chosen: str | None
    sight: Sight
    height: Height
    quantity: Quantity
    least: float
    colours: dict[str, str]
    """Of the cell types, by name."""


@dataclass(frozen=True, slots=True)
class Band:
    """A row of the figure, of so many pixels under its label."""

    label: str
    pixels: int


@dataclass(frozen=True, slots=True)
class Line:
    """A track over the places of a region."""

    label: str
    title: str
    start: npt.NDArray[np.int64]
    end: npt.NDArray[np.int64]
    value: npt.NDArray[np.float64]
    colour: str
    top: float | None = None
    unit: str = ""


def height_title(height: Height, over: Over) -> str:
    """What the height of the arcs is."""
    mean = "" if over == "cell" else "Mean "
    titles: dict[Height, str] = {
        "share": SHARES[over], "score": SCORE_TITLES[over], "logit": f"{mean}logit".capitalize(),
        "distance": "Distance (Mb)",
    }  # fmt: skip
    return titles[height]


def locus_figure(region: Region, arcs: Arcs, shown: Shown, scheme: Scheme = "light") -> go.Figure:
    """The whole figure, with the window in sight and what was fetched beyond it."""
    linked = [arcs.rows[at].gene_id for at in (*shown.sight.inside, *shown.sight.leaving)]
    first = [*([shown.chosen] if shown.chosen else []), *dict.fromkeys(linked)]
    genes = packed(region.genes, shown.window, NARROWEST, first[:60])
    lines = track_lines(region, shown, scheme)
    bands = [
        Band("", ARCS),
        Band(genes_label(genes), GENE_ROW * n_rows(genes, shown.window) + 6),
        Band(peaks_label(region), PEAKS),
        *(Band(line.label, TRACK) for line in lines),
    ]
    total = sum(band.pixels + LABEL for band in bands)
    figure = go.Figure(layout=frame(region, shown, total, scheme))
    view = Place(region.chrom, region.start, region.end)
    domains = [(1 - low / total, 1 - high / total) for low, high in places_of(bands)]
    bar = {"y": (domains[0][0] + domains[0][1]) / 2, "len": ARCS - 10, "lenmode": "pixels", "x": 1.008, "xpad": 0}
    figure.add_traces(
        [
            colour_bar(shown.least, scheme, SCORE_TITLES[arcs.over], bar),
            *arc_traces(arcs.rows, shown.sight, view, height=shown.height, least=shown.least, scheme=scheme),
            highlight(scheme),
            *gene_traces(genes, shown.chosen, "y2", scheme),
            steps(peak_line(region, scheme), "y3"),
            *(steps(line, f"y{i}") for i, line in enumerate(lines, start=4)),
        ]
    )
    rows: list[dict[str, Any]] = [
        {"title": height_title(shown.height, arcs.over), "rangemode": "tozero", "nticks": 6, "showgrid": True},
        {"title": "", "range": [0.7 - n_rows(genes, shown.window), 0.7], "showticklabels": False, "showline": False},
        {"title": "", "range": [0, 1], "showticklabels": False, "showline": False},
        *({"title": "", "nticks": 3, "showgrid": True, **ranged(line)} for line in lines),
    ]
    for i, (row, domain, band) in enumerate(zip(rows, domains, bands, strict=True), start=1):
        name = "yaxis" if i == 1 else f"yaxis{i}"
        figure.layout[name] = axis(
            scheme, row.pop("title"), domain=list(domain), fixedrange=True, anchor="x",
            gridcolor=SCHEMES[scheme].line, gridwidth=0.5, **row,
        )  # fmt: skip
        if band.label:
            figure.add_annotation(
                text=band.label, x=0, xref="paper", xanchor="left", y=domain[1], yref="paper", yanchor="bottom",
                showarrow=False, font={"color": SCHEMES[scheme].text, "size": 12}, borderpad=0,
            )  # fmt: skip
    return figure


def places_of(bands: Sequence[Band]) -> list[tuple[float, float]]:
    """Bottom and top of each band, in pixels from the top; a label stands above each."""
    places, at = [], 0
    for band in bands:
        top = at + (LABEL if band.label else 4)
        at += LABEL + band.pixels
        places.append((float(at), float(top)))
    return places


def ranged(line: Line) -> dict[str, Any]:
    """Range of a track's axis: from 0 to the highest of its like, so that types can be compared."""
    return {"rangemode": "tozero"} if line.top is None else {"range": [0, line.top * 1.05 or 1]}


def genes_label(genes: Sequence[DrawnGene]) -> str:
    """Label of the genes; says when names found no room."""
    unnamed = sum(gene.name_at is None for gene in genes)
    return f"Genes ({unnamed:,} without room for a name in the lowest row: zoom in)" if unnamed else "Genes"


def peaks_label(region: Region) -> str:
    """Label of the boxes of peaks."""
    return "Peaks" if region.bin is None else f"Peaks, in bins of {region.bin:,} bp (zoom in for single ones)"


def peak_line(region: Region, scheme: Scheme) -> Line:
    """The boxes of the peaks."""
    start, end = (np.asarray(column, dtype=np.int64) for column in (region.places.start, region.places.end))
    return Line("", "", start, end, np.ones(len(start)), SCHEMES[scheme].muted)


def track_lines(region: Region, shown: Shown, scheme: Scheme) -> list[Line]:
    """Tracks of the cell, of the types and of TFs, from the top."""
    start, end = (np.asarray(column, dtype=np.int64) for column in (region.places.start, region.places.end))
    binned = "" if region.bin is None else ", highest of each bin"
    lines = []
    if region.cell is not None:
        count = np.asarray(region.cell.count, dtype=np.float64)
        lines.append(
            Line(
                f"<b>{region.cell.cell_id}</b> ATAC count{binned}", "count", start, end, count, SCHEMES[scheme].primary
            )
        )
    opens = [np.asarray(kind.n_open) / max(kind.n_cells, 1) for kind in region.cell_types]
    sums = [quantity_of(kind, shown.quantity) for kind in region.cell_types]
    for kind, share, total in zip(region.cell_types, opens, sums, strict=True):
        colour = on_page(shown.colours.get(kind.cell_type, SCHEMES[scheme].primary), scheme)
        name = f"<b>{kind.cell_type}</b> ({kind.n_cells:,} cells)"
        lines.append(Line(f"{name} share of open cells{binned}", "share", start, end, share, colour, highest(opens)))
        quantity = QUANTITIES[shown.quantity]
        lines.append(
            Line(f"{name} {quantity.lower()}{binned}", quantity.lower(), start, end, total, colour, highest(sums))
        )
    for track in region.tracks:
        start, end = (np.asarray(column, dtype=np.int64) for column in (track.start, track.end))
        label = f"<b>{track.name}</b> {track.score_column}"
        score = np.asarray(track.score, dtype=np.float64)
        lines.append(Line(label, track.score_column, start, end, score, SCHEMES[scheme].secondary))
    return lines


def quantity_of(kind: RegionScores, quantity: Quantity) -> npt.NDArray[np.float64]:
    """One of a type's columns; 0 where the lift is not defined, as nothing is expected there."""
    return np.nan_to_num(np.array(getattr(kind, quantity), dtype=np.float64))


def highest(values: Sequence[npt.NDArray[np.float64]]) -> float:
    """The highest of several tracks."""
    return max((float(one.max(initial=0)) for one in values), default=0.0)


def steps(line: Line, yaxis: str) -> go.Scatter:
    """A box over each place, all in one filled path."""
    x = np.stack([line.start, line.start, line.end, line.end], axis=1).ravel() / 1e6
    y = np.stack([0 * line.value, line.value, line.value, 0 * line.value], axis=1).ravel()
    hover: dict[str, Any] = {"hoverinfo": "skip"}
    if line.label:
        hover = {"hovertemplate": f"{line.label}<br>%{{y:.4g}} at %{{x:.6f}} Mb<extra></extra>"}
    return go.Scatter(
        x=typed_array(x), y=typed_array(y), mode="lines", fill="tozeroy", line={"width": 1, "color": line.colour},
        showlegend=False, yaxis=yaxis, **hover,
    )  # fmt: skip


def frame(region: Region, shown: Shown, pixels: float, scheme: Scheme) -> dict[str, Any]:
    """Layout under the rows: the axis in Mb."""
    window = shown.window
    margin = 0.01 * region.chrom_end / 1e6
    return base_layout(
        scheme,
        height=pixels + MARGIN["t"] + MARGIN["b"],
        margin=MARGIN,
        dragmode="pan",
        hovermode="closest",
        hoverdistance=14,
        showlegend=False,
        uirevision=None,
        xaxis=axis(
            scheme,
            f"Position on {region.chrom} (Mb)",
            range=[window.start / 1e6, window.end / 1e6],
            minallowed=-margin,
            maxallowed=region.chrom_end / 1e6 + margin,
            exponentformat="none",
            separatethousands=True,
            ticks="outside",
            tickcolor=SCHEMES[scheme].muted,
            anchor="free",
            position=0,
            nticks=9,
            showspikes=True,
            spikemode="across",
            spikethickness=1,
            spikecolor=SCHEMES[scheme].muted,
            spikedash="dot",
        ),
    )
