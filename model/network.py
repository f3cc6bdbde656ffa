"""Bi2Former: tells matched from mismatched RNA and ATAC by cross-attention of genes to peaks, in forward-pass order.

The computation is the published one. What is done otherwise, exactly, is the order of linear maps: a node's static
columns are projected once per distinct feature of the batch, and what follows the last layer's attention is linear up
to the read-out's mean, so it is taken on the means.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from bi2scope.data.candidates import Window
from bi2scope.data.errors import ConfigurationError
from bi2scope.model.attention import Attention, attend, sum_links
from bi2scope.model.batch import GraphBatch, Nodes
from bi2scope.model.config import ModelConfig


@dataclass(frozen=True)
class FeatureLayout:
    """What the network must know of its genes and peaks, both in genome order.

    Attributes
    ----------
    gene_chromosome, peak_chromosome
        ``(n_genes,)`` and ``(n_peaks,)`` codes, non-decreasing.
    n_chromosomes
        Width of the one-hot columns.
    gene_attributes
        ``(n_genes, 4)`` means, variances_norm, strand (+ is 1), highly_variable, as the network is to read them.
    window
        Where they lie and how far apart a gene and a peak may be to attend; ``None`` is no limit.
    """

    gene_chromosome: npt.NDArray[np.int64]
    peak_chromosome: npt.NDArray[np.int64]
    n_chromosomes: int
    gene_attributes: npt.NDArray[np.float32]
    window: Window | None = None

    @property
    def max_distance(self) -> int | None:
        """Bases between a gene's TSS and the middle of a peak that it may attend to, at most; ``None`` is no limit."""
        return None if self.window is None else self.window.max_distance


class NodeFeatures(Protocol):
    """Inputs of a layer: anything that can be projected per node and summed per graph."""

    def project(self, linear: nn.Linear) -> Tensor:
        """``(n_nodes, out)`` the affine map of every node."""

    def total(self, weight: Tensor, start: Tensor) -> Tensor:
        """``(n_graphs, in)`` weighted sum over the nodes of each graph; ``weight`` is ``(n_nodes,)``."""


@dataclass(frozen=True)
class FactoredFeatures:
    """First-layer inputs ``[ID embedding | count | static columns]``, the static part once per distinct feature.

    Attributes
    ----------
    static
        ``(n_distinct, in - 1)`` all columns but the count.
    slot, count
        ``(n_nodes,)`` row of ``static`` and count of each node.
    count_column
        Place of the count among the columns.
    """

    static: Tensor
    slot: Tensor
    count: Tensor
    count_column: int

    def project(self, linear: nn.Linear) -> Tensor:
        """``W x + b = (W_static s + b)[slot] + count * w_count``."""
        per_feature, per_count = split_projection(linear, self.static, self.count_column)
        return torch.addcmul(per_feature.index_select(0, self.slot), self.count[:, None], per_count[None])

    def total(self, weight: Tensor, start: Tensor) -> Tensor:
        """Weighted sum of the inputs over each graph."""
        static = F.embedding_bag(self.slot, self.static, start, mode="sum", per_sample_weights=weight)
        count = F.embedding_bag(
            torch.arange(len(self.count), device=weight.device),
            self.count[:, None],
            start,
            mode="sum",
            per_sample_weights=weight,
        )
        return torch.cat([static[:, : self.count_column], count, static[:, self.count_column :]], dim=1)


def split_projection(linear: nn.Linear, static: Tensor, count_column: int) -> tuple[Tensor, Tensor]:
    """An affine map of ``[... | count | ...]`` in two: ``(n, out)`` per feature and ``(out,)`` per unit of count."""
    weight = linear.weight
    without_count = torch.cat([weight[:, :count_column], weight[:, count_column + 1 :]], dim=1)
    return F.linear(static, without_count, linear.bias), weight[:, count_column]


@dataclass(frozen=True)
class HiddenFeatures:
    """Inputs of later layers: one ``(n_nodes, hidden)`` tensor."""

    hidden: Tensor

    def project(self, linear: nn.Linear) -> Tensor:
        """The affine map of every node."""
        return F.linear(self.hidden, linear.weight, linear.bias)

    def total(self, weight: Tensor, start: Tensor) -> Tensor:
        """Weighted sum of the inputs over each graph."""
        node = torch.arange(len(self.hidden), device=weight.device)
        return F.embedding_bag(node, self.hidden, start, mode="sum", per_sample_weights=weight)


@dataclass(frozen=True)
class StaticFactors:
    """First-layer queries and keys in two parts: ``q = query[gene] + count * query_per_count``, ``k`` likewise.

    With them a one-layer logit of any cell is recomputed exactly, without the network.

    Attributes
    ----------
    query, key
        ``(n_genes, hidden)`` and ``(n_peaks, hidden)``, of every feature.
    query_per_count, key_per_count
        ``(hidden,)``; the count enters as the network reads it (raw or log1p).
    """

    query: Tensor
    query_per_count: Tensor
    key: Tensor
    key_per_count: Tensor


class CrossAttentionLayer(nn.Module):
    """One layer: attention of genes to peaks, messages both ways, a self term for each.

    Parameters
    ----------
    gene_dim, peak_dim
        Widths of the inputs.
    hidden, heads
        Width of the output, and heads that share it.
    """

    def __init__(self, gene_dim: int, peak_dim: int, hidden: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.rna_query = nn.Linear(gene_dim, hidden)
        self.atac_key = nn.Linear(peak_dim, hidden)
        self.rna_value = nn.Linear(gene_dim, hidden)
        self.atac_value = nn.Linear(peak_dim, hidden)
        if heads > 1:
            self.rna_out_proj = nn.Linear(hidden, hidden)
            self.atac_out_proj = nn.Linear(hidden, hidden)
        self.rna_self_attention = nn.Linear(gene_dim, hidden)
        self.atac_self_attention = nn.Linear(peak_dim, hidden)
        self.dim_reduction_rna = nn.Linear(2 * hidden, hidden)
        self.dim_reduction_atac = nn.Linear(2 * hidden, hidden)

    def attend(self, genes: NodeFeatures, peaks: NodeFeatures, batch: GraphBatch) -> Attention:
        """Queries, keys and the pruned attention of a batch."""
        query, key = genes.project(self.rna_query), peaks.project(self.atac_key)
        return attend(self._by_head(query), self._by_head(key), batch)

    def forward(self, genes: NodeFeatures, peaks: NodeFeatures, attention: Attention) -> tuple[Tensor, Tensor]:
        """Outputs ``(n_genes, hidden)`` and ``(n_peaks, hidden)`` of every node."""
        value_gene = genes.project(self.rna_value)
        value_peak = peaks.project(self.atac_value)
        row, column = (side * self.heads + attention.head for side in (attention.gene, attention.peak))
        to_gene = self._message(attention.weight, value_peak, row, column, len(value_gene))
        order = torch.argsort(column, stable=True)
        to_peak = self._message(attention.weight[order], value_gene, column[order], row[order], len(value_peak))
        return self._combine(
            to_gene, to_peak, genes.project(self.rna_self_attention), peaks.project(self.atac_self_attention)
        )

    def means(
        self, genes: NodeFeatures, peaks: NodeFeatures, attention: Attention, batch: GraphBatch
    ) -> tuple[Tensor, Tensor]:
        """Means ``(n_graphs, hidden)`` of the outputs over the genes and over the peaks of each graph.

        All that follows the weights is affine, so the mean is taken first: the sum over genes of the messages that they
        receive is the sum over peaks of (weight that the peak sends) times value, and that of the inputs gives it.
        """
        n_genes, n_peaks = (nodes.size.clamp(min=1)[:, None] for nodes in (batch.genes, batch.peaks))
        sent = self._sent(attention.weight, attention.peak, attention.head, len(batch.peaks.slot))
        received = self._sent(attention.weight, attention.gene, attention.head, len(batch.genes.slot))
        to_gene = self._mean_message(self.atac_value, peaks, sent, batch.peaks.start) / n_genes
        to_peak = self._mean_message(self.rna_value, genes, received, batch.genes.start) / n_peaks
        one_gene, one_peak = torch.ones_like(received[:, 0]), torch.ones_like(sent[:, 0])
        self_gene = self.rna_self_attention(genes.total(one_gene, batch.genes.start) / n_genes)
        self_peak = self.atac_self_attention(peaks.total(one_peak, batch.peaks.start) / n_peaks)
        return self._combine(to_gene, to_peak, self_gene, self_peak)

    def _message(self, weight: Tensor, value: Tensor, row: Tensor, column: Tensor, n_rows: int) -> Tensor:
        """``(n_rows, hidden)`` sum over links of weight times value, each head on its own part of the columns."""
        per_head = self._by_head(value).flatten(0, 1)  # (n * heads, d)
        return sum_links(weight, per_head, row, column, n_rows * self.heads).view(n_rows, value.shape[1])

    def _by_head(self, nodes: Tensor) -> Tensor:
        """``(n, hidden)`` to ``(n, heads, d)``."""
        return nodes.view(len(nodes), self.heads, nodes.shape[1] // self.heads)

    def _sent(self, weight: Tensor, node: Tensor, head: Tensor, n_nodes: int) -> Tensor:
        """``(n_nodes, heads)`` sum of the weights of each node's links."""
        total = weight.new_zeros(n_nodes * self.heads).index_add(0, node * self.heads + head, weight)
        return total.view(n_nodes, self.heads)

    def _mean_message(self, linear: nn.Linear, nodes: NodeFeatures, weight: Tensor, start: Tensor) -> Tensor:
        """``(n_graphs, hidden)`` sum over nodes of weight times value, from the weighted sums of the inputs."""
        parts = []
        for head, (matrix, bias) in enumerate(
            zip(linear.weight.chunk(self.heads), linear.bias.chunk(self.heads), strict=True)
        ):
            share = weight[:, head].contiguous()
            node = torch.arange(len(share), device=share.device)
            total = F.embedding_bag(node, share[:, None], start, mode="sum")  # (n_graphs, 1)
            parts.append(F.linear(nodes.total(share, start), matrix) + total * bias)
        return torch.cat(parts, dim=1)

    def _combine(self, to_gene: Tensor, to_peak: Tensor, self_gene: Tensor, self_peak: Tensor) -> tuple[Tensor, Tensor]:
        if self.heads > 1:
            to_gene, to_peak = self.rna_out_proj(to_gene), self.atac_out_proj(to_peak)
        return (
            self.dim_reduction_rna(torch.cat([to_gene, self_gene], dim=1)),
            self.dim_reduction_atac(torch.cat([to_peak, self_peak], dim=1)),
        )


class Bi2Former(nn.Module):
    """The network; its parameters are named as in published checkpoints.

    Parameters
    ----------
    config
        Sizes and scales.
    layout
        Chromosomes and attributes of its genes and peaks, and their places if the configuration limits the distance.

    Raises
    ------
    ConfigurationError
        If configuration and layout have two limits on the distance.
    """

    def __init__(self, config: ModelConfig, layout: FeatureLayout) -> None:
        super().__init__()
        _check_limit(config.max_distance, layout.max_distance, "the layout of its genes and peaks")
        self.config = config
        self.layout = layout
        chromosomes = torch.eye(layout.n_chromosomes)
        attributes = torch.from_numpy(np.asarray(layout.gene_attributes, dtype=np.float32))
        gene_static = torch.cat([chromosomes[torch.from_numpy(layout.gene_chromosome)], attributes], dim=1)
        self.register_buffer("gene_static", gene_static, persistent=False)
        self.register_buffer("peak_static", chromosomes[torch.from_numpy(layout.peak_chromosome)], persistent=False)
        self.rna_idembedding = nn.Embedding(len(layout.gene_chromosome), config.id_dim)
        self.atac_idembedding = nn.Embedding(len(layout.peak_chromosome), config.id_dim)
        first = (config.id_dim + 1 + self.gene_static.shape[1], config.id_dim + 1 + layout.n_chromosomes)
        later = (config.hidden, config.hidden)
        self.cross_attention_layers = nn.ModuleList(
            CrossAttentionLayer(*(later if i else first), config.hidden, config.heads) for i in range(config.layers)
        )
        self.fc1 = nn.Linear(2 * config.hidden, config.hidden)
        self.fc2 = nn.Linear(config.hidden, config.hidden // 2)
        self.fc3 = nn.Linear(config.hidden // 2, 2)
        self.dropout = nn.Dropout(config.dropout)

    gene_static: Tensor
    peak_static: Tensor

    def forward(self, batch: GraphBatch) -> tuple[Tensor, list[Attention]]:
        """Logits ``(n_graphs, 2)`` of mismatched and matched, and the attention of each layer."""
        genes, peaks = self.inputs(batch)
        attentions: list[Attention] = []
        *inner, last = self.layers
        for layer in inner:
            attentions.append(layer.attend(genes, peaks, batch))
            genes, peaks = self._step(layer, genes, peaks, attentions[-1])
        attentions.append(last.attend(genes, peaks, batch))
        mean_gene, mean_peak = last.means(genes, peaks, attentions[-1], batch)
        if inner:
            mean_gene, mean_peak = (
                mean + nodes.total(torch.ones_like(count.count), count.start) / count.size.clamp(min=1)[:, None]
                for mean, nodes, count in ((mean_gene, genes, batch.genes), (mean_peak, peaks, batch.peaks))
            )
        return self.read_out(mean_gene, mean_peak), attentions

    def attention(self, batch: GraphBatch) -> list[Attention]:
        """The attention of each layer alone, without the read-out."""
        genes, peaks = self.inputs(batch)
        attentions: list[Attention] = []
        for layer in self.layers:
            if attentions:
                genes, peaks = self._step(self.layers[len(attentions) - 1], genes, peaks, attentions[-1])
            attentions.append(layer.attend(genes, peaks, batch))
        return attentions

    @property
    def layers(self) -> list[CrossAttentionLayer]:
        """The cross-attention layers in order."""
        return [layer for layer in self.cross_attention_layers if isinstance(layer, CrossAttentionLayer)]

    def inputs(self, batch: GraphBatch) -> tuple[NodeFeatures, NodeFeatures]:
        """First-layer inputs of the genes and of the peaks."""
        _check_limit(self.config.max_distance, batch.max_distance, "the batch")
        return (
            self._factored(batch.genes, self.rna_idembedding, self.gene_static),
            self._factored(batch.peaks, self.atac_idembedding, self.peak_static),
        )

    @torch.no_grad()
    def static_factors(self) -> StaticFactors:
        """First-layer queries and keys of every gene and peak, apart from their counts."""
        first, at = self.layers[0], self.config.id_dim
        genes = torch.cat([self.rna_idembedding.weight, self.gene_static], dim=1)
        peaks = torch.cat([self.atac_idembedding.weight, self.peak_static], dim=1)
        return StaticFactors(
            *split_projection(first.rna_query, genes, at), *split_projection(first.atac_key, peaks, at)
        )

    def scaled(self, count: Tensor) -> Tensor:
        """Counts as the network reads them."""
        return torch.log1p(count) if self.config.counts == "log1p" else count

    def read_out(self, mean_gene: Tensor, mean_peak: Tensor) -> Tensor:
        """Logits from the means over genes and over peaks."""
        hidden = self.dropout(F.relu(self.fc1(torch.cat([mean_gene, mean_peak], dim=1))))
        hidden = self.dropout(F.relu(self.fc2(hidden)))
        logits: Tensor = self.fc3(hidden)
        return logits

    def _factored(self, nodes: Nodes, embedding: nn.Embedding, static: Tensor) -> FactoredFeatures:
        columns = torch.cat([embedding.weight.index_select(0, nodes.feature), static[nodes.feature]], dim=1)
        return FactoredFeatures(columns, nodes.slot, self.scaled(nodes.count), self.config.id_dim)

    @staticmethod
    def _step(
        layer: CrossAttentionLayer, genes: NodeFeatures, peaks: NodeFeatures, attention: Attention
    ) -> tuple[NodeFeatures, NodeFeatures]:
        """Outputs of a layer as inputs of the next: the first replaces them, later ones add to them."""
        gene_output, peak_output = layer(genes, peaks, attention)
        return _added(gene_output, genes), _added(peak_output, peaks)


def _check_limit(own: int | None, other: int | None, whose: str) -> None:
    """Refuse attention to peaks that the model was not made for."""
    if own != other:
        raise ConfigurationError(f"The model's max_distance is {own}, that of {whose} is {other}; wanted the same.")


def _added(output: Tensor, before: NodeFeatures) -> HiddenFeatures:
    return HiddenFeatures(output + before.hidden if isinstance(before, HiddenFeatures) else output)
