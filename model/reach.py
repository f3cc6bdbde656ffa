"""Which peaks of a batch lie within the window of each gene, and how the genes are cut into narrow blocks by it.

With a limit on the distance most of a chromosome's block is of no use, so it is cut: a few neighbouring genes, and the
run of peaks that holds all their candidates, make a block of their own. What such a block holds beyond the candidates
is masked when its logits are taken. A worked case, one chromosome, a limit of 10::

    gene TSS      5   20   90        peak middle   3  12  14  40  95
    first:stop   0:3  1:3  4:5       the peaks 3, 12, 14; 12, 14; 95
    n_candidates  3    2    1

Two genes to a block: genes 0:2 with peaks 0:3, gene 2:3 with peaks 4:5; of the first, gene 1 with peak 0 is masked.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bi2scope.data.candidates import Window
from bi2scope.model.blocks import Blocks

Ints = npt.NDArray[np.int64]

_GENES = 8
"""Neighbouring genes in one block: fewer multiply less in vain, more make fewer blocks."""


@dataclass(frozen=True, slots=True)
class Reach:
    """The genes and peaks of a batch on the genome, and the peaks that each gene may attend to.

    Attributes
    ----------
    gene_tss, peak_middle
        ``(n_genes,)`` and ``(n_peaks,)`` places of the nodes on their chromosomes.
    max_distance
        Bases between the two at most.
    first, stop
        ``(n_genes,)`` run of peaks, as positions in the batch, that holds the gene's candidates. Peaks stand by their
        start, so that their middles need not ascend: the run may hold a few others.
    n_candidates
        ``(n_genes,)`` how many of them are candidates.
    """

    gene_tss: Ints
    peak_middle: Ints
    max_distance: int
    first: Ints
    stop: Ints
    n_candidates: Ints


def reach_of(window: Window, genes: Ints, peaks: Ints, gene_block: Ints, peak_block: Ints) -> Reach:
    """Find the candidates of every gene of a batch.

    Parameters
    ----------
    window
        Places of all features.
    genes, peaks
        ``(n_genes,)`` and ``(n_peaks,)`` feature of each node.
    gene_block, peak_block
        Block of each node (graph and chromosome), non-decreasing.
    """
    tss, middle = window.gene_tss[genes], window.peak_middle[peaks]
    length = int(middle.max(initial=0)) + 1  # every block on a stretch of its own of one line
    farthest = min(window.max_distance, max(length, int(tss.max(initial=0))))
    low = gene_block * length + np.clip(tss - farthest, 0, length)
    high = gene_block * length + np.clip(tss + farthest, 0, length - 1)
    on_line = peak_block * length + middle
    ascending = np.sort(on_line)
    return Reach(
        gene_tss=tss,
        peak_middle=middle,
        max_distance=farthest,
        first=np.searchsorted(np.maximum.accumulate(on_line), low, "left"),
        stop=np.searchsorted(np.minimum.accumulate(on_line[::-1])[::-1], high, "right"),
        n_candidates=np.searchsorted(ascending, high, "right") - np.searchsorted(ascending, low, "left"),
    )


def narrow_blocks(reach: Reach, gene_block: Ints, at_most: int = _GENES) -> Blocks:
    """Cut the genes of each block into runs of at most ``at_most``, each with the run of peaks that they reach.

    Runs that reach no peak are left out.
    """
    if not len(gene_block):
        return Blocks(*(np.zeros(0, np.int64) for _ in range(4)))
    new_block = np.diff(gene_block, prepend=-1) > 0
    block_start = np.flatnonzero(new_block)[np.cumsum(new_block) - 1]
    start = np.flatnonzero((np.arange(len(gene_block)) - block_start) % at_most == 0)
    reaches = reach.stop > reach.first
    far = np.iinfo(np.int64).max
    first = np.minimum.reduceat(np.where(reaches, reach.first, far), start)
    stop = np.maximum.reduceat(np.where(reaches, reach.stop, 0), start)
    used = stop > 0
    n_genes = np.diff(start, append=len(gene_block))
    return Blocks(start, n_genes, first, stop - first).take(used)
