"""Links as arcs from a gene's TSS to its peaks: of one gene or a window, over a cell type's cells or in one cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bi2scope.server.wire import LinkColumns, LinkTable
from bi2scope.server.wire_genes import GeneColumns, GenePeaks, RegionLinks, RegionPairs

Over = Literal["gene", "map", "cell"]
"""What arcs are of: one gene over a type's cells, a type's regulatory map in a window, one cell."""

MOST_INSIDE, MOST_LEAVING = 250, 40
"""Arcs that are drawn at once, with both ends in the window and with one: the strongest."""

MOST_LISTED = 2_000
"""Arcs in the table."""

NEAREST = 5
"""Links that the first window of a gene holds."""

LEAST_WINDOW = 100_000
"""Bases of the first window of a gene, at least."""


@dataclass(frozen=True, slots=True)
class Place:
    """Bases ``start`` to ``end`` of a chromosome, 0-based and half-open."""

    chrom: str
    start: int
    end: int

    @property
    def text(self) -> str:
        """As the API takes it."""
        return f"{self.chrom}:{self.start}-{self.end}"

    @property
    def named(self) -> str:
        """As people write it."""
        return f"{self.chrom}:{self.start:,}-{self.end:,}"

    @property
    def size(self) -> int:
        """Bases."""
        return self.end - self.start

    def holds(self, base: int) -> bool:
        """Whether a base lies inside."""
        return self.start <= base < self.end

    def within(self, start: int, end: int) -> bool:
        """Whether an interval shares a base with it."""
        return start < self.end and end > self.start

    def wider(self, share: float, chrom_end: int) -> Place:
        """With a share of its size added on either side, not beyond the chromosome."""
        margin = int(self.size * share)
        return Place(self.chrom, max(0, self.start - margin), max(min(chrom_end, self.end + margin), 1))


@dataclass(frozen=True, slots=True)
class Arc:
    """A gene and a peak that are linked. Means are over the cells with the link; of one cell they are its values.

    ``out_of`` are the cells that ``n_cells`` are a share of.
    """

    gene_id: str
    gene_name: str
    tss: int
    strand: str
    peak: str
    start: int
    end: int
    distance: int
    n_cells: int
    out_of: int
    score: float
    weight: float
    logit: float | None = None
    rank: float | None = None
    cell_id: str | None = None

    @property
    def share(self) -> float:
        """Share of the cells that have the link."""
        return self.n_cells / self.out_of if self.out_of else 0.0

    @property
    def middle(self) -> float:
        """Middle of the peak."""
        return (self.start + self.end) / 2


@dataclass(frozen=True, slots=True)
class Arcs:
    """Arcs, the strongest first; what they are of, and how many there are in all."""

    over: Over
    rows: Sequence[Arc]
    n_pairs: int
    limited: bool
    truncated: bool
    n_cells: int = 1
    n_expressing: int | None = None
    least_cells: int = 1


@dataclass(frozen=True, slots=True)
class Sight:
    """What of some arcs a window shows, and how many there are: those inside, those with one end in it.

    ``inside`` and ``leaving`` are positions of the ones to be drawn, the strongest first.
    """

    inside: list[int]
    leaving: list[int]
    n_inside: int
    n_leaving: int


def sight_of(rows: Sequence[Arc], window: Place) -> Sight:
    """The arcs that a window shows; ``rows`` are the strongest first, and all on its chromosome."""
    inside, leaving = [], []
    for position, arc in enumerate(rows):
        ends = window.holds(arc.tss), window.within(arc.start, arc.end)
        if all(ends):
            inside.append(position)
        elif any(ends):
            leaving.append(position)
    return Sight(inside[:MOST_INSIDE], leaving[:MOST_LEAVING], len(inside), len(leaving))


def of_gene(body: GenePeaks) -> Arcs:
    """The arcs of one gene over a type's cells."""
    pairs = body.pairs
    rows = [
        Arc(*row)
        for row in zip(
            pairs.gene_id, pairs.gene_name, pairs.gene_tss, pairs.gene_strand, pairs.peak, pairs.peak_start,
            pairs.peak_end, pairs.distance_to_tss, pairs.n_cells, pairs.n_expressing, pairs.mean_score,
            pairs.mean_weight, pairs.mean_logit, pairs.mean_rank, pairs.best_cell, strict=True,
        )
    ]  # fmt: skip
    return Arcs("gene", rows, body.n_pairs, body.limited, body.truncated, body.n_cells, body.n_cells_expressing)


def of_map(body: RegionPairs) -> Arcs:
    """The arcs of a window of a type's regulatory map."""
    pairs = body.pairs
    rows = [
        Arc(*row)
        for row in zip(
            pairs.gene_id, pairs.gene_name, pairs.gene_tss, pairs.gene_strand, pairs.peak, pairs.peak_start,
            pairs.peak_end, pairs.distance_to_tss, pairs.n_cells, pairs.n_both, pairs.mean_score, pairs.mean_weight,
            strict=True,
        )
    ]  # fmt: skip
    return Arcs("map", rows, body.n_pairs, body.limited, body.truncated, body.n_cells, least_cells=body.least_cells)


def of_cell(body: LinkTable | RegionLinks) -> Arcs:
    """The arcs of one cell, of highest logit first."""
    rows = sorted(_links(body.links, body.cell_id), key=lambda arc: -(arc.logit or 0))
    return Arcs("cell", rows, body.n_links, body.limited, body.truncated)


def _links(links: LinkColumns, cell_id: str) -> list[Arc]:
    return [
        Arc(*row[:8], 1, 1, *row[8:], cell_id)  # type: ignore[call-arg]
        for row in zip(
            links.gene_id, links.gene_name, links.gene_tss, links.gene_strand, links.peak, links.peak_start,
            links.peak_end, links.distance_to_tss, links.score, links.weight, links.logit, links.rank, strict=True,
        )
    ]  # fmt: skip


def gene_place(genes: GeneColumns) -> Place:
    """Where the first of some genes lies."""
    return Place(genes.gene_chrom[0], genes.gene_start[0], max(genes.gene_end[0], genes.gene_start[0] + 1))


def first_window(gene: Place, rows: Sequence[Arc], chrom_end: int) -> Place:
    """A window that holds a gene and its nearest links, with a margin; 100 kb at least."""
    near = sorted(rows, key=lambda arc: abs(arc.distance))[:NEAREST]
    return around(gene, near, chrom_end)


def around(gene: Place, rows: Sequence[Arc], chrom_end: int) -> Place:
    """A window that holds a gene and some links, with a margin; 100 kb at least."""
    start, end = min([gene.start, *(arc.start for arc in rows)]), max([gene.end, *(arc.end for arc in rows)])
    missing = max(LEAST_WINDOW - (end - start), 0) // 2
    return Place(gene.chrom, max(0, start - missing), end + missing).wider(0.06, max(chrom_end, end))
