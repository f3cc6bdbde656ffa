"""Whether two HDF5 files hold the same arrays, bit by bit."""

from __future__ import annotations

from pathlib import Path

import h5py
import hdf5plugin  # noqa: F401  the filter of the arrays


def arrays(path: Path) -> dict[str, tuple[str, tuple[int, ...], bytes]]:
    """Type, shape and bytes of every array by its path."""
    found: dict[str, tuple[str, tuple[int, ...], bytes]] = {}

    def visit(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = (str(item.dtype), item.shape, item[()].tobytes())

    with h5py.File(path, "r", locking=False) as file:
        file.visititems(visit)
    return found


def attributes(path: Path) -> dict[tuple[str, str], str]:
    """Every attribute but the time at which the file was made."""
    found: dict[tuple[str, str], str] = {}

    def visit(name: str, item: h5py.Group | h5py.Dataset) -> None:
        found.update({(name, key): repr(value) for key, value in item.attrs.items()})

    with h5py.File(path, "r", locking=False) as file:
        visit("", file)
        file.visititems(visit)
    found.pop(("", "created"))
    return found
