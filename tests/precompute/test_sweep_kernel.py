"""Choosing the highest logits against a stable sort of all of them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bi2scope.precompute.sweep_kernel import _RANKED as RANKED
from bi2scope.precompute.sweep_kernel import _above, _choose, _scratch, _whole

RNG = np.random.default_rng(0)
SMALLEST = np.finfo(np.float32).smallest_subnormal


def chosen(logits: np.ndarray, least: float, kept: int) -> tuple[np.ndarray, np.ndarray]:
    """The places and logits of the highest among those above ``least``."""
    n = len(logits)
    logits = np.concatenate([logits, np.full(_whole(n) - n, -np.inf, np.float32)])
    room = _scratch(len(logits))
    place, logit = np.full(kept + 2, 7, np.int32), np.full(kept + 2, 7, np.float32)
    found, above = _above(logits, n, np.float32(least), room[1])
    assert found == (logits > least).sum()
    assert room[1][:found].tolist() == np.flatnonzero(logits > least).tolist()
    assert above == (logits > 0).sum()
    _choose(logits, found, kept, np.float32(least), room, place[1:-1], logit[1:-1])
    assert place[[0, -1]].tolist() == logit[[0, -1]].tolist() == [7, 7], "something was written beside the row"
    return place[1:-1], logit[1:-1]


@settings(deadline=None, max_examples=200)
@given(st.integers(0, 10_000), st.integers(1, 3 * RANKED), st.sampled_from([1, 4, 1000]), st.integers(0, RANKED + 20))
def test_the_order_of_the_links_is_that_of_a_stable_sort(seed: int, n: int, values: int, k: int) -> None:
    logits = np.random.default_rng(seed).integers(-values, values + 1, n).astype(np.float32)
    least = 0 if seed % 2 else values // 3
    kept = min(k, int((logits > least).sum()))
    place, logit = chosen(logits, least, kept)
    wanted = np.argsort(-logits, kind="stable")[:kept]
    assert place.tolist() == wanted.tolist()
    assert logit.tolist() == logits[wanted].tolist()


@pytest.mark.parametrize(
    "logits",
    [
        RNG.permutation(np.linspace(1, 1 + 1e-5, 100)),
        RNG.permutation(np.geomspace(1e-38, 1e38, 100)),
        RNG.permutation(np.arange(1, 101) * SMALLEST),
        RNG.permutation([*np.linspace(1, 2, 50), *[np.inf] * 3]),
        [np.nan, 2, np.nan, 1, 3],
        np.full(RANKED, 0.25),
        np.arange(RANKED, 0, -1),
        np.arange(1, RANKED + 1),
    ],
    ids=["close", "far apart", "smallest", "infinite", "not a number", "equal", "falling", "rising"],
)
def test_logits_of_any_spread_are_put_in_order(logits) -> None:
    logits = np.asarray(logits, dtype=np.float32)
    comparable = np.where(np.isnan(logits), -np.inf, logits)
    for kept in (1, int((logits > 0).sum())):
        assert chosen(logits, 0, kept)[0].tolist() == np.argsort(-comparable, kind="stable")[:kept].tolist()
