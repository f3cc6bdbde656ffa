"""Answers about the peaks of one gene in a cell type: its links over the type's cells, peak by peak."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from bi2scope.data.attention import (
    FLOOR,
    WEIGHTED_PER_ROW,
    Cut,
    Floats,
    pruned_weight,
    score_of,
    softmax_denominator,
)
from bi2scope.data.exchange.columns import Lazy, picked, repeated
from bi2scope.data.exchange.selection import Table
from bi2scope.server.across import OfGene
from bi2scope.server.catalogue import Catalogue, Ints
from bi2scope.server.exports import cut_comments, cut_of, origin, view_address
from bi2scope.server.params import AcrossQuery, CutQuery
from bi2scope.server.tabular import Answer, TableBody

if TYPE_CHECKING:
    from bi2scope.data.store.across import PairLinks
    from bi2scope.data.store.reader import StoreReader

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class _Peaks:
    """Peaks of one gene; columns of one length, the fields of ``GenePeakColumns`` that are reckoned."""

    gene: Ints
    peak: Ints
    n_cells: Ints
    n_expressing: Ints
    mean_logit: Doubles
    mean_score: Doubles
    mean_rank: Doubles
    mean_weight: Doubles
    best: Ints

    def where(self, order: Ints) -> _Peaks:
        return _Peaks(*(getattr(self, name)[order] for name in _Peaks.__annotations__))

    def columns(self, catalogue: Catalogue) -> Lazy:
        """With the names and places of genes, peaks and cells."""
        means = ("mean_logit", "mean_score", "mean_rank", "mean_weight")
        own = {
            "n_cells": self.n_cells,
            "n_expressing": self.n_expressing,
            "share": self.n_cells / np.maximum(self.n_expressing, 1),
            **{name: getattr(self, name) for name in means},
        }
        best = picked({"best_cell": catalogue.places.cells["cell_id"]}, self.best)
        return catalogue.places.columns(self.gene, self.peak) | Lazy.of(own) | Lazy(best)


@dataclass(frozen=True, eq=False)
class _Found:
    """What was asked, and what was found: the strongest first, not yet bounded."""

    catalogue: Catalogue
    cell_type: str
    gene: str
    query: AcrossQuery
    peaks: _Peaks
    n_expressing: int
    n_linked: int
    truncated: bool
    most: int | None

    @property
    def shown(self) -> _Peaks:
        bounds = [bound for bound in (self.query.limit, self.most) if bound is not None]
        return self.peaks.where(np.arange(min([len(self.peaks.peak), *bounds])))

    def body(self) -> TableBody:
        """As JSON has it."""
        shown = self.shown
        fields = {
            "cell_type": self.cell_type,
            "gene": self.gene,
            **{name: getattr(self.query, name) for name in ("layer", "head", "threshold", "top_k")},
            "n_cells": len(self.catalogue.reader.cells_of(self.cell_type)),
            "n_cells_expressing": self.n_expressing,
            "n_cells_linked": self.n_linked,
            "n_links": int(self.peaks.n_cells.sum()),
            "n_pairs": len(self.peaks.peak),
            "truncated": self.truncated,
            "limited": len(shown.peak) < len(self.peaks.peak),
        }
        return TableBody(fields, shown.columns(self.catalogue), "pairs")

    def table(self) -> Table:
        """As a file has it."""
        shown, reader = self.shown, self.catalogue.reader
        n_rows = len(shown.peak)
        view = view_address(view="locus", gene=self.gene, cell_type=self.cell_type, **cut_of(self.query))
        comments = [
            *origin(reader),
            f"cell type: {self.cell_type}",
            f"cells: {len(reader.cells_of(self.cell_type))}, with a count of the gene: {self.n_expressing},"
            f" with a link: {self.n_linked}",
            *cut_comments(reader, self.query, self.truncated),
            f"gene: {self.gene}",
            "n_cells: cells with the link; n_expressing: cells with a count of the gene; share: n_cells / n_expressing",
            "means: over the cells with the link; best_cell: where its logit is highest",
            f"peaks: {len(self.peaks.peak)}, with {int(self.peaks.n_cells.sum())} links",
            *([f"the first {n_rows} only, the strongest first"] if n_rows < len(self.peaks.peak) else []),
            f"view: {view}",
        ]
        whose = Lazy({"cell_type": lambda: repeated(self.cell_type, n_rows)})
        rows = whose | shown.columns(self.catalogue)
        return Table(f"{self.cell_type} {self.gene}", self.query.cut, tuple(comments), iter([rows]))


def gene_peaks(catalogue: Catalogue, cell_type: str, gene: str, query: AcrossQuery, most: int | None) -> Answer:
    """Peaks that a gene is linked to in the cells of a type, those linked in most cells first.

    Genes that share the symbol stand side by side.

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
        Most peaks to return; ``None`` is no bound. ``query.limit`` applies too.

    Raises
    ------
    NotFoundError
        If there is no such cell type, gene, layer or head.
    """
    kept = OfGene.of(catalogue, cell_type, gene, query)
    parts = [_peaks(catalogue.reader, each, links, query) for each, links in kept.links.items()]
    peaks = _Peaks(*(np.concatenate([getattr(part, name) for part in parts]) for name in _Peaks.__annotations__))
    found = _Found(
        catalogue,
        kept.cell_type,
        kept.symbol,
        query,
        peaks.where(np.lexsort((peaks.peak, -peaks.mean_score, -peaks.n_cells))),
        n_expressing=kept.n_expressing,
        n_linked=len(np.unique(np.concatenate([links.cell for links in kept.links.values()]))),
        truncated=kept.truncated,
        most=most,
    )
    return Answer(found.body, found.table, ("bi2scope", "peaks", kept.cell_type, found.gene))


def _peaks(reader: StoreReader, gene: int, links: PairLinks, query: CutQuery) -> _Peaks:
    """The peaks of one gene."""
    cell, logit = links.cell.astype(np.int64), links.logit.astype(np.float64)
    peak, place, n_cells = np.unique(links.feature.astype(np.int64), return_inverse=True, return_counts=True)

    def mean(values: npt.NDArray[Any]) -> Doubles:
        return np.bincount(place, weights=values.astype(np.float64), minlength=len(peak)) / n_cells

    by_peak = np.lexsort((cell, -logit, place))
    first = (np.cumsum(n_cells) - n_cells).astype(np.int64)
    return _Peaks(
        gene=np.full(len(peak), gene, dtype=np.int64),
        peak=peak,
        n_cells=n_cells.astype(np.int64),
        n_expressing=np.full(len(peak), len(links.cells), dtype=np.int64),
        mean_logit=mean(logit),
        mean_score=mean(score_of(links.logit)),
        mean_rank=mean(links.rank),
        mean_weight=mean(row_weights(reader, gene, links, (query.layer, query.head))),
        best=cell[by_peak[first]],
    )


def row_weights(reader: StoreReader, gene: int, links: PairLinks, of: tuple[int, int]) -> Floats:
    """``(n_links,)`` pruned attention of a gene's links.

    The denominator of a row follows from its ten highest scores. Where there are fewer above 0.5, and the cell has so
    few peaks that others of the chromosome may have to fill the ten places, the stored one is read. Scores are those of
    logits as the store rounds them, so that a weight is right to four digits.

    Parameters
    ----------
    of
        Layer and head.
    """
    cell, row = np.unique(links.cell, return_inverse=True)
    whole = reader.links_of_gene(gene, cell, *of, Cut(FLOOR, WEIGHTED_PER_ROW))
    top = np.zeros((len(cell), WEIGHTED_PER_ROW), dtype=np.float32)  # (n_rows, 10)
    own = np.searchsorted(cell, whole.cell)
    top[own, whole.rank - 1] = score_of(whole.logit)
    n_top = np.bincount(own, minlength=len(cell))
    denominator = softmax_denominator(top, n_top, np.full(len(cell), WEIGHTED_PER_ROW))
    sure = (n_top == WEIGHTED_PER_ROW) | (_elsewhere(reader, gene, cell) & (not whole.truncated))
    for at in np.flatnonzero(~sure):
        attention = reader.attention(int(cell[at]), *of)
        denominator[at] = attention.denominator[np.searchsorted(attention.gene, gene)]
    score, rank = score_of(links.logit), np.asarray(links.rank, dtype=np.int64)
    return pruned_weight(score, rank, denominator[row], reader.attributes.attention)


def _elsewhere(reader: StoreReader, gene: int, cell: npt.NDArray[np.integer]) -> npt.NDArray[np.bool_]:
    """``(n_cells,)`` whether so many peaks are open that ten of them must lie on other chromosomes."""
    n_there = int((reader.peaks["chrom"] == reader.genes["chrom"].iloc[gene]).sum())
    _, atac = reader.counts
    enough: npt.NDArray[np.bool_] = np.diff(atac.indptr)[cell] >= n_there + WEIGHTED_PER_ROW
    return enough
