"""Blocks: the genes and peaks of one chromosome of one graph, and how they are laid out for matrix products.

Attention never crosses a chromosome, so the logits of a batch are a block-diagonal matrix. Nodes stand graph by
graph and, within a graph, in genome order; each block is then a run of genes and a run of peaks. A worked case,
one graph with chromosomes A, B and C::

    genes   A A A B C C          peaks   A A B B B B
    blocks  A: genes 0:3 x peaks 0:2     B: genes 3:4 x peaks 2:6     (C has no open peak: no block)

Blocks of like size are padded to one size and multiplied together (a *bucket*): one batched product in place of one per
block, which matters as a batch of 16 cells has some 350 blocks of about 20 x 40.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

_WASTE = 1.6
"""A bucket may be this many times larger than the blocks in it."""

_SMALL = 4096
"""Buckets of fewer logits than this are filled up whatever the waste."""

_LARGEST = 1 << 23
"""Logits of one bucket at most, unless a single block is larger: 32 MiB in float32."""


@dataclass(frozen=True, slots=True)
class Bucket:
    """Blocks padded to one size.

    Attributes
    ----------
    gene
        ``(n_blocks, g)`` positions of the genes in the batch; padded with the block's first.
    peak
        ``(n_blocks, p)`` positions of the peaks in the batch; padded with the block's first.
    n_genes, n_peaks
        ``(n_blocks,)`` how many of them are real.
    """

    gene: Ints
    peak: Ints
    n_genes: Ints
    n_peaks: Ints


def make_buckets(gene_block: Ints, peak_block: Ints, n_blocks: int) -> list[Bucket]:
    """Lay out the blocks that have both genes and peaks.

    Parameters
    ----------
    gene_block, peak_block
        ``(n_genes,)`` and ``(n_peaks,)`` block of each node (graph times chromosomes plus chromosome), non-decreasing.
    n_blocks
        Blocks there could be.
    """
    n_genes, n_peaks = np.bincount(gene_block, minlength=n_blocks), np.bincount(peak_block, minlength=n_blocks)
    gene_start, peak_start = np.cumsum(n_genes) - n_genes, np.cumsum(n_peaks) - n_peaks
    blocks = np.flatnonzero((n_genes > 0) & (n_peaks > 0))
    blocks = blocks[np.lexsort((n_genes[blocks], n_peaks[blocks]))]
    buckets = []
    for chosen in _cut(blocks, n_genes[blocks], n_peaks[blocks]):
        gene = _padded(gene_start[chosen], n_genes[chosen])
        peak = _padded(peak_start[chosen], n_peaks[chosen])
        buckets.append(Bucket(gene, peak, n_genes[chosen], n_peaks[chosen]))
    return buckets


def _cut(blocks: Ints, n_genes: Ints, n_peaks: Ints) -> list[Ints]:
    """Cut blocks, sorted by their number of peaks, into runs that waste little when padded to one size."""
    runs, start, widest, tallest, filled = [], 0, 0, 0, 0
    for i, (genes, peaks) in enumerate(zip(n_genes.tolist(), n_peaks.tolist(), strict=True)):
        wider, taller = max(widest, peaks), max(tallest, genes)
        padded = wider * taller * (i + 1 - start)
        if i > start and padded > _SMALL and (padded > _WASTE * (filled + genes * peaks) or padded > _LARGEST):
            runs.append(blocks[start:i])
            start, wider, taller, filled = i, peaks, genes, 0
        widest, tallest, filled = wider, taller, filled + genes * peaks
    return [*runs, blocks[start:]] if len(blocks) else []


def _padded(start: Ints, size: Ints) -> Ints:
    """``(n, max size)`` positions ``start, start + 1, ...``; the places past ``size`` repeat the first."""
    place = np.arange(size.max())
    return start[:, None] + np.where(place < size[:, None], place, 0)
