"""The regulatory map as a table: a row per gene and peak that are linked in some share of a type's cells."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from bi2scope.data.errors import InputError
from bi2scope.data.exchange.columns import Columns, repeated
from bi2scope.data.exchange.comments import MEANING
from bi2scope.data.exchange.places import Places
from bi2scope.data.exchange.scan import scanned_pairs
from bi2scope.data.exchange.selection import Part, Table
from bi2scope.data.progress import progress_bar
from bi2scope.data.store import halves

BLOCK_ROWS = 1 << 18
"""Pairs that are read of a stored map at a time; a single gene may have more."""


def map_table(part: Part) -> Table:
    """Pairs by cell type, gene and peak, in genome order.

    The stored map is of all kept links; for a stricter cut it is made anew from the links, with the same share of
    cells that a pair needs (:func:`bi2scope.data.store.regulatory.least_cells`).

    Raises
    ------
    InputError
        If the cut asks for links that the store did not keep: a map needs them for every cell.
    """
    attributes = part.reader.attributes
    if part.beyond_kept:
        raise InputError(
            f"A map with threshold {part.cut.threshold:g} and k {part.cut.top_k} asks for links that "
            f"{part.reader.path} did not keep: it has "
            f"those of a score above {attributes.floor:g} and of rank 1 to {attributes.k_max}.",
            "Ask for less, or precompute with another --k-max or --floor.",
        )
    least = (
        "pairs: those linked in 1 of 100 of a type's cells, rounded up, or more; in 2 at least, of more than 20 cells"
    )
    return part.table("map", (*part.comments(False), least, *MEANING), _blocks(part))


def stored_suffices(part: Part) -> bool:
    """Whether the cut keeps all links that the stored map is of."""
    attributes = part.reader.attributes
    same = halves.lowest_above(part.cut.threshold) <= halves.lowest_above(attributes.floor)
    return same and part.cut.top_k == attributes.k_max


def _blocks(part: Part) -> Iterator[Columns]:
    places = Places(part.reader)
    read = _stored if stored_suffices(part) else scanned_pairs
    for cell_type in progress_bar(part.cell_types, what="Export", unit="cell type", shown=part.shown):
        for pairs in read(part, cell_type):
            yield {
                "cell_type": repeated(cell_type, len(pairs)),
                **places.columns(pairs["gene"].to_numpy(), pairs["peak"].to_numpy()),
                "n_cells": pairs["n_cells"].to_numpy(np.int32),
                "n_both": pairs["n_both"].to_numpy(np.int32),
                "mean_score": pairs["score"].to_numpy(np.float64),
                "mean_weight": pairs["weight"].to_numpy(np.float64),
            }


def _stored(part: Part, cell_type: str) -> Iterator[pd.DataFrame]:
    stored = part.reader.regulatory_map(cell_type, part.layer, part.head)
    for genes in stored.gene_runs(BLOCK_ROWS):
        yield stored.pairs(genes)
