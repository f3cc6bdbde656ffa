"""Blocks: the genes and peaks of one chromosome of one graph, and how they are laid out for matrix products.

Attention never crosses a chromosome, so the logits of a batch are a block-diagonal matrix. Nodes stand graph by
graph and, within a graph, in genome order; each block is then a run of genes and a run of peaks. A worked case,
one graph with chromosomes A, B and C::

    genes   A A A B C C          peaks   A A B B B B
    blocks  A: genes 0:3 x peaks 0:2     B: genes 3:4 x peaks 2:6     (C has no open peak: no block)

With a limit on the distance of gene and peak the blocks are narrower: :mod:`bi2scope.model.reach`.

On a CPU the blocks are multiplied one by one as they are (:mod:`bi2scope.model.kernel`). On other devices blocks of
like size are padded to one size and multiplied together (a *bucket*): one batched product in place of one per block,
which matters as a batch of 16 cells has some 350 blocks of about 80 x 310.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

_WASTE = 0.6
"""Padding that a bucket may have, as a share of the logits in its blocks."""

_SMALL = 1 << 16
"""Logits of padding that cost less than another bucket would."""

_LARGEST = 1 << 22
"""Logits of one bucket at most, unless a single block is larger: 16 MiB in float32."""


@dataclass(frozen=True, slots=True)
class Blocks:
    """Blocks as runs of nodes; a gene is in one block at most.

    Attributes
    ----------
    gene_start, n_genes
        ``(n_blocks,)`` first gene of each block, as a position in the batch, and how many it has.
    peak_start, n_peaks
        ``(n_blocks,)`` the same for the peaks.
    """

    gene_start: Ints
    n_genes: Ints
    peak_start: Ints
    n_peaks: Ints

    def __len__(self) -> int:
        return len(self.gene_start)

    def take(self, chosen: Ints | npt.NDArray[np.bool_]) -> Blocks:
        """Some of the blocks, by position or by mask."""
        return Blocks(self.gene_start[chosen], self.n_genes[chosen], self.peak_start[chosen], self.n_peaks[chosen])

    def largest_first(self) -> Blocks:
        """The blocks by falling number of logits, so that threads that share them end together."""
        return self.take(np.argsort(-self.n_genes * self.n_peaks, kind="stable"))

    def buckets(self) -> list[Blocks]:
        """The blocks, those of like size together."""
        blocks = np.lexsort((self.n_genes, self.n_peaks))
        return [self.take(chosen) for chosen in _cut(blocks, self.n_genes[blocks], self.n_peaks[blocks])]


def chromosome_blocks(gene_block: Ints, peak_block: Ints, n_blocks: int) -> Blocks:
    """The blocks that have both genes and peaks.

    Parameters
    ----------
    gene_block, peak_block
        ``(n_genes,)`` and ``(n_peaks,)`` block of each node (graph times chromosomes plus chromosome), non-decreasing.
    n_blocks
        Blocks there could be.
    """
    n_genes, n_peaks = np.bincount(gene_block, minlength=n_blocks), np.bincount(peak_block, minlength=n_blocks)
    gene_start, peak_start = np.cumsum(n_genes) - n_genes, np.cumsum(n_peaks) - n_peaks
    return Blocks(gene_start, n_genes, peak_start, n_peaks).take((n_genes > 0) & (n_peaks > 0))


def _cut(blocks: Ints, n_genes: Ints, n_peaks: Ints) -> list[Ints]:
    """Cut blocks, sorted by their number of peaks, into runs that waste little when padded to one size."""
    runs, start, widest, tallest, filled = [], 0, 0, 0, 0
    for i, (genes, peaks) in enumerate(zip(n_genes.tolist(), n_peaks.tolist(), strict=True)):
        wider, taller = max(widest, peaks), max(tallest, genes)
        padded, real = wider * taller * (i + 1 - start), filled + genes * peaks
        if i > start and (padded - real > max(_SMALL, _WASTE * real) or padded > _LARGEST):
            runs.append(blocks[start:i])
            start, wider, taller, real = i, peaks, genes, genes * peaks
        widest, tallest, filled = wider, taller, real
    return [*runs, blocks[start:]] if len(blocks) else []


def padded_runs(start: Ints, size: Ints) -> Ints:
    """``(n, max size)`` positions ``start, start + 1, ...``; the places past ``size`` repeat the first."""
    place = np.arange(size.max())
    return start[:, None] + np.where(place < size[:, None], place, 0)
