"""The links of a cell chunk by chunk: HDF5 finds the bytes, and what it would do to them is done outside its lock.

HDF5 reads for one thread at a time, and most of the time that takes goes to undoing the filters. Here a thread holds
the lock only while it gets a chunk as it lies in the file; it then verifies the checksum and unpacks the chunk, by the
library that packed it, while other threads do the same. What is in doubt, a chunk that fails its checksum or an array
with other filters, is left to HDF5 to read, or to refuse.
"""

from __future__ import annotations

import ctypes
import functools
import math
from typing import Any

import h5py
import hdf5plugin
import numpy as np
import numpy.typing as npt

from bi2scope.data.store.tables import COMPRESSED

Array = npt.NDArray[Any]

_LZ4 = 2
"""Of the bitshuffle filter's parameters the fifth: how it compresses."""

_SPARE = 1 << 8
"""Bytes that filters add to any chunk, at most."""


class CellChunks:
    """An array ``(n_cells, n_planes, width)`` whose chunks have all planes of one cell; shared by threads.

    Parameters
    ----------
    dataset
        The array.
    """

    def __init__(self, dataset: h5py.Dataset) -> None:
        self._dataset, self._id, self._dtype = dataset, dataset.id, dataset.dtype
        self._chunk: tuple[int, ...] = dataset.chunks or ()
        n_bytes = math.prod(self._chunk) * self._dtype.itemsize
        self._largest = n_bytes + 2 * (n_bytes // 128) + _SPARE  # LZ4 makes what it cannot compress a little longer
        aligned = self._chunk[:2] == (1, dataset.shape[1])
        self._direct = aligned and _filtered(dataset) and _unpack() > 0

    def planes(self, cell: int, width: int) -> Array:
        """``(n_planes, width)`` of one cell; fewer columns where there are not as many.

        Raises
        ------
        OSError, RuntimeError
            If a chunk cannot be read.
        """
        packed = self._packed(cell, width) if self._direct and 0 < width <= self._dataset.shape[2] else None
        if packed is None or (planes := self._unpacked(*packed, width)) is None:
            return self.by_hdf5(cell, width)
        return planes

    def by_hdf5(self, cell: int, width: int) -> Array:
        """The same by HDF5 alone, without anything that is compiled; raises as :meth:`planes`."""
        planes: Array = self._dataset[cell, :, :width]
        return planes

    def _packed(self, cell: int, width: int) -> tuple[Array, Array] | None:
        """Chunks as they lie in the file, and where each starts and ends; None if one was written without filters."""
        starts = range(0, width, self._chunk[2])
        packed, bounds = np.empty(len(starts) * self._largest, np.uint8), np.empty((len(starts), 2), np.int64)
        for i, first in enumerate(starts):
            at = i * self._largest
            left_out, content = self._id.read_direct_chunk((cell, 0, first), out=packed[at : at + self._largest])
            if left_out:
                return None
            bounds[i] = at, at + len(content)
        return packed, bounds

    def _unpacked(self, packed: Array, bounds: Array, width: int) -> Array | None:
        """``(n_planes, width)``; None if a chunk is in doubt."""
        from bi2scope.data.store.unpacking import unpack_planes

        room, out = np.empty(self._chunk[1:], self._dtype), np.empty((self._chunk[1], width), self._dtype)
        return out if unpack_planes(_unpack(), packed, bounds, room, out) else None


def _filtered(dataset: h5py.Dataset) -> bool:
    """Whether an array has the filters of the store and nothing else: bitshuffle with LZ4, then Fletcher32."""
    properties = dataset.id.get_create_plist()
    filters = [properties.get_filter(at) for at in range(properties.get_nfilters())]
    if [code for code, *_ in filters] != [COMPRESSED["compression"], h5py.h5z.FILTER_FLETCHER32]:
        return False
    parameters = filters[0][2]
    return len(parameters) > 4 and parameters[4] == _LZ4 and parameters[2] == dataset.dtype.itemsize


@functools.cache
def _unpack() -> int:
    """Address of the function that unpacks, in the library that hdf5plugin loads; 0 where the library hides it."""
    try:
        function = ctypes.CDLL(hdf5plugin.get_config().registered_filters["bshuf"]).bshuf_decompress_lz4
    except (OSError, AttributeError, KeyError):
        return 0
    return ctypes.cast(function, ctypes.c_void_p).value or 0
