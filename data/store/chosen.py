"""Cumulative scores of a cell type or of any cells: from what is kept of a type where that answers, else from links.

All sums are whole numbers. So those of most cells of a type are the type's less those of the other cells, to the last
bit, and of no type more than half of the cells are read.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bi2scope.data.attention import Cut
from bi2scope.data.store.cumulative import CumulativeScores, CutSums, any_cut_off, cut_sums
from bi2scope.data.store.links import StoredLinks

WORTH_CELLS = 50
"""A type's kept sums are used where that saves reading more cells than this."""

KEPT_BYTES = 64 << 20
"""Cumulative scores that are kept for the next request of the same cut."""

Cells = npt.NDArray[np.integer]


@dataclass(frozen=True)
class CellSums:
    """Sums over cells in one layer and head.

    Attributes
    ----------
    links
        Those of the layer and head.
    n_peaks
        Peaks of the data set.
    type_code
        ``(n_cells,)`` type of every cell.
    of_type
        Sums over a whole type where they are kept for the cut; ``None`` where they are not.
    """

    links: StoredLinks
    n_peaks: int
    type_code: npt.NDArray[np.integer]
    of_type: Callable[[int, Cut], CutSums | None]

    def over(self, cells: Cells, cut: Cut) -> CutSums:
        """The sums over some cells, ascending and none twice."""
        added, taken, doubtful, whole = [cells[:0]], [cells[:0]], [cells[:0]], []
        for mine, others in self._types(cells):
            kept = self.of_type(int(self.type_code[mine[0]]), cut) if len(mine) - len(others) > WORTH_CELLS else None
            if kept is None:
                added.append(mine)
                continue
            whole.append(kept)
            taken.append(others)
            if kept.truncated:
                doubtful.append(mine)
        plus, minus = (
            cut_sums(self.links, np.sort(np.concatenate(part)), self.n_peaks, cut) for part in (added, taken)
        )
        sums, n_open = plus.sums - minus.sums, plus.n_open - minus.n_open
        for kept in whole:
            sums, n_open = sums + kept.sums, n_open + kept.n_open
        truncated = plus.truncated or any_cut_off(self.links, np.concatenate(doubtful), self.n_peaks, cut)
        return CutSums(sums, n_open, truncated)

    def _types(self, cells: Cells) -> Iterator[tuple[Cells, Cells]]:
        """Of each type that has any of the cells, those and the others."""
        chosen = np.zeros(len(self.type_code), dtype=bool)
        chosen[cells] = True
        for code in np.unique(self.type_code[cells]):
            own = self.type_code == code
            yield np.flatnonzero(own & chosen), np.flatnonzero(own & ~chosen)


class RecentScores:
    """The cumulative scores of the last few requests; shared by threads."""

    def __init__(self) -> None:
        self._scores: OrderedDict[Hashable, CumulativeScores] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, request: Hashable, summed: Callable[[], CumulativeScores]) -> CumulativeScores:
        """The scores of one request, from those kept or made now."""
        with self._lock:
            if request in self._scores:
                self._scores.move_to_end(request)
                return self._scores[request]
        scores = summed()
        room = max(1, KEPT_BYTES // max(4 * scores.links.nbytes, 1))
        with self._lock:
            self._scores[request] = scores
            while len(self._scores) > room:
                self._scores.popitem(last=False)
        return scores

    def clear(self) -> None:
        """Keep none."""
        with self._lock:
            self._scores.clear()

    def __len__(self) -> int:
        return len(self._scores)
