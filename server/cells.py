"""Answers about cells, the list of them and their embedding, and what answers about their links share."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import numpy.typing as npt
import pandas as pd

from bi2scope.data.attention import CellAttention, Ints
from bi2scope.data.exchange.columns import Column, Lazy, narrow, picked
from bi2scope.data.regions import distance_to_tss
from bi2scope.server.catalogue import Catalogue
from bi2scope.server.exports import whole_table
from bi2scope.server.params import CellsQuery
from bi2scope.server.quality import ordered, quality_columns, quality_of
from bi2scope.server.tabular import Answer, TableBody

_PLACE = "place among all cells"

PAGE = 1_000
"""Cells of a page of JSON unless more or fewer are asked for."""


def cell_page(catalogue: Catalogue, query: CellsQuery, most: int | None) -> Answer:
    """A page of the cells, of one type or one beginning of their name, in the order of the data set or of a column.

    Raises
    ------
    NotFoundError
        If there is no such cell type or column.
    """
    cells = catalogue.reader.cells
    kept = np.ones(len(cells), dtype=bool)
    if query.cell_type is not None:
        kept &= (cells["cell_type"] == catalogue.require_cell_type(query.cell_type)).to_numpy(dtype=bool)
    if query.prefix is not None:
        folded = query.prefix.casefold()
        kept &= np.array([str(name).casefold().startswith(folded) for name in cells.index], dtype=bool)
    table = cells.assign(**{_PLACE: np.arange(len(cells))}) if query.sort else None
    found = np.flatnonzero(kept) if table is None else ordered(table[kept], query.sort)[_PLACE].to_numpy()
    bounds = [bound for bound in (query.limit, PAGE if most else None) if bound is not None]
    page = found[query.offset :][: min([len(found), *bounds])]
    asked = {"cell type": query.cell_type, "prefix": query.prefix, "sort": query.sort}
    comments = [
        *(f"{name}: {value}" for name, value in asked.items() if value),
        f"cells: {len(found)}, from number {query.offset} on",
        *([f"the first {len(page)} of these only"] if query.offset + len(page) < len(found) else []),
    ]
    fields = {"total": len(found), "offset": query.offset}
    return Answer(
        lambda: TableBody(fields, _row_columns(catalogue, page, query.quality), "cells", by_row=True),
        lambda: whole_table(catalogue.reader, "cells", comments, _file_columns(catalogue, page, query.quality)),
        ("bi2scope", "cells", query.cell_type),
    )


def _numbers(cells: pd.DataFrame, name: str, page: Ints) -> Column:
    return narrow(cells[name].to_numpy()[page])


def _cell_columns(catalogue: Catalogue, page: Ints) -> Lazy:
    counts = {name: partial(_numbers, catalogue.reader.cells, name, page) for name in ("n_genes", "n_peaks")}
    return Lazy({**picked(catalogue.places.cells, page), **counts})


def _row_columns(catalogue: Catalogue, page: Ints, quality: bool) -> Lazy:
    """Columns of :class:`~bi2scope.server.wire.CellSummary`."""

    def all_numbers() -> Column:
        found = quality_of(catalogue.reader.cells.iloc[page]) if quality else [None] * len(page)
        return np.fromiter(found, dtype=object, count=len(page))

    return _cell_columns(catalogue, page) | Lazy({"quality": all_numbers})


def _file_columns(catalogue: Catalogue, page: Ints, quality: bool) -> Lazy:
    """The same with a column for each number of quality, if these are asked for."""
    cells, own = catalogue.reader.cells, _cell_columns(catalogue, page)
    more = [name for name in quality_columns(cells) if quality and name not in own]
    return own | Lazy({name: partial(_numbers, cells, name, page) for name in more})


def embedding(catalogue: Catalogue) -> Answer:
    """The two-dimensional embedding of every cell."""
    cells, method = catalogue.reader.cells, catalogue.reader.embedding_method
    columns = Lazy.of(catalogue.places.cells) | Lazy(
        {"x": lambda: cells["umap_1"].to_numpy(), "y": lambda: cells["umap_2"].to_numpy()}
    )
    return Answer(
        lambda: TableBody({"method": method}, columns),
        lambda: whole_table(catalogue.reader, "embedding", [f"x, y: {method}"], columns),
        ("bi2scope", "embedding"),
    )


def link_distances(catalogue: Catalogue, gene: Ints, peak: Ints) -> npt.NDArray[np.int64]:
    """``(n_links,)`` bases from each gene's TSS to the middle of its peak; negative is upstream."""
    return distance_to_tss(
        catalogue.gene_tss[gene],
        catalogue.gene_strand[gene],
        catalogue.peak_start[peak],
        catalogue.peak_end[peak],
    )


def take_rows(attention: CellAttention, kept: npt.NDArray[np.bool_]) -> CellAttention:
    """The attention of some of a cell's genes; ``kept`` is ``(n_rows,)``.

    So the links of one gene cost one row, and ``truncated`` speaks of the rows that were asked for alone.
    """
    if kept.all():
        return attention
    n_links = np.diff(attention.row_start)
    of_kept = np.repeat(kept, n_links)
    return replace(
        attention,
        gene=attention.gene[kept],
        row_start=np.concatenate([[0], np.cumsum(n_links[kept])]).astype(np.int64),
        peak=attention.peak[of_kept],
        logit=attention.logit[of_kept],
        n_above=attention.n_above[kept],
        denominator=attention.denominator[kept],
    )
