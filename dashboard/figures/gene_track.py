"""Genes along the genome: bodies in rows that do not overlap, names, the direction of transcription."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

import plotly.graph_objects as go

from bi2scope.dashboard.arcs import Place
from bi2scope.dashboard.figures.style import SCHEMES, Scheme
from bi2scope.server.wire_genes import GeneColumns

MOST_ROWS = 5
"""Rows of genes with names; what finds no room in them is drawn in one more, without a name."""

LETTER = 7.2
"""Width of a letter of a name, in pixels."""

GAP = 10.0
"""Pixels between a gene and the next in its row."""


@dataclass(frozen=True, slots=True)
class DrawnGene:
    """A gene with its row from the top; its name stands right of it, left of it, or (``None``) found no room."""

    gene_id: str
    name: str
    start: int
    end: int
    tss: int
    strand: str
    row: int
    name_at: Literal["right", "left"] | None


def packed(genes: GeneColumns, window: Place, pixels: float, first: Collection[str] = ()) -> list[DrawnGene]:
    """Genes in rows, so that neither bodies nor names overlap.

    Parameters
    ----------
    genes
        In any order.
    window
        What of the axis is shown; genes that only the margins hold are packed after those inside.
    pixels
        Width of the window.
    first
        Ids of genes that get their place before all others: the chosen one, then those that are linked.
    """
    per_base = pixels / max(window.size, 1)
    rows: list[list[tuple[float, float]]] = [[] for _ in range(MOST_ROWS)]
    columns = (
        genes.gene_id, genes.gene_name, genes.gene_start, genes.gene_end, genes.gene_tss, genes.gene_strand,
    )  # fmt: skip
    wanted = list(first)

    def order(gene: tuple[str, str, int, int, int, str]) -> tuple[int, bool, int]:
        return wanted.index(gene[0]) if gene[0] in wanted else len(wanted), not window.within(*gene[2:4]), gene[2]

    drawn: list[DrawnGene] = []
    for gene_id, name, start, end, tss, strand in sorted(zip(*columns, strict=True), key=order):
        body = max((end - start) * per_base, 8.0)
        near = (start - window.start) * per_base
        written = 6 + LETTER * len(name)
        left = written <= near < pixels < near + body + written
        taken = (near - written, near + body + GAP) if left else (near, near + body + written + GAP)
        row = next((i for i, there in enumerate(rows) if all(taken[1] <= a or taken[0] >= b for a, b in there)), None)
        if row is None:
            drawn.append(DrawnGene(gene_id, name, start, end, tss, strand, MOST_ROWS, None))
            continue
        rows[row].append(taken)
        drawn.append(DrawnGene(gene_id, name, start, end, tss, strand, row, "left" if left else "right"))
    return drawn


def n_rows(genes: Sequence[DrawnGene], window: Place) -> int:
    """Rows that genes in the window take."""
    return 1 + max((gene.row for gene in genes if window.within(gene.start, gene.end)), default=0)


def gene_traces(genes: Sequence[DrawnGene], chosen: str | None, yaxis: str, scheme: Scheme) -> list[go.Scatter]:
    """Bodies, arrow heads at the end of transcription, and names; ``customdata`` is the gene's id."""
    colours = SCHEMES[scheme]
    traces = []
    for mine, colour in ((False, colours.muted), (True, colours.secondary)):
        own = [gene for gene in genes if (gene.gene_id == chosen) == mine]
        if own:
            traces += [_bodies(own, colour, yaxis, 2.6 if mine else 1.6), _heads(own, colour, yaxis)]
            for name_at in ("right", "left"):
                named = [gene for gene in own if gene.name_at == name_at]
                if named:
                    traces.append(_names(named, colour if mine else colours.text, yaxis, mine))
    return traces


def _bodies(genes: Sequence[DrawnGene], colour: str, yaxis: str, width: float) -> go.Scatter:
    return go.Scatter(
        x=[at for gene in genes for at in (gene.start / 1e6, gene.end / 1e6, None)],
        y=[at for gene in genes for at in (-gene.row, -gene.row, None)],
        mode="lines", line={"color": colour, "width": width}, hoverinfo="skip", showlegend=False, yaxis=yaxis,
    )  # fmt: skip


def _heads(genes: Sequence[DrawnGene], colour: str, yaxis: str) -> go.Scatter:
    symbols = {"+": "triangle-right", "-": "triangle-left"}
    return go.Scatter(
        x=[(gene.start if gene.strand == "-" else gene.end) / 1e6 for gene in genes],
        y=[-gene.row for gene in genes],
        mode="markers", showlegend=False, yaxis=yaxis,
        marker={
            "symbol": [symbols.get(gene.strand, "square") for gene in genes],
            "size": [8 if gene.name_at else 5 for gene in genes], "color": colour,
            "opacity": [1 if gene.name_at else 0.45 for gene in genes],
            "line": {"width": 0},
        },
        customdata=[[gene.gene_id, gene.name, place_text(gene), f"{gene.tss:,}"] for gene in genes],
        hovertemplate="<b>%{customdata[1]}</b> %{customdata[2]}<br>TSS %{customdata[3]}<br>click to show its links"
        "<extra></extra>",
    )  # fmt: skip


def _names(genes: Sequence[DrawnGene], colour: str, yaxis: str, bold: bool) -> go.Scatter:
    gap, left = "\N{NO-BREAK SPACE}" * 2, genes[0].name_at == "left"
    texts = [f"<b>{gene.name}</b>" if bold else gene.name for gene in genes]
    return go.Scatter(
        x=[(gene.start if left else gene.end) / 1e6 for gene in genes],
        y=[-gene.row for gene in genes],
        text=[text + gap if left else gap + text for text in texts],
        mode="text", textposition="middle left" if left else "middle right", textfont={"size": 11, "color": colour},
        customdata=[[gene.gene_id, gene.name, place_text(gene), f"{gene.tss:,}"] for gene in genes],
        hoverinfo="skip", showlegend=False, yaxis=yaxis,
    )  # fmt: skip


def place_text(gene: DrawnGene) -> str:
    """Where a gene lies, and its strand."""
    return f"{gene.start:,}-{gene.end:,} ({gene.strand})"
