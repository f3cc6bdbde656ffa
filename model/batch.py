"""A batch of graphs as tensors: nodes graph by graph, in genome order, with the blocks that attention runs over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from bi2scope.data.graph import CellGraph
from bi2scope.model.blocks import make_buckets

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class BlockBucket:
    """The tensors of a :class:`bi2scope.model.blocks.Bucket`; ``n_genes`` and ``n_peaks`` became masks.

    Attributes
    ----------
    gene, peak
        ``(n_blocks, g)`` and ``(n_blocks, p)`` positions of the nodes in the batch.
    is_gene, is_peak
        Of the same shapes: False on the padding.
    """

    gene: Tensor
    peak: Tensor
    is_gene: Tensor
    is_peak: Tensor


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
    buckets: tuple[BlockBucket, ...]

    @property
    def n_graphs(self) -> int:
        """Number of graphs."""
        return len(self.genes.size)

    def to(self, device: torch.device | str, dtype: torch.dtype) -> GraphBatch:
        """The same batch on another device, its counts in another precision."""
        genes, peaks = (
            Nodes(
                n.feature.to(device),
                n.slot.to(device),
                n.count.to(device, dtype),
                n.start.to(device),
                n.size.to(device),
            )
            for n in (self.genes, self.peaks)
        )
        buckets = tuple(
            BlockBucket(b.gene.to(device), b.peak.to(device), b.is_gene.to(device), b.is_peak.to(device))
            for b in self.buckets
        )
        return replace(self, genes=genes, peaks=peaks, n_elsewhere=self.n_elsewhere.to(device), buckets=buckets)


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
    buckets = tuple(
        BlockBucket(
            gene=torch.from_numpy(bucket.gene),
            peak=torch.from_numpy(bucket.peak),
            is_gene=torch.from_numpy(np.arange(bucket.gene.shape[1]) < bucket.n_genes[:, None]),
            is_peak=torch.from_numpy(np.arange(bucket.peak.shape[1]) < bucket.n_peaks[:, None]),
        )
        for bucket in make_buckets(gene_block, peak_block, n_blocks)
    )
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
