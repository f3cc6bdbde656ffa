"""One writer at a time for one target."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from bi2scope.data.errors import StoreError

try:
    import fcntl
except ImportError:  # not POSIX: there is no lock then
    fcntl = None  # type: ignore[assignment]


@contextmanager
def only_writer(target: Path) -> Iterator[list[str]]:
    """Hold ``<target>.lock``; the operating system lets go of it when the process ends, killed or not.

    Yields
    ------
    Sentences on what was found: the file of a process that ended without removing it is taken over.

    Raises
    ------
    StoreError
        If another process holds it, or it cannot be made.
    """
    path = target.with_name(f"{target.name}.lock")
    try:
        file, before = _locked(path)
    except BlockingIOError as error:
        raise StoreError(
            f"{target} is being written by {path.read_text().strip() or 'another process'}.",
            "Wait for it to end, or choose another name.",
        ) from error
    except OSError as error:
        raise StoreError(
            f"{path} cannot be made: {error.strerror or error}.",
            "It needs a folder that exists, the right to write there and room on the disk.",
        ) from error
    with file:
        try:
            yield [f"{path} was left by {before}, which has ended: taken over."] if before else []
        finally:
            path.unlink(missing_ok=True)


def _locked(path: Path) -> tuple[IO[str], str]:
    """The open file, locked, with this process in it; and who was in it before."""
    while True:
        file = path.open("a+")
        try:
            if fcntl is not None:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_at(file, path):
                file.seek(0)
                before = file.read().strip()
                file.truncate(0)
                file.write(f"process {os.getpid()} on {socket.gethostname()}\n")
                file.flush()
                return file, before
        except BaseException:
            file.close()
            raise
        file.close()  # its holder removed it between opening and locking


def _is_at(file: IO[str], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False
