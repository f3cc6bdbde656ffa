"""Answers about cells that were chosen one by one, on the screen or elsewhere: their cumulative scores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from bi2scope.data.errors import ConfigurationError, NotFoundError
from bi2scope.data.exchange.comments import LIFT, RANK, SUMS
from bi2scope.data.exchange.peaks import lift
from bi2scope.server.catalogue import Catalogue, Ints
from bi2scope.server.celltypes import all_scores, peak_rows
from bi2scope.server.exports import cut_comments, whole_table
from bi2scope.server.params import ChosenCells, CutQuery
from bi2scope.server.tabular import Answer
from bi2scope.server.wire import PeakScores

CHOSEN = "chosen cells"


def chosen_positions(catalogue: Catalogue, names: Sequence[str]) -> Ints:
    """Positions of cells by their names, ascending; one that is named twice counts once.

    Raises
    ------
    NotFoundError
        If one of them does not exist; names the first of these.
    """
    index = catalogue.reader.cells.index
    positions = index.get_indexer(pd.Index(list(names), dtype=object))
    if (positions < 0).any():
        raise NotFoundError("cell", str(names[int(np.argmax(positions < 0))]), index)
    return np.unique(positions).astype(np.int64)


def require_apart(catalogue: Catalogue, first: Ints, second: Ints) -> None:
    """Check that no cell is in both of two sets.

    Raises
    ------
    ConfigurationError
        If one is; names the first of these.
    """
    shared = np.intersect1d(first, second)
    if len(shared):
        raise ConfigurationError(
            f"{len(shared)} of the cells are in both sets, among them {catalogue.reader.cells.index[shared[0]]}.",
            "A cell can be on one side only.",
        )


def scores_of_cells(catalogue: Catalogue, names: Sequence[str], cut: CutQuery) -> PeakScores:
    """Cumulative scores of every peak over some cells, in genome order, in the three definitions.

    Raises
    ------
    NotFoundError
        If there is no such cell, layer or head.
    """
    catalogue.require_head(cut.layer, cut.head)
    cells = chosen_positions(catalogue, names)
    cumulative = catalogue.reader.cumulative_of_cells(cells, cut.cut, cut.layer, cut.head)
    lifted = lift(cumulative.score, cumulative.n_open, catalogue.every_peak.chromosome)
    return all_scores(catalogue, CHOSEN, cut, cumulative, lift=lifted)


def chosen_table(catalogue: Catalogue, asked: ChosenCells) -> Answer:
    """The same as a table, in whatever format; files add accessibility, lift and rank.

    Raises
    ------
    NotFoundError
        As :func:`scores_of_cells`.
    """
    scores = scores_of_cells(catalogue, asked.cells, asked)
    comments = [
        f"cells: {scores.n_cells}, chosen one by one",
        *cut_comments(catalogue.reader, asked, scores.truncated),
        SUMS.replace("the type's cells", "these cells"),
        LIFT,
        RANK,
    ]
    return Answer(
        lambda: scores,
        lambda: whole_table(catalogue.reader, "peaks", comments, peak_rows(catalogue, scores), asked.cut),
        ("bi2scope", "peaks", CHOSEN),
    )
