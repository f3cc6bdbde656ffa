"""Memory of a long computation."""

from __future__ import annotations

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4  # malloc.h of glibc


def keep_freed_memory() -> None:
    """Let this process keep the memory that it frees, to use it again; does nothing without glibc.

    glibc gives each large block back to the system when it is freed, and the next one is mapped in anew, page by
    page; a training step makes and frees some hundred tensors of megabytes. Measured here, a step takes 10 % less
    time on small cells and 20 % less on cells of the size of PBMC cells. It holds for the whole process and cannot be
    undone, so only long computations call it.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
        mallopt(_M_TOP_PAD, 64 << 20)
