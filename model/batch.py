"""A batch of graphs as tensors: nodes graph by graph, in genome order, with the blocks that attention runs over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from bi2scope.data.candidates import Window
from bi2scope.data.graph import CellGraph
from bi2scope.model.blocks import Bucket, bucketed, make_buckets, padded_runs
from bi2scope.model.reach import Reach, narrow_blocks, reach_of

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class PaddedBlocks:
    """Blocks of like size, padded to one size: the tensors of a :class:`bi2scope.model.blocks.Bucket`.

    Attributes
    ----------
    gene, peak
        ``(n_blocks, g)`` and ``(n_blocks, p)`` positions of the nodes in the batch; padded with the block's first.
    no_peak
        ``(n_blocks, p)`` True on the padding.
    real
        ``(n_real,)`` places of the genes that are no padding in ``gene.flatten()``.
    gene_tss, peak_middle, max_distance
        ``(n_blocks, g)`` and ``(n_blocks, p)`` places on the chromosome, and how far apart a candidate pair may be;
        ``None`` when every pair of a block is a candidate.
    """

    gene: Tensor
    peak: Tensor
    no_peak: Tensor
    real: Tensor
    gene_tss: Tensor | None = None
    peak_middle: Tensor | None = None
    max_distance: int | None = None

    @classmethod
    def of(cls, bucket: Bucket, reach: Reach | None = None) -> PaddedBlocks:
        """Lay out a bucket; with a limit on the distance, the places of its nodes beside it."""
        gene = padded_runs(bucket.gene_start, bucket.n_genes)
        peak = padded_runs(bucket.peak_start, bucket.n_peaks)
        return cls(
            gene=torch.from_numpy(gene),
            peak=torch.from_numpy(peak),
            no_peak=torch.from_numpy(np.arange(peak.shape[1]) >= bucket.n_peaks[:, None]),
            real=torch.from_numpy(np.flatnonzero(np.arange(gene.shape[1]) < bucket.n_genes[:, None])),
            gene_tss=None if reach is None else torch.from_numpy(reach.gene_tss[gene]),
            peak_middle=None if reach is None else torch.from_numpy(reach.peak_middle[peak]),
            max_distance=None if reach is None else reach.max_distance,
        )

    def no_candidate(self) -> Tensor:
        """Pairs of the blocks that are padding or too far apart: ``(n_blocks, g or 1, p)``."""
        if self.gene_tss is None or self.peak_middle is None or self.max_distance is None:
            return self.no_peak[:, None]
        distance = (self.peak_middle[:, None] - self.gene_tss[:, :, None]).abs_()
        return (distance > self.max_distance).logical_or_(self.no_peak[:, None])

    def to(self, device: torch.device | str) -> PaddedBlocks:
        """The same on another device."""
        gene, peak, no_peak, real = (part.to(device) for part in (self.gene, self.peak, self.no_peak, self.real))
        if self.gene_tss is None or self.peak_middle is None:
            return PaddedBlocks(gene, peak, no_peak, real)
        places = self.gene_tss.to(device), self.peak_middle.to(device)
        return PaddedBlocks(gene, peak, no_peak, real, *places, self.max_distance)


@dataclass(frozen=True, slots=True)
class Nodes:
    """The genes, or the peaks, of a batch.

    Attributes
    ----------
    feature
        ``(n_distinct,)`` the distinct features of the batch, ascending.
    slot
        ``(n_nodes,)`` place of each node's feature in ``feature``.
    count
        ``(n_nodes,)`` float counts.
    start
        ``(n_graphs,)`` first node of each graph.
    size
        ``(n_graphs,)`` nodes of each graph.
    """

    feature: Tensor
    slot: Tensor
    count: Tensor
    start: Tensor
    size: Tensor

    def to(self, device: torch.device | str, dtype: torch.dtype) -> Nodes:
        """The same on another device, the counts in another precision."""
        feature, slot, start, size = (t.to(device) for t in (self.feature, self.slot, self.start, self.size))
        return Nodes(feature, slot, self.count.to(device, dtype), start, size)


@dataclass(frozen=True, slots=True)
class GraphBatch:
    """Graphs for the network.

    Attributes
    ----------
    genes, peaks
        The nodes.
    n_elsewhere
        ``(n_genes,)`` open peaks of the gene's graph that are no candidates (:mod:`bi2scope.data.candidates`), on other
        chromosomes or too far away: what pads its row.
    buckets
        The blocks of genes and peaks that share graph and chromosome, and lie near each other if they must.
    max_distance
        Bases between gene and peak that the graphs were laid out for; ``None`` is no limit.
    """

    genes: Nodes
    peaks: Nodes
    n_elsewhere: Tensor
    buckets: tuple[PaddedBlocks, ...]
    max_distance: int | None = None

    @property
    def n_graphs(self) -> int:
        """Number of graphs."""
        return len(self.genes.size)

    def to(self, device: torch.device | str, dtype: torch.dtype) -> GraphBatch:
        """The same batch on another device, its counts in another precision."""
        genes, peaks = self.genes.to(device, dtype), self.peaks.to(device, dtype)
        buckets = tuple(bucket.to(device) for bucket in self.buckets)
        return GraphBatch(genes, peaks, self.n_elsewhere.to(device), buckets, self.max_distance)


def collate(
    graphs: Sequence[CellGraph], gene_chromosome: Ints, peak_chromosome: Ints, window: Window | None = None
) -> GraphBatch:
    """Put graphs into one batch.

    Parameters
    ----------
    graphs
        The graphs, their features positions in the model's own genes and peaks.
    gene_chromosome, peak_chromosome
        Code of the chromosome of each of the model's genes and peaks, non-decreasing.
    window
        Where they lie and how far apart a candidate pair may be (``FeatureLayout.window``); ``None`` is no limit.
    """
    n_chromosomes = int(max(gene_chromosome.max(initial=-1), peak_chromosome.max(initial=-1))) + 1
    genes, gene_graph = _nodes([g.gene_index for g in graphs], [g.gene_count for g in graphs], len(gene_chromosome))
    peaks, peak_graph = _nodes([g.peak_index for g in graphs], [g.peak_count for g in graphs], len(peak_chromosome))
    gene, peak = (nodes.feature.numpy()[nodes.slot.numpy()] for nodes in (genes, peaks))
    gene_block = gene_graph * n_chromosomes + gene_chromosome[gene]
    peak_block = peak_graph * n_chromosomes + peak_chromosome[peak]
    n_open = peaks.size.numpy()[gene_graph]
    if window is not None:
        reach = reach_of(window, gene, peak, gene_block, peak_block)
        buckets = tuple(PaddedBlocks.of(bucket, reach) for bucket in bucketed(*narrow_blocks(reach, gene_block)))
        n_elsewhere = torch.from_numpy(n_open - reach.n_candidates)
        return GraphBatch(genes, peaks, n_elsewhere, buckets, window.max_distance)
    n_blocks = len(graphs) * n_chromosomes
    on_chromosome = np.bincount(peak_block, minlength=n_blocks)[gene_block]
    buckets = tuple(map(PaddedBlocks.of, make_buckets(gene_block, peak_block, n_blocks)))
    return GraphBatch(genes, peaks, torch.from_numpy(n_open - on_chromosome), buckets)


def _nodes(index: list[Ints], count: list[npt.NDArray[np.float32]], n_features: int) -> tuple[Nodes, Ints]:
    """The nodes of all graphs in one line, and the graph of each."""
    feature = np.concatenate(index)
    size = np.array([len(part) for part in index], dtype=np.int64)
    present = np.zeros(n_features, dtype=bool)
    present[feature] = True
    slot = (np.cumsum(present) - 1)[feature]  # (n_nodes,)
    nodes = Nodes(
        feature=torch.from_numpy(np.flatnonzero(present)),
        slot=torch.from_numpy(slot),
        count=torch.from_numpy(np.concatenate(count)),
        start=torch.from_numpy(np.cumsum(size) - size),
        size=torch.from_numpy(size),
    )
    return nodes, np.repeat(np.arange(len(index)), size)
