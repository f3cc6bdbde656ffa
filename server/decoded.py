"""Cells as they were read last: moving a slider on one cell reads it once."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np

from bi2scope.data.attention import CellAttention, Cut
from bi2scope.data.graph import CellGraph

if TYPE_CHECKING:
    from bi2scope.data.store.reader import StoreReader


class _Sized(Protocol):
    n_bytes: int


Sized = TypeVar("Sized", bound=_Sized)

KEPT_BYTES = 64 << 20
"""Memory of the cells that are kept: about a hundred of 80,000 links."""


@dataclass(frozen=True)
class _Kept:
    """Attention up to some rank (``None``: all), and whether there is no way to have more of it."""

    attention: CellAttention
    top_k: int | None
    final: bool

    def suffices(self, cut: Cut) -> bool:
        """Whether the answer to a cut would be the same from the store."""
        deep = self.top_k is None or (cut.top_k is not None and cut.top_k <= self.top_k)
        return deep and (self.final or not self.attention.cut_off(cut))


class DecodedCells:
    """Attention and counts of the cells asked for last; safe to share between threads. Goes with its store.

    Parameters
    ----------
    reader
        The open store.
    most_bytes
        Memory of the arrays that are kept; the cell asked for longest ago goes first.
    """

    def __init__(self, reader: StoreReader, most_bytes: int = KEPT_BYTES) -> None:
        self._reader = reader
        self._most_bytes = most_bytes
        self._kept: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    @property
    def n_bytes(self) -> int:
        """Bytes of the arrays that are kept."""
        return self._bytes

    def graph(self, cell: int) -> CellGraph:
        """The counts of one cell, as the reader gives them."""
        known: CellGraph | None = self._get(cell)
        if known is None:
            known = self._reader.graph(cell)
            self._put(cell, known, _n_bytes(known))
        return known

    def attention_for(self, cell: int, cut: Cut, layer: int = 0, head: int = 0) -> CellAttention:
        """Attention that holds all links that survive a cut, as the reader gives it.

        It may hold more of them.
        """
        key = (cell, layer, head)
        known: _Kept | None = self._get(key)
        if known is None or not known.suffices(cut):
            attention = self._reader.attention_for(cell, cut, layer, head)
            known = _Kept(attention, cut.top_k, bool(layer) or not self._reader.has_factors)
            self._put(key, known, _n_bytes(attention))
        return known.attention

    def held(self, cell: int, cut: Cut, layer: int = 0, head: int = 0) -> CellAttention | None:
        """What :meth:`attention_for` gives, if it and the cell's counts are kept; nothing is read."""
        known: _Kept | None = self._get((cell, layer, head))
        if known is None or self._get(cell) is None or not known.suffices(cut):
            return None
        return known.attention

    def also(self, key: Hashable, make: Callable[[], Sized]) -> Sized:
        """What else is kept of a cell: made, unless it is here, of the ``n_bytes`` that it says."""
        known: Sized | None = self._get(key)
        if known is None:
            known = make()
            self._put(key, known, known.n_bytes)
        return known

    def _get(self, key: Hashable) -> Any:
        with self._lock:
            if key not in self._kept:
                return None
            self._kept.move_to_end(key)
            return self._kept[key][0]

    def _put(self, key: Hashable, kept: Any, n_bytes: int) -> None:
        with self._lock:
            self._bytes += n_bytes - self._kept.pop(key, (None, 0))[1]
            self._kept[key] = kept, n_bytes
            while self._bytes > self._most_bytes:
                self._bytes -= self._kept.popitem(last=False)[1][1]


def _n_bytes(arrays: CellAttention | CellGraph) -> int:
    values = (getattr(arrays, each.name) for each in fields(arrays))
    return sum(value.nbytes for value in values if isinstance(value, np.ndarray))
