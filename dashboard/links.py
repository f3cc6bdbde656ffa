"""Tables: the links of a cell and the highest peaks of a cell type, as grids that sort and filter in the browser."""

from __future__ import annotations

from math import ceil
from typing import Any

import dash_ag_grid as dag
import numpy as np
import numpy.typing as npt

from bi2scope.dashboard.address import Quantity
from bi2scope.dashboard.nearest import Near, Tss
from bi2scope.server.wire import LinkTable, PeakScores

GRID_OPTIONS: dict[str, Any] = {
    "theme": {"function": "themeQuartz.withParams({fontSize: 12.5, rowHeight: 28, headerHeight: 32, spacing: 4})"},
    "animateRows": False,
    "suppressColumnVirtualisation": True,
    "enableCellTextSelection": True,
    "ensureDomOrder": True,
}

WHOLE = {"function": "d3.format(',')(params.value)"}
THREE = {"function": "params.value == null ? '' : d3.format('.3f')(params.value)"}
FOUR = {"function": "params.value == null ? '' : d3.format('.4f')(params.value)"}
SIGNED = {"function": "params.value == null ? '' : d3.format('+,')(params.value)"}

LINK_FIELDS = (
    "gene_name", "peak", "distance_to_tss", "logit", "score", "rank", "weight", "gene_count", "peak_count",
)  # fmt: skip
"""Columns of the links that the table shows, of :class:`~bi2scope.server.wire.LinkColumns`."""


def text(field: str, name: str, **rest: Any) -> dict[str, Any]:
    """A column of names."""
    return {"field": field, "headerName": name, "filter": "agTextColumnFilter", **rest}


def number(field: str, name: str, form: dict[str, str], **rest: Any) -> dict[str, Any]:
    """A column of numbers; only their display is rounded."""
    return {
        "field": field,
        "headerName": name,
        "filter": "agNumberColumnFilter",
        "type": "rightAligned",
        "valueFormatter": form,
        **rest,
    }


LINK_COLUMNS = [
    text("gene_name", "Gene", minWidth=84),
    text("peak", "Peak", minWidth=176, flex=2),
    number("distance_to_tss", "To TSS (bp)", SIGNED, minWidth=98, headerTooltip="Negative is upstream of the gene"),
    number("logit", "Logit", THREE, minWidth=62),
    number("score", "Score", FOUR, minWidth=70),
    number("rank", "Rank", WHOLE, minWidth=60, headerTooltip="Place among the gene's peaks by logit"),
    number("weight", "Weight", FOUR, minWidth=74, headerTooltip="The model's pruned attention; 0 from rank 11 on"),
    number("gene_count", "RNA", WHOLE, minWidth=58, headerTooltip="Count of the gene in this cell"),
    number("peak_count", "ATAC", WHOLE, minWidth=62, headerTooltip="Count of the peak in this cell"),
]

PEAK_COLUMNS = [
    text("cell_type", "Cell type", minWidth=110),
    number("rank", "Rank", WHOLE, minWidth=76),
    text("peak", "Peak", minWidth=200, flex=2, cellClass="opens", headerTooltip="A click shows the place"),
    text("nearest", "Nearest gene", minWidth=104, cellClass="opens", headerTooltip="By TSS, linked or not"),
    number("distance", "To its TSS (bp)", SIGNED, minWidth=112, headerTooltip="Negative is upstream of the gene"),
    number("lift", "Lift", THREE, minWidth=78, headerTooltip="Score over what accessibility alone predicts"),
    number("links", "Links", WHOLE, minWidth=84),
    number("score", "Score", THREE, minWidth=100),
    number("weight", "Weight", THREE, minWidth=92),
    number("n_open", "Cells open", WHOLE, minWidth=100, headerTooltip="Cells of the type with a count of the peak"),
    number("share_open", "Share open", THREE, minWidth=105, headerTooltip="Cells open / cells of the type"),
]


def grid(name: str, columns: list[dict[str, Any]], class_name: str = "table") -> dag.AgGrid:
    """A grid whose rows are still to come; ``[]`` for its rows says that there are none."""
    return dag.AgGrid(
        id=name,
        columnDefs=columns,
        defaultColDef={
            "sortable": True,
            "resizable": True,
            "flex": 1,
            "floatingFilter": True,
            "suppressFloatingFilterButton": True,
            "suppressHeaderFilterButton": True,
        },
        dashGridOptions=GRID_OPTIONS,
        className=class_name,
        style={"width": "100%", "height": None},
        dangerously_allow_code=False,
    )


def near_columns(near: Near | None) -> dict[str, Any]:
    """The gene nearest to a peak, as two columns."""
    return {"nearest": near.name if near else None, "distance": near.distance if near else None}


def link_columns(table: LinkTable) -> str:
    """Columns of the table as JSON, for the browser to turn into rows: a third of the size of rows.

    Text, because Dash walks through every number of a list before it writes it.
    """
    return table.links.model_dump_json(include=set(LINK_FIELDS))


LEAST_SHARE = 0.05
"""Share of a type's cells in which a peak must be open for its lift to be ranked and drawn."""


def least_open(n_cells: int) -> int:
    """Cells of a type in which a peak must be open for its lift to mean something: a twentieth of them, three or more.

    Of a peak open in a single cell, one surviving link decides whether the lift is 0 or 30.
    """
    return max(3, ceil(LEAST_SHARE * n_cells))


def values_of(scores: PeakScores, quantity: Quantity) -> npt.NDArray[np.float64]:
    """``(n_peaks,)`` of a quantity; a lift that is not defined, or of a peak open in too few cells, is 0."""
    values = np.asarray(getattr(scores, quantity), dtype=np.float64)
    if quantity != "lift":
        return values
    enough = np.asarray(scores.n_open) >= least_open(scores.n_cells)
    return np.where(enough & np.isfinite(values), values, 0.0)


def peak_rows(scores: PeakScores, quantity: Quantity, most: int, tss: Tss | None = None) -> list[dict[str, Any]]:
    """The highest peaks of a cell type by one quantity, best first; peaks without a surviving link are left out."""
    values = values_of(scores, quantity)
    order = np.argsort(-values, kind="stable")[:most]  # equal values stay in genome order
    return [
        {
            "cell_type": scores.cell_type,
            "rank": place,
            "peak": scores.peak[i],
            **near_columns(tss.nearest(scores.chrom[i], scores.start[i], scores.end[i]) if tss else None),
            "lift": scores.lift[i] if scores.lift else None,
            "links": scores.links[i],
            "score": scores.score[i],
            "weight": scores.weight[i],
            "n_open": scores.n_open[i],
            "share_open": scores.n_open[i] / max(scores.n_cells, 1),
        }
        for place, i in enumerate(order.tolist(), start=1)
        if values[i] > 0
    ]
