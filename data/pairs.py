"""Pairs of an RNA profile and an ATAC profile to learn from.

A matched pair is of one cell (label 1). A mismatched pair is of two cells (label 0): an easy one of two cells of two
cell types, a hard one of two cells of one type. Everything random takes a :class:`numpy.random.Generator`: the same
seed gives the same pairs. No draw is ever thrown away and drawn again, so that a million pairs take a second or two.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bi2scope.data.errors import ConfigurationError
from bi2scope.data.partners import PartnerDraw

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Pairs:
    """Pairs of profiles, as positions in a data set's cells.

    Attributes
    ----------
    rna_cell, atac_cell
        ``(n_pairs,)`` int64, the cell of each profile.
    label
        ``(n_pairs,)`` int64, 1 for matched, 0 for mismatched.
    """

    rna_cell: Ints
    atac_cell: Ints
    label: Ints

    def __len__(self) -> int:
        return len(self.label)

    def take(self, positions: npt.ArrayLike) -> Pairs:
        """The pairs at ``positions``, in that order."""
        chosen = np.asarray(positions, dtype=np.int64)
        return Pairs(self.rna_cell[chosen], self.atac_cell[chosen], self.label[chosen])


@dataclass(frozen=True, slots=True)
class Mismatches:
    """How many mismatched pairs there are to the matched ones, and of which kind.

    Parameters
    ----------
    ratio
        Mismatched pairs per matched pair, any number above 0.
    hard_share
        Share of the mismatched pairs that are hard, from 0 to 1.

    Raises
    ------
    ConfigurationError
        If a value is out of its range.
    """

    ratio: float = 1.0
    hard_share: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.ratio < float("inf"):
            raise ConfigurationError(f"The ratio of mismatched to matched pairs is {self.ratio:g}; it must be above 0.")
        if not 0 <= self.hard_share <= 1:
            raise ConfigurationError(f"The share of hard mismatches is {self.hard_share:g}; it must be from 0 to 1.")

    def number(self, n_matched: int) -> int:
        """Mismatched pairs to so many matched ones: to the nearest, at least one."""
        return max(1, _nearest(self.ratio * n_matched))


EASY = Mismatches()
"""One easy mismatch for each matched pair, as in the paper."""


def joined(*parts: Pairs) -> Pairs:
    """The pairs of all parts, part after part."""
    return Pairs(
        np.concatenate([part.rna_cell for part in parts]),
        np.concatenate([part.atac_cell for part in parts]),
        np.concatenate([part.label for part in parts]),
    )


def is_hard(pairs: Pairs, cell_types: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """``(n_pairs,)`` whether each is a hard mismatch; ``cell_types`` of every cell, looked up by position."""
    types = np.asarray(cell_types)
    hard: npt.NDArray[np.bool_] = (pairs.label == 0) & (types[pairs.rna_cell] == types[pairs.atac_cell])
    return hard


def matched_pairs(cells: npt.ArrayLike) -> Pairs:
    """Each cell's RNA with its own ATAC, label 1."""
    positions = np.asarray(cells, dtype=np.int64)
    return Pairs(positions, positions.copy(), np.ones(len(positions), np.int64))


def easy_mismatches(
    cells: npt.ArrayLike, cell_types: npt.ArrayLike, rng: np.random.Generator, n_each: int = 1
) -> Pairs:
    """Each cell's RNA with the ATAC of cells of other types, drawn uniformly from ``cells``; label 0.

    Parameters
    ----------
    cells
        ``(n,)`` positions to pair with one another, none twice: both profiles come from these cells.
    cell_types
        ``(n_cells,)`` type of every cell of the data set (labels or codes), looked up by position.
    rng
        Source of the draws.
    n_each
        Pairs of each cell: with different partners, as long as there are.

    Raises
    ------
    DatasetError
        If the cells are all of one type.
    """
    typed = PartnerDraw.of(cells, cell_types)
    return _mismatched(*typed.easy(rng, np.full(len(typed.cells), n_each, np.int64)))


def hard_mismatches(
    cells: npt.ArrayLike, cell_types: npt.ArrayLike, rng: np.random.Generator, n_each: int = 1
) -> Pairs:
    """Each cell's RNA with the ATAC of other cells of its own type, drawn uniformly from ``cells``; label 0.

    A cell that is the only one of its type has no such partner and is left out. Parameters as in
    :func:`easy_mismatches`.

    Raises
    ------
    DatasetError
        If no type has two of the cells.
    """
    typed = PartnerDraw.of(cells, cell_types)
    return _mismatched(*typed.hard(rng, np.full(len(typed.cells), n_each, np.int64)))


def mismatched_pairs(
    cells: npt.ArrayLike, cell_types: npt.ArrayLike, rng: np.random.Generator, mismatches: Mismatches = EASY
) -> Pairs:
    """Easy and hard mismatches in the numbers asked for, to the nearest pair, at least one; label 0.

    Every cell's RNA stands in equally many, give or take one, so that an RNA profile alone says nothing of the label.
    For the same reason a cell that is the only one of its type gets easy mismatches alone; the hard ones are drawn
    among the others, and are fewer than asked for only when those have no more pairs. Parameters as in
    :func:`easy_mismatches`.

    Raises
    ------
    DatasetError
        If easy ones are due and the cells are all of one type, or hard ones and no type has two of the cells.
    """
    typed = PartnerDraw.of(cells, cell_types)
    n = len(typed.cells)
    total = mismatches.number(n)
    n_each = np.full(n, total // max(n, 1), np.int64)
    if n and total % n:
        n_each[rng.choice(n, total % n, replace=False)] += 1
    n_hard = _nearest(mismatches.hard_share * total)
    if n_hard == 0:
        return _mismatched(*typed.easy(rng, n_each))
    row = np.repeat(np.arange(n), n_each)
    able = row[typed.has_hard[row]]
    chosen = rng.choice(able, min(n_hard, len(able)), replace=False)
    hard_each = np.bincount(chosen, minlength=n)
    hard, easy_each = _mismatched(*typed.hard(rng, hard_each)), n_each - hard_each
    return joined(_mismatched(*typed.easy(rng, easy_each)), hard) if easy_each.any() else hard


def _mismatched(rna_cell: Ints, atac_cell: Ints) -> Pairs:
    return Pairs(rna_cell, atac_cell, np.zeros(len(rna_cell), np.int64))


def _nearest(number: float) -> int:
    return int(np.floor(number + 0.5))


def labelled_pairs(
    cells: npt.ArrayLike, cell_types: npt.ArrayLike, rng: np.random.Generator, mismatches: Mismatches = EASY
) -> Pairs:
    """Every cell matched once, with mismatched pairs in the numbers asked for, shuffled.

    Parameters and errors as in :func:`mismatched_pairs`.
    """
    together = joined(matched_pairs(cells), mismatched_pairs(cells, cell_types, rng, mismatches))
    return together.take(rng.permutation(len(together)))


def epochs(
    cells: npt.ArrayLike,
    cell_types: npt.ArrayLike,
    rng: np.random.Generator,
    mismatches: Mismatches = EASY,
    *,
    fresh: bool,
    after: Pairs | None = None,
) -> Iterator[Pairs]:
    """Pairs of one epoch after another, without end.

    With ``fresh`` every epoch draws its mismatched pairs anew, so that none can be learnt by heart; without, the
    first draw stays (the paper's protocol) and only the order changes. The pairs of an epoch are drawn when they are
    asked for; ``after`` those of an earlier one, and with the generator as it was then, the epochs go on as they would
    have.
    """
    given = (cells, cell_types, rng, mismatches)
    pairs = after
    while True:
        pairs = labelled_pairs(*given) if pairs is None or fresh else pairs.take(rng.permutation(len(pairs)))
        yield pairs
