"""Logits in two bytes: half precision, as its bits, whose order is that of the logits.

A score is kept to 1.2e-4 of the exact one. A link whose score exceeds 0.5 does so still, and one whose score is 0.5 in
single precision stays there; logits beyond 65,504, whose score is 1, become 65,504.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import numpy.typing as npt

from bi2scope.data.attention import FLOOR, score_of
from bi2scope.data.store import schema

Bits = npt.NDArray[np.uint16]

LARGEST = np.uint16(0x7BFF)
"""Bits of 65,504; all from 1 to this are logits above 0, ascending."""


@functools.cache
def logits() -> npt.NDArray[np.float32]:
    """``(65536,)`` logit of every bits."""
    return _fixed(np.arange(1 << 16, dtype=np.uint16).view(np.float16).astype(np.float32))


@functools.cache
def scores() -> npt.NDArray[np.float32]:
    """``(65536,)`` score of every bits; 0 where the bits are no logit of a link."""
    valid = np.zeros(1 << 16, dtype=np.float32)
    valid[1 : int(LARGEST) + 1] = score_of(logits()[1 : int(LARGEST) + 1])
    return _fixed(valid)


@functools.cache
def whole_scores() -> npt.NDArray[np.int64]:
    """``(65536,)`` score of every bits in units of :data:`schema.SCORE_UNIT`, rounded."""
    return _fixed(np.rint(scores().astype(np.float64) * schema.SCORE_UNIT).astype(np.int64))


@functools.cache
def exponentials() -> npt.NDArray[np.float32]:
    """``(65536,)`` ``exp(s)`` of every bits: what a link weighs before it is divided."""
    return _fixed(np.exp(scores().astype(np.float64)).astype(np.float32))


@functools.cache
def tables() -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.float32]]:
    """Whole scores and exponentials of every bits, as compiled code takes them."""
    return _fixed(whole_scores().astype(np.uint16)), exponentials()


@functools.cache
def bits() -> Bits:
    """``(65536,)`` every bits itself."""
    return _fixed(np.arange(1 << 16, dtype=np.uint16))


@functools.cache
def lowest_above(threshold: float) -> int:
    """Lowest bits whose score exceeds the threshold; past the largest when there are none."""
    return 1 + int(np.searchsorted(scores()[1 : int(LARGEST) + 1], np.float32(threshold), side="right"))


@functools.cache
def visible() -> tuple[np.float32, np.int32]:
    """Least logit in single precision whose score exceeds 0.5, and the least bits of such a score."""
    low, high = 0, int(np.float32(1).view(np.uint32))  # of floats above 0 the bits ascend as they do
    while high - low > 1:
        middle = (low + high) // 2
        above = score_of(np.asarray([middle], dtype=np.uint32).view(np.float32))[0] > np.float32(FLOOR)
        low, high = (low, middle) if above else (middle, high)
    return np.uint32(high).view(np.float32), np.int32(lowest_above(FLOOR))


def to_bits(logit: npt.NDArray[Any]) -> Bits:
    """Bits of logits above 0.

    Raises
    ------
    ValueError
        If a logit is not a number, not finite, or not above 0.
    """
    exact = np.asarray(logit, dtype=np.float32)
    if not (np.isfinite(exact) & (exact > 0)).all():
        raise ValueError("A logit is not a finite number above 0.")
    visible = lowest_above(FLOOR)
    nearest = np.minimum(exact, logits()[LARGEST]).astype(np.float16).view(np.uint16)
    above = score_of(exact) > np.float32(FLOOR)
    kept: Bits = np.where(above, np.maximum(nearest, visible), np.clip(nearest, 1, visible - 1)).astype(np.uint16)
    return kept


def rounded(logit: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Logits as a store returns them."""
    return logits()[to_bits(logit)]


def _fixed(table: npt.NDArray[Any]) -> npt.NDArray[Any]:
    table.flags.writeable = False
    return table
