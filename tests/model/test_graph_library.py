"""The messages and the read-out against torch-geometric: bipartite message passing over the surviving links.

torch-geometric is the readable reference. The network itself takes the same sums with ``embedding_bag`` and matrix
products, several times faster on a CPU (``make bench ONLY=train_step``), and the means before the affine maps.
"""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from networks import random_graph, random_layout, random_network

from bi2scope.model.batch import collate
from bi2scope.model.config import ModelConfig

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # torch_geometric calls functions that torch has deprecated
    from torch_geometric.data import Batch, HeteroData
    from torch_geometric.nn import SimpleConv, global_mean_pool


@pytest.mark.parametrize("seed", range(5))
def test_one_layer_is_weighted_bipartite_message_passing_and_mean_pooling(seed: int) -> None:
    rng = np.random.default_rng(seed)
    layout = random_layout(rng, 15, 50, 3)
    network = random_network(seed, ModelConfig(id_dim=4, hidden=6, dropout=0), layout)
    graphs = [random_graph(rng, layout) for _ in range(3)]
    batch = collate(graphs, layout.gene_chromosome, layout.peak_chromosome).to("cpu", torch.float64)
    with torch.no_grad():
        logits, (attention,) = network(batch)
        genes, peaks = network.inputs(batch)
        layer, flat = network.layers[0], attention.links()
        links = torch.stack([flat.peak, flat.gene])  # from peak to gene
        value_gene, value_peak = genes.project(layer.rna_value), peaks.project(layer.atac_value)
        add = SimpleConv(aggr="sum")  # sum over links of weight times what the sender holds
        to_gene = add((value_peak, value_gene), links, flat.weight)
        to_peak = add((value_gene, value_peak), links.flip(0), flat.weight)
        self_gene, self_peak = genes.project(layer.rna_self_attention), peaks.project(layer.atac_self_attention)
        of_gene = torch.repeat_interleave(torch.arange(3), batch.genes.size)
        of_peak = torch.repeat_interleave(torch.arange(3), batch.peaks.size)
        mean_gene = global_mean_pool(layer.dim_reduction_rna(torch.cat([to_gene, self_gene], dim=1)), of_gene)
        mean_peak = global_mean_pool(layer.dim_reduction_atac(torch.cat([to_peak, self_peak], dim=1)), of_peak)
        expected = network.read_out(mean_gene, mean_peak)
    torch.testing.assert_close(logits, expected)
    assert attention.weight.gt(0).any()


def test_graphs_stand_in_a_batch_as_torch_geometric_puts_them() -> None:
    rng = np.random.default_rng(3)
    layout = random_layout(rng, 12, 30, 4)
    graphs = [random_graph(rng, layout) for _ in range(4)]
    batch = collate(graphs, layout.gene_chromosome, layout.peak_chromosome)
    data = []
    for graph in graphs:
        one = HeteroData()
        one["gene"].x = torch.from_numpy(graph.gene_count)
        one["peak"].x = torch.from_numpy(graph.peak_count)
        data.append(one)
    together = Batch.from_data_list(data)
    for kind, nodes in (("gene", batch.genes), ("peak", batch.peaks)):
        torch.testing.assert_close(nodes.count, together[kind].x, check_dtype=False)
        torch.testing.assert_close(nodes.start, together[kind].ptr[:-1])
