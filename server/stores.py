"""The stores that the service answers from; each is opened again when its file is replaced.

A request holds an open file from its beginning to the last byte of its answer (:meth:`ServedStore.lease`). Before
it, the file's identity is compared with that of the open one. Another file in its place is opened for this request and
those after it; the old one is closed when the last request that began with it has ended.
"""

from __future__ import annotations

import os
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import anyio
from starlette.concurrency import run_in_threadpool

from bi2scope.data.errors import NotFoundError, StoreError
from bi2scope.server.catalogue import Catalogue
from bi2scope.server.differences import Differences
from bi2scope.server.neighbours import Neighbourhoods
from bi2scope.server.tf import Comparisons
from bi2scope.server.tracks import HeldTrack

if TYPE_CHECKING:
    from bi2scope.data.store.reader import StoreReader


@dataclass(frozen=True)
class FileIdentity:
    """What tells one state of a file from another: device, inode, bytes, and nanoseconds of its last change."""

    device: int
    inode: int
    size: int
    modified: int

    @classmethod
    def of(cls, status: os.stat_result) -> Self:
        """Identity of the file that has this status."""
        return cls(status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)

    def same_file(self, other: FileIdentity) -> bool:
        """Whether both are states of one file, rather than two files of one name."""
        return (self.device, self.inode) == (other.device, other.inode)


class OpenStore:
    """One open file and what was made of it.

    Attributes
    ----------
    reader
        The open store.
    catalogue
        Its names.
    comparisons
        Its comparisons with tracks.
    differences
        Differences of its cell types.
    neighbourhoods
        Where the neighbours of a cell are looked for.
    identity
        Of the file as it was when it was opened.
    users
        Requests that hold it.
    """

    def __init__(self, reader: StoreReader, blacklist: HeldTrack | None) -> None:
        self.reader = reader
        self.identity = FileIdentity.of(reader.status())
        self.catalogue = Catalogue(reader)
        self.comparisons = Comparisons(self.catalogue, blacklist)
        self.differences = Differences(self.catalogue)
        self.neighbourhoods = Neighbourhoods(self.catalogue)
        self.users = 0

    @classmethod
    def again(cls, path: os.PathLike[str], blacklist: HeldTrack | None) -> Self:
        """Open the file that stands at a path now.

        Raises
        ------
        StoreError
            If it is not a whole store.
        """
        from bi2scope.data.store.reader import StoreReader

        reader = StoreReader.open(path)
        try:
            return cls(reader, blacklist)
        except BaseException:
            reader.close()
            raise


class ServedStore:
    """One store of the service, by the path of its file; safe to share between threads.

    Parameters
    ----------
    slug
        Its name in addresses.
    reader
        The store, open. It is closed when its file is replaced; else whoever opened it closes it.
    blacklist
        Regions whose peaks are left out of comparisons; ``None`` for none.

    Attributes
    ----------
    opened
        How often the file was opened.
    """

    def __init__(self, slug: str, reader: StoreReader, blacklist: HeldTrack | None = None) -> None:
        self.slug, self.path = slug, reader.path
        self.name, self.n_cells = reader.attributes.name, reader.n_cells
        self.opened = 1
        self._blacklist = blacklist
        self._given = reader
        self._current: OpenStore | None = OpenStore(reader, blacklist)
        self._retired: list[OpenStore] = []
        self._counting = threading.Lock()  # held for an instant: guards the three above and the numbers of users
        self._opening = threading.Lock()  # held while a file is opened

    @asynccontextmanager
    async def lease(self) -> AsyncIterator[OpenStore]:
        """The store as its file is now, held until the block ends.

        Raises
        ------
        StoreError
            If the file is gone, cut short or damaged.
        """
        opened = self._take(self._identity())
        if opened is None:
            opened = await run_in_threadpool(self._take_anew)
        try:
            yield opened
        finally:
            if self._give_back(opened):
                with anyio.CancelScope(shield=True):  # the file must be closed even if the client has gone
                    await run_in_threadpool(opened.reader.close)

    def close(self) -> None:
        """Close the file, unless it was open before the service was."""
        self._retire(keep_given=True)

    def _identity(self) -> FileIdentity | None:
        try:
            return FileIdentity.of(self.path.stat())
        except OSError:
            return None

    def _take(self, identity: FileIdentity | None) -> OpenStore | None:
        """The open store, one user more, if it is of that identity."""
        with self._counting:
            if identity is None or self._current is None or self._current.identity != identity:
                return None
            self._current.users += 1
            return self._current

    def _take_anew(self) -> OpenStore:
        """Open the file that is there now; requests that come meanwhile wait for it."""
        with self._opening:
            identity = self._identity()
            ready = self._take(identity)
            if ready is not None:
                return ready
            self._retire()
            if identity is None:
                raise self._unreachable()
            self._require_unused(identity)
            opened = OpenStore.again(self.path, self._blacklist)
            with self._counting:
                self._current, opened.users = opened, 1
                self.opened += 1
                self.name, self.n_cells = opened.reader.attributes.name, opened.reader.n_cells
            return opened

    def _require_unused(self, identity: FileIdentity) -> None:
        """Check that no request reads another state of this very file: HDF5 would share its stale caches."""
        with self._counting:
            changed = any(old.identity.same_file(identity) for old in self._retired)
        if changed:
            raise StoreError(
                f"The attention store {self.path.name} was changed in place while it was being read.",
                "Ask again in a moment. A store is to be replaced by another file of its name, as precompute does.",
            )

    def _unreachable(self) -> StoreError:
        if self.path.exists():
            return StoreError(
                f"The attention store {self.path.name} cannot be reached.", "Check the rights of file and folder."
            )
        return StoreError(
            f"The attention store {self.path.name} is gone from where it was opened.",
            "Put it back, or start the service again with another store.",
        )

    def _retire(self, keep_given: bool = False) -> None:
        """Let no further request have the open file; close it now if nobody holds it."""
        with self._counting:
            old, self._current = self._current, None
            if old is None:
                return
            if old.users:
                self._retired.append(old)
                return
        if not (keep_given and old.reader is self._given):
            old.reader.close()

    def _give_back(self, opened: OpenStore) -> bool:
        """One user less; whether it was the last one of a file that is to be closed."""
        with self._counting:
            opened.users -= 1
            if opened.users or opened not in self._retired:
                return False
            self._retired.remove(opened)
            return True


class Stores:
    """All stores of the service by their slug, the default first.

    Parameters
    ----------
    readers
        Open stores by slug; one at least.
    blacklist
        Regions whose peaks are left out of comparisons; ``None`` for none.
    """

    def __init__(self, readers: Mapping[str, StoreReader], blacklist: HeldTrack | None = None) -> None:
        self._stores = {slug: ServedStore(slug, reader, blacklist) for slug, reader in readers.items()}

    def __iter__(self) -> Iterator[ServedStore]:
        return iter(self._stores.values())

    @property
    def default(self) -> ServedStore:
        """The store that answers where none is named."""
        return next(iter(self))

    def named(self, slug: str) -> ServedStore:
        """One store.

        Raises
        ------
        NotFoundError
            If there is none of that slug.
        """
        if slug not in self._stores:
            raise NotFoundError("store", slug, self._stores, where="here")
        return self._stores[slug]

    def close(self) -> None:
        """Close all files that the service itself opened."""
        for store in self:
            store.close()
