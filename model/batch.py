"""A batch of graphs as tensors: nodes graph by graph, in genome order, with the blocks that attention runs over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from bi2scope.data.graph import CellGraph
from bi2scope.model.blocks import Bucket, make_buckets, padded_runs

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
    """

    gene: Tensor
    peak: Tensor
    no_peak: Tensor
    real: Tensor

    @classmethod
    def of(cls, bucket: Bucket) -> PaddedBlocks:
        """Lay out a bucket."""
        gene = padded_runs(bucket.gene_start, bucket.n_genes)
        peak = padded_runs(bucket.peak_start, bucket.n_peaks)
        return cls(
            gene=torch.from_numpy(gene),
            peak=torch.from_numpy(peak),
            no_peak=torch.from_numpy(np.arange(peak.shape[1]) >= bucket.n_peaks[:, None]),
            real=torch.from_numpy(np.flatnonzero(np.arange(gene.shape[1]) < bucket.n_genes[:, None])),
        )

    def to(self, device: torch.device | str) -> PaddedBlocks:
        """The same on another device."""
        return PaddedBlocks(*(part.to(device) for part in (self.gene, self.peak, self.no_peak, self.real)))


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
        ``(n_genes,)`` open peaks of the gene's graph on other chromosomes: what pads its row.
    buckets
        The blocks of genes and peaks that share graph and chromosome.
    """

    genes: Nodes
    peaks: Nodes
    n_elsewhere: Tensor
    buckets: tuple[PaddedBlocks, ...]

    @property
    def n_graphs(self) -> int:
        """Number of graphs."""
        return len(self.genes.size)

    def to(self, device: torch.device | str, dtype: torch.dtype) -> GraphBatch:
        """The same batch on another device, its counts in another precision."""
        genes, peaks = self.genes.to(device, dtype), self.peaks.to(device, dtype)
        buckets = tuple(bucket.to(device) for bucket in self.buckets)
        return GraphBatch(genes, peaks, self.n_elsewhere.to(device), buckets)


def collate(graphs: Sequence[CellGraph], gene_chromosome: Ints, peak_chromosome: Ints) -> GraphBatch:
    """Put graphs into one batch.

    Parameters
    ----------
    graphs
        The graphs, their features positions in the model's own genes and peaks.
    gene_chromosome, peak_chromosome
        Code of the chromosome of each of the model's genes and peaks, non-decreasing.
    """
    n_chromosomes = int(max(gene_chromosome.max(initial=-1), peak_chromosome.max(initial=-1))) + 1
    genes, gene_graph = _nodes([g.gene_index for g in graphs], [g.gene_count for g in graphs], len(gene_chromosome))
    peaks, peak_graph = _nodes([g.peak_index for g in graphs], [g.peak_count for g in graphs], len(peak_chromosome))
    gene_block = gene_graph * n_chromosomes + gene_chromosome[genes.feature.numpy()][genes.slot.numpy()]
    peak_block = peak_graph * n_chromosomes + peak_chromosome[peaks.feature.numpy()][peaks.slot.numpy()]
    n_blocks = len(graphs) * n_chromosomes
    on_chromosome = np.bincount(peak_block, minlength=n_blocks)[gene_block]
    n_elsewhere = peaks.size.numpy()[gene_graph] - on_chromosome
    buckets = tuple(map(PaddedBlocks.of, make_buckets(gene_block, peak_block, n_blocks)))
    return GraphBatch(genes, peaks, torch.from_numpy(n_elsewhere), buckets)


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
