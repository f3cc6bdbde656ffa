"""Partners of a cell for mismatched pairs: cells of other types, or others of its own type, drawn uniformly."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bi2scope.data.errors import DatasetError

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class PartnerDraw:
    """Cells to pair with one another, laid out type by type.

    Attributes
    ----------
    cells
        ``(n,)`` positions in the data set, as given.
    by_type
        ``(n,)`` the same, type by type.
    first, size
        ``(n,)`` where in ``by_type`` the run of the cell's type begins, and how many cells it has.
    place
        ``(n,)`` where in ``by_type`` the cell itself is.
    n_types
        Number of types.
    """

    cells: Ints
    by_type: Ints
    first: Ints
    size: Ints
    place: Ints
    n_types: int

    @classmethod
    def of(cls, cells: npt.ArrayLike, cell_types: npt.ArrayLike) -> PartnerDraw:
        """Lay out ``cells``; ``cell_types`` of every cell of the data set, looked up by position."""
        positions = np.asarray(cells, dtype=np.int64)
        code = np.unique(np.asarray(cell_types)[positions], return_inverse=True)[1]
        size = np.bincount(code)
        order = np.argsort(code, kind="stable")
        place = np.empty(len(positions), np.int64)
        place[order] = np.arange(len(positions))
        first = (np.cumsum(size) - size)[code]
        return cls(positions, positions[order], first, size[code], place, len(size))

    @property
    def has_hard(self) -> npt.NDArray[np.bool_]:
        """``(n,)`` whether a hard mismatch is possible: the only cell of a type has none."""
        possible: npt.NDArray[np.bool_] = self.size > 1
        return possible

    def easy(self, rng: np.random.Generator, n_each: Ints) -> tuple[Ints, Ints]:
        """Cells, each ``n_each`` times, and as many partners of other types.

        Raises
        ------
        DatasetError
            If the cells are all of one type.
        """
        if self.n_types < 2:
            raise DatasetError(
                f"The {len(self.cells)} cells to pair are all of one cell type; a mismatched pair needs two.",
                "Check obs['cell_type'], give more cells, or ask for hard mismatches alone (a share of 1).",
            )
        row = np.repeat(np.arange(len(self.cells)), n_each)
        draw = distinct_draws(rng, len(self.cells) - self.size, n_each)
        # A draw over all others, which steps over the run of the cell's own type.
        partner = np.where(draw < self.first[row], draw, draw + self.size[row])
        return self.cells[row], self.by_type[partner]

    def hard(self, rng: np.random.Generator, n_each: Ints) -> tuple[Ints, Ints]:
        """Cells, each ``n_each`` times, and as many partners of their own type; the only cell of a type has none.

        Raises
        ------
        DatasetError
            If no type has two of the cells.
        """
        if not self.has_hard.any():
            raise DatasetError(
                f"None of the cell types has two of the {len(self.cells)} cells to pair; a hard mismatch is of two "
                "cells of one type.",
                "Ask for easy mismatches (a hard share of 0), or give more cells of each type.",
            )
        n_each = np.where(self.has_hard, n_each, 0)
        row = np.repeat(np.arange(len(self.cells)), n_each)
        draw = self.first[row] + distinct_draws(rng, self.size - 1, n_each)
        # A draw over the others of the run, which steps over the cell itself.
        return self.cells[row], self.by_type[draw + (draw >= self.place[row])]


def distinct_draws(rng: np.random.Generator, n_choices: Ints, n_draws: Ints) -> Ints:
    """For each row ``n_draws`` of ``range(n_choices)``, row after row; none twice before all have been drawn.

    Floyd's sampling without replacement (Bentley and Floyd, CACM 30, 1987), all rows at once: the draw at ``place``
    is over all choices up to ``last``, and is ``last`` itself when it falls on one drawn before. Every set of choices
    is equally likely.
    """
    drawn = np.full((len(n_choices), n_draws.max(initial=0)), -1, np.int64)
    for place in range(drawn.shape[1]):
        row = np.flatnonzero(n_draws > place)
        choices = n_choices[row]
        begun = place - place % choices  # the place since which none may come twice
        last = choices - np.minimum(choices, n_draws[row] - begun) + place - begun
        draw = rng.integers(0, last + 1)
        seen = (drawn[row, :place] == draw[:, None]) & (np.arange(place) >= begun[:, None])
        drawn[row, place] = np.where(seen.any(axis=1), last, draw)
    return drawn[drawn >= 0]
