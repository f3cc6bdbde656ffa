"""Memory of a process that serves: what an answer took goes back to the system."""

from __future__ import annotations

import ctypes
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # malloc.h of glibc
_MEBIBYTE = 1 << 20


def give_memory_back() -> None:
    """Let this process return the memory of large arrays when they are freed; does nothing without glibc.

    As it starts, glibc gives every thread a heap of its own, and keeps what was freed in blocks of up to 32 MiB. A
    service that has answered large questions in each of its threads then holds several hundred megabytes that it does
    not use. With two heaps for all threads, and blocks from four MiB on mapped for themselves, it holds what it keeps
    and what it works on (``make bench ONLY=load``). Smaller blocks would cost answers of megabytes half as much time
    again. To be called before there are threads; it holds for the whole process.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform.startswith("linux") else None
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 2)
        mallopt(_M_MMAP_THRESHOLD, 4 * _MEBIBYTE)
        mallopt(_M_TRIM_THRESHOLD, 16 * _MEBIBYTE)


@contextmanager
def collecting_later() -> Iterator[None]:
    """Put the search for garbage off until the block ends, and leave all that is there by then out of it for good.

    Modules, routes and a page are made once and kept: looking through them takes a tenth of the time of a start, and
    later holds all threads up whenever it is done.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
