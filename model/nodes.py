"""What a layer reads of the nodes of a batch, as something that can be projected per node and summed per graph.

In the first layer a node is ``[ID embedding | count | static columns]``, and every map of it is affine, so that all but
the count is worked out once per distinct feature: of the batch while the network learns, of the whole data set after
that (:class:`FeatureTable`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from bi2scope.model.attention import Projected
from bi2scope.model.batch import Nodes


class NodeFeatures(Protocol):
    """Inputs of a layer."""

    @property
    def nodes(self) -> Nodes:
        """The nodes."""

    def parts(self, linear: nn.Linear, heads: int) -> Projected:
        """The affine map of every node, in two parts."""

    def project(self, linear: nn.Linear) -> Tensor:
        """``(n_nodes, out)`` the affine map of every node."""

    def summed(self, linear: nn.Linear, weight: Tensor) -> Tensor:
        """``(n_graphs, out)`` sums over the nodes of each graph of weight times affine map.

        ``weight`` is ``(n_nodes, heads)``; the heads share the outputs.
        """


@dataclass(frozen=True)
class FactoredFeatures:
    """First-layer inputs, all but the count once per distinct feature of the batch.

    Attributes
    ----------
    embedding, static
        ``(n_distinct, id)`` and ``(n_distinct, s)``.
    count
        ``(n_nodes,)`` as the network reads it.
    nodes
        Their slots are rows of the first two.
    """

    embedding: Tensor
    static: Tensor
    count: Tensor
    nodes: Nodes

    def parts(self, linear: nn.Linear, heads: int) -> Projected:
        """``W x + b = (W_id e + W_static s + b)[slot] + count * w_count``."""
        table, per_count = split_projection(linear, self.embedding, self.static)
        return _by_head(table, per_count, heads, self.nodes.slot, self.count)

    def project(self, linear: nn.Linear) -> Tensor:
        """The affine map of every node."""
        return self.parts(linear, 1).nodes().squeeze(1)

    def summed(self, linear: nn.Linear, weight: Tensor) -> Tensor:
        """Weighted sums of the inputs, then the map: one product of (graph by feature) weights with the columns.

        A feature is at most once in a graph, so that the weights are put into place and not added up; forward and
        backward are matrix products then, several times faster than sums over ragged rows.
        """
        n_graphs, n_distinct, heads = len(self.nodes.size), len(self.embedding), weight.shape[1]
        graph = self.nodes.graph
        place = graph * n_distinct + self.nodes.slot
        dense = weight.new_zeros(n_graphs * n_distinct, heads).index_copy(0, place, weight)
        rows = dense.view(n_graphs, n_distinct, heads).transpose(1, 2).reshape(n_graphs * heads, n_distinct)
        of_count = weight.new_zeros(n_graphs, heads).index_add(0, graph, weight * self.count[:, None])
        embedding, static = ((rows @ part).view(n_graphs, heads, -1) for part in (self.embedding, self.static))
        total = torch.cat([embedding, of_count[:, :, None].to(embedding.dtype), static], dim=2)
        return _mapped_totals(linear, total, _weights(weight, self.nodes))


@dataclass(frozen=True)
class FeatureTable:
    """Affine maps of all genes, or all peaks, of a network that is not trained meanwhile: each is computed once.

    Attributes
    ----------
    embedding, static
        ``(n_features, id)`` and ``(n_features, s)``.
    """

    embedding: Tensor
    static: Tensor
    _known: dict[nn.Linear, tuple[Tensor, Tensor]] = field(default_factory=dict)

    @torch.no_grad()
    def of(self, linear: nn.Linear) -> tuple[Tensor, Tensor]:
        """``(n_features, out)`` per feature and ``(out,)`` per unit of count."""
        if linear not in self._known:
            table, per_count = split_projection(linear, self.embedding, self.static)
            self._known[linear] = table, per_count.detach()
        return self._known[linear]


@dataclass(frozen=True)
class TabledFeatures:
    """First-layer inputs from tables of all features.

    Attributes
    ----------
    table
        Of the genes or of the peaks.
    count
        ``(n_nodes,)`` as the network reads it.
    nodes
        The nodes.
    """

    table: FeatureTable
    count: Tensor
    nodes: Nodes

    def parts(self, linear: nn.Linear, heads: int) -> Projected:
        """The affine map of every node, in two parts."""
        return _by_head(*self.table.of(linear), heads, self._feature(), self.count)

    def project(self, linear: nn.Linear) -> Tensor:
        """The affine map of every node."""
        return self.parts(linear, 1).nodes().squeeze(1)

    def summed(self, linear: nn.Linear, weight: Tensor) -> Tensor:
        """Weighted sums of the rows of the table."""
        of_feature, per_count = self.table.of(linear)
        heads, feature, sums = weight.shape[1], self._feature(), []
        by_head = zip(of_feature.chunk(heads, 1), per_count.chunk(heads), strict=True)
        for head, (own, times) in enumerate(by_head):
            share = weight[:, head].contiguous()
            of_count = _weights((share * self.count)[:, None], self.nodes)
            own = own.to(weight.dtype).contiguous()
            total = F.embedding_bag(feature, own, self.nodes.start, mode="sum", per_sample_weights=share)
            sums.append(torch.addcmul(total, of_count, times))
        return torch.cat(sums, dim=1)

    def _feature(self) -> Tensor:
        return self.nodes.feature.index_select(0, self.nodes.slot)


@dataclass(frozen=True)
class HiddenFeatures:
    """Inputs of later layers.

    Attributes
    ----------
    hidden
        ``(n_nodes, hidden)``.
    nodes
        The nodes.
    """

    hidden: Tensor
    nodes: Nodes

    def parts(self, linear: nn.Linear, heads: int) -> Projected:
        """The affine map of every node; counts have no part in it."""
        slot = torch.arange(len(self.hidden), device=self.hidden.device)
        count = self.hidden.new_zeros(len(self.hidden))
        return _by_head(self.project(linear), torch.zeros_like(linear.bias), heads, slot, count)

    def project(self, linear: nn.Linear) -> Tensor:
        """The affine map of every node."""
        return F.linear(self.hidden, linear.weight, linear.bias)

    def summed(self, linear: nn.Linear, weight: Tensor) -> Tensor:
        """Weighted sums of the inputs, then the map."""
        return _mapped_totals(linear, self.total(weight), _weights(weight, self.nodes))

    def total(self, weight: Tensor) -> Tensor:
        """``(n_graphs, heads, hidden)`` weighted sums over each graph."""
        node, hidden = torch.arange(len(self.hidden), device=weight.device), self.hidden.to(weight.dtype)
        sums = [
            F.embedding_bag(node, hidden, self.nodes.start, mode="sum", per_sample_weights=one.contiguous())
            for one in weight.unbind(1)
        ]
        return torch.stack(sums, dim=1)


def split_projection(linear: nn.Linear, embedding: Tensor, static: Tensor) -> tuple[Tensor, Tensor]:
    """An affine map of ``[embedding | count | static]``: ``(n, out)`` per feature and ``(out,)`` per unit of count."""
    weight, at = linear.weight, embedding.shape[1]
    of_static = F.linear(static, weight[:, at + 1 :], linear.bias)
    return torch.addmm(of_static, embedding, weight[:, :at].T), weight[:, at]


def _by_head(table: Tensor, per_count: Tensor, heads: int, slot: Tensor, count: Tensor) -> Projected:
    d = len(per_count) // heads
    return Projected(table.view(len(table), heads, d), slot, count, per_count.view(heads, d))


def _weights(weight: Tensor, nodes: Nodes) -> Tensor:
    """``(n_graphs, heads)`` sums of the weights of each graph."""
    return weight.new_zeros(len(nodes.size), weight.shape[1]).index_add(0, nodes.graph, weight)


def _mapped_totals(linear: nn.Linear, total: Tensor, weight: Tensor) -> Tensor:
    """The affine map of weighted sums ``(n_graphs, heads, in)`` of inputs that weigh ``(n_graphs, heads)`` together."""
    heads = total.shape[1]
    each = zip(linear.weight.chunk(heads), linear.bias.chunk(heads), strict=True)
    parts = [
        F.linear(total[:, head], matrix) + weight[:, head, None] * bias for head, (matrix, bias) in enumerate(each)
    ]
    return torch.cat(parts, dim=1)
