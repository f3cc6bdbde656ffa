"""Sums of many links by key: each link packed into one number, so that one plain sort brings equal keys together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bi2scope.data.store import halves, schema
from bi2scope.data.store.links import RankedLinks

Ints64 = npt.NDArray[np.int64]
Codes = npt.NDArray[np.uint64]

SCORE_BITS, WEIGHT_BITS = 13, 17  # a score and a weight of at most 1 in their units
KEYS = 1 << (64 - SCORE_BITS - WEIGHT_BITS)
"""Keys that there may be."""

WAITING_LINKS = 1 << 24
"""Links that wait in memory, eight bytes each, before they are reduced to sums."""


@dataclass(frozen=True)
class KeySums:
    """Sums of the links of each key.

    Attributes
    ----------
    key
        ``(n_keys,)`` int64, ascending.
    links, score, weight
        ``(n_keys,)`` int64 number of the links, and sums in units of :data:`schema.UNITS`.
    """

    key: Ints64
    links: Ints64
    score: Ints64
    weight: Ints64

    @classmethod
    def of_codes(cls, codes: Codes) -> KeySums:
        """Sums of links packed by :func:`pack`; the codes are sorted in place."""
        codes.sort()
        key = codes >> np.uint64(SCORE_BITS + WEIGHT_BITS)
        start = np.flatnonzero(np.concatenate([key[:1] == key[:1], key[1:] != key[:-1]]))
        score = (codes >> np.uint64(WEIGHT_BITS)) & np.uint64((1 << SCORE_BITS) - 1)
        weight = codes & np.uint64((1 << WEIGHT_BITS) - 1)
        return cls(
            key[start].astype(np.int64),
            np.diff(start, append=len(codes)),
            _added(score, start),
            _added(weight, start),
        )

    def and_those(self, other: KeySums) -> KeySums:
        """Both, added where they share a key."""
        if not len(self.key):
            return other
        key = np.concatenate([self.key, other.key])
        order = np.argsort(key, kind="stable")
        key = key[order]
        start = np.flatnonzero(np.diff(key, prepend=-1))
        sums = (
            _added(np.concatenate([getattr(self, name), getattr(other, name)])[order], start)
            for name in schema.DEFINITIONS
        )
        return KeySums(key[start], *sums)


class Adding:
    """Links being added up; memory is bounded by the keys and :data:`WAITING_LINKS`."""

    def __init__(self) -> None:
        none = np.zeros(0, dtype=np.int64)
        self._sums = KeySums(none, none, none, none)
        self._waiting: list[Codes] = []
        self._n_waiting = 0

    def add(self, one: RankedLinks, key: Ints64) -> None:
        """Add links with their keys, ``(n_links,)`` below :data:`KEYS`."""
        self._waiting.append(pack(one, key))
        self._n_waiting += len(key)
        if self._n_waiting > WAITING_LINKS:
            self._reduce()

    def sums(self) -> KeySums:
        """The sums of all links so far."""
        self._reduce()
        return self._sums

    def _reduce(self) -> None:
        if self._n_waiting:
            self._sums = self._sums.and_those(KeySums.of_codes(np.concatenate(self._waiting)))
        self._waiting, self._n_waiting = [], 0


def pack(one: RankedLinks, key: Ints64) -> Codes:
    """Key, score and weight of each link in one number."""
    if len(key) and not 0 <= int(key.min()) <= int(key.max()) < KEYS:
        raise OverflowError(f"A key of {int(key.max()):,} is more than {KEYS:,}.")
    code = (key.astype(np.uint64) << np.uint64(SCORE_BITS)) | halves.whole_scores()[one.bits].view(np.uint64)
    return (code << np.uint64(WEIGHT_BITS)) | one.whole_weights().view(np.uint64)


def _added(values: npt.NDArray[np.integer], start: npt.NDArray[np.intp]) -> Ints64:
    return np.add.reduceat(values, start).astype(np.int64) if len(start) else np.zeros(0, dtype=np.int64)
