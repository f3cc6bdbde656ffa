"""Pairs of an RNA profile and an ATAC profile to learn from, and their splits.

A matched pair is of one cell (label 1); an easy mismatched pair is of two cells of two cell types (label 0).
Everything random takes a :class:`numpy.random.Generator`: the same seed gives the same pairs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bi2scope.data.errors import DatasetError

FRACTIONS = (0.8, 0.1, 0.1)
"""Training, validation and test, as in the paper."""

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
class Split:
    """Positions of the training, validation and test part: disjoint, ascending, together everything."""

    train: Ints
    validation: Ints
    test: Ints


def matched_pairs(cells: npt.ArrayLike) -> Pairs:
    """Each cell's RNA with its own ATAC, label 1."""
    positions = np.asarray(cells, dtype=np.int64)
    return Pairs(positions, positions.copy(), np.ones(len(positions), np.int64))


def easy_mismatches(cells: npt.ArrayLike, cell_types: npt.ArrayLike, rng: np.random.Generator) -> Pairs:
    """Each cell's RNA with the ATAC of a cell of another type, drawn uniformly from ``cells``; label 0.

    Parameters
    ----------
    cells
        ``(n,)`` positions to pair with one another: both profiles come from these cells.
    cell_types
        ``(n_cells,)`` type of every cell of the data set (labels or codes), looked up by position.
    rng
        Source of the draws.

    Raises
    ------
    DatasetError
        If the cells are all of one type.
    """
    positions = np.asarray(cells, dtype=np.int64)
    code = np.unique(np.asarray(cell_types)[positions], return_inverse=True)[1]
    size = np.bincount(code)
    if len(size) < 2:
        raise DatasetError(
            f"The {len(positions)} cells to pair are all of one cell type; a mismatched pair needs two.",
            "Check obs['cell_type'], or give more cells.",
        )
    by_type = positions[np.argsort(code, kind="stable")]
    first = np.concatenate(([0], np.cumsum(size)))[code]
    # A draw over all others, which steps over the block of the cell's own type.
    draw = rng.integers(0, len(positions) - size[code])
    partner = by_type[np.where(draw < first, draw, draw + size[code])]
    return Pairs(positions, partner, np.zeros(len(positions), np.int64))


def labelled_pairs(cells: npt.ArrayLike, cell_types: npt.ArrayLike, rng: np.random.Generator) -> Pairs:
    """Every cell once matched and once (as RNA) in an easy mismatch: ``2 n`` pairs, half of them label 1, shuffled.

    Parameters and errors as in :func:`easy_mismatches`.
    """
    matched, mismatched = matched_pairs(cells), easy_mismatches(cells, cell_types, rng)
    together = Pairs(
        np.concatenate((matched.rna_cell, mismatched.rna_cell)),
        np.concatenate((matched.atac_cell, mismatched.atac_cell)),
        np.concatenate((matched.label, mismatched.label)),
    )
    return together.take(rng.permutation(len(together)))


def epochs(
    cells: npt.ArrayLike, cell_types: npt.ArrayLike, rng: np.random.Generator, *, fresh: bool
) -> Iterator[Pairs]:
    """Pairs of one epoch after another, without end.

    With ``fresh`` every epoch draws its mismatched pairs anew, so that none can be learnt by heart; without, the
    first draw stays (the paper's protocol) and only the order changes.
    """
    pairs = labelled_pairs(cells, cell_types, rng)
    while True:
        yield pairs
        pairs = labelled_pairs(cells, cell_types, rng) if fresh else pairs.take(rng.permutation(len(pairs)))


def split_cells(
    cell_types: npt.ArrayLike, rng: np.random.Generator, fractions: tuple[float, float, float] = FRACTIONS
) -> Split:
    """Split cells so that each type keeps the fractions, to the nearest cell.

    Parameters
    ----------
    cell_types
        ``(n_cells,)`` labels or codes.
    rng
        Source of the shuffles.
    fractions
        Of training, validation and test; they sum to 1.

    Raises
    ------
    DatasetError
        If there are too few cells for three parts.
    """
    return _stratified(np.asarray(cell_types), rng, fractions, "cells")


def split_pairs(pairs: Pairs, rng: np.random.Generator, fractions: tuple[float, float, float] = FRACTIONS) -> Split:
    """Split pairs (the paper's protocol), each label by the same fractions; ``pairs.take(split.train)``.

    A cell may then stand in two parts, once matched and once mismatched: held-out accuracy is not that of unseen
    cells. Errors as in :func:`split_cells`.
    """
    return _stratified(pairs.label, rng, fractions, "pairs")


def _stratified(
    strata: npt.NDArray[np.generic], rng: np.random.Generator, fractions: tuple[float, float, float], what: str
) -> Split:
    if min(fractions) < 0 or abs(sum(fractions) - 1) > 1e-9:
        raise DatasetError(f"The fractions {fractions} of a split must be 0 or more and sum to 1.")
    code = np.unique(strata, return_inverse=True)[1]
    order = rng.permutation(len(code))
    order = order[np.argsort(code[order], kind="stable")]
    size = np.bincount(code)
    held = _shares(size, fractions[1] + fractions[2])
    validation = _shares(held, fractions[1] / (fractions[1] + fractions[2] or 1))
    place = np.arange(len(code)) - np.repeat(np.cumsum(size) - size, size)
    part = np.where(place < np.repeat(validation, size), 1, np.where(place < np.repeat(held, size), 2, 0))
    split = Split(*(np.sort(order[part == number]) for number in range(3)))
    for positions, fraction in zip((split.train, split.validation, split.test), fractions, strict=True):
        if fraction > 0 and len(positions) == 0:
            raise DatasetError(
                f"{len(code)} {what} are too few to split into {' / '.join(f'{f:.0%}' for f in fractions)}."
            )
    return split


def _shares(size: Ints, fraction: float) -> Ints:
    """A fraction of each stratum in whole numbers, whose sum is the fraction of the whole, to the nearest."""
    running = np.concatenate(([0], np.cumsum(size)))
    return np.diff(np.floor(running * fraction + 0.5)).astype(np.int64)
