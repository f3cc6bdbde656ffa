"""Cells that a lasso went round: of which types, and what their links favour against those of all other cells."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any

import dash_mantine_components as dmc
from dash import dcc, html

from bi2scope.dashboard import ids
from bi2scope.dashboard.components import Parts, aria
from bi2scope.dashboard.contrast import LEVEL, columns, count, rows
from bi2scope.dashboard.links import grid
from bi2scope.dashboard.nearest import Tss
from bi2scope.server.wire import DatasetInfo, Embedding, PeakScores
from bi2scope.server.wire_differences import PeakDifference

FEWEST = 3
"""Cells on either side that a comparison needs."""

MOST_ROWS = 500
HINT = "Draw a line round cells to see what they are and what their links favour; a click opens a single cell."


def box() -> html.Section:
    """The panel under the embedding; empty until cells are chosen."""
    buttons = [
        dmc.Button(label, id=name, variant="default", size="xs")
        for name, label in (
            (ids.CHOSEN_FIRST, "Open the first cell"),
            (ids.CHOSEN_BARCODES, "Barcodes CSV"),
            (ids.CHOSEN_PEAKS, "All peaks CSV"),
        )
    ]
    return html.Section(
        [
            dcc.Store(id=ids.CHOSEN_CELLS),
            html.Div(HINT, id=ids.CHOSEN, className="caption", **aria(live="polite")),
            html.Div(id=ids.CHOSEN_NOTICE),
            html.Div(
                [html.Div(buttons, className="files"), grid(ids.CHOSEN_TABLE, columns("peaks"), "chosen-table")],
                id=ids.CHOSEN_BOX,
                style={"display": "none"},
            ),
            dcc.Download(id=ids.CHOSEN_FILE),
        ],
        **aria(label="Chosen cells"),
    )


def types_of(cells: Sequence[str], embedding: Embedding) -> dict[str, int]:
    """How many of the cells are of which type, the most first."""
    kind_of = dict(zip(embedding.cell_id, embedding.cell_type, strict=True))
    kinds = [kind_of[cell] for cell in cells if cell in kind_of]
    return dict(sorted(((kind, kinds.count(kind)) for kind in set(kinds)), key=lambda one: (-one[1], one[0])))


def comparable(n_chosen: int, n_cells: int) -> bool:
    """Whether there are cells enough on either side."""
    return n_chosen >= FEWEST and n_cells - n_chosen >= FEWEST


def few(n_chosen: int, n_cells: int) -> Parts:
    """What is said of too few, or too many, cells to compare."""
    return [
        html.B(f"{n_chosen:,} of {n_cells:,} cells chosen."),
        f" To compare, {FEWEST} or more are wanted inside and outside; draw another line.",
    ]


def summary(kinds: Mapping[str, int], scores: PeakScores, body: PeakDifference) -> Parts:
    """Who was chosen, how much attention they hold, and how many peaks differ."""
    n_cells, n_links, total = scores.n_cells, sum(scores.links), sum(scores.score)
    per_cell = max(n_cells, 1)
    return [
        html.P(
            [
                html.B(f"{n_cells:,} of {n_cells + body.n_cells_against:,} cells chosen: "),
                ", ".join(f"{kind} {n:,}" for kind, n in kinds.items()),
            ]
        ),
        html.P(
            f"Under the cut of the other views a cell has {n_links / per_cell:,.0f} links on average, with scores of "
            f"{total / per_cell:,.0f} in all. Against all other cells {count(body):,} of {body.n_tested:,} peaks "
            f"differ at a false discovery rate of {LEVEL:.0%}. The cells were chosen by eye, in an embedding that may "
            "be made of the same counts: read the rates as a ranking, not as tests."
        ),
    ]


def table(body: PeakDifference, tss: Tss | None) -> list[dict[str, Any]]:
    """The peaks that differ most."""
    return rows(body, tss)[:MOST_ROWS]


def barcodes_csv(cells: Sequence[str], embedding: Embedding, dataset: DatasetInfo) -> str:
    """The chosen cells with their types, after lines that say of what data set."""
    kind_of = dict(zip(embedding.cell_id, embedding.cell_type, strict=True))
    out = io.StringIO()
    out.write(f"# bi2scope {dataset.version}\n# data set: {dataset.name}, {dataset.dataset_digest}\n")
    out.write(f"# cells: {len(cells)} chosen in the embedding ({embedding.method})\n".replace("\r", " "))
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["cell_id", "cell_type"])
    writer.writerows([safe(cell), safe(kind_of.get(cell, ""))] for cell in cells)
    return out.getvalue()


def safe(name: str) -> str:
    """A name that no spreadsheet takes for a formula."""
    return f"'{name}" if name[:1] in ("=", "+", "-", "@", "\t", "\r") else name
