"""Bi2Former: tells matched from mismatched RNA and ATAC by cross-attention of genes to peaks, in forward-pass order.

The computation is the published one. What is done otherwise, exactly, is the order of linear maps: a node's static
columns are projected once per distinct feature of the batch, and what follows the last layer's attention is linear up
to the read-out's mean, so it is taken on the means.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from bi2scope.data.candidates import Window
from bi2scope.data.errors import ConfigurationError
from bi2scope.model.attention import Attention, Projected, attend, sum_by_column, sum_by_row
from bi2scope.model.batch import GraphBatch, Nodes
from bi2scope.model.config import AttentionKind, ModelConfig
from bi2scope.model.nodes import FactoredFeatures, FeatureTable, HiddenFeatures, NodeFeatures, TabledFeatures


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


@dataclass(frozen=True)
class Tables:
    """Projections of all features, each computed once when it is first asked for."""

    genes: FeatureTable
    peaks: FeatureTable


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

    def attend(
        self, genes: NodeFeatures, peaks: NodeFeatures, batch: GraphBatch, kind: AttentionKind = "learned"
    ) -> Attention:
        """Queries, keys and the pruned attention of a batch."""
        return attend(*self.queries_and_keys(genes, peaks), batch, kind)

    def queries_and_keys(self, genes: NodeFeatures, peaks: NodeFeatures) -> tuple[Projected, Projected]:
        """Of every gene and of every peak."""
        return genes.parts(self.rna_query, self.heads), peaks.parts(self.atac_key, self.heads)

    def forward(self, genes: NodeFeatures, peaks: NodeFeatures, attention: Attention) -> tuple[Tensor, Tensor]:
        """Outputs ``(n_genes, hidden)`` and ``(n_peaks, hidden)`` of every node."""
        value_gene = genes.project(self.rna_value)
        value_peak = peaks.project(self.atac_value)
        heads = torch.arange(self.heads, device=value_gene.device)[:, None]
        column = (attention.peak.clamp(min=0) * self.heads + heads).flatten(0, 1)  # (n_genes * heads, 10)
        weight = attention.weight.flatten(0, 1)
        to_gene = sum_by_row(weight, self._by_head(value_peak), column)
        to_peak = sum_by_column(
            weight.flatten(), self._by_head(value_gene), column.flatten(), weight.shape[1], self._heads_of(value_peak)
        )
        return self._combine(
            to_gene.view_as(value_gene),
            to_peak.view_as(value_peak),
            genes.project(self.rna_self_attention),
            peaks.project(self.atac_self_attention),
        )

    def means(
        self, genes: NodeFeatures, peaks: NodeFeatures, attention: Attention, batch: GraphBatch
    ) -> tuple[Tensor, Tensor]:
        """Means ``(n_graphs, hidden)`` of the outputs over the genes and over the peaks of each graph.

        All that follows the weights is affine, so the mean is taken first: the sum over genes of the messages that they
        receive is the sum over peaks of (weight that the peak sends) times value, and that of the inputs gives it.
        """
        n_genes, n_peaks = (nodes.size.clamp(min=1)[:, None] for nodes in (batch.genes, batch.peaks))
        received, sent = attention.weight.sum(-1), _sent(attention, len(batch.peaks.slot))
        to_gene = peaks.summed(self.atac_value, sent) / n_genes
        to_peak = genes.summed(self.rna_value, received) / n_peaks
        self_gene = genes.summed(self.rna_self_attention, torch.ones_like(received[:, :1])) / n_genes
        self_peak = peaks.summed(self.atac_self_attention, torch.ones_like(sent[:, :1])) / n_peaks
        return self._combine(to_gene, to_peak, self_gene, self_peak)

    def _by_head(self, nodes: Tensor) -> Tensor:
        """``(n, hidden)`` to ``(n * heads, d)``."""
        return nodes.reshape(len(nodes) * self.heads, nodes.shape[1] // self.heads)

    def _heads_of(self, nodes: Tensor) -> torch.Size:
        """``(n, heads, d)``."""
        return torch.Size((len(nodes), self.heads, nodes.shape[1] // self.heads))

    def _combine(self, to_gene: Tensor, to_peak: Tensor, self_gene: Tensor, self_peak: Tensor) -> tuple[Tensor, Tensor]:
        if self.heads > 1:
            to_gene, to_peak = self.rna_out_proj(to_gene), self.atac_out_proj(to_peak)
        return (
            self.dim_reduction_rna(torch.cat([to_gene, self_gene], dim=1)),
            self.dim_reduction_atac(torch.cat([to_peak, self_peak], dim=1)),
        )


def _sent(attention: Attention, n_peaks: int) -> Tensor:
    """``(n_peaks, heads)`` sum of the weights of each peak's links."""
    heads = attention.peak.shape[1]
    head = torch.arange(heads, device=attention.peak.device)[:, None]
    place = attention.peak.clamp(min=0) * heads + head  # places that are not filled weigh nothing
    total = attention.weight.new_zeros(n_peaks * heads).index_add(0, place.flatten(), attention.weight.flatten())
    return total.view(n_peaks, heads)


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

    def forward(self, batch: GraphBatch, tables: Tables | None = None) -> tuple[Tensor, list[Attention]]:
        """Logits ``(n_graphs, 2)`` of mismatched and matched, and the attention of each layer.

        With ``tables`` the projections of all features are taken from there: :meth:`tables`.
        """
        mean_gene, mean_peak, attentions = self.means(batch, tables)
        return self.read_out(mean_gene, mean_peak), attentions

    def means(self, batch: GraphBatch, tables: Tables | None = None) -> tuple[Tensor, Tensor, list[Attention]]:
        """What is read out: ``(n_graphs, hidden)`` means over genes and over peaks; and the attention of each layer."""
        genes, peaks = self.inputs(batch, tables)
        attentions: list[Attention] = []
        *inner, last = self.layers
        for layer in inner:
            attentions.append(layer.attend(genes, peaks, batch, self.config.attention))
            genes, peaks = self._step(layer, genes, peaks, attentions[-1])
        attentions.append(last.attend(genes, peaks, batch, self.config.attention))
        mean_gene, mean_peak = last.means(genes, peaks, attentions[-1], batch)
        if isinstance(genes, HiddenFeatures) and isinstance(peaks, HiddenFeatures):  # later layers add to their inputs
            mean_gene, mean_peak = (
                mean
                + hidden.total(torch.ones_like(hidden.hidden[:, :1]))[:, 0] / hidden.nodes.size.clamp(min=1)[:, None]
                for mean, hidden in ((mean_gene, genes), (mean_peak, peaks))
            )
        return mean_gene, mean_peak, attentions

    def attention(self, batch: GraphBatch, tables: Tables | None = None) -> list[Attention]:
        """The attention of each layer alone, without the read-out."""
        genes, peaks = self.inputs(batch, tables)
        attentions: list[Attention] = []
        for layer in self.layers:
            if attentions:
                genes, peaks = self._step(self.layers[len(attentions) - 1], genes, peaks, attentions[-1])
            attentions.append(layer.attend(genes, peaks, batch, self.config.attention))
        return attentions

    @property
    def layers(self) -> list[CrossAttentionLayer]:
        """The cross-attention layers in order."""
        return [layer for layer in self.cross_attention_layers if isinstance(layer, CrossAttentionLayer)]

    def inputs(self, batch: GraphBatch, tables: Tables | None = None) -> tuple[NodeFeatures, NodeFeatures]:
        """First-layer inputs of the genes and of the peaks."""
        _check_limit(self.config.max_distance, batch.max_distance, "the batch")
        if tables is not None:
            return (
                TabledFeatures(tables.genes, self.scaled(batch.genes.count), batch.genes),
                TabledFeatures(tables.peaks, self.scaled(batch.peaks.count), batch.peaks),
            )
        return (
            self._factored(batch.genes, self.rna_idembedding, self.gene_static),
            self._factored(batch.peaks, self.atac_idembedding, self.peak_static),
        )

    def first_queries_and_keys(self, batch: GraphBatch, tables: Tables | None = None) -> tuple[Projected, Projected]:
        """Queries of the genes and keys of the peaks in the first layer; no attention is worked out."""
        genes, peaks = self.inputs(batch, tables)
        return self.layers[0].queries_and_keys(genes, peaks)

    def tables(self) -> Tables:
        """Tables for batches of a network that is not trained meanwhile; they do not follow its parameters."""
        return Tables(
            FeatureTable(self.rna_idembedding.weight.detach(), self.gene_static),
            FeatureTable(self.atac_idembedding.weight.detach(), self.peak_static),
        )

    def static_factors(self) -> StaticFactors:
        """First-layer queries and keys of every gene and peak, apart from their counts."""
        first, tables = self.layers[0], self.tables()
        return StaticFactors(*tables.genes.of(first.rna_query), *tables.peaks.of(first.atac_key))

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
        columns = embedding.weight.index_select(0, nodes.feature), static.index_select(0, nodes.feature)
        return FactoredFeatures(*columns, self.scaled(nodes.count), nodes)

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
    return HiddenFeatures(output + before.hidden if isinstance(before, HiddenFeatures) else output, before.nodes)
