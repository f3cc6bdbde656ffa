"""Logits in two bytes keep their order, their score to 1e-3, and on which side of 0.5 it lies."""

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays

from bi2scope.data.attention import score_of
from bi2scope.data.store.halves import LARGEST, logits, lowest_above, rounded, scores, to_bits

ABOVE_ZERO = st.floats(min_value=0, exclude_min=True, allow_infinity=False, width=32)


@settings(max_examples=300)
@given(arrays(np.float32, st.integers(1, 40), elements=ABOVE_ZERO | st.floats(2**-24, 2**-20, width=32)))
def test_scores_and_order_are_kept(logit: np.ndarray) -> None:
    logit = np.sort(logit)[::-1]
    kept = rounded(logit)
    assert np.abs(score_of(kept) - score_of(logit)).max() <= 1.3e-4
    assert (np.diff(kept) <= 0).all()
    assert (kept > 0).all()
    np.testing.assert_array_equal(score_of(kept) > np.float32(0.5), score_of(logit) > np.float32(0.5))
    np.testing.assert_array_equal(rounded(kept), kept)


def test_the_whole_range_of_single_precision() -> None:
    bits = np.arange(1, 0x7F800000, 4099, dtype=np.uint32)  # a sample of all positive finite numbers, in order
    exact = bits.view(np.float32)
    kept = rounded(exact)
    assert np.abs(score_of(kept) - score_of(exact)).max() <= 1.3e-4
    assert (np.diff(kept) >= 0).all()
    assert ((score_of(kept) > np.float32(0.5)) == (score_of(exact) > np.float32(0.5))).all()


@pytest.mark.parametrize("wrong", [0.0, -1.0, np.nan, np.inf, -0.0])
def test_what_is_no_logit_of_a_link_is_refused(wrong: float) -> None:
    with pytest.raises(ValueError, match="finite number above 0"):
        to_bits(np.array([1.0, wrong]))


def test_large_logits_are_clipped_where_the_score_is_one() -> None:
    kept = rounded(np.array([1e30, 65_520.0, 65_504.0, 3.0]))
    assert kept.tolist() == [65_504, 65_504, 65_504, 3]
    assert score_of(kept)[0] == 1


@given(st.floats(0.5, 1))
def test_the_lowest_bits_above_a_threshold(threshold: float) -> None:
    lowest, every = lowest_above(threshold), scores()[1 : int(LARGEST) + 1]
    assert lowest - 1 == (every <= np.float32(threshold)).sum()
    assert (np.diff(logits()[1 : int(LARGEST) + 1]) > 0).all()
