"""The dense twin of a first layer's logits: the paper's formula on one cell, from the published parameter names."""

import numpy as np


def dense_logits(trained, graph):
    """(heads, N, M) logits q . k of one cell's genes and peaks, whatever their chromosomes."""
    weight = {name: tensor.numpy().astype(np.float64) for name, tensor in trained.network.state_dict().items()}
    layout, log1p = trained.network.layout, trained.model_config.counts == "log1p"
    one_hot = np.eye(layout.n_chromosomes)

    def projected(kind, linear, index, count, static):
        count = np.log1p(count) if log1p else count
        nodes = np.hstack([weight[f"{kind}_idembedding.weight"][index], count[:, None], static[index]])
        prefix = f"cross_attention_layers.0.{linear}"
        return nodes @ weight[f"{prefix}.weight"].T + weight[f"{prefix}.bias"]

    gene_static = np.hstack([one_hot[layout.gene_chromosome], layout.gene_attributes])
    query = projected("rna", "rna_query", graph.gene_index, graph.gene_count, gene_static)
    key = projected("atac", "atac_key", graph.peak_index, graph.peak_count, one_hot[layout.peak_chromosome])
    heads = trained.model_config.heads
    return np.einsum("nhd,mhd->hnm", query.reshape(len(query), heads, -1), key.reshape(len(key), heads, -1))
