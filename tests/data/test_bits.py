import numba
import numpy as np

from bi2scope.data.bits import WIDTH, bits_above, lowest, number


@numba.njit
def compared(numbers, start, least):
    bits = bits_above(numbers, start, least)
    return bits, number(bits), lowest(bits) if bits else -1


def test_bits_are_those_of_the_numbers_above() -> None:
    rng = np.random.default_rng(0)
    numbers = rng.integers(-2, 3, 5 * WIDTH).astype(np.float32)
    numbers[rng.random(len(numbers)) < 0.2] = np.nan
    for start in (0, 1, 7, 4 * WIDTH):
        for least in (-np.inf, -1, 0, 1, 2):
            above = np.flatnonzero(numbers[start : start + WIDTH] > least)
            bits, count, first = compared(numbers, start, np.float32(least))
            assert bits == sum(1 << int(place) for place in above)
            assert count == len(above)
            assert first == (above[0] if len(above) else -1)
