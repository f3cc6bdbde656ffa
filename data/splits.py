"""Splits of cells, or of pairs, into training, validation and test."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bi2scope.data.errors import DatasetError
from bi2scope.data.pairs import Pairs, is_hard

FRACTIONS = (0.8, 0.1, 0.1)
"""Training, validation and test, as in the paper."""

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Split:
    """Positions of the training, validation and test part: disjoint, ascending, together everything."""

    train: Ints
    validation: Ints
    test: Ints


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


def split_pairs(
    pairs: Pairs,
    rng: np.random.Generator,
    fractions: tuple[float, float, float] = FRACTIONS,
    cell_types: npt.ArrayLike | None = None,
) -> Split:
    """Split pairs (the paper's protocol); ``pairs.take(split.train)``.

    A cell may then stand in two parts, once matched and once mismatched: held-out accuracy is not that of unseen
    cells. Errors as in :func:`split_cells`.

    Parameters
    ----------
    pairs
        Pairs that differ from one another, so that none is in two parts.
    rng, fractions
        As in :func:`split_cells`.
    cell_types
        ``(n_cells,)`` types of the data set's cells. With them matched, easy and hard pairs of each type (of the RNA)
        keep the fractions; without, as in the paper, the two labels do.
    """
    strata = pairs.label
    if cell_types is not None:
        kind = pairs.label + 2 * is_hard(pairs, cell_types)
        code = np.unique(np.asarray(cell_types), return_inverse=True)[1]
        # By kind and then by type: shares are rounded along the strata, so that each kind as a whole keeps them
        strata = kind * (code.max(initial=0) + 1) + code[pairs.rna_cell]
    return _stratified(strata, rng, fractions, "pairs")


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
