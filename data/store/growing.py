"""Arrays of the store while they grow: the links of one cell after the other, and lists written in whole chunks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from bi2scope.data.attention import CellAttention, score_of
from bi2scope.data.multiome import Multiome
from bi2scope.data.store import halves, schema
from bi2scope.data.store.tables import COMPRESSED, write_array

SMALLEST_CHUNK, LARGEST_CHUNK = 1 << 10, 1 << 14

Array = npt.NDArray[Any]


def chunk_length(per_cell: float, largest: int = LARGEST_CHUNK) -> int:
    """Entries of a chunk, a power of two: between a quarter and a half of a cell's.

    All of a chunk is decompressed. Chunks of links end where a cell ends, so theirs may be small: of 8,192 to 32,768
    entries all read within 20 % of one another, and small ones let the highest ranks alone be read.
    """
    return int(np.clip(1 << int(np.log2(max(per_cell / 2, 1))), SMALLEST_CHUNK, largest))


class GrowingArray:
    """One array on disk, appended to.

    Parameters
    ----------
    group, key
        Where the array is made.
    dtype
        Its type; what is appended is cast to it.
    chunk
        Entries of a chunk; at most four chunks wait in memory.
    """

    def __init__(self, group: h5py.Group, key: str, dtype: np.dtype[Any], chunk: int) -> None:
        self._dataset = group.create_dataset(key, (0,), dtype, maxshape=(None,), chunks=(chunk,), **COMPRESSED)
        self._chunk = chunk
        self._pending: list[Array] = []
        self._n_pending = 0

    def append(self, values: Array) -> None:
        """Add values at the end.

        Raises
        ------
        OverflowError
            If a value is larger than the array's type can hold.
        """
        dtype = self._dataset.dtype
        if len(values) and dtype.kind in "iu" and values.max() > np.iinfo(dtype).max:
            raise OverflowError(f"{self._dataset.name} cannot hold {values.max()}.")
        self._pending.append(values.astype(self._dataset.dtype))
        self._n_pending += len(values)
        if self._n_pending >= 4 * self._chunk:
            self._write(self._n_pending - self._n_pending % self._chunk)

    def flush(self) -> None:
        """Write what waits; the array is whole then."""
        if self._n_pending:
            self._write(self._n_pending)

    def _write(self, count: int) -> None:
        values = np.concatenate(self._pending)
        start = len(self._dataset)
        self._dataset.resize((start + count,))
        self._dataset[start:] = values[:count]
        self._pending = [values[count:]]
        self._n_pending -= count


@dataclass(frozen=True)
class LinkLayout:
    """How the links of a store lie, the same in all of its shards, so that these are put together chunk by chunk.

    Attributes
    ----------
    n_peaks
        Peaks of the data set.
    k_max
        Links kept per gene.
    peak_bytes
        Bytes of a peak's position among its cell's own.
    link_chunk, row_chunk
        Entries of a chunk of the links, and of the rows.
    """

    n_peaks: int
    k_max: int
    peak_bytes: int
    link_chunk: int
    row_chunk: int

    @classmethod
    def of(cls, multiome: Multiome, k_max: int) -> LinkLayout:
        """What suits the cells of a store, all of them."""
        n_cells = max(multiome.n_cells, 1)
        genes, peaks = multiome.rna.nnz / n_cells, multiome.atac.nnz / n_cells
        per_gene = min(k_max, peaks / max(len(multiome.chromosomes), 1))
        largest_cell = int(np.diff(multiome.atac.indptr).max(initial=0))
        peak_bytes = schema.peak_dtype(largest_cell).itemsize
        return cls(multiome.n_peaks, k_max, peak_bytes, chunk_length(genes * per_gene), chunk_length(2 * genes))


class GrowingLinks:
    """The links of one layer and head while they grow; the storage of a cell is its own.

    Parameters
    ----------
    group
        Where the arrays are made.
    n_cells
        Cells that there will be.
    layout
        How they lie.
    """

    def __init__(self, group: h5py.Group, n_cells: int, layout: LinkLayout) -> None:
        self._link = _of_cells(
            group, schema.LINK, (n_cells, len(schema.LINK_PLANES)),
            np.dtype(f"<u{layout.peak_bytes}"), layout.link_chunk,
        )  # fmt: skip
        self._row = _of_cells(group, schema.ROW, (n_cells, len(schema.ROW_PLANES)), schema.ROW_DTYPE, layout.row_chunk)
        self._group, self._k_max = group, layout.k_max
        self._position = np.zeros(layout.n_peaks, dtype=np.int64)  # of a peak among the last cell's own
        self._n_links: list[int] = []
        self._depth: list[int] = []
        self._closed = False

    def append(self, attention: CellAttention, own_peaks: Array) -> None:
        """Add the next cell, whose own peaks are given as positions in the data set.

        Raises
        ------
        ValueError
            If the attention does not fit the cell.
        """
        n_links = np.diff(attention.row_start)
        _check_rows(attention, n_links, self._k_max)
        self._position[own_peaks] = np.arange(len(own_peaks))
        cell = len(self._n_links)
        _put(self._link, cell, _planes(attention, own_peaks, self._position, self._link.dtype))
        denominator = attention.denominator.astype("<f4").view("<i4")
        _put(self._row, cell, np.stack([n_links, attention.n_above, denominator]).astype(schema.ROW_DTYPE))
        self._n_links.append(len(attention.peak))
        self._depth.append(int(n_links.max(initial=0)))

    def take(self, shard: h5py.Group) -> None:
        """Add the cells of a shard of the same layout, as compressed as they are.

        Raises
        ------
        ValueError
            If its arrays are of another layout, or hold more cells than are wanted.
        """
        n_links, depth = shard[schema.N_LINKS][:], shard[schema.DEPTH][:]
        first = len(self._n_links)
        for mine, theirs in ((self._link, shard[schema.LINK]), (self._row, shard[schema.ROW])):
            if (mine.chunks, mine.dtype) != (theirs.chunks, theirs.dtype) or first + len(n_links) > len(mine):
                raise ValueError(f"{theirs.name} does not fit the store.")
            if theirs.shape[2] > mine.shape[2]:
                mine.resize(theirs.shape[2], axis=2)
            _copy_chunks(theirs, mine, first)
        self._n_links += n_links.tolist()
        self._depth += depth.tolist()

    def __len__(self) -> int:
        """Cells so far."""
        return len(self._depth)

    def close(self) -> None:
        """Write the numbers of the cells' links."""
        if self._closed:
            return
        write_array(self._group, schema.N_LINKS, np.asarray(self._n_links, dtype="<i8"))
        write_array(self._group, schema.DEPTH, np.asarray(self._depth, dtype="<u2"))
        self._closed = True


def _of_cells(group: h5py.Group, key: str, shape: tuple[int, int], dtype: np.dtype[Any], chunk: int) -> h5py.Dataset:
    """An array ``(n_cells, n_planes, width)``; its width grows, and no chunk holds two cells."""
    return group.create_dataset(
        key, (*shape, 0), dtype, maxshape=(None, shape[1], None), chunks=(1, shape[1], chunk), **COMPRESSED
    )


def _copy_chunks(source: h5py.Dataset, target: h5py.Dataset, first: int) -> None:
    """Copy chunks of cells, checksums and all; the source's cell 0 becomes cell ``first``."""
    offsets: list[tuple[int, ...]] = []
    source.id.chunk_iter(lambda chunk: offsets.append(chunk.chunk_offset))
    for offset in offsets:
        filters, content = source.id.read_direct_chunk(offset)
        target.id.write_direct_chunk((offset[0] + first, *offset[1:]), content, filters)


def _put(dataset: h5py.Dataset, cell: int, planes: Array) -> None:
    width = planes.shape[1]
    if width > dataset.shape[2]:
        dataset.resize(width, axis=2)
    if width:
        dataset[cell, :, :width] = planes


def _planes(attention: CellAttention, own_peaks: Array, position: Array, dtype: np.dtype[Any]) -> Array:
    """``(2, n_links)`` peaks and steps of a cell's links: all of rank 1, by row, then all of rank 2, and so on."""
    from bi2scope.data.store import encoding

    planes = np.empty((2, len(attention.peak)), dtype=dtype)
    links = (
        attention.row_start.astype(np.int64, copy=False),
        attention.peak.astype(np.int64, copy=False),
        attention.logit.astype(np.float32, copy=False),
    )
    found = encoding.encode(links, own_peaks.astype(np.int64, copy=False), position, halves.visible(), planes)
    if found != encoding.SOUND:
        raise ValueError(_REFUSED[found - 1])
    return planes


_REFUSED = (
    "A link points to a peak that the cell has no count of.",
    "The logits of a row do not descend.",
    "A logit is not a finite number above 0.",
)
"""By the order of what ``encoding.encode`` may say."""


def _check_rows(attention: CellAttention, n_links: Array, k_max: int) -> None:
    """Refuse attention whose rows would make a store that cannot be read: lengths, ranks and denominators."""
    rows = {len(attention.gene), len(n_links), len(attention.n_above), len(attention.denominator)}
    lengths = {len(attention.peak), len(attention.logit)}
    if len(rows) != 1 or lengths != {int(n_links.sum())} or n_links.min(initial=0) < 0 or attention.row_start[0]:
        raise ValueError("The arrays of the cell's attention differ in length.")
    if n_links.max(initial=0) > k_max:
        raise ValueError(f"A row has {n_links.max()} links, the store keeps {k_max}.")
    some = n_links > 0
    highest = score_of(attention.logit[attention.row_start[:-1][some]])
    if not (np.exp(highest) <= attention.denominator[some] * (1 + 1e-5)).all():
        raise ValueError("A link weighs more than 1: a row's denominator is not that of its links.")
