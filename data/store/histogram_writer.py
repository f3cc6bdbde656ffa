"""The histogram of a cell type while it is made: counted in memory, a run of frames at a time, and written.

Memory is bounded by :data:`COUNTER_BYTES`: the cells are read once for each run of frames that fits, only as far as its
ranks reach.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import h5py
import numpy as np
import numpy.typing as npt

from bi2scope.data.attention import WEIGHTED_PER_ROW, Ints
from bi2scope.data.store import halves, schema
from bi2scope.data.store.bins import BINS, bin_of_bits, edge_bases
from bi2scope.data.store.cumulative import beyond
from bi2scope.data.store.growing import GrowingArray
from bi2scope.data.store.histogram import Entries, key_cuts, key_sums
from bi2scope.data.store.links import StoredLinks
from bi2scope.data.store.tables import COMPRESSED, write_array

ENTRY_CHUNK = 1 << 14
"""Entries of a chunk."""

COUNTER_BYTES = 1 << 28
"""Counters in memory at a time; one frame's at least."""

MOST_BETWEEN_KEYS = 5_000_000
"""Entries from one key cut to the next: what is read for a cut, at most."""

FEW_LINKS, CELL_AS_LINKS = 8_000_000, 40_000
"""A type of fewer links is summed from the links themselves as fast; a cell takes as long as so many links more."""

Counters = npt.NDArray[np.uint64]


def worth_counting(links: StoredLinks, cells: Ints) -> bool:
    """Whether a histogram of some cells answers sooner than their links do."""
    return int(links.n_links[cells].sum()) + CELL_AS_LINKS * len(cells) > FEW_LINKS


def frame_runs(depth: int, n_peaks: int) -> Iterator[tuple[int, int]]:
    """First frame, and the one after the last, of the runs that are counted together."""
    n_frames, weighted = len(schema.rank_ends(depth)) * BINS, min(WEIGHTED_PER_ROW, depth) * BINS
    frame = COUNTER_BYTES // max(8 * n_peaks, 1)
    for begin, end, most in ((0, weighted, max(frame // 2, 1)), (weighted, n_frames, max(frame, 1))):
        for first in range(begin, end, most):
            yield first, min(first + most, end)


def counted(links: StoredLinks, cells: Ints, frames: tuple[int, int], n_peaks: int) -> tuple[Counters, Counters]:
    """Counters of some frames over some cells: ``(n_peaks, n_frames)`` links with scores, and weights if there are any.

    Raises
    ------
    ValueError
        If a cell is damaged.
    """
    from bi2scope.data.store import counting

    depth = int(links.depth[cells].max(initial=0))
    ends, (first, stop) = schema.rank_ends(depth), frames
    last_rank = ends[(stop - 1) // BINS]
    frame_of_rank = np.searchsorted(ends, np.arange(1, depth + 1)) * BINS
    weighted = stop - first if first < WEIGHTED_PER_ROW * BINS else 0
    counts, weights = (np.zeros((n_peaks, n), dtype=np.uint64) for n in (stop - first, weighted))
    given = (frame_of_rank, bin_of_bits(), edge_bases(), first)
    for cell in cells:
        stored, reached = links.stored(int(cell), last_rank)
        if not counting.count_cell(stored, reached, given, halves.tables(), links.kind == "uniform", counts, weights):
            raise beyond(int(cell))
    return counts, weights


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
    from bi2scope.data.store import counting

    depth = int(links.depth[cells].max(initial=0))
    arrays = {key: GrowingArray(group, key, dtype, ENTRY_CHUNK) for key, dtype in schema.HISTOGRAM.items()}
    lengths = [0]
    for frames in frame_runs(depth, n_peaks):
        counts, weights = counted(links, cells, frames, n_peaks)
        of_weights = _columns(weights) if weights.size else itertools.repeat(np.zeros(0, dtype=np.uint64))
        for count, weight in zip(_columns(counts), of_weights, strict=False):
            entries = counting.entries_of(count, weight)
            for key, values in zip(schema.HISTOGRAM, entries, strict=True):
                arrays[key].append(values)
            lengths.append(len(entries[0]))
    for array in arrays.values():
        array.flush()
    group.attrs[schema.DEPTH] = depth
    write_array(group, schema.OFFSET, np.cumsum(lengths).astype("<i8"))
    _write_keys(group, Entries(group, n_peaks))


def _columns(counters: Counters) -> Iterator[Counters]:
    """``(n_peaks,)`` of each frame; some are put together at a time, since a column's own are far apart."""
    for start in range(0, counters.shape[1], 8):
        yield from np.ascontiguousarray(counters[:, start : start + 8].T)


def _write_keys(group: h5py.Group, entries: Entries) -> None:
    """Write which key cuts there are, and their sums."""
    bins, ranks = key_cuts(entries.offset, entries.ends, MOST_BETWEEN_KEYS)
    write_array(group, schema.KEY_BIN, np.asarray(bins, dtype="<u1"))
    write_array(group, schema.KEY_RANK, np.asarray(ranks, dtype="<u2"))
    shape = (len(bins), len(ranks), len(schema.DEFINITIONS), entries.n_peaks)
    dataset = group.create_dataset(
        schema.SUMS, shape, "<i8", chunks=(1, 1, 1, max(entries.n_peaks, 1)),
        maxshape=tuple(length or None for length in shape), **COMPRESSED,
    )  # fmt: skip
    for place, sums in enumerate(key_sums(entries, bins, ranks)):
        dataset[:, place] = sums
