import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bi2scope.model import blocks
from bi2scope.model.blocks import chromosome_blocks, padded_runs


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 300)), max_size=60), st.integers(0, 2000))
def test_every_block_with_genes_and_peaks_lies_in_one_bucket(sizes: list[tuple[int, int]], small: int) -> None:
    n_genes, n_peaks = np.array(sizes, dtype=np.int64).reshape(-1, 2).T
    kept, blocks._SMALL = blocks._SMALL, small
    try:
        buckets = chromosome_blocks(
            np.repeat(np.arange(len(sizes)), n_genes), np.repeat(np.arange(len(sizes)), n_peaks), len(sizes)
        ).buckets()
    finally:
        blocks._SMALL = kept
    found = sorted(
        row
        for b in buckets
        for row in zip(*(part.tolist() for part in (b.gene_start, b.n_genes, b.peak_start, b.n_peaks)), strict=True)
    )
    gene_start, peak_start = np.cumsum(n_genes) - n_genes, np.cumsum(n_peaks) - n_peaks
    wanted = sorted(
        row
        for row in zip(gene_start.tolist(), n_genes.tolist(), peak_start.tolist(), n_peaks.tolist(), strict=True)
        if row[1] and row[3]
    )
    assert found == wanted


def test_buckets_stay_under_their_limit_of_logits(monkeypatch) -> None:
    monkeypatch.setattr(blocks, "_LARGEST", 1000)
    monkeypatch.setattr(blocks, "_SMALL", 10**9)
    block = np.repeat(np.arange(50), 10)
    buckets = chromosome_blocks(block, block, 50).buckets()
    assert [len(b.n_genes) * b.n_genes.max() * b.n_peaks.max() for b in buckets] == [1000] * 5


def test_padding_repeats_the_first_of_a_run() -> None:
    assert padded_runs(np.array([0, 3]), np.array([3, 1])).tolist() == [[0, 1, 2], [3, 3, 3]]


def test_the_largest_blocks_come_first() -> None:
    blocks = chromosome_blocks(np.array([0, 1, 1, 2, 2]), np.array([0, 0, 1, 2, 2, 2]), 3).largest_first()
    assert (blocks.n_genes * blocks.n_peaks).tolist() == [6, 2, 2]
    assert blocks.gene_start.tolist() == [3, 0, 1]
