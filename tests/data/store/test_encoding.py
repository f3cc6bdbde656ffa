"""Links as the storage of a cell has them: the bits are those of ``halves``, and what is wrong is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bi2scope.data.store import encoding, halves


def encoded(row_start: list[int], peak: np.ndarray, logit: np.ndarray, own: list[int]) -> tuple[int, np.ndarray]:
    position = np.zeros(12, dtype=np.int64)
    position[own] = np.arange(len(own))
    planes = np.zeros((2, len(peak)), dtype=np.uint16)
    links = np.asarray(row_start), peak, logit.astype(np.float32)
    return encoding.encode(links, np.asarray(own), position, halves.visible(), planes), planes


def bits_of(logit: np.ndarray) -> np.ndarray:
    """Bits of logits, each the only link of its row."""
    found, planes = encoded(list(range(len(logit) + 1)), np.full(len(logit), 3), logit, [3])
    assert found == encoding.SOUND
    return planes[1]


def test_bits_are_those_of_halves() -> None:
    sample = np.arange(1, 0x7F800000, 40_009, dtype=np.uint32).view(np.float32)
    halfway = (np.arange(1, 0x7BFF, dtype=np.uint16).view(np.float16).astype(np.float64) * (1 + 2.0**-11)).astype("f4")
    edge = np.nextafter(halves.visible()[0], np.float32([0, 1]), dtype=np.float32)
    for logit in (sample, halfway, np.nextafter(halfway, np.float32(0)), edge, np.float32([65_504, 65_520, 1e30])):
        np.testing.assert_array_equal(bits_of(logit), halves.to_bits(logit))


@given(st.lists(st.lists(st.floats(2.0**-149, 2.0**127, width=32), max_size=5), max_size=6))
def test_links_lie_rank_by_rank(rows: list[list[float]]) -> None:
    rows = [sorted(row, reverse=True) for row in rows]
    row_start = np.cumsum([0, *map(len, rows)]).tolist()
    peak = np.arange(row_start[-1]) % 5 * 2
    found, planes = encoded(row_start, peak, np.asarray([z for row in rows for z in row]), [0, 2, 4, 6, 8])
    assert found == encoding.SOUND
    wanted = []
    for rank in range(5):
        for row, logits in enumerate(rows):
            if len(logits) > rank:
                bits = halves.to_bits(np.asarray(logits, dtype=np.float32)).astype(int)
                step = bits[0] if rank == 0 else bits[rank - 1] - bits[rank]
                wanted.append((peak[row_start[row] + rank] // 2, step))
    assert planes.T.tolist() == [list(link) for link in wanted]


@pytest.mark.parametrize(
    ("peak", "logit", "refusal"),
    [
        ([1, 3], [2, 1], encoding.NO_OWN_PEAK),
        ([3, -1], [2, 1], encoding.NO_OWN_PEAK),
        ([3, 12], [2, 1], encoding.NO_OWN_PEAK),
        ([3, 5], [1, 2], encoding.NOT_DESCENDING),
        ([3, 5], [1, 0], encoding.NO_LOGIT),
        ([3, 5], [1, np.nan], encoding.NO_LOGIT),
        ([3, 5], [np.inf, 1], encoding.NO_LOGIT),
        ([3, 5], [2, 2], encoding.SOUND),
    ],
)
def test_what_is_wrong_is_told(peak: list[int], logit: list[float], refusal: int) -> None:
    assert encoded([0, 2], np.asarray(peak), np.asarray(logit), [3, 5])[0] == refusal
