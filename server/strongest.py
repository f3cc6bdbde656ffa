"""Answers about what is linked around a region, the strongest first: pairs of a cell type's map, links of a cell."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bi2scope.data.attention import Cut
from bi2scope.data.exchange.columns import Lazy, repeated
from bi2scope.data.exchange.comments import MEANING, cut_lines
from bi2scope.data.exchange.selection import Table
from bi2scope.server.catalogue import Catalogue
from bi2scope.server.cells import take_rows
from bi2scope.server.exports import cut_comments, cut_of, origin, view_address
from bi2scope.server.loci import Locus, locus
from bi2scope.server.maps import pair_columns
from bi2scope.server.params import StrongestLinksQuery, StrongestQuery
from bi2scope.server.tabular import Answer, TableBody

Mask = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.integer]

AROUND = "TSS, peak or both lie there"


def region_pairs(catalogue: Catalogue, cell_type: str, query: StrongestQuery) -> Answer:
    """Pairs of a cell type's map with an end in a region: those in most cells, then of highest mean score, first.

    Raises
    ------
    NotFoundError
        If there is no such cell type, chromosome, layer or head.
    RegionError
        If the region is no place.
    """
    name = catalogue.require_cell_type(cell_type)
    catalogue.require_head(query.layer, query.head)
    place, reader = locus(catalogue, query.region), catalogue.reader
    stored = reader.regulatory_map(name, query.layer, query.head)
    pairs = stored.pairs((place.span.gene_start, place.span.gene_stop))
    of_gene, of_peak = _ends(catalogue, place, pairs["gene"].to_numpy(np.int64), pairs["peak"].to_numpy(np.int64))
    there = pairs[of_gene | of_peak]
    order = np.lexsort((there["peak"], there["gene"], -there["score"], -there["n_cells"].astype(np.int64)))
    columns = pair_columns(catalogue, there.iloc[order[: query.limit]])
    fields = {
        "cell_type": name,
        "n_cells": len(reader.cells_of(name)),
        "least_cells": stored.least_cells,
        "layer": query.layer,
        "head": query.head,
        "region": query.region,
        "n_pairs": len(there),
        "n_inside": int((of_gene & of_peak).sum()),
        "truncated": reader.cumulative(name, Cut(), query.layer, query.head).truncated,
        "limited": query.limit < len(there),
    }
    kept, heads = Cut(reader.attributes.floor, reader.attributes.k_max), {"layer": query.layer, "head": query.head}
    comments = [
        *origin(reader),
        f"cell type: {name}",
        f"cells: {fields['n_cells']}",
        *cut_lines(reader.attributes, kept, **heads, truncated=bool(fields["truncated"])),
        f"region: {query.region}; {AROUND}",
        f"pairs: {len(there)}, those linked in {stored.least_cells} or more of the cells; both ends in the region:"
        f" {fields['n_inside']}",
        *MEANING,
        *_limited(query.limit, len(there)),
        f"view: {view_address(view='locus', region=query.region, cell_type=name, **heads)}",
    ]
    rows = Lazy({"cell_type": lambda: repeated(name, min(query.limit, len(there)))}) | columns
    return Answer(
        lambda: TableBody(fields, columns, "pairs"),
        lambda: Table(f"{name} {query.region}", kept, tuple(comments), iter([rows])),
        ("bi2scope", "pairs", name, query.region),
    )


def region_links(catalogue: Catalogue, cell_id: str, query: StrongestLinksQuery) -> Answer:
    """Links of one cell with an end in a region that survive threshold and k, of highest logit first.

    Raises
    ------
    NotFoundError
        If there is no such cell, chromosome, layer or head.
    RegionError
        If the region is no place.
    """
    position, cell_type = catalogue.cell(cell_id)
    catalogue.require_head(query.layer, query.head)
    place = locus(catalogue, query.region)
    attention = catalogue.decoded.attention_for(position, query.cut, query.layer, query.head)
    on_chromosome = (attention.gene >= place.span.gene_start) & (attention.gene < place.span.gene_stop)
    links = take_rows(attention, on_chromosome).links(query.cut)
    of_gene, of_peak = _ends(catalogue, place, links.gene, links.peak)
    there = links.where(of_gene | of_peak)
    order = np.lexsort((there.peak, there.gene, -there.logit))[: query.limit]
    columns = catalogue.own_columns(position).beside(there.at(order))
    fields = {
        "cell_id": cell_id,
        "cell_type": cell_type,
        **{name: getattr(query, name) for name in ("layer", "head", "threshold", "top_k", "region")},
        "n_links": len(there),
        "n_inside": int((of_gene & of_peak).sum()),
        "truncated": links.truncated,
        "limited": query.limit < len(there),
    }
    view = view_address(view="locus", region=query.region, cell_type=cell_type, cell=cell_id, **cut_of(query))
    comments = [
        *origin(catalogue.reader),
        f"cell: {cell_id}",
        f"cell type: {cell_type}",
        *cut_comments(catalogue.reader, query, links.truncated),
        f"region: {query.region}; {AROUND}",
        f"links: {len(there)}, both ends in the region: {fields['n_inside']}",
        *_limited(query.limit, len(there)),
        f"view: {view}",
    ]
    whose = Lazy(
        {"cell_id": lambda: repeated(cell_id, len(order)), "cell_type": lambda: repeated(cell_type, len(order))}
    )
    return Answer(
        lambda: TableBody(fields, columns, "links"),
        lambda: Table(f"{cell_id} {query.region}", query.cut, tuple(comments), iter([whose | columns])),
        ("bi2scope", "links", cell_id, query.region),
    )


def _limited(limit: int, there: int) -> list[str]:
    return [f"the first {limit} only, the strongest first"] if limit < there else []


def _ends(catalogue: Catalogue, place: Locus, gene: Ints, peak: Ints) -> tuple[Mask, Mask]:
    """Which of some pairs on the place's chromosome have their TSS, and which their peak, in the place."""
    tss = catalogue.gene_tss[gene]
    return (
        place.overlaps(tss, tss + 1),
        place.overlaps(catalogue.peak_start[peak], catalogue.peak_end[peak]),
    )
