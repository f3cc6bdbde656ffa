"""Links of a cell type counted by score, rank and peak, so that any cut is summed without reading the links.

An *entry* is a peak in a *frame*, the links of one rank and one bin of the score, that holds at least one link. Entries
stand by rank, bin and peak, so a frame is a run, and so are all bins above a threshold within one rank. Beside them lie
the sums of some *key* cuts: what is asked for is the nearest key, plus and minus the entries between the two.
"""

from __future__ import annotations

from collections.abc import Iterator

import h5py
import numpy as np
import numpy.typing as npt

from bi2scope.data.attention import WEIGHTED_PER_ROW, Cut, Ints
from bi2scope.data.store import halves, schema
from bi2scope.data.store.bins import BINS, bin_of_bits, bin_of_threshold, edge_bases
from bi2scope.data.store.cumulative import WholeSums
from bi2scope.data.store.growing import GrowingArray
from bi2scope.data.store.links import StoredLinks
from bi2scope.data.store.packed import KEYS, WAITING_LINKS, Adding, KeySums
from bi2scope.data.store.tables import COMPRESSED, write_array

ENTRY_CHUNK = 1 << 14

Ints64 = npt.NDArray[np.int64]


def rank_blocks(depth: int, links_per_rank: int, n_peaks: int) -> Iterator[tuple[int, int]]:
    """First and last rank of the blocks that entries are made in."""
    most = max(1, min(WAITING_LINKS // max(links_per_rank, 1), KEYS // max(BINS * n_peaks, 1)))
    for first in range(1, depth + 1, most):
        yield first, min(first + most - 1, depth)


def entries_of(links: StoredLinks, cells: Ints, ranks: tuple[int, int], n_peaks: int) -> KeySums:
    """Entries of some ranks over some cells; the key is ``(rank * n_bins + bin) * n_peaks + peak``, ranks from 0."""
    adding = Adding()
    for cell in cells:
        one = links.ranked(int(cell), ranks[1])
        one = one.where((one.rank >= ranks[0]) & (one.bits >= halves.lowest_above(schema.EDGE_SCORES[0])))
        bins = (one.rank - ranks[0]) * BINS + bin_of_bits()[one.bits]
        adding.add(one, bins.astype(np.int64) * n_peaks + one.peak)
    return adding.sums()


def write_histogram(group: h5py.Group, links: StoredLinks, cells: Ints, n_peaks: int) -> None:
    """Count the links of some cells and write entries and key sums.

    Parameters
    ----------
    group
        Where the arrays are made.
    links
        Those of the layer and head.
    cells
        Positions of the cells.
    n_peaks
        Peaks of the data set.
    """
    depth = int(links.depth[cells].max(initial=0))
    n_rows = int(np.ceil(links.n_links[cells].sum() / max(depth, 1)))
    arrays = {key: GrowingArray(group, key, dtype, ENTRY_CHUNK) for key, dtype in schema.HISTOGRAM.items()}
    counts, sums = np.zeros((depth, BINS), dtype=np.int64), _KeySums(group, depth, n_peaks)
    for first, last in rank_blocks(depth, n_rows, n_peaks):
        entries = entries_of(links, cells, (first, last), n_peaks)
        frame, peak = np.divmod(entries.key, n_peaks)
        counts[first - 1 : last] = np.bincount(frame, minlength=(last - first + 1) * BINS).reshape(-1, BINS)
        _append(arrays, entries, frame, peak, max(0, WEIGHTED_PER_ROW - first + 1))
        sums.add(entries, frame + (first - 1) * BINS, peak, last)
    for array in arrays.values():
        array.flush()
    write_array(group, schema.OFFSET, np.concatenate([[0], np.cumsum(counts)]).astype("<i8"))


def _append(arrays: dict[str, GrowingArray], entries: KeySums, frame: Ints64, peak: Ints64, weighted: int) -> None:
    """Append entries as they are stored; weights of the first ranks only, as many as ``weighted``."""
    starts = np.flatnonzero(np.diff(frame, prepend=-1))
    gap = np.diff(peak, prepend=0)
    gap[starts] = peak[starts]
    arrays["peak"].append(gap)
    arrays["links"].append(entries.links)
    arrays["score"].append(entries.score - entries.links * edge_bases()[frame % BINS])
    arrays["weight"].append(entries.weight[: np.searchsorted(frame, weighted * BINS)])


class _KeySums:
    """Sums over all ranks so far and the bins from each key edge up, written whenever a key rank is reached."""

    def __init__(self, group: h5py.Group, depth: int, n_peaks: int) -> None:
        self._ranks = schema.key_ranks(depth)
        self._written: set[int] = set()
        self._sums = np.zeros((3, len(schema.KEY_EDGES), n_peaks), dtype=np.int64)
        shape = (3, len(schema.KEY_EDGES), len(self._ranks), n_peaks)
        self._dataset = group.create_dataset(
            schema.SUMS, shape, "<i8", chunks=(1, 1, 1, max(n_peaks, 1)),
            maxshape=tuple(length or None for length in shape), **COMPRESSED,
        )  # fmt: skip

    def add(self, entries: KeySums, frame: Ints64, peak: Ints64, last: int) -> None:
        """Add entries of ranks up to ``last``, their frames counted from rank 1."""
        done = 0
        for rank in (*(key for key in self._ranks if key <= last), last):
            stop = int(np.searchsorted(frame, rank * BINS))
            part = slice(done, stop)
            self._add(frame[part] % BINS, peak[part], (entries.links[part], entries.score[part], entries.weight[part]))
            done = max(done, stop)
            if rank in self._ranks and rank not in self._written:
                self._dataset[:, :, self._ranks.index(rank)] = np.cumsum(self._sums[:, ::-1], axis=1)[:, ::-1]
                self._written.add(rank)

    def _add(self, bins: Ints64, peak: Ints64, values: tuple[Ints64, Ints64, Ints64]) -> None:
        n_edges, n_peaks = self._sums.shape[1:]
        place = (np.searchsorted(schema.KEY_EDGES, bins, side="right") - 1) * n_peaks + peak
        for total, of in zip(self._sums, values, strict=True):
            total += np.bincount(place, of, n_edges * n_peaks).astype(np.int64).reshape(n_edges, n_peaks)


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
        self._arrays = {key: group[key] for key in schema.HISTOGRAM}
        self._sums = group[schema.SUMS]
        self._offset: Ints64 = group[schema.OFFSET][:]
        self.depth = (len(self._offset) - 1) // BINS
        self.last_cut = int(group.attrs[schema.LAST_CUT])
        self._n_peaks = n_peaks
        self._check()

    def _check(self) -> None:
        """Refuse parts that do not fit one another."""
        weighted = self._weighted()
        wanted = {key: (weighted if key == "weight" else self.n_entries,) for key in self._arrays}
        found = {key: array.shape for key, array in self._arrays.items()}
        sums = (3, len(schema.KEY_EDGES), len(schema.key_ranks(self.depth)), self._n_peaks)
        if found != wanted or self._sums.shape != sums or len(self._offset) != self.depth * BINS + 1:
            raise ValueError("the arrays of its histogram differ in length")

    def _weighted(self) -> int:
        """Entries up to the last rank that has weights."""
        return int(self._offset[min(WEIGHTED_PER_ROW, self.depth) * BINS])

    def truncates(self, cut: Cut) -> bool:
        """Whether links that survive the cut were cut off when the store was made."""
        asks = cut.top_k is None or cut.top_k > self.depth
        return asks and self.last_cut >= halves.lowest_above(cut.threshold)

    @property
    def n_entries(self) -> int:
        """Entries of the histogram."""
        return int(self._offset[-1])

    def frame_links(self) -> Ints64:
        """``(depth, n_bins)`` links of each frame, over all peaks; holds the entries of one rank at a time."""
        frames = np.zeros((self.depth, BINS), dtype=np.int64)
        for rank in range(self.depth):
            offset = self._offset[rank * BINS : (rank + 1) * BINS + 1]
            links = self._read("links", int(offset[0]), int(offset[-1]))
            frames[rank] = np.bincount(np.repeat(np.arange(BINS), np.diff(offset)), links, BINS)
        return frames

    def sums(self, cut: Cut) -> WholeSums | None:
        """``(3, n_peaks)`` sums of the links that survive; ``None`` when the threshold parts a bin."""
        first = bin_of_threshold(cut.threshold)
        if first is None:
            return None
        rank = self.depth if cut.top_k is None else min(cut.top_k, self.depth)
        sums, steps = min(self._ways(first, rank), key=lambda way: self._cost(way[1]))
        total = np.zeros((3, self._n_peaks), dtype=np.int64) if sums is None else self._sums[:, sums[0], sums[1]]
        for start, stop, sign in steps:
            self._add(total, start, stop, sign)
        return total

    def _ways(self, first: int, rank: int) -> Iterator[tuple[tuple[int, int] | None, list[tuple[int, int, int]]]]:
        """From nothing, or from each key: the key, and the runs of frames to be added and taken away."""
        yield None, _runs([(r, first, BINS, 1) for r in range(rank)])
        for i, edge in enumerate(schema.KEY_EDGES):
            for j, key in enumerate(schema.key_ranks(self.depth)):
                shared = [
                    (r, min(first, edge), max(first, edge), 1 if first < edge else -1) for r in range(min(rank, key))
                ]
                more = [(r, first, BINS, 1) for r in range(key, rank)]
                less = [(r, edge, BINS, -1) for r in range(rank, key)]
                yield (i, j), _runs([*shared, *more, *less])

    def _cost(self, steps: list[tuple[int, int, int]]) -> float:
        """Entries to be read; a run costs as much as some hundred of them."""
        return sum(float(self._offset[stop] - self._offset[start]) + 4_000 for start, stop, _ in steps)

    def _add(self, total: WholeSums, start: int, stop: int, sign: int) -> None:
        """Add the entries of frames ``start`` to ``stop``."""
        offset = self._offset[start : stop + 1]
        begin, end = int(offset[0]), int(offset[-1])
        if begin == end:
            return
        lengths = np.diff(offset)
        peak = self._peaks(begin, end, offset[:-1][lengths > 0] - begin)
        links = self._read("links", begin, end)
        bins = np.repeat(np.arange(start, stop) % BINS, lengths)
        score = self._read("score", begin, end) + links * edge_bases()[bins]
        weighted = min(end, self._weighted()) - begin
        total[0] += sign * self._counted(peak, links)
        total[1] += sign * self._counted(peak, score)
        if weighted > 0:
            total[2] += sign * self._counted(peak[:weighted], self._read("weight", begin, begin + weighted))

    def _peaks(self, begin: int, end: int, starts: Ints64) -> Ints64:
        """Peaks of a run of entries from the gaps between them; at the start of a frame stands the peak itself."""
        gap = self._read("peak", begin, end)
        reached = np.cumsum(gap)
        before = reached[starts] - gap[starts]
        return reached - np.repeat(before, np.diff([*starts, end - begin]))

    def _read(self, key: str, begin: int, end: int) -> Ints64:
        values: Ints64 = self._arrays[key][begin:end].astype(np.int64)
        return values

    def _counted(self, peak: Ints64, values: Ints64) -> Ints64:
        return np.bincount(peak, values, self._n_peaks).astype(np.int64)


def _runs(ranges: list[tuple[int, int, int, int]]) -> list[tuple[int, int, int]]:
    """Runs of frames, with their sign, of bins ``start`` to ``stop`` of ranks from 0; neighbours are joined."""
    runs: list[tuple[int, int, int]] = []
    for rank, start, stop, sign in ranges:
        begin, end = rank * BINS + start, rank * BINS + stop
        if runs and runs[-1][1] == begin and runs[-1][2] == sign:
            runs[-1] = (runs[-1][0], end, sign)
        elif begin < end:
            runs.append((begin, end, sign))
    return runs
