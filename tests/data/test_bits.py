import numba
import numpy as np

from bi2scope.data.bits import PLACES_OF_BYTE, WIDTH, bits_above, lowest, number, prefetch, put_places


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


@numba.njit
def places_put(byte, first, places, start):
    prefetch(places, start + 10_000_000)  # beyond the array: it changes nothing
    put_places(PLACES_OF_BYTE, byte, first, places, start)


def test_the_places_of_every_byte_are_put_down() -> None:
    for byte in range(256):
        wanted = [100 + bit for bit in range(8) if byte >> bit & 1]
        places = np.full(16, -7, np.int32)
        places_put(np.uint64(byte), np.int32(100), places, 3)
        assert places[3 : 3 + len(wanted)].tolist() == wanted
        assert set(places[[*range(3), *range(11, 16)]].tolist()) == {-7}, "something was written beside the eight"
