"""Which words occur in a column, compiled by numba; imported where it is first called, for numba takes time to load."""

from __future__ import annotations

import numpy as np

from bi2scope.data.store.decoding import compiled


@compiled
def occurring(codes, n_words):  # type: ignore[no-untyped-def]
    """``(n_used,)`` places of the words that occur, in the order of their first row, and the codes among these."""
    number = np.full(n_words, np.int32(-1))
    places, anew = np.empty(min(n_words, len(codes)), np.int32), np.empty(len(codes), np.int32)
    n_used = 0
    for row in range(len(codes)):
        code = codes[row]
        if number[code] < 0:
            number[code], places[n_used] = n_used, code
            n_used += 1
        anew[row] = number[code]
    return places[:n_used], anew
