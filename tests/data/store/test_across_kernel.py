"""Ranks of a peak in the rows of many cells, against the dense logits of each cell."""

import numpy as np
import pytest

from bi2scope.data.store.across_kernel import open_bits, ranks_of_peak

N_CELLS, N_GENES = 30, 7


@pytest.mark.parametrize("n_peaks", [1, 40, 64, 200])
@pytest.mark.parametrize("steps", [None, 4], ids=["spread", "many alike"])
@pytest.mark.parametrize("weight", [0.0, 0.02, -3.0])
def test_ranks_are_those_of_the_dense_logits(n_peaks: int, steps: int | None, weight: float) -> None:
    """Equal logits rank in genome order, whatever part the counts have."""
    rng = np.random.default_rng(n_peaks)
    own = n_peaks // 3
    static = rng.normal(size=(N_GENES, n_peaks)).astype(np.float32)
    if steps:
        static = np.rint(static * steps) / np.float32(steps)
    static[:, n_peaks - 1 : n_peaks : 2] = -np.inf if own < n_peaks - 1 else static[:, -1:]
    of_peak, of_gene = (np.float32(weight) * rng.integers(-2, 3, n).astype(np.float32) for n in (n_peaks, N_GENES))
    both = np.float32(weight / 2)
    opened = rng.random((N_CELLS, n_peaks)) < 0.6
    opened[:, own] = True
    cell, position = np.nonzero(opened)
    start = np.searchsorted(cell, np.arange(N_CELLS + 1))
    count = rng.integers(1, 5, len(position)).astype(np.float32)
    row_start = np.sort(rng.integers(0, 50, N_GENES + 1))
    row_start[0] = 0
    row_cell = rng.integers(0, N_CELLS, row_start[-1])
    row_count = rng.integers(1, 4, row_start[-1]).astype(np.float32)

    bits, place = open_bits(start[:-1], start[1:], position.astype(np.uint16), n_peaks)
    at = np.flatnonzero(position == own)
    rank, logit = np.zeros(row_start[-1], np.int64), np.zeros(row_start[-1], np.float32)
    ranks_of_peak(
        (static, of_gene, row_start, row_cell, row_count), (own, of_peak, both), (at, bits, place),
        (count, np.float32(np.ptp(count))), (rank, logit),
    )  # fmt: skip

    for row, gene in enumerate(np.repeat(np.arange(N_GENES), np.diff(row_start))):
        here = slice(*start[row_cell[row] : row_cell[row] + 2])
        x, peaks = row_count[row], position[here]
        dense = (static[gene, peaks] + x * of_peak[peaks]) + count[here] * (of_gene[gene] + x * both)
        order = np.argsort(-dense, kind="stable")
        assert rank[row] == 1 + np.flatnonzero(peaks[order] == own)[0]
        assert logit[row] == dense[peaks == own][0]
