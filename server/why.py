"""Why a gene attends to a peak: the logit taken apart into what gene and peak are and what their counts add.

With ``q = Q0 + x wq`` and ``k = K0 + y wk`` a logit is ``Q0.K0 + x wq.K0 + y Q0.wk + x y wq.wk``, exactly; see
:mod:`bi2scope.data.factors`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bi2scope.data.attention import score_of
from bi2scope.data.errors import ConfigurationError
from bi2scope.data.factors import Factors, Recompute
from bi2scope.data.graph import CellGraph
from bi2scope.server.catalogue import Catalogue, Ints
from bi2scope.server.cells import link_distances
from bi2scope.server.columns import columnar
from bi2scope.server.loci import peak_position
from bi2scope.server.params import WhyQuery
from bi2scope.server.wire_genes import RivalColumns, Why

RIVALS = 5
"""Peaks that are shown above, and below, in the row."""

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Row:
    """All candidates of one gene in one cell, by logit, the highest first; columns of one length.

    Attributes
    ----------
    peak
        Positions in the data set.
    count
        Counts of the peaks.
    static, of_gene, of_peak, interaction
        The four terms of the logit: without counts, what the gene's count adds, what the peak's does, and both.
    """

    peak: Ints
    count: Doubles
    static: Doubles
    of_gene: Doubles
    of_peak: Doubles
    interaction: Doubles

    @property
    def logit(self) -> Doubles:
        """``(n_candidates,)`` sums of the four terms."""
        return self.static + self.of_gene + self.of_peak + self.interaction


def row_of(recompute: Recompute, graph: CellGraph, gene: int, head: int) -> Row:
    """The row of a gene that the cell expresses, equal logits in genome order."""
    place = int(np.searchsorted(graph.gene_index, gene))
    near = recompute.peak_chromosome[graph.peak_index] == recompute.gene_chromosome[gene]
    if recompute.window is not None:
        near &= recompute.window.near(gene, graph.peak_index)
    peak, count = graph.peak_index[near], graph.peak_count[near]
    factors = recompute.factors
    x, y = (factors.scaled(each).astype(np.float64) for each in (graph.gene_count[place], count))
    query, per_gene, key, per_peak = _parts(factors, gene, peak, head)
    row = Row(peak, count, key @ query, x * (key @ per_gene), y * (per_peak @ query), x * y * (per_gene @ per_peak))
    order = np.argsort(-row.logit, kind="stable")
    return Row(*(getattr(row, name)[order] for name in Row.__annotations__))


def _parts(factors: Factors, gene: int, peak: Ints, head: int) -> tuple[Doubles, Doubles, Doubles, Doubles]:
    """``Q0`` and ``wq`` of the gene and ``K0`` and ``wk`` of the peaks, in the columns of a head."""
    width = factors.query.shape[1] // factors.heads
    own = slice(head * width, (head + 1) * width)
    query, per_gene = factors.query[gene, own], factors.query_per_count[own]
    key, per_peak = factors.key[peak, own], factors.key_per_count[own]
    return tuple(part.astype(np.float64) for part in (query, per_gene, key, per_peak))  # type: ignore[return-value]


def why(catalogue: Catalogue, cell_id: str, query: WhyQuery) -> Why:
    """The logit of a gene and a peak in one cell, taken apart, and the peaks beside it in the gene's row.

    Raises
    ------
    NotFoundError
        If there is no such cell, gene, peak, layer or head.
    RegionError
        If the peak is no name of a peak.
    ConfigurationError
        If the store cannot tell, or the model gives the pair no logit in this cell.
    """
    cell, cell_type = catalogue.cell(cell_id)
    catalogue.require_head(query.layer, query.head)
    peak = peak_position(catalogue, query.peak)
    recompute = _factors(catalogue, query.layer)
    graph = catalogue.reader.graph(cell)
    gene = _gene(catalogue, graph, query.gene, str(catalogue.peak_chrom[peak]))
    if peak not in graph.peak_index:
        raise ConfigurationError(f"Peak {catalogue.peak[peak]} has no count in cell {cell_id}.", "Choose an open one.")
    row = row_of(recompute, graph, gene, query.head)
    found = np.flatnonzero(row.peak == peak)
    if not len(found):
        most = catalogue.reader.attributes.max_distance
        raise ConfigurationError(
            f"{catalogue.peak[peak]} is no candidate of {catalogue.gene_name[gene]}: a gene attends only to peaks of"
            f" its chromosome{'' if most is None else f' that lie within {most} bp of its TSS'}."
        )
    at = int(found[0])
    beside = np.arange(max(at - RIVALS, 0), min(at + RIVALS + 1, len(row.peak)))
    logit, distance = row.logit, link_distances(catalogue, np.full(len(row.peak), gene), row.peak)
    return columnar(
        Why,
        cell_id=cell_id,
        cell_type=cell_type,
        layer=query.layer,
        head=query.head,
        gene_id=str(catalogue.gene_id[gene]),
        gene_name=str(catalogue.gene_name[gene]),
        peak=str(catalogue.peak[peak]),
        distance_to_tss=int(distance[at]),
        gene_count=float(graph.gene_count[np.searchsorted(graph.gene_index, gene)]),
        peak_count=float(row.count[at]),
        counts=recompute.factors.counts,
        static=float(row.static[at]),
        gene_count_term=float(row.of_gene[at]),
        peak_count_term=float(row.of_peak[at]),
        interaction=float(row.interaction[at]),
        logit=float(logit[at]),
        score=float(score_of(logit[at])),
        rank=at + 1,
        n_candidates=len(row.peak),
        n_above=int((logit > 0).sum()),
        rivals=_rivals(catalogue, row, distance, beside[beside != at]),
    )


def _rivals(catalogue: Catalogue, row: Row, distance: Ints, at: Ints) -> RivalColumns:
    peak, logit = row.peak[at], row.logit[at]
    return columnar(
        RivalColumns,
        peak=catalogue.peak[peak],
        peak_chrom=catalogue.peak_chrom[peak],
        peak_start=catalogue.peak_start[peak],
        peak_end=catalogue.peak_end[peak],
        distance_to_tss=distance[at],
        peak_count=row.count[at],
        static=row.static[at],
        gene_count_term=row.of_gene[at],
        peak_count_term=row.of_peak[at],
        interaction=row.interaction[at],
        logit=logit,
        score=score_of(logit),
        rank=at + 1,
    )


def _factors(catalogue: Catalogue, layer: int) -> Recompute:
    if layer:
        raise ConfigurationError(
            f"layer is {layer}; only logits of the first layer, 0, can be taken apart into terms: deeper layers read"
            " what the layers before them made of the whole cell."
        )
    recompute = catalogue.reader.recompute
    if recompute is None:
        raise ConfigurationError(
            "This store has no factors of the model, so its logits cannot be taken apart.",
            "Precompute again from a model whose attention is learned.",
        )
    return recompute


def _gene(catalogue: Catalogue, graph: CellGraph, name: str, chromosome: str) -> int:
    """The gene of that name that the cell expresses; of several, the one on the peak's chromosome."""
    genes = catalogue.gene_positions(name)
    own = genes[np.isin(genes, graph.gene_index)]
    if not len(own):
        raise ConfigurationError(f"Gene {name} has no count in this cell, so it attends to nothing there.")
    there = own[catalogue.gene_chrom[own] == chromosome]
    if len(there) > 1:
        ids = ", ".join(catalogue.gene_id[there])
        raise ConfigurationError(f"{name} is the symbol of {len(there)} genes of this cell.", f"Give an id: {ids}.")
    return int(there[0] if len(there) else own[0])
