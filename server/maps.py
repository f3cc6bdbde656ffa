"""Answers about the regulatory map of a cell type: which genes are linked to which peaks, in how many cells."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from bi2scope.data.attention import Cut
from bi2scope.data.exchange.columns import Lazy, repeated
from bi2scope.data.exchange.comments import MEANING, cut_lines
from bi2scope.data.exchange.selection import Table
from bi2scope.server.catalogue import Catalogue, Ints
from bi2scope.server.exports import origin, view_address
from bi2scope.server.loci import locus, peak_position
from bi2scope.server.params import MapQuery
from bi2scope.server.tabular import Answer, TableBody

if TYPE_CHECKING:
    from bi2scope.data.store.regulatory import StoredMap

BLOCK_PAIRS = 1 << 18
"""Pairs that are read at a time; a single gene may have more."""


@dataclass(frozen=True, eq=False)
class MapSlice:
    """What of a cell type's map was asked for; nothing is read before it is gone through.

    Attributes
    ----------
    cell_type
        Whose map.
    stored
        The map.
    genes
        Runs of genes, ascending.
    peaks
        Positions of the peaks to keep to; ``None`` keeps all.
    truncated
        Whether links were cut off at k_max, so that a pair may have been seen in fewer cells than it is linked in.
    """

    cell_type: str
    stored: StoredMap
    genes: list[tuple[int, int]]
    peaks: Ints | None
    truncated: bool

    def blocks(self) -> Iterator[pd.DataFrame]:
        """Its pairs by gene and then by peak, a bounded number at a time."""
        for first, last in self.genes:
            for start, stop in self.stored.gene_runs(BLOCK_PAIRS):
                own = max(start, first), min(stop, last)
                if own[0] < own[1]:
                    pairs = self.stored.pairs(own)
                    yield pairs if self.peaks is None else pairs[np.isin(pairs["peak"], self.peaks)]

    def first(self, most: int | None) -> Iterator[pd.DataFrame]:
        """Its first pairs, ``most`` at most."""
        left = most
        for pairs in self.blocks():
            yield pairs if left is None else pairs.iloc[:left]
            if left is not None:
                left -= min(len(pairs), left)
                if not left:
                    return


def map_slice(catalogue: Catalogue, cell_type: str, query: MapQuery) -> MapSlice:
    """The part of a cell type's map that has a gene, a peak, or peaks that overlap a region.

    Raises
    ------
    NotFoundError
        If there is no such cell type, layer, head, gene, peak or chromosome.
    RegionError
        If the peak or the region is no place.
    """
    name = catalogue.require_cell_type(cell_type)
    catalogue.require_head(query.layer, query.head)
    genes, peaks = [(0, len(catalogue.gene_id))], None
    if query.region is not None:
        place = locus(catalogue, query.region)
        genes, peaks = [(place.span.gene_start, place.span.gene_stop)], place.peaks(catalogue)
    if query.peak is not None:
        peak = peak_position(catalogue, query.peak)
        span = catalogue.chromosome(str(catalogue.peak_chrom[peak]))
        genes = [(span.gene_start, span.gene_stop)]
        peaks = np.array([peak]) if peaks is None else peaks[peaks == peak]
    if query.gene is not None:
        genes = [(int(gene), int(gene) + 1) for gene in catalogue.gene_positions(query.gene)]
    reader = catalogue.reader
    stored = reader.regulatory_map(name, query.layer, query.head)
    return MapSlice(name, stored, genes, peaks, reader.cumulative(name, Cut(), query.layer, query.head).truncated)


def regulatory_map(catalogue: Catalogue, cell_type: str, query: MapQuery, most: int | None) -> Answer:
    """Pairs of a cell type's map by gene and then by peak in genome order.

    At most ``most`` and ``query.limit``; files are made block by block.

    Raises
    ------
    NotFoundError, RegionError
        As :func:`map_slice`.
    """
    chosen = map_slice(catalogue, cell_type, query)
    return Answer(
        lambda: _body(catalogue, chosen, query, most),
        lambda: _table(catalogue, chosen, query),
        ("bi2scope", "map", chosen.cell_type, query.gene, query.peak, query.region),
    )


def _body(catalogue: Catalogue, chosen: MapSlice, query: MapQuery, most: int | None) -> TableBody:
    bound = min(each for each in (query.limit, most) if each is not None)
    shown, n_pairs = [], 0
    for pairs in chosen.blocks():
        shown.append(pairs.iloc[: max(bound - n_pairs, 0)])
        n_pairs += len(pairs)
        if n_pairs > bound and query.everything:
            n_pairs = len(chosen.stored)
            break
    pairs = pd.concat(shown) if shown else pd.DataFrame(columns=["gene", "peak", *PAIR_COLUMNS.values()], dtype=int)
    fields = {
        "cell_type": chosen.cell_type,
        "n_cells": len(catalogue.reader.cells_of(chosen.cell_type)),
        "least_cells": chosen.stored.least_cells,
        "layer": query.layer,
        "head": query.head,
        "gene": query.gene,
        "peak": query.peak,
        "region": query.region,
        "n_pairs": n_pairs,
        "truncated": chosen.truncated,
        "limited": len(pairs) < n_pairs,
    }
    return TableBody(fields, pair_columns(catalogue, pairs), "pairs")


def _table(catalogue: Catalogue, chosen: MapSlice, query: MapQuery) -> Table:
    reader = catalogue.reader
    kept = Cut(reader.attributes.floor, reader.attributes.k_max)
    asked = {name: getattr(query, name) for name in ("gene", "peak", "region")}
    comments = [
        *origin(reader),
        f"cell type: {chosen.cell_type}",
        f"cells: {len(reader.cells_of(chosen.cell_type))}",
        *cut_lines(reader.attributes, kept, layer=query.layer, head=query.head, truncated=chosen.truncated),
        *(f"{name}: {value}" for name, value in asked.items() if value),
        f"pairs: those linked in {chosen.stored.least_cells} or more of the cells",
        *MEANING,
        *([] if query.limit is None else [f"the first {query.limit} pairs at most"]),
        f"view: {view_address(view='celltype', cell_type=chosen.cell_type, layer=query.layer, head=query.head)}",
    ]
    return Table(f"{chosen.cell_type} map", kept, tuple(comments), _rows(catalogue, chosen, query.limit))


def _rows(catalogue: Catalogue, chosen: MapSlice, most: int | None) -> Iterator[Lazy]:
    """The rows of a file; one block at least, which may have no row."""
    none = pd.DataFrame(columns=["gene", "peak", *PAIR_COLUMNS.values()], dtype=int)
    for pairs in itertools.chain([none], chosen.first(most)):
        whose = Lazy({"cell_type": partial(repeated, chosen.cell_type, len(pairs))})
        yield whose | pair_columns(catalogue, pairs)


PAIR_COLUMNS = {"n_cells": "n_cells", "n_both": "n_both", "mean_score": "score", "mean_weight": "weight"}
_WIDTHS = {"n_cells": np.int32, "n_both": np.int32, "mean_score": np.float64, "mean_weight": np.float64}


def pair_columns(catalogue: Catalogue, pairs: pd.DataFrame) -> Lazy:
    """Columns of :class:`~bi2scope.server.wire_genes.MapColumns` of some pairs."""
    gene, peak = pairs["gene"].to_numpy(np.int64), pairs["peak"].to_numpy(np.int64)
    own = {name: pairs[column].to_numpy(_WIDTHS[name]) for name, column in PAIR_COLUMNS.items()}
    return catalogue.places.columns(gene, peak) | Lazy.of(own)
