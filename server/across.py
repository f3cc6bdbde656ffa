"""Answers about one gene, or one peak, across the cells of a type: its links in each of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from bi2scope.data.attention import Floats, score_of
from bi2scope.data.exchange.columns import Lazy, picked, repeated
from bi2scope.data.exchange.selection import Table
from bi2scope.server.catalogue import Catalogue, Ints
from bi2scope.server.exports import cut_comments, cut_of, origin, view_address
from bi2scope.server.loci import peak_position
from bi2scope.server.params import AcrossQuery
from bi2scope.server.tabular import Answer, TableBody

if TYPE_CHECKING:
    from bi2scope.data.store.across import PairLinks

BLOCK_ROWS = 1 << 18
"""Rows of a file that are written at a time."""


@dataclass(frozen=True, eq=False)
class _Found:
    """Links that survive the cut, by cell and then by rank or gene; columns of one length."""

    gene: Ints
    cell: Ints
    peak: Ints
    rank: Ints
    logit: Floats
    score: Floats

    def __len__(self) -> int:
        return len(self.rank)

    def columns(self, catalogue: Catalogue, rows: slice) -> Lazy:
        """Some rows with the names and places of their cells, genes and peaks."""
        cells = picked({"cell_id": catalogue.places.cells["cell_id"]}, self.cell[rows])
        own = {name: getattr(self, name)[rows] for name in ("logit", "score", "rank")}
        return Lazy(cells) | catalogue.places.columns(self.gene[rows], self.peak[rows]) | Lazy.of(own)


@dataclass(frozen=True, eq=False)
class _Across:
    """What was asked, and what was found.

    Attributes
    ----------
    kind, name
        Of a ``gene`` or a ``peak``, and its name.
    present
        How cells that have a count of it are called, and how many of the type there are.
    truncated
        Whether links that would survive were not kept.
    """

    catalogue: Catalogue
    cell_type: str
    query: AcrossQuery
    kind: str
    name: str
    present: tuple[str, int]
    found: _Found
    truncated: bool
    most: int | None

    def answer(self) -> Answer:
        return Answer(self.body, self.table, ("bi2scope", "links", self.cell_type, self.name))

    @property
    def n_shown(self) -> int:
        bounds = [bound for bound in (self.query.limit, self.most) if bound is not None]
        return min([len(self.found), *bounds])

    def body(self) -> TableBody:
        fields = {
            "cell_type": self.cell_type,
            self.kind: self.name,
            **{name: getattr(self.query, name) for name in ("layer", "head", "threshold", "top_k")},
            "n_cells": len(self.catalogue.reader.cells_of(self.cell_type)),
            self.present[0]: self.present[1],
            "n_cells_linked": len(np.unique(self.found.cell)),
            "n_links": len(self.found),
            "truncated": self.truncated,
            "limited": self.n_shown < len(self.found),
        }
        return TableBody(fields, self.found.columns(self.catalogue, slice(self.n_shown)), "links")

    def table(self) -> Table:
        reader = self.catalogue.reader
        limited = [f"the first {self.n_shown} links only"] if self.n_shown < len(self.found) else []
        comments = [
            *origin(reader),
            f"cell type: {self.cell_type}",
            f"cells: {len(reader.cells_of(self.cell_type))}, with a count of the {self.kind}: {self.present[1]},"
            f" with a link: {len(np.unique(self.found.cell))}",
            *cut_comments(reader, self.query, self.truncated),
            f"{self.kind}: {self.name}",
            f"links: {len(self.found)}",
            *limited,
            f"view: {view_address(view='celltype', cell_type=self.cell_type, **cut_of(self.query))}",
        ]
        return Table(f"{self.cell_type} {self.name}", self.query.cut, tuple(comments), self._blocks())

    def _blocks(self) -> Iterator[Lazy]:
        for start in range(0, max(self.n_shown, 1), BLOCK_ROWS):
            rows = slice(start, min(start + BLOCK_ROWS, self.n_shown))
            whose = Lazy({"cell_type": partial(repeated, self.cell_type, rows.stop - rows.start)})
            yield whose | self.found.columns(self.catalogue, rows)


@dataclass(frozen=True, eq=False)
class OfGene:
    """Links of one gene in the cells of a type that survive a cut.

    Attributes
    ----------
    cell_type, symbol
        Names of the type and of the gene.
    links
        By the position of each gene of that name.
    """

    cell_type: str
    symbol: str
    links: dict[int, PairLinks]

    @classmethod
    def of(cls, catalogue: Catalogue, cell_type: str, gene: str, query: AcrossQuery) -> OfGene:
        """Read them.

        Raises
        ------
        NotFoundError
            If there is no such cell type, gene, layer or head.
        """
        name = catalogue.require_cell_type(cell_type)
        catalogue.require_head(query.layer, query.head)
        genes, reader = catalogue.gene_positions(gene).tolist(), catalogue.reader
        cells = reader.cells_of(name)
        links = {each: reader.links_of_gene(each, cells, query.layer, query.head, query.cut) for each in genes}
        return cls(name, str(catalogue.gene_name[genes[0]]), links)

    @property
    def n_expressing(self) -> int:
        """Cells with a count of it."""
        return len(np.unique(np.concatenate([links.cells for links in self.links.values()])))

    @property
    def truncated(self) -> bool:
        """Whether links that would survive are missing."""
        return any(links.truncated for links in self.links.values())


def gene_links(catalogue: Catalogue, cell_type: str, gene: str, query: AcrossQuery, most: int | None) -> Answer:
    """Links of one gene in every cell of a type, by cell in the order of the data set and then by rank.

    Genes that share the symbol follow each other.

    Parameters
    ----------
    catalogue
        The open store.
    cell_type
        Name of the cell type.
    gene
        Id or symbol, whatever the case.
    query
        The cut, and the layer and head.
    most
        Most links to return; ``None`` is no bound. ``query.limit`` applies too.

    Raises
    ------
    NotFoundError
        If there is no such cell type, gene, layer or head.
    """
    kept = OfGene.of(catalogue, cell_type, gene, query)
    found = _joined([_found(links, gene=each) for each, links in kept.links.items()])
    present = "n_cells_expressing", kept.n_expressing
    return _Across(catalogue, kept.cell_type, query, "gene", kept.symbol, present, found, kept.truncated, most).answer()


def peak_links(catalogue: Catalogue, cell_type: str, peak: str, query: AcrossQuery, most: int | None) -> Answer:
    """Links to one peak in every cell of a type, by cell in the order of the data set and then by gene.

    Parameters
    ----------
    catalogue, cell_type, query, most
        As :func:`gene_links`.
    peak
        Its name, in any of the three spellings.

    Raises
    ------
    NotFoundError
        If there is no such cell type, peak, layer or head.
    RegionError
        If it is no name of a peak.
    """
    name = catalogue.require_cell_type(cell_type)
    catalogue.require_head(query.layer, query.head)
    position, reader = peak_position(catalogue, peak), catalogue.reader
    links = reader.links_of_peak(position, reader.cells_of(name), query.layer, query.head, query.cut)
    return _Across(
        catalogue, name, query, "peak", str(catalogue.peak[position]), ("n_cells_open", len(links.cells)),
        _found(links, peak=position), links.truncated, most,
    ).answer()  # fmt: skip


def _found(links: PairLinks, *, gene: int | None = None, peak: int | None = None) -> _Found:
    """Links that survive a cut, of one gene or to one peak."""
    feature = links.feature.astype(np.int64)
    return _Found(
        gene=feature if gene is None else np.full(len(feature), gene, dtype=np.int64),
        cell=links.cell.astype(np.int64),
        peak=feature if peak is None else np.full(len(feature), peak, dtype=np.int64),
        rank=links.rank.astype(np.int32),
        logit=links.logit.astype(np.float32),
        score=score_of(links.logit),
    )


def _joined(parts: list[_Found]) -> _Found:
    return _Found(*(np.concatenate([getattr(part, name) for part in parts]) for name in _Found.__annotations__))
