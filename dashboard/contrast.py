"""The difference of two cell types: which peaks, or genes, get more of the attention in the cells of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import dash_mantine_components as dmc
import numpy as np
import numpy.typing as npt
from dash import html

from bi2scope.dashboard import ids
from bi2scope.dashboard.address import Feature, TypeShown
from bi2scope.dashboard.components import Parts, aria, graph
from bi2scope.dashboard.controls import segments, truncated_note, type_options
from bi2scope.dashboard.links import SIGNED, THREE, grid, near_columns, number, text
from bi2scope.dashboard.nearest import Tss
from bi2scope.server.wire import CellTypeSummary
from bi2scope.server.wire_differences import GeneDifference, PeakDifference

LEVEL = 0.05
"""False discovery rate at which rows count as different."""

MOST_POINTS = 20_000
"""Rows that are asked for, those of lowest p; what lies below is at the foot of the volcano."""

MOST_LISTED = 1_000
OTHERS = "all other cells"
FEATURE_LABELS = {"peaks": "Peaks", "genes": "Genes"}
SMALL = {"function": "params.value == null ? '' : d3.format('.2~e')(params.value)"}
SIGNED_TWO = {"function": "params.value == null ? '' : d3.format('+.2f')(params.value)"}

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Contrasted:
    """Rows of a difference of peaks or of genes, under names that both share; all ``(n_rows,)``, by p.

    Attributes
    ----------
    key, label
        What a row is (peak, or gene id) and what is written beside its point (nearest gene, or symbol).
    effect, counted_effect
        Chance that a cell of the type has the higher sum; or is open (expresses the gene) where the other is not.
    """

    key: Sequence[str]
    label: Sequence[str]
    effect: Floats
    q: Floats
    log2_ratio: Floats
    counted_effect: Floats

    @classmethod
    def of(cls, body: PeakDifference | GeneDifference, tss: Tss | None) -> Contrasted:
        """The rows of an answer; those that could not be tested are left out."""
        rows = body.rows
        if isinstance(body, PeakDifference):
            key, counted = body.rows.peak, body.rows.open_effect
            places = zip(body.rows.peak_chrom, body.rows.peak_start, body.rows.peak_end, strict=True)
            near = [tss.nearest(*place) if tss else None for place in places]
            label = [one.name if one else "" for one in near]
        else:
            key, label, counted = body.rows.gene_id, body.rows.gene_name, body.rows.expressed_effect
        effect, q = (np.asarray(each, dtype=np.float64) for each in (rows.effect, rows.q))
        kept = np.flatnonzero(np.isfinite(effect) & np.isfinite(q))
        return cls(
            [key[i] for i in kept],
            [label[i] for i in kept],
            effect[kept],
            q[kept],
            np.asarray(rows.log2_ratio, dtype=np.float64)[kept],
            np.nan_to_num(np.asarray(counted, dtype=np.float64)[kept], nan=0.5),
        )


def side(types: Sequence[CellTypeSummary], shown: TypeShown) -> Parts:
    """Controls: against whom, of what."""
    known = {kind.name for kind in types}
    return [
        dmc.Select(
            id=ids.AGAINST,
            label="Against",
            data=[{"value": "", "label": "All other cells"}, *type_options(types)],
            value=shown.against if shown.against in known else "",
            allowDeselect=False,
            size="sm",
        ),
        segments(ids.FEATURE, "Difference of", FEATURE_LABELS, shown.feature),
        html.Div(id=ids.DIFFERENCE_FILE),
    ]


def panel() -> Parts:
    """Volcano, attention beside accessibility, table."""
    return [
        html.H2("Difference", id=ids.DIFFERENCE_TITLE),
        html.P(
            "Comparing the cells; the first time takes some seconds.", id=ids.DIFFERENCE_CAPTION, className="caption"
        ),
        html.Div(id=ids.DIFFERENCE_NOTICE),
        html.Div(
            [
                graph(ids.VOLCANO, "volcano", wheel=False, style={"height": 460}),
                graph(ids.BESIDE_OPEN, "attention-and-accessibility", wheel=False, style={"height": 460}),
            ],
            className="two-figures",
        ),
        html.Section(
            [html.H3("Most different first"), grid(ids.DIFFERENCE_TABLE, columns("peaks"))],
            **aria(label="Differences"),
        ),
    ]


def title(body: PeakDifference | GeneDifference) -> str:
    """Who is compared with whom."""
    return (
        f"{body.cell_type} ({body.n_cells:,} cells) against {body.against or OTHERS} ({body.n_cells_against:,} cells)"
    )


def caption(body: PeakDifference | GeneDifference, k_max: int) -> Parts:
    """What is compared, and that it may be no more than accessibility."""
    peaks = isinstance(body, PeakDifference)
    one, counted = ("peak", "accessibility") if peaks else ("gene", "expression")
    n = count(body)
    first = f" The {len(body.rows.p):,} of lowest p are shown." if body.limited else ""
    parts: Parts = [
        f"{n:,} of {body.n_tested:,} {one}s tested differ at a false discovery rate of {LEVEL:.0%}.{first} Compared "
        f"is a {one}'s share of each cell's sum of scores (Mann-Whitney over the cells, which are no independent "
        f"donors). A difference may be one of {counted} alone: its effect is the colour, and stands across in the "
        f"right-hand figure, on whose diagonal attention differs just as {counted} does. A click opens the place.",
    ]
    return [*parts, truncated_note(k_max)] if body.truncated else parts


def count(body: PeakDifference | GeneDifference) -> int:
    """Rows at :data:`LEVEL`."""
    return sum(q is not None and q <= LEVEL for q in body.rows.q)


def columns(feature: Feature) -> list[dict[str, Any]]:
    """Columns of the table."""
    peaks = feature == "peaks"
    first = (
        [
            text("key", "Peak", minWidth=190, flex=2, cellClass="opens", headerTooltip="A click shows the place"),
            text("nearest", "Nearest gene", minWidth=100, cellClass="opens"),
            number("distance", "To its TSS (bp)", SIGNED, minWidth=112, headerTooltip="Negative is upstream"),
        ]
        if peaks
        else [
            text("label", "Gene", minWidth=110, flex=2, cellClass="opens", headerTooltip="A click shows the place"),
            text("chrom", "Chromosome", minWidth=96),
        ]
    )
    counted = "Open" if peaks else "Expressed"
    return [
        *first,
        number("effect", "Effect", THREE, minWidth=74,
               headerTooltip="Chance that a cell of the type has the higher sum, ties half; 0.5 is no difference"),
        number("log2_ratio", "log2 ratio", SIGNED_TWO, minWidth=86, headerTooltip="Of the means; empty: one is 0"),
        number("q", "FDR", SMALL, minWidth=82, headerTooltip="Benjamini-Hochberg over the rows tested"),
        number("linked", "Linked", THREE, minWidth=74, headerTooltip="Share of the type's cells with a link"),
        number("linked_against", "… others", THREE, minWidth=80, headerTooltip="Share of the others with a link"),
        number("counted", counted, THREE, minWidth=86, headerTooltip="Share of the type's cells with a count"),
        number("counted_against", "… others", THREE, minWidth=80, headerTooltip="Share of the others with a count"),
        number("counted_effect", f"{counted}: effect", THREE, minWidth=112, headerTooltip="The same test of a count"),
        number("counted_q", f"{counted}: FDR", SMALL, minWidth=104),
    ]  # fmt: skip


def rows(body: PeakDifference | GeneDifference, tss: Tss | None) -> list[dict[str, Any]]:
    """The first rows of the table, by p."""
    given = body.rows
    if isinstance(body, PeakDifference):
        own = body.rows
        counted = (own.open_share, own.open_share_against, own.open_effect, own.open_q)
        places = zip(own.peak, own.peak_chrom, own.peak_start, own.peak_end, strict=True)
        first: list[dict[str, Any]] = [
            {"key": peak, **near_columns(tss.nearest(chrom, start, end) if tss else None)}
            for peak, chrom, start, end in list(places)[:MOST_LISTED]
        ]
    else:
        genes = body.rows
        counted = (
            genes.expressed_share, genes.expressed_share_against, genes.expressed_effect, genes.expressed_q,
        )  # fmt: skip
        first = [
            {"key": key, "label": label, "chrom": chrom}
            for key, label, chrom in zip(genes.gene_id, genes.gene_name, genes.gene_chrom, strict=True)
        ][:MOST_LISTED]
    shared: dict[str, Sequence[float | None]] = {
        "effect": given.effect, "log2_ratio": given.log2_ratio, "q": given.q, "linked": given.linked_share,
        "linked_against": given.linked_share_against, "counted": counted[0], "counted_against": counted[1],
        "counted_effect": counted[2], "counted_q": counted[3],
    }  # fmt: skip
    return [one | {name: column[i] for name, column in shared.items()} for i, one in enumerate(first)]
