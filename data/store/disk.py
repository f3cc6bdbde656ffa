"""The file that HDF5 writes through, so that a full disk ends in one sentence.

When a write fails, HDF5 cannot close its file any more: it tries to write again at every object that is let go, prints
an error for each, and may take the whole process down at its exit. Here the first error is kept for the writer of the
store to raise, and what HDF5 still writes after it is dropped; the temporary file is removed in any case.
"""

from __future__ import annotations

import os
from pathlib import Path

Buffer = bytes | bytearray | memoryview


class DiskFile:
    """A new file with the calls that h5py makes of a file object.

    Parameters
    ----------
    path
        Where the file is made; it must not exist.

    Attributes
    ----------
    error
        The first error of a write, if there was one.

    Raises
    ------
    OSError
        If the file cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("xb+", buffering=0)
        self.error: OSError | None = None

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move, past the end as well."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Place in the file."""
        return self._file.tell()

    def read(self, size: int = -1) -> bytes:
        """Bytes from here on; zeros for what was dropped."""
        content = self._file.read(size) or b""
        return content if self.error is None or size < 0 else content.ljust(size, b"\0")

    def readinto(self, buffer: bytearray | memoryview) -> int:
        """Fill a buffer from here on; with zeros for what was dropped."""
        content = self.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)

    def write(self, content: Buffer) -> int:
        """Write all bytes; after an error drop them."""
        remaining = memoryview(content)
        try:
            while self.error is None and len(remaining):
                remaining = remaining[self._file.write(remaining) :]
        except OSError as error:
            self.error = error
        return len(content)

    def truncate(self, size: int | None = None) -> int:
        """Set the length."""
        try:
            return self._file.truncate(size) if self.error is None else (size or 0)
        except OSError as error:
            self.error = error
            return size or 0

    def flush(self) -> None:
        """Nothing is buffered here."""

    def sync(self) -> None:
        """Have the operating system write everything to the disk."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()
