"""Parts of a store that is being made: small HDF5 files that are whole or not there, and tell when they are damaged.

A part is named ``<stem>.<CRC-32 of its bytes>.h5``. It is written under a temporary name, synced and renamed, so a
process may be killed at any moment; what a disk did to it later shows when the name and the bytes are compared.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from bi2scope.data.errors import StoreError
from bi2scope.data.store import schema
from bi2scope.data.store.chunks import PackedArray
from bi2scope.data.store.disk import DiskFile

_BLOCK = 1 << 22


class PartFile:
    """A part while it is written; a context manager that gives the open HDF5 file.

    Parameters
    ----------
    folder, stem
        Where it shall stand, and the beginning of its name.

    Attributes
    ----------
    path
        Where it stands, once the block has ended well.

    Raises
    ------
    StoreError
        If it cannot be written; nothing is left of it then.
    """

    def __init__(self, folder: Path, stem: str) -> None:
        self.path = folder / stem
        self._temporary = folder / f".{stem}.{os.getpid()}-{secrets.token_hex(4)}.partial"
        try:
            self._disk = DiskFile(self._temporary)
        except OSError as error:
            raise self._unwritable(error) from error

    def __enter__(self) -> h5py.File:
        self._file = h5py.File(self._disk, "w", libver=(schema.LIBVER, schema.LIBVER))
        return self._file

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        try:
            self._file.close()
            if self._disk.error is not None:
                raise self._unwritable(self._disk.error) from self._disk.error
            if error is None:
                self._finish()
        finally:
            self._disk.close()
            self._temporary.unlink(missing_ok=True)

    def _finish(self) -> None:
        try:
            self._disk.sync()
            path = self.path.with_name(f"{self.path.name}.{_checksum(self._temporary)}.h5")
            self._temporary.replace(path)
        except OSError as error:
            raise self._unwritable(error) from error
        self.path = path

    def _unwritable(self, error: OSError) -> StoreError:
        return StoreError(
            f"{self.path} cannot be written: {error.strerror or error}.",
            "It needs a folder that exists, the right to write there and room on the disk.",
        )


def find_part(folder: Path, stem: str) -> Path | None:
    """The part of that name, if it is there and whole; a damaged one is removed."""
    for path in sorted(folder.glob(f"{stem}.????????.h5")):
        if path.name == f"{stem}.{_checksum(path)}.h5":
            return path
        path.unlink(missing_ok=True)
    return None


def _checksum(path: Path) -> str:
    checksum = 0
    with path.open("rb") as content:
        while block := content.read(_BLOCK):
            checksum = zlib.crc32(block, checksum)
    return f"{checksum:08x}"


class JoinedArray:
    """One array of several, the cells of one after those of the other; as :class:`PackedArray` gives its columns.

    Parameters
    ----------
    starts
        Where the cells of each begin.
    arrays
        The arrays.
    """

    def __init__(self, starts: npt.NDArray[np.int64], arrays: list[h5py.Dataset]) -> None:
        self._starts, self._arrays = starts, [PackedArray(array) for array in arrays]
        self.width = max(array.width for array in self._arrays)

    def room(self) -> npt.NDArray[Any]:
        """Room for a chunk of one of them."""
        return self._arrays[0].room()

    def columns(self, start: int, stop: int, cell: int) -> npt.NDArray[Any]:
        """Columns of one cell."""
        array, place = self._at(cell)
        return array.columns(start, stop, place)

    def by_hdf5(self, start: int, stop: int, cell: int) -> npt.NDArray[Any]:
        """The same by HDF5 alone."""
        array, place = self._at(cell)
        return array.by_hdf5(start, stop, place)

    def _at(self, cell: int) -> tuple[PackedArray, int]:
        shard = int(np.searchsorted(self._starts, cell, side="right")) - 1
        return self._arrays[shard], int(cell - self._starts[shard])


@contextlib.contextmanager
def joined_links(shards: Sequence[Path], layer: int, head: int) -> Iterator[dict[str, Any]]:
    """The links of one layer and head over all shards, as :class:`bi2scope.data.store.links.StoredLinks` takes them.

    Parameters
    ----------
    shards
        Files of the shards, in the order of their cells.
    """
    with contextlib.ExitStack() as stack:
        files = [stack.enter_context(h5py.File(path, "r", locking=False)) for path in shards]
        groups = [file[schema.links_path(layer, head)] for file in files]
        numbers = {key: np.concatenate([group[key][:] for group in groups]) for key in (schema.N_LINKS, schema.DEPTH)}
        starts = np.cumsum([0, *(len(group[schema.DEPTH]) for group in groups[:-1])])
        links, rows = ([group[key] for group in groups] for key in (schema.LINK, schema.ROW))
        yield {**numbers, schema.LINK: JoinedArray(starts, links), schema.ROW: JoinedArray(starts, rows)}


def copy_tree(source: h5py.Group, target: h5py.Group) -> None:
    """Copy the arrays and attributes of a group into one that may hold others already, compressed as they are."""
    for key, value in source.attrs.items():
        target.attrs[key] = value
    for key, item in source.items():
        if isinstance(item, h5py.Group):
            copy_tree(item, target.require_group(key))
        else:
            source.copy(item, target, name=key)
