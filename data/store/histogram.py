"""Links of a cell type counted by score, rank and peak, so that any cut is summed without reading the links.

An *entry* is a peak in a *frame*, the links of one group of ranks and one bin of the score, that holds at least one
link. Entries stand by group, bin and peak, so a frame is a run, and so are all bins above a threshold within one group.
Beside them lie the sums of some *key* cuts: what is asked for is the nearest key, plus and minus the entries between
the two.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import h5py
import numpy as np
import numpy.typing as npt

from bi2scope.data.attention import WEIGHTED_PER_ROW, Cut
from bi2scope.data.errors import NotFoundError
from bi2scope.data.store import halves, schema
from bi2scope.data.store.bins import BINS, bin_of_threshold, edge_bases
from bi2scope.data.store.cumulative import WholeSums

Ints64 = npt.NDArray[np.int64]
Run = tuple[int, int, int]
"""First frame, the one after the last, and 1 or -1."""


def not_of_a_control(cut: Cut, k_max: int) -> NotFoundError:
    """What to say of a cut that a control's histogram does not hold."""
    if bin_of_threshold(cut.threshold) is None:
        return NotFoundError("threshold of a control", f"{cut.threshold:g}", map(str, schema.EDGE_SCORES))
    return NotFoundError("k of a control", str(cut.top_k), map(str, schema.rank_ends(k_max)))


class Entries:
    """The entries of one cell type, layer and head.

    Parameters
    ----------
    group
        Their HDF5 group.
    n_peaks
        Peaks of the data set.
    """

    def __init__(self, group: h5py.Group, n_peaks: int) -> None:
        self._arrays = {key: group[key] for key in schema.HISTOGRAM}
        self.offset: Ints64 = group[schema.OFFSET][:]
        self.depth = int(group.attrs[schema.DEPTH])
        self.ends = schema.rank_ends(self.depth)
        self.n_peaks = n_peaks
        self._check()

    def _check(self) -> None:
        """Refuse parts that do not fit one another."""
        wanted = {key: (self._weighted() if key == "weight" else int(self.offset[-1]),) for key in self._arrays}
        found = {key: array.shape for key, array in self._arrays.items()}
        ascending = self.offset[0] == 0 and (np.diff(self.offset) >= 0).all()
        if found != wanted or len(self.offset) != len(self.ends) * BINS + 1 or not ascending:
            raise ValueError("the arrays of its histogram differ in length")

    def _weighted(self) -> int:
        """Entries up to the last rank that has weights."""
        return int(self.offset[min(WEIGHTED_PER_ROW, self.depth) * BINS])

    def add(self, total: WholeSums, run: Run) -> None:
        """Add the entries of a run of frames to ``(3, n_peaks)`` sums, or take them away.

        Raises
        ------
        ValueError
            If a peak is none of the data set's.
        """
        from bi2scope.data.store import counting

        start, stop, sign = run
        offset = self.offset[start : stop + 1]
        begin, end = int(offset[0]), int(offset[-1])
        if begin == end:
            return
        weighted = max(begin, min(end, self._weighted()))
        entries = tuple(self._arrays[key][begin : weighted if key == "weight" else end] for key in schema.HISTOGRAM)
        if not counting.add_entries(offset - begin, start % BINS, edge_bases(), entries, sign, total):
            raise ValueError("a peak of its histogram is beyond the data set's")


def key_sums(entries: Entries, bins: Sequence[int], ranks: Sequence[int]) -> Iterator[WholeSums]:
    """``(n_bins, 3, n_peaks)`` sums of the key cuts of one rank after the other, each added to the one before."""
    between: WholeSums = np.zeros((len(bins), len(schema.DEFINITIONS), entries.n_peaks), dtype=np.int64)
    done = 0
    for rank in ranks:
        groups = entries.ends.index(rank) + 1
        for band, (low, high) in enumerate(zip(bins, [*bins[1:], BINS], strict=True)):
            for place in range(done, groups):
                entries.add(between[band], (place * BINS + low, place * BINS + high, 1))
        done = groups
        yield np.cumsum(between[::-1], axis=0)[::-1]


class StoredHistogram:
    """The histogram of one cell type, layer and head.

    Parameters
    ----------
    group
        Its HDF5 group.
    n_peaks
        Peaks of the data set.
    """

    def __init__(self, group: h5py.Group, n_peaks: int) -> None:
        self._entries = Entries(group, n_peaks)
        self._sums = group[schema.SUMS]
        self._bins, self._ranks = ([int(key) for key in group[name][:]] for name in (schema.KEY_BIN, schema.KEY_RANK))
        self._last_cut = int(group.attrs[schema.LAST_CUT])
        if self._sums.shape != (len(self._bins), len(self._ranks), len(schema.DEFINITIONS), n_peaks):
            raise ValueError("the key sums of its histogram are of another shape")
        if not set(self._ranks) <= set(self._entries.ends) or not set(self._bins) <= set(range(BINS)):
            raise ValueError("the key cuts of its histogram are none of its own")

    def truncates(self, cut: Cut) -> bool:
        """Whether links that survive the cut were cut off when the store was made."""
        asks = cut.top_k is None or cut.top_k > self._entries.depth
        return asks and self._last_cut >= halves.lowest_above(cut.threshold)

    def keys_agree(self) -> bool:
        """Whether the sums of the key cuts are those of the entries."""
        made = key_sums(self._entries, self._bins, self._ranks)
        return all(np.array_equal(self._sums[:, place], sums) for place, sums in enumerate(made))

    @property
    def n_entries(self) -> int:
        """Entries of the histogram."""
        return int(self._entries.offset[-1])

    def sums(self, cut: Cut) -> WholeSums | None:
        """``(3, n_peaks)`` sums of the links that survive; ``None`` when the cut parts a bin or a group of ranks."""
        first, groups = bin_of_threshold(cut.threshold), self._groups(cut.top_k)
        if first is None or groups is None:
            return None
        key, runs = min(self._ways(first, groups), key=lambda way: self._cost(way[1]))
        total = np.zeros((len(schema.DEFINITIONS), self._entries.n_peaks), dtype=np.int64)
        if key is not None:
            total = self._sums[key]
        for run in runs:
            self._entries.add(total, run)
        return total

    def _groups(self, top_k: int | None) -> int | None:
        """How many groups of ranks a k asks for; ``None`` when it parts one."""
        ends = self._entries.ends
        if top_k is None or top_k >= self._entries.depth:
            return len(ends)
        return ends.index(top_k) + 1 if top_k in ends else None

    def _ways(self, first: int, groups: int) -> Iterator[tuple[tuple[int, int] | None, list[Run]]]:
        """From nothing, or from each key: the key, and the runs of frames to be added and taken away."""
        yield None, _runs([(group, first, BINS, 1) for group in range(groups)])
        for i, edge in enumerate(self._bins):
            for j, rank in enumerate(self._ranks):
                key = self._entries.ends.index(rank) + 1
                low, high, sign = min(first, edge), max(first, edge), 1 if first < edge else -1
                shared = [(group, low, high, sign) for group in range(min(groups, key))]
                more = [(group, first, BINS, 1) for group in range(key, groups)]
                less = [(group, edge, BINS, -1) for group in range(groups, key)]
                yield (i, j), _runs([*shared, *more, *less])

    def _cost(self, runs: list[Run]) -> float:
        """Entries to be read; a run costs as much as some thousand of them."""
        offset = self._entries.offset
        return sum(float(offset[stop] - offset[start]) + 10_000 for start, stop, _ in runs)


def _runs(ranges: list[tuple[int, int, int, int]]) -> list[Run]:
    """Runs of frames, with their sign, of bins ``start`` to ``stop`` of groups from 0; neighbours are joined."""
    runs: list[Run] = []
    for group, start, stop, sign in ranges:
        begin, end = group * BINS + start, group * BINS + stop
        if runs and runs[-1][1] == begin and runs[-1][2] == sign:
            runs[-1] = (runs[-1][0], end, sign)
        elif begin < end:
            runs.append((begin, end, sign))
    return runs


def key_cuts(offset: Ints64, ends: tuple[int, ...], most: int) -> tuple[list[int], list[int]]:
    """First bins and last ranks of the key cuts: as many as leave at most ``most`` entries between two of them.

    Parameters
    ----------
    offset
        Of the frames into the entries.
    ends
        Last ranks of the groups.
    most
        Entries from one key to the next, over all ranks or all bins.
    """
    per_frame = np.diff(offset).reshape(-1, BINS)
    parts = max(2, int(np.ceil(offset[-1] / most)))
    wanted = np.arange(parts) * (offset[-1] / parts)
    before_bin = np.concatenate([[0], np.cumsum(per_frame.sum(axis=0))])[:-1]
    up_to_group = np.cumsum(per_frame.sum(axis=1))
    bins = {int(np.abs(before_bin - at).argmin()) for at in wanted}
    groups = {int(np.abs(up_to_group - (offset[-1] - at)).argmin()) for at in wanted} if len(ends) else set[int]()
    return sorted(bins), [ends[group] for group in sorted(groups | ({len(ends) - 1} if ends else set()))]
