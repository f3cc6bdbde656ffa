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
"""That read and add up: HDF5 hands out packed chunks to one thread at a time, which is a tenth of the work."""

FEW_CELLS = 8
"""For each thread at least."""


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

    A few threads share the cells, each of which is read only as far as the cut's k. Memory does not depend on the
    number of cells.

    Raises
    ------
    ValueError
        If the parts of a cell disagree.
    """
    threads = min(THREADS, max(1, len(cells) // FEW_CELLS))
    shares = [cells[start::threads] for start in range(threads)]
    if threads == 1:
        parts = [_share(links, shares[0], n_peaks, cut)]
    else:
        with ThreadPoolExecutor(threads) as pool:
            parts = list(pool.map(lambda share: _share(links, share, n_peaks, cut), shares))
    total = sum((part for part, _ in parts[1:]), start=parts[0][0])
    truncated = cut.threshold < links.floor or max(last for _, last in parts) >= halves.lowest_above(cut.threshold)
    columns = np.ascontiguousarray(total.T)
    return CutSums(columns[:-1], columns[-1], truncated)


def _share(links: StoredLinks, cells: Ints, n_peaks: int, cut: Cut) -> tuple[WholeSums, int]:
    """``(n_peaks, 4)`` sums and open cells, and the highest bits at which a row was cut short."""
    total, highest = np.zeros((n_peaks, len(schema.DEFINITIONS) + 1), dtype=np.int64), 0
    for cell in cells:
        highest = max(highest, _add_cell(links, int(cell), cut, total))
    return total, highest


def _add_cell(links: StoredLinks, cell: int, cut: Cut, total: WholeSums) -> int:
    from bi2scope.data.store import decoding

    asked = asked_of(links, cut)
    last = int(decoding.add_cell(*links.stored(cell, cut.top_k), asked, halves.tables(), total))
    if last == decoding.DAMAGED:
        raise beyond(cell)
    return last


def beyond(cell: int) -> ValueError:
    """What to say of a cell whose links compiled code will not follow."""
    return ValueError(f"cell {cell} has a link beyond its own peaks, or a peak beyond the data set's")


def asked_of(links: StoredLinks, cut: Cut) -> tuple[int, int, bool]:
    """A cut as compiled code takes it: lowest bits that survive, the k asked for, whether all links weigh the same."""
    return halves.lowest_above(cut.threshold), _below(cut), links.kind == "uniform"


def any_cut_off(links: StoredLinks, cells: Ints, cut: Cut) -> bool:
    """Whether links of any of the cells that would have survived are missing; cells are read up to the first such.

    The rule of :meth:`bi2scope.data.attention.CellAttention.cut_off`.
    """
    from bi2scope.data.store import decoding

    lowest, below = halves.lowest_above(cut.threshold), _below(cut)
    return cut.threshold < links.floor or any(
        decoding.cut_short(*links.stored(int(cell), cut.top_k), below) >= lowest for cell in cells
    )


def _below(cut: Cut) -> int:
    """Rows cut at k_max with fewer links than this miss some that the cut asks for."""
    return schema.LARGEST_K_MAX + 1 if cut.top_k is None else cut.top_k
