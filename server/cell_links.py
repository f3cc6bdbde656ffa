"""The links of one cell: which of them are asked for, in which order, and as what."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bi2scope.data.attention import CellAttention, Cut, Ints, Links
from bi2scope.data.exchange.columns import Lazy, repeated
from bi2scope.data.exchange.selection import Table
from bi2scope.data.heads import needed, over_heads
from bi2scope.server.catalogue import Catalogue
from bi2scope.server.cells import take_rows
from bi2scope.server.exports import cut_comments, cut_of, origin, view_address
from bi2scope.server.loci import locus, peak_position
from bi2scope.server.params import AnyHeadQuery, LinksQuery
from bi2scope.server.tabular import Answer, TableBody
from bi2scope.server.wire import ChromosomeSpan

Mask = npt.NDArray[np.bool_]

MEANING = {
    "mean": "head mean: scores, logits and weights are means over the heads, in which a link that a head does not keep "
    "counts 0.5, 0 and 0; rank: by that score among the kept links of the gene",
    "max": "head max: scores, logits and weights are the highest over the heads; rank: by that score among the kept "
    "links of the gene",
}
"""What the numbers mean when heads are taken together."""


@dataclass(frozen=True, eq=False)
class Wanted:
    """Which of a cell's genes and peaks are asked for.

    Attributes
    ----------
    genes
        ``(n_rows,)`` mask of the cell's genes.
    peaks
        ``(n_peaks,)`` mask of the data set's peaks; ``None`` is all.
    chromosome, gene
        Names of those that were asked for.
    """

    genes: Mask
    peaks: Mask | None
    chromosome: str | None
    gene: str | None

    @classmethod
    def of(cls, catalogue: Catalogue, own: Ints, query: LinksQuery) -> Wanted:
        """What a request asks for of a cell whose genes are ``own``.

        Raises
        ------
        NotFoundError, RegionError
            If there is no such chromosome, gene or peak, or a region is no place.
        """
        genes, peaks = np.ones(len(own), dtype=bool), None
        chromosome = None if query.chromosome is None else catalogue.chromosome(query.chromosome)
        for span in [chromosome] if chromosome else []:
            genes &= _on(span, own)
        positions = None if query.gene is None else catalogue.gene_positions(query.gene)
        if positions is not None:
            genes &= np.isin(own, positions)
        if query.gene_region is not None:
            genes &= np.isin(own, locus(catalogue, query.gene_region).genes(catalogue))
        for span, asked in _peaks_asked(catalogue, query):
            genes &= _on(span, own)
            mask = np.zeros(len(catalogue.peak), dtype=bool)
            mask[asked] = True
            peaks = mask if peaks is None else peaks & mask
        named = None if positions is None else str(catalogue.gene_name[positions[0]])
        return cls(genes, peaks, None if chromosome is None else chromosome.name, named)


def _on(span: ChromosomeSpan, own: Ints) -> Mask:
    on: Mask = (own >= span.gene_start) & (own < span.gene_stop)
    return on


def _peaks_asked(catalogue: Catalogue, query: LinksQuery) -> Iterator[tuple[ChromosomeSpan, Ints]]:
    """Peaks that a request names, each with the chromosome that their genes must be on."""
    if query.region is not None:
        place = locus(catalogue, query.region)
        yield place.span, place.peaks(catalogue)
    if query.peak is not None:
        peak = peak_position(catalogue, query.peak)
        yield catalogue.chromosome(str(catalogue.peak_chrom[peak])), np.array([peak], dtype=np.int64)


def surviving(catalogue: Catalogue, position: int, query: AnyHeadQuery, genes: Mask | None = None) -> Links:
    """Links of a cell's genes, all or those under a mask, that survive the cut in the head asked for.

    ``truncated`` speaks of these genes alone.
    """

    def rows(head: int, cut: Cut) -> CellAttention:
        attention = catalogue.decoded.attention_for(position, cut, query.layer, head)
        return attention if genes is None else take_rows(attention, genes)

    over = query.over
    if over is None:
        return rows(query.head_number, query.cut).links(query.cut)
    heads = range(catalogue.reader.attributes.n_heads)
    return over_heads([rows(head, needed(over, query.cut)) for head in heads], over, query.cut)


def link_table(catalogue: Catalogue, cell_id: str, query: LinksQuery, most: int | None) -> Answer:
    """Links of one cell that survive threshold and k, in the order asked for.

    Parameters
    ----------
    catalogue
        The open store.
    cell_id
        Name of the cell.
    query
        The cut, the layer and head, what to keep to, and the order.
    most
        Most links to return; ``None`` is no bound. ``query.limit`` applies too.

    Raises
    ------
    NotFoundError
        If there is no such cell, chromosome, gene, peak, layer or head. A gene that the cell does not express
        gives an empty table.
    RegionError
        If a region is no place.
    """
    position, cell_type = catalogue.cell(cell_id)
    catalogue.require_head(query.layer, query.head_number)
    wanted = Wanted.of(catalogue, catalogue.decoded.graph(position).gene_index, query)
    links = surviving(catalogue, position, query, None if wanted.genes.all() else wanted.genes)
    if wanted.peaks is not None:
        links = links.where(wanted.peaks[links.peak])
    found = _Found(catalogue, (cell_id, cell_type), query, wanted, position, links, most)
    return Answer(found.body, found.table, ("bi2scope", "links", cell_id, wanted.chromosome, wanted.gene))


FEW_VALUES = 1 << 17
"""Values of an answer that takes about a millisecond: rows times columns."""

ALL_COLUMNS = 20
"""Columns of a table, or a few more."""


def is_at_hand(catalogue: Catalogue, cell_id: str, query: LinksQuery) -> bool:
    """Whether a request asks for few values of links that are decoded already; reads nothing."""
    cells = catalogue.reader.cells.index
    narrowed = query.model_fields_set - {"threshold", "top_k", "layer", "head", "columns"}
    if narrowed or query.over is not None or query.top_k is None or cell_id not in cells:
        return False
    position = catalogue.reader.cell_position(cell_id)
    attention = catalogue.decoded.held(position, query.cut, query.layer, query.head_number)
    if attention is None:
        return False
    n_columns = ALL_COLUMNS if query.columns is None else query.columns.count(",") + 1
    return min(len(attention.gene) * query.top_k, len(attention.peak)) * n_columns <= FEW_VALUES


@dataclass(frozen=True, eq=False)
class _Found:
    """The links that were asked for, before they are put in order and bounded."""

    catalogue: Catalogue
    cell: tuple[str, str]
    query: LinksQuery
    wanted: Wanted
    position: int
    links: Links
    most: int | None

    def body(self) -> TableBody:
        """As JSON has it."""
        shown, query, wanted = self.shown(), self.query, self.wanted
        fields = {
            "cell_id": self.cell[0],
            "cell_type": self.cell[1],
            "layer": query.layer,
            "head": query.head_number if query.over is None else query.over,
            "threshold": query.threshold,
            "top_k": query.top_k,
            "chromosome": wanted.chromosome,
            "gene": wanted.gene,
            "n_links": len(self.links),
            "n_genes_linked": int(np.count_nonzero(np.diff(self.links.gene, prepend=-1))),
            "n_genes": int(wanted.genes.sum()),
            "truncated": self.links.truncated,
            "limited": len(shown) < len(self.links),
        }
        return TableBody(fields, self.catalogue.own_columns(self.position).beside(shown), "links")

    def table(self) -> Table:
        """As a file has it."""
        shown, query = self.shown(), self.query
        cell_id, cell_type = self.cell
        asked = {"chromosome": self.wanted.chromosome, "gene": self.wanted.gene}
        asked |= {name: getattr(query, name) for name in ("region", "gene_region", "peak")}
        comments = [
            *origin(self.catalogue.reader),
            f"cell: {cell_id}",
            f"cell type: {cell_type}",
            *cut_comments(self.catalogue.reader, query, self.links.truncated),
            *([] if query.over is None else [MEANING[query.over]]),
            *(f"{name}: {value}" for name, value in asked.items() if value),
            f"links: {len(self.links)}",
            *([] if query.order == "gene" else [f"order: {query.order}"]),
            *([f"the first {len(shown)} links only"] if len(shown) < len(self.links) else []),
            f"view: {view_address(view='cell', cell=cell_id, **cut_of(query))}",
        ]
        whose = Lazy(
            {"cell_id": lambda: repeated(cell_id, len(shown)), "cell_type": lambda: repeated(cell_type, len(shown))}
        )
        rows = whose | self.catalogue.own_columns(self.position).beside(shown)
        return Table(f"{cell_id} links", query.cut, tuple(comments), iter([rows]))

    def shown(self) -> Links:
        """The links in the order asked for, as many as there may be."""
        bounds = [bound for bound in (self.query.limit, self.most) if bound is not None]
        returned = min([len(self.links), *bounds])
        order = self.order()
        if order is None and returned == len(self.links):
            return self.links
        return self.links.at(np.arange(returned) if order is None else order[:returned])

    def order(self) -> Ints | None:
        """Places of the links in the order asked for; ``None`` leaves them by gene and rank, which parts ties, too."""
        links = self.links
        if self.query.order == "score":
            return np.lexsort((-links.logit, -links.score))
        if self.query.order == "distance":
            return np.argsort(np.abs(self.catalogue.places.distance(links.gene, links.peak)), kind="stable")
        return None
