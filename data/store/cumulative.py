"""Cumulative scores summed from the links themselves, for any cells and any cut.

Three definitions, per peak: ``links`` sums 1, ``score`` the score, ``weight`` the model's pruned attention. Scores and
weights are summed as whole numbers (:data:`bi2scope.data.store.schema.UNITS`), so that a sum is the same in whatever
order, and from whatever parts, it is made.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bi2scope.data.attention import Cut, Ints
from bi2scope.data.store import halves, schema
from bi2scope.data.store.links import StoredLinks

Sums = npt.NDArray[np.float64]
WholeSums = npt.NDArray[np.int64]

THREADS = min(os.cpu_count() or 1, 4)
"""That read and add up, each its own cells."""

FEW_CELLS = 8
"""For each thread at least."""

_WORTH_SHARE = 8
"""To find where all cells lie is worth while for a sum over one in so many."""

_RUN = 64
"""Cells of one call of compiled code, which nothing interrupts."""


@dataclass(frozen=True, slots=True)
class CutSums:
    """Sums over the surviving links of some cells, as whole numbers.

    Attributes
    ----------
    sums
        ``(3, n_peaks)`` int64 by :data:`schema.DEFINITIONS`, in units of :data:`schema.UNITS`.
    n_open
        ``(n_peaks,)`` int64, cells with a non-zero count of the peak.
    truncated
        Whether links that would have survived are missing.
    """

    sums: WholeSums
    n_open: npt.NDArray[np.int64]
    truncated: bool


@dataclass(frozen=True, slots=True)
class CumulativeScores:
    """Cumulative scores of every peak over some cells, for one cut, layer and head.

    Attributes
    ----------
    links, score, weight
        ``(n_peaks,)`` float64: sums over the cells and their genes, over surviving links.
    n_open
        ``(n_peaks,)`` int64, cells with a non-zero count of the peak.
    n_cells
        The cells.
    truncated
        Whether links that would have survived in some cell were cut off when the store was made.
    """

    links: Sums
    score: Sums
    weight: Sums
    n_open: npt.NDArray[np.int64]
    n_cells: int
    truncated: bool

    @classmethod
    def of(cls, cut: CutSums, n_cells: int) -> CumulativeScores:
        """Scores from sums of whole numbers over some cells; the arrays cannot be written to."""
        links, score, weight = (cut.sums[i] / schema.UNITS[name] for i, name in enumerate(schema.DEFINITIONS))
        for array in (links, score, weight, cut.n_open):
            array.flags.writeable = False
        return cls(links, score, weight, cut.n_open, n_cells, cut.truncated)


def cut_sums(links: StoredLinks, cells: Ints, n_peaks: int, cut: Cut) -> CutSums:
    """Sum the surviving links of some cells, peak by peak, from the links themselves.

    A few threads share the cells, each of which is read only as far as the cut's k, and no further than there are
    links that survive. Memory does not depend on the number of cells.

    Raises
    ------
    ValueError
        If the parts of a cell disagree.
    """
    threads = min(THREADS, max(1, len(cells) // FEW_CELLS))
    shares = [cells[start::threads] for start in range(threads)]
    sums = [_Sum(links, n_peaks, cut, len(cells)) for _ in shares]
    if threads == 1:
        sums[0].add(cells)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(_Sum.add, sums, shares))
    total = sum((each.total for each in sums[1:]), start=sums[0].total)
    columns = np.ascontiguousarray(total.T)
    return CutSums(columns[:-1], columns[-1], any(each.truncated for each in sums))


class _Sum:
    """A sum over cells, for one thread.

    Parameters
    ----------
    links, n_peaks, cut
        As :func:`cut_sums` takes them.
    n_cells
        Cells that all threads together will add.

    Attributes
    ----------
    total
        ``(n_peaks, 4)`` int64 sums and open cells.
    """

    def __init__(self, links: StoredLinks, n_peaks: int, cut: Cut, n_cells: int) -> None:
        from bi2scope.data.store.summing import CutTables, Room

        self.total = np.zeros((n_peaks, len(schema.DEFINITIONS) + 1), dtype=np.int64)
        self._links, self._cut, self._tables = links, cut, CutTables.of(*asked_of(links, cut))
        direct = links.direct if n_cells * _WORTH_SHARE >= len(links.depth) else None
        self._packed = None if direct is None else direct.packed()
        self._room, self._highest = Room.of(links, n_peaks), 0

    @property
    def truncated(self) -> bool:
        """Whether links that would have survived are missing."""
        return self._cut.threshold < self._links.floor or self._highest >= self._tables.lowest

    def add(self, cells: Ints) -> None:
        """Add some cells; raises as :func:`cut_sums`."""
        for first in range(0, len(cells), _RUN):
            run = cells[first : first + _RUN]
            while len(run := run[self._add_packed(run) :]):
                self._add_one(int(run[0]))
                run = run[1:]

    def _add_packed(self, cells: Ints) -> int:
        """Add cells where they lie, up to one that is in doubt; how many."""
        from bi2scope.data.store import summing

        if self._packed is None:
            return 0
        n, highest = summing.add_cells(cells, self._packed, self._tables, self._room, self.total)
        self._highest = max(self._highest, int(highest))
        return int(n)

    def _add_one(self, cell: int) -> None:
        from bi2scope.data.store import decoding, summing

        stored, _ = self._links.stored(cell, self._cut.top_k)
        last = int(summing.add_cell(stored, self._tables, self._room, self.total))
        if last == decoding.DAMAGED:
            raise beyond(cell)
        self._highest = max(self._highest, last)


def beyond(cell: int) -> ValueError:
    """What to say of a cell whose links compiled code will not follow."""
    return ValueError(f"cell {cell} has a link beyond its own peaks, or a peak beyond the data set's")


def asked_of(links: StoredLinks, cut: Cut) -> tuple[int, int, bool]:
    """A cut as compiled code takes it: lowest bits that survive, the k asked for, whether all links weigh the same."""
    return halves.lowest_above(cut.threshold), _below(cut), links.kind == "uniform"


def any_cut_off(links: StoredLinks, cells: Ints, n_peaks: int, cut: Cut) -> bool:
    """Whether links of any of the cells that would have survived are missing; no more runs are read than tell.

    The rule of :meth:`bi2scope.data.attention.CellAttention.cut_off`.
    """
    if not len(cells):
        return False
    of_run = _Sum(links, n_peaks, cut, len(cells))
    for first in range(0, len(cells), _RUN):
        if of_run.truncated:
            break
        of_run.add(cells[first : first + _RUN])
    return of_run.truncated


def _below(cut: Cut) -> int:
    """Rows cut at k_max with fewer links than this miss some that the cut asks for."""
    return schema.LARGEST_K_MAX + 1 if cut.top_k is None else cut.top_k
