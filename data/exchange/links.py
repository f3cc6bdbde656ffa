"""The table of links: a row for every surviving link of every chosen cell, cell by cell."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from bi2scope.data.exchange.columns import Columns
from bi2scope.data.exchange.places import Places
from bi2scope.data.exchange.selection import Part, Table
from bi2scope.data.progress import progress_bar

BLOCK_ROWS = 1 << 18
"""Rows of a block, about; a block is of whole cells."""

Arrays = dict[str, npt.NDArray[Any]]


def links_table(part: Part) -> Table:
    """Links in the order of the cells, then by gene in genome order, then by rank.

    Links that the store did not keep are recomputed from the model's factors where the cut asks for them, as in
    :meth:`~bi2scope.data.store.reader.StoreReader.attention_for`; where that cannot be, the comments say so.
    """
    recomputed = part.layer == 0 and part.reader.has_factors
    return part.table("links", part.comments(part.beyond_kept and not recomputed), _blocks(part))


def _blocks(part: Part) -> Iterator[Columns]:
    places, waiting, n_rows = Places(part.reader), [_no_links()], 0
    some = False
    for cell in progress_bar(part.cells, what="Export", unit="cell", shown=part.shown):
        own = cell_links(part, int(cell))
        waiting.append(own)
        n_rows += len(own["cell"])
        if n_rows >= BLOCK_ROWS:
            yield _named(part, places, waiting)
            waiting, n_rows, some = [_no_links()], 0, True
    if n_rows or not some:
        yield _named(part, places, waiting)


def cell_links(part: Part, cell: int) -> Arrays:
    """The surviving links of one cell, as positions and numbers; columns of one length."""
    reader = part.reader
    links = reader.attention_for(cell, part.cut, part.layer, part.head).links(part.cut)
    graph = reader.graph(cell)
    return {
        "cell": np.full(len(links), cell, dtype=np.int64),
        "gene": links.gene,
        "peak": links.peak,
        "logit": links.logit,
        "score": links.score,
        "rank": links.rank,
        "weight": links.weight,
        "gene_count": graph.gene_count[np.searchsorted(graph.gene_index, links.gene)],
        "peak_count": graph.peak_count[np.searchsorted(graph.peak_index, links.peak)],
    }


def _no_links() -> Arrays:
    """No link at all, with the types that links have."""
    whole = {"cell": np.int64, "gene": np.int32, "peak": np.int32, "rank": np.int32}
    names = ("cell", "gene", "peak", "logit", "score", "rank", "weight", "gene_count", "peak_count")
    return {name: np.zeros(0, dtype=whole.get(name, np.float32)) for name in names}


def _named(part: Part, places: Places, waiting: list[Arrays]) -> Columns:
    """Links of several cells as one block, with names in place of positions."""
    joined = {name: np.concatenate([each[name] for each in waiting]) for name in waiting[0]}
    cell = joined.pop("cell")
    return {
        **{name: column[cell] for name, column in places.cells.items()},
        **places.columns(joined.pop("gene"), joined.pop("peak")),
        **joined,
    }
