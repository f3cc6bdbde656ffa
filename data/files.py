"""Writing a file so that it is either whole or not there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bi2scope.data.errors import InputError


def require_absent(path: Path, overwrite: bool = False) -> None:
    """Refuse an output path before any work is done for it.

    Raises
    ------
    InputError
        If the file is there and may not be replaced, if the path is a folder, or if its folder is missing or cannot
        be written to.
    """
    if path.is_dir():
        raise InputError(f"{path} is a folder; a file name was wanted.")
    if path.exists() and not overwrite:
        raise InputError(f"{path} is there already.", "Choose another name, or pass --overwrite.")
    folder = path.absolute().parent
    if not folder.is_dir():
        raise InputError(f"The folder {folder} does not exist.", "Make it first.")
    if not os.access(folder, os.W_OK):
        raise InputError(f"The folder {folder} cannot be written to.", "Choose another place for the output.")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary name beside ``path`` to write to; renamed to ``path`` when the block ends well, removed when not.

    The file's bytes are on disk before the rename, so that a crash leaves the old file or the new one, never half.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        yield temporary
        with temporary.open("rb+") as written:
            os.fsync(written.fileno())
        temporary.chmod(0o666 & ~_umask())  # some writers make files that only their owner may read
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
