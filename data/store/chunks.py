"""Packed chunks of an array: HDF5 finds the bytes, and what it would do to them is done outside its lock.

HDF5 reads for one thread at a time, and most of the time that takes goes to undoing the filters. Here a thread holds
the lock only while it gets a chunk as it lies in the file; it then verifies the checksum and unpacks the chunk, by the
library that packed it, while other threads do the same. What is in doubt, a chunk that fails its checksum or an array
with other filters, is left to HDF5 to read, or to refuse. For many cells not even the bytes are got by HDF5: it says
once where all chunks lie (:mod:`bi2scope.data.store.direct`).
"""

from __future__ import annotations

import ctypes
import functools
import threading
from typing import TYPE_CHECKING, Any

import h5py
import hdf5plugin
import numpy as np
import numpy.typing as npt

from bi2scope.data.store.tables import COMPRESSED

if TYPE_CHECKING:  # it takes time to load, and whoever leaves the reading to HDF5 does without
    from bi2scope.data.store.unpacking import ChunkPlaces

Array = npt.NDArray[Any]

_LZ4 = 2
"""Of the bitshuffle filter's parameters the fifth: how it compresses."""

_SPARE = 1 << 8
"""Bytes that filters add to any chunk, at most."""

_MOST_CHUNKS = 64
"""That are unpacked together; more are left to HDF5."""

_of_thread = threading.local()


class PackedArray:
    """An array ``(n_cells, n_planes, width)`` whose chunks have all planes of one cell, or ``(width,)``.

    Shared by threads.

    Parameters
    ----------
    dataset
        The array.

    Attributes
    ----------
    direct
        Whether its chunks are unpacked here; else HDF5 does all.
    largest
        Bytes of a packed chunk at most.
    width
        Columns.
    file
        The open file.
    """

    def __init__(self, dataset: h5py.Dataset) -> None:
        self._dataset, self._id, self._dtype = dataset, dataset.id, dataset.dtype
        self._n_cells = len(dataset) if dataset.ndim == 3 else 1
        self.file: h5py.File = dataset.file
        self.width = int(dataset.shape[-1])
        self._n_planes = int(dataset.shape[1]) if dataset.ndim == 3 else 1
        of_cell, self._chunk = (dataset.chunks or (0,))[:-1], int((dataset.chunks or (0,))[-1])
        n_bytes = self._n_planes * self._chunk * self._dtype.itemsize
        self.largest = n_bytes + 2 * (n_bytes // 128) + _SPARE  # LZ4 makes what it cannot compress a little longer
        aligned = self._chunk > 0 and of_cell == (1, self._n_planes)[: dataset.ndim - 1]
        self.direct = aligned and _filtered(dataset) and unpacker() > 0

    def columns(self, start: int, stop: int, cell: int | None = None) -> Array:
        """``(n_planes, stop - start)`` columns, of one cell if there are cells; fewer where there are not as many.

        Raises
        ------
        OSError, RuntimeError
            If a chunk cannot be read.
        """
        few = 0 <= start < stop <= min(self.width, start + _MOST_CHUNKS * self._chunk)
        packed = self._packed(start, stop, cell) if self.direct and few else None
        if packed is None or (columns := self._unpacked(*packed, (start, stop))) is None:
            return self.by_hdf5(start, stop, cell)
        return columns

    def by_hdf5(self, start: int, stop: int, cell: int | None = None) -> Array:
        """The same by HDF5 alone, without anything that is compiled; raises as :meth:`columns`."""
        columns: Array = self._dataset[start:stop][None] if cell is None else self._dataset[cell, :, start:stop]
        return columns

    def room(self) -> Array:
        """``(n_planes, chunk)`` for a chunk."""
        return np.empty((self._n_planes, self._chunk), self._dtype)

    def places(self) -> ChunkPlaces:
        """Where all chunks lie in the file.

        Raises
        ------
        OSError, RuntimeError
            If HDF5 cannot tell.
        """
        from bi2scope.data.store.unpacking import ChunkPlaces

        per_cell = -(-self.width // self._chunk)
        offset, size = np.zeros(self._n_cells * per_cell, np.int64), np.zeros(self._n_cells * per_cell, np.int64)

        def note(chunk: Any) -> None:
            *cell, column = chunk.chunk_offset
            if chunk.filter_mask == 0:
                number = (cell[0] if cell else 0) * per_cell + column // self._chunk
                offset[number], size[number] = chunk.byte_offset, chunk.size

        self._id.chunk_iter(note)
        return ChunkPlaces(offset, size, per_cell)

    def _packed(self, start: int, stop: int, cell: int | None) -> tuple[Array, ChunkPlaces] | None:
        """Chunks as they lie in the file, one after the other; None if one was written without filters."""
        from bi2scope.data.store.unpacking import ChunkPlaces

        columns = range(start - start % self._chunk, stop, self._chunk)
        packed, size = _bytes(len(columns) * self.largest), []
        offset = range(0, len(packed), self.largest)
        for column, at in zip(columns, offset, strict=True):
            place = (column,) if cell is None else (cell, 0, column)
            left_out, content = self._id.read_direct_chunk(place, out=packed[at : at + self.largest])
            if left_out:
                return None
            size.append(len(content))
        return packed, ChunkPlaces(np.array(offset), np.array(size), 0)

    def _unpacked(self, packed: Array, places: ChunkPlaces, columns: tuple[int, int]) -> Array | None:
        """``(n_planes, stop - start)``; None if a chunk is in doubt."""
        from bi2scope.data.store.unpacking import Source, unpack_columns

        start, stop = columns
        out, source = np.empty((self._n_planes, stop - start), self._dtype), Source(-1, 0, unpacker(), packed)
        return out if unpack_columns(source, places, (0, start % self._chunk), self.room(), out) else None


def _bytes(number: int) -> Array:
    """Room for so many bytes, the same for all calls of one thread: what is made anew is mapped in anew."""
    if len(getattr(_of_thread, "packed", ())) < number:
        _of_thread.packed = np.empty(number, np.uint8)
    packed: Array = _of_thread.packed[:number]
    return packed


def _filtered(dataset: h5py.Dataset) -> bool:
    """Whether an array has the filters of the store and nothing else: bitshuffle with LZ4, then Fletcher32."""
    properties = dataset.id.get_create_plist()
    filters = [properties.get_filter(at) for at in range(properties.get_nfilters())]
    if [code for code, *_ in filters] != [COMPRESSED["compression"], h5py.h5z.FILTER_FLETCHER32]:
        return False
    parameters = filters[0][2]
    return len(parameters) > 4 and parameters[4] == _LZ4 and parameters[2] == dataset.dtype.itemsize


@functools.cache
def unpacker() -> int:
    """Address of the function that unpacks, in the library that hdf5plugin loads; 0 where the library hides it."""
    try:
        function = ctypes.CDLL(hdf5plugin.get_config().registered_filters["bshuf"]).bshuf_decompress_lz4
    except (OSError, AttributeError, KeyError):
        return 0
    return ctypes.cast(function, ctypes.c_void_p).value or 0
