"""Links of many cells read past HDF5, which says once where all chunks lie and is not asked again.

It hands out chunks to one thread at a time, and each costs a turn at the interpreter's lock. Where the chunks of all
cells are known, compiled code reads them itself, from a descriptor of its own, and goes through cell after cell
(:mod:`bi2scope.data.store.summing`). What is in doubt there is read by HDF5 as ever.
"""

from __future__ import annotations

import ctypes
import os
import weakref
from dataclasses import dataclass
from typing import Self

import h5py
import numpy as np

from bi2scope.data.attention import Ints
from bi2scope.data.store.chunks import PackedArray, unpacker
from bi2scope.data.store.summing import PackedCells
from bi2scope.data.store.unpacking import Source


class _OpenFile:
    """A file that HDF5 has open, by a descriptor that stays open as long as this object is there.

    HDF5's own is closed with its file, and may be another file's while a thread still reads.
    """

    def __init__(self, file: h5py.File) -> None:
        self.descriptor = os.dup(file.id.get_vfd_handle())
        weakref.finalize(self, os.close, self.descriptor)


@dataclass(frozen=True)
class DirectLinks:
    """Where the links of one layer and head, and their cells' peaks, lie in the file.

    Attributes
    ----------
    link, row, own
        Links and rows of the cells, and their peaks one cell after the other.
    cells
        Where they lie; without room for the bytes of a chunk.
    """

    link: PackedArray
    row: PackedArray
    own: PackedArray
    cells: PackedCells
    _file: _OpenFile

    @classmethod
    def of(cls, arrays: tuple[PackedArray, PackedArray, PackedArray], numbers: dict[str, Ints]) -> Self | None:
        """Those in an open file; None where another way than HDF5's own is not known.

        Parameters
        ----------
        arrays
            Links, rows and peaks.
        numbers
            ``n_links``, ``depth``, ``n_rows`` and ``own_start`` of :class:`bi2scope.data.store.summing.PackedCells`.
        """
        pread, file = _address_of_pread(), arrays[0].file
        if not (pread and all(array.direct for array in arrays) and _plain(file)):
            return None
        opened, (link, row, own) = _OpenFile(file), (array.places() for array in arrays)
        source = Source(opened.descriptor, pread, unpacker(), np.empty(0, np.uint8))
        return cls(*arrays, PackedCells(source, link, row, own, **numbers), opened)

    def packed(self) -> PackedCells:
        """What compiled code reads cells from, for one thread."""
        room = np.empty(max(array.largest for array in (self.link, self.row, self.own)), np.uint8)
        return self.cells._replace(source=self.cells.source._replace(packed=room))


def _address_of_pread() -> int:
    """Address of the system's function that reads at a place in a file; 0 where there is none for large files."""
    if ctypes.sizeof(ctypes.c_long) != 8:
        return 0
    try:
        return ctypes.cast(ctypes.CDLL(None).pread, ctypes.c_void_p).value or 0
    except (OSError, AttributeError, TypeError):
        return 0


def _plain(file: h5py.File) -> bool:
    """Whether places in an HDF5 file are places in the one file that its descriptor stands for."""
    return file.driver == "sec2" and file.userblock_size == 0 and hasattr(h5py.h5d.DatasetID, "chunk_iter")
