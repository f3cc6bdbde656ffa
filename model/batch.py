"""A batch of graphs as tensors: nodes graph by graph, in genome order, with the blocks that attention runs over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from bi2scope.data.candidates import Window
from bi2scope.data.graph import CellGraph
from bi2scope.model.blocks import Blocks, chromosome_blocks, padded_runs
from bi2scope.model.reach import narrow_blocks, reach_of

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Places:
    """Where the nodes of a batch lie on their chromosomes, and how far apart a candidate pair may be.

    Attributes
    ----------
    gene_tss, peak_middle
        ``(n_genes,)`` and ``(n_peaks,)``.
    max_distance
        Bases between the two, at most; not above the longest chromosome, so that no sum of it overflows.
    """

    gene_tss: Tensor
    peak_middle: Tensor
    max_distance: int

    def to(self, device: torch.device | str) -> Places:
        """The same on another device."""
        return Places(self.gene_tss.to(device), self.peak_middle.to(device), self.max_distance)


@dataclass(frozen=True, slots=True)
class PaddedBlocks:
    """Blocks of like size, padded to one size.

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
    def of(cls, bucket: Blocks) -> PaddedBlocks:
        """Lay out the blocks of a bucket."""
        gene = padded_runs(bucket.gene_start, bucket.n_genes)
        peak = padded_runs(bucket.peak_start, bucket.n_peaks)
        return cls(
            gene=torch.from_numpy(gene),
            peak=torch.from_numpy(peak),
            no_peak=torch.from_numpy(np.arange(peak.shape[1]) >= bucket.n_peaks[:, None]),
            real=torch.from_numpy(np.flatnonzero(np.arange(gene.shape[1]) < bucket.n_genes[:, None])),
        )

    def no_candidate(self, places: Places | None) -> Tensor:
        """Pairs of the blocks that are padding or too far apart: ``(n_blocks, g or 1, p)``."""
        if places is None:
            return self.no_peak[:, None]
        distance = (places.peak_middle[self.peak][:, None] - places.gene_tss[self.gene][:, :, None]).abs_()
        return (distance > places.max_distance).logical_or_(self.no_peak[:, None])

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

    @property
    def graph(self) -> Tensor:
        """``(n_nodes,)`` graph of each node."""
        graphs = torch.arange(len(self.size), device=self.size.device)
        return torch.repeat_interleave(graphs, self.size, output_size=len(self.slot))


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
    blocks
        ``(4, n_blocks)`` on the CPU: first gene, number of genes, first peak and number of peaks of every block of
        genes and peaks that share graph and chromosome, and lie near each other if they must
        (:class:`bi2scope.model.blocks.Blocks`).
    places
        Where the nodes lie, when there is a limit on the distance.
    max_distance
        Bases between gene and peak that the graphs were laid out for; ``None`` is no limit.
    buckets
        The blocks padded for batched products, of a batch that is not on the CPU.
    """

    genes: Nodes
    peaks: Nodes
    n_elsewhere: Tensor
    blocks: Tensor
    places: Places | None = None
    max_distance: int | None = None
    buckets: tuple[PaddedBlocks, ...] = ()

    @property
    def n_graphs(self) -> int:
        """Number of graphs."""
        return len(self.genes.size)

    def padded(self) -> tuple[PaddedBlocks, ...]:
        """The blocks, padded for batched products."""
        return tuple(map(PaddedBlocks.of, Blocks(*self.blocks.numpy()).buckets()))

    def to(self, device: torch.device | str, dtype: torch.dtype) -> GraphBatch:
        """The same batch on another device, its counts in another precision."""
        buckets = self.buckets
        if torch.device(device).type != "cpu":
            buckets = tuple(bucket.to(device) for bucket in self.buckets or self.padded())
        return replace(
            self,
            genes=self.genes.to(device, dtype),
            peaks=self.peaks.to(device, dtype),
            n_elsewhere=self.n_elsewhere.to(device),
            places=None if self.places is None else self.places.to(device),
            buckets=buckets,
        )


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
    if window is None:
        n_blocks = len(graphs) * n_chromosomes
        n_candidates = np.bincount(peak_block, minlength=n_blocks)[gene_block]
        blocks, places, max_distance = chromosome_blocks(gene_block, peak_block, n_blocks), None, None
    else:
        reach = reach_of(window, gene, peak, gene_block, peak_block)
        n_candidates, blocks, max_distance = reach.n_candidates, narrow_blocks(reach, gene_block), window.max_distance
        places = Places(torch.from_numpy(reach.gene_tss), torch.from_numpy(reach.peak_middle), reach.max_distance)
    runs = blocks.largest_first()
    return GraphBatch(
        genes=genes,
        peaks=peaks,
        n_elsewhere=torch.from_numpy(n_open - n_candidates),
        blocks=torch.from_numpy(np.stack([runs.gene_start, runs.n_genes, runs.peak_start, runs.n_peaks])),
        places=places,
        max_distance=max_distance,
    )


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
