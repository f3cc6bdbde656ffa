"""The dense twin of the whole network: one cell at a time, an N x M matrix, a mask, nothing factored."""

import torch
from torch.nn.functional import linear, one_hot


def dense_inputs(network, graph):
    """(N, in) genes and (M, in) peaks of a graph, and (N, M) which of their pairs are candidates."""
    p, layout, config = dict(network.named_parameters()), network.layout, network.config
    dtype = p["fc1.weight"].dtype
    gene, peak = torch.from_numpy(graph.gene_index), torch.from_numpy(graph.peak_index)
    gene_chrom, peak_chrom = (torch.from_numpy(c) for c in (layout.gene_chromosome, layout.peak_chromosome))
    same = gene_chrom[gene][:, None] == peak_chrom[peak]
    if layout.window is not None:
        tss, middle = (torch.from_numpy(at) for at in (layout.window.gene_tss, layout.window.peak_middle))
        same &= (middle[peak] - tss[gene][:, None]).abs() <= config.max_distance
    counts = [torch.from_numpy(c).to(dtype)[:, None] for c in (graph.gene_count, graph.peak_count)]
    if config.counts == "log1p":
        counts = [torch.log1p(count) for count in counts]
    n = layout.n_chromosomes
    x = torch.cat(
        [
            p["rna_idembedding.weight"][gene],
            counts[0],
            one_hot(gene_chrom[gene], n).to(dtype),
            torch.from_numpy(layout.gene_attributes).to(dtype)[gene],
        ],
        1,
    )
    y = torch.cat([p["atac_idembedding.weight"][peak], counts[1], one_hot(peak_chrom[peak], n).to(dtype)], 1)
    return x, y, same


def dense_forward(network, graph):
    """(1, 2) logits, and of each layer logits and weights (heads, N, M), from the network's own parameters."""
    p, config = dict(network.named_parameters()), network.config
    x, y, same = dense_inputs(network, graph)
    attentions = []
    for i in range(config.layers):
        x_new, y_new, logit, weight = dense_layer(p, f"cross_attention_layers.{i}.", config.heads, x, y, same)
        x, y = (x_new + x, y_new + y) if i else (x_new, y_new)
        attentions.append((logit, weight))
    hidden = torch.cat([x.mean(0), y.mean(0)])[None]
    for name in ("fc1", "fc2"):
        hidden = torch.relu(linear(hidden, p[f"{name}.weight"], p[f"{name}.bias"]))
    return linear(hidden, p["fc3.weight"], p["fc3.bias"]), attentions


def dense_layer(p, prefix, heads, x, y, same):
    """One layer on (N, in) genes and (M, in) peaks."""

    def project(name, nodes):
        return linear(nodes, p[f"{prefix}{name}.weight"], p[f"{prefix}{name}.bias"])

    def split(nodes):
        return nodes.unflatten(1, (heads, -1)).transpose(0, 1)  # (heads, n, d)

    logit = split(project("rna_query", x)) @ split(project("atac_key", y)).mT
    weight = dense_weight(logit, same)
    to_gene = (weight @ split(project("atac_value", y))).transpose(0, 1).flatten(1)
    to_peak = (weight.mT @ split(project("rna_value", x))).transpose(0, 1).flatten(1)
    if heads > 1:
        to_gene, to_peak = project("rna_out_proj", to_gene), project("atac_out_proj", to_peak)
    x_new = project("dim_reduction_rna", torch.cat([to_gene, project("rna_self_attention", x)], 1))
    y_new = project("dim_reduction_atac", torch.cat([to_peak, project("atac_self_attention", y)], 1))
    return x_new, y_new, logit, weight


def dense_weight(logit, same, places=10):
    """(heads, N, M) pruned attention: the ten highest logits over all peaks, 0 elsewhere, softmax of their scores."""
    masked = torch.where(same, logit, 0.0)
    top = masked.sort(dim=-1, descending=True, stable=True).indices[..., :places]
    score = torch.sigmoid(masked).gather(-1, top)
    share = torch.where(score > 0.5, torch.softmax(score, -1), 0.0)
    return torch.zeros_like(masked).scatter(-1, top, share)
