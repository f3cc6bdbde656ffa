"""Surviving links of whole cells added up peak by peak, compiled by numba.

One call takes a run of cells from their packed chunks to the sums, in room that is made once: between two cells there
is neither the interpreter nor a large array made anew, whose pages would be mapped in again. Imported where it is first
called, as :mod:`bi2scope.data.store.decoding` is, whose rules hold here too.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bi2scope.data.attention import WEIGHTED_PER_ROW, Ints
from bi2scope.data.store import halves, schema
from bi2scope.data.store.decoding import (
    DAMAGED,
    ONE_LINK,
    SCORE_BITS,
    all_rows,
    by_length,
    compiled,
    last_cut,
    step_down,
    within,
    without,
)
from bi2scope.data.store.links import StoredCell, StoredLinks
from bi2scope.data.store.unpacking import ChunkPlaces, Source, unpack_chunk, unpack_columns

UNREAD = -2
"""What a sum answers when a chunk is in doubt, or a cell's numbers do not add up: for HDF5 to read, or to refuse."""

_UNIT = np.float32(schema.WEIGHT_UNIT)
_SHIFT = np.uint64(SCORE_BITS)
_SCORE = np.uint64((1 << SCORE_BITS) - 1)


class PackedCells(NamedTuple):
    """Where the links of all cells lie, packed.

    Attributes
    ----------
    source
        The file.
    link, row, own
        Chunks of the links, of the rows, and of the cells' own peaks.
    n_links, depth, n_rows
        ``(n_cells,)`` int64: links, the longest row, and rows of every cell.
    own_start
        ``(n_cells + 1,)`` int64, where each cell's own peaks start.
    """

    source: Source
    link: ChunkPlaces
    row: ChunkPlaces
    own: ChunkPlaces
    n_links: Ints
    depth: Ints
    n_rows: Ints
    own_start: Ints


class Room(NamedTuple):
    """What one thread writes to, cell by cell.

    Attributes
    ----------
    link_chunk, row_chunk, own_chunk
        ``(2, width)``, ``(3, width)`` and ``(1, width)``: one chunk of each.
    row, own
        ``(3, n_rows)`` and ``(1, n_own)`` int32 of the largest cell.
    both, weight
        ``(n_own,)`` links and scores together (:class:`CutTables`), and weights, of each peak.
    """

    link_chunk: Ints
    row_chunk: Ints
    own_chunk: Ints
    row: Ints
    own: Ints
    both: npt.NDArray[np.uint64]
    weight: npt.NDArray[np.int64]

    @classmethod
    def of(cls, links: StoredLinks, n_peaks: int) -> Room:
        """Room for any cell; no sound one has more rows, or more peaks, than the data set."""
        n_rows, n_own = links.largest
        n_own = min(n_own, n_peaks)
        row, own = np.empty((3, n_rows), np.int32), np.empty((1, n_own), np.int32)
        return cls(*links.chunk_rooms(), row, own, np.empty(n_own, np.uint64), np.empty(n_own, np.int64))


class CutTables(NamedTuple):
    """A cut, and what it makes of every bits.

    Attributes
    ----------
    lowest, below
        Lowest bits that survive, and the k asked for.
    uniform
        Whether all links weigh the same.
    both
        ``(65536,)`` the link and its score in one number, in units; 0 for what does not survive.
    weight
        ``(65536,)`` what a link weighs before it is divided; 0 for what does not survive.
    """

    lowest: int
    below: int
    uniform: bool
    both: npt.NDArray[np.uint64]
    weight: npt.NDArray[np.float32]

    @classmethod
    def of(cls, lowest: int, below: int, uniform: bool) -> CutTables:
        """The tables of a cut."""
        scores, exponentials = halves.tables()
        survives = np.arange(len(scores)) >= lowest
        weight = np.float32(1 / WEIGHTED_PER_ROW) if uniform else exponentials
        both = survives * (ONE_LINK + scores.astype(np.uint64))
        return cls(lowest, below, uniform, both, survives * weight)


@compiled
def add_cells(cells, packed, cut, room, total):  # type: ignore[no-untyped-def]
    """Add up a run of cells, until one that it cannot.

    Parameters
    ----------
    cells
        ``(n,)`` positions.
    packed, cut, room
        :class:`PackedCells`, :class:`CutTables` and :class:`Room`.
    total
        ``(n_peaks, 4)`` int64, added to: links, scores and weights, and cells with a count of the peak.

    Returns
    -------
    How many were added, and the highest :func:`~bi2scope.data.store.decoding.last_cut` among them, where that survives.
    """
    highest = np.int64(0)
    for n in range(len(cells)):
        last = _add_packed(cells[n], packed, cut, room, total)
        if last < 0:
            return n, highest
        highest = max(highest, last)
    return len(cells), highest


@compiled
def add_cell(cell, cut, room, total):  # type: ignore[no-untyped-def]
    """The same for one :class:`~bi2scope.data.store.links.StoredCell`; its last bits, or :data:`DAMAGED`."""
    if len(cell.own_peaks) > len(room.both):
        return np.int64(DAMAGED)
    nothing = np.zeros(0, np.int64)
    source, places = Source(-1, 0, 0, np.zeros(0, np.uint8)), ChunkPlaces(nothing, nothing, 0)
    return _add_links(cell, (source, places, 0, 0), cut, room, total)


@compiled
def _add_packed(cell, packed, cut, room, total):  # type: ignore[no-untyped-def]
    n_rows, own_start = packed.n_rows[cell], packed.own_start[cell]
    n_own, chunk = packed.own_start[cell + 1] - own_start, room.own_chunk.shape[1]
    if n_rows < 0 or n_rows > room.row.shape[1] or n_own < 0 or n_own > room.own.shape[1] or own_start < 0:
        return np.int64(UNREAD)
    row, own = room.row[:, :n_rows], room.own[:, :n_own]
    begin = own_start // chunk, own_start % chunk
    if not unpack_columns(packed.source, packed.own, begin, room.own_chunk, own):
        return np.int64(UNREAD)
    if not unpack_columns(packed.source, packed.row, (cell * packed.row.per_cell, 0), room.row_chunk, row):
        return np.int64(UNREAD)
    n_links = room.row[0][:n_rows]
    longest, shortest, n_all = np.int32(0), np.int32(0), np.int64(0)
    for length in n_links:
        longest, shortest, n_all = max(longest, length), min(shortest, length), n_all + length
    if shortest < 0 or longest != packed.depth[cell] or n_all != packed.n_links[cell]:
        return np.int64(UNREAD)
    given = room.row[2][:n_rows].view(np.float32)
    stored = StoredCell(room.link_chunk, n_links, room.row[1][:n_rows], given, room.own[0][:n_own])
    chunks = packed.source, packed.link, cell * packed.link.per_cell, room.link_chunk.shape[1]
    return _add_links(stored, chunks, cut, room, total)


@compiled
def _add_links(cell, chunks, cut, room, total):  # type: ignore[no-untyped-def]
    """Add up one cell, whose planes are read from a place on, and filled with the next chunk whenever they end."""
    source, places, number, at = chunks
    both, weight = room.both[: len(cell.own_peaks)], room.weight[: len(cell.own_peaks)]
    both[:], weight[:] = np.uint64(0), np.int64(0)
    depth = np.int64(0)
    for length in cell.n_links:
        depth = max(depth, min(np.int64(length), cut.below))
    last, n_rows = np.zeros(len(cell.n_links), np.uint16), len(cell.n_links)
    (rows, bits), (other_rows, other_bits) = all_rows(n_rows), all_rows(n_rows)
    order, start = by_length(cell.n_links, depth)
    for rank in range(1, depth + 1):
        if start[rank] > start[rank - 1]:
            ended = order[start[rank - 1] : start[rank]]
            n_rows = without(ended, (rows[:n_rows], bits[:n_rows]), (other_rows, other_bits), last)
            rows, other_rows, bits, other_bits = other_rows, rows, other_bits, bits
        survives, first = False, 0
        while first < n_rows:
            if at == cell.planes.shape[1]:
                if not unpack_chunk(source, places, number, cell.planes):
                    return np.int64(UNREAD)
                number, at = number + 1, 0
            n = min(n_rows - first, cell.planes.shape[1] - at)
            peak, here = cell.planes[0, at : at + n], bits[first : first + n]
            if not within(peak, len(both)):
                return np.int64(DAMAGED)
            survives |= step_down(cell.planes[1, at : at + n], rank == 1, here) >= cut.lowest
            _add_scores(peak, here, cut.both, both)
            if rank <= WEIGHTED_PER_ROW:
                _add_weights(peak, (rows[first : first + n], here), cut, cell.denominator, weight)
            first, at = first + n, at + n
        if not survives:
            break
    for i in range(n_rows):
        last[rows[i]] = bits[i]
    if not _add_peaks(cell.own_peaks, both, weight, total):
        return np.int64(DAMAGED)
    return last_cut(cell, last, cut.below)


@compiled
def _add_scores(peak, bits, summand, both):  # type: ignore[no-untyped-def]
    for i in range(len(peak)):
        both[peak[i]] += summand[bits[i]]


@compiled
def _add_weights(peak, links, cut, denominator, weight):  # type: ignore[no-untyped-def]
    """Whole weights, first all of them, many at a time, and then to their peaks."""
    rows, bits = links
    whole = np.empty(len(peak), np.int32)
    for i in range(len(peak)):
        exact = cut.weight[bits[i]] / (np.float32(1) if cut.uniform else denominator[rows[i]])
        unit = np.rint(exact * _UNIT)
        whole[i] = np.int32(unit) if 0 <= unit <= _UNIT else np.int32(0)  # what no sound denominator gives
    for i in range(len(peak)):
        weight[peak[i]] += whole[i]


@compiled
def _add_peaks(own_peaks, both, weight, total):  # type: ignore[no-untyped-def]
    lowest, highest = np.int32(0), np.int32(-1)
    for own in own_peaks:
        lowest, highest = min(lowest, np.int32(own)), max(highest, np.int32(own))
    if lowest < 0 or highest >= len(total):
        return False
    for i in range(len(own_peaks)):
        of_peak = total[own_peaks[i]]
        of_peak[0] += np.int64(both[i] >> _SHIFT)
        of_peak[1] += np.int64(both[i] & _SCORE)
        of_peak[2] += weight[i]
        of_peak[3] += 1
    return True
