"""Answers about one gene across the cells of a type: its links in each of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bi2scope.data.attention import Floats, score_of
from bi2scope.server.catalogue import Catalogue, Ints
from bi2scope.server.cells import link_distances
from bi2scope.server.columns import columnar
from bi2scope.server.params import GeneLinksQuery
from bi2scope.server.wire_genes import GeneLinkColumns, GeneLinks

if TYPE_CHECKING:
    from bi2scope.data.store.across import PairLinks


@dataclass(frozen=True)
class _Found:
    """Links of one gene that survive the cut, by cell and then by rank; columns of one length."""

    gene: Ints
    cell: Ints
    peak: Ints
    rank: Ints
    logit: Floats
    score: Floats


def gene_links(catalogue: Catalogue, cell_type: str, gene: str, query: GeneLinksQuery, most: int | None) -> GeneLinks:
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
    name = catalogue.require_cell_type(cell_type)
    catalogue.require_head(query.layer, query.head)
    genes, reader = catalogue.gene_positions(gene), catalogue.reader
    cells = reader.cells_of(name)
    kept = [reader.links_of_gene(int(each), cells, query.layer, query.head, query.cut) for each in genes]
    found = _joined([_surviving(int(each), links) for each, links in zip(genes, kept, strict=True)])
    bounds = [bound for bound in (query.limit, most) if bound is not None]
    shown = slice(min([len(found.rank), *bounds]))
    return columnar(
        GeneLinks,
        cell_type=name,
        gene=str(catalogue.gene_name[genes[0]]),
        layer=query.layer,
        head=query.head,
        threshold=query.threshold,
        top_k=query.top_k,
        n_cells=len(cells),
        n_cells_expressing=len(np.unique(np.concatenate([links.cells for links in kept]))),
        n_cells_linked=len(np.unique(found.cell)),
        n_links=len(found.rank),
        truncated=any(links.truncated for links in kept),
        limited=shown.stop < len(found.rank),
        links=_columns(catalogue, found, shown),
    )


def _surviving(gene: int, links: PairLinks) -> _Found:
    return _Found(
        gene=np.full(len(links.rank), gene, dtype=np.int64),
        cell=links.cell.astype(np.int64),
        peak=links.feature.astype(np.int64),
        rank=links.rank.astype(np.int64),
        logit=links.logit,
        score=score_of(links.logit),
    )


def _joined(parts: list[_Found]) -> _Found:
    return _Found(*(np.concatenate([getattr(part, name) for part in parts]) for name in _Found.__annotations__))


def _columns(catalogue: Catalogue, found: _Found, shown: slice) -> GeneLinkColumns:
    gene, peak = found.gene[shown], found.peak[shown]
    cell_ids = catalogue.reader.cells.index.to_numpy(object)
    return columnar(
        GeneLinkColumns,
        gene_id=catalogue.gene_id[gene],
        gene_name=catalogue.gene_name[gene],
        cell_id=cell_ids[found.cell[shown]],
        peak=catalogue.peak[peak],
        peak_chrom=catalogue.peak_chrom[peak],
        peak_start=catalogue.peak_start[peak],
        peak_end=catalogue.peak_end[peak],
        distance_to_tss=link_distances(catalogue, gene, peak),
        logit=found.logit[shown],
        score=found.score[shown],
        rank=found.rank[shown],
    )
