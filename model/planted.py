"""How well attention finds the planted links of simulated cells.

Planted links are compared with other pairs of a gene and a peak of the same chromosome and about the same distance, so
that nothing is gained by knowing that links are short. What is measured is the area under the precision-recall curve
(AUPRC), beside its base rate, the share of planted pairs: what an order by chance has.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from bi2scope.data.errors import ConfigurationError, DatasetError
from bi2scope.data.graph import CellGraph, cell_graph
from bi2scope.data.multiome import Multiome
from bi2scope.data.regions import tss
from bi2scope.model.batch import collate
from bi2scope.model.checkpoint import Trained
from bi2scope.model.network import Bi2Former

DISTANCE_BINS = 10
"""Bins of like distance, by quantiles of the planted links' distances."""

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Candidates:
    """Pairs of a gene and a peak, planted and not.

    Attributes
    ----------
    gene, peak
        ``(n_pairs,)`` positions.
    planted
        ``(n_pairs,)`` whether the pair is a planted link.
    """

    gene: Ints
    peak: Ints
    planted: npt.NDArray[np.bool_]


def candidates(
    links: pd.DataFrame, genes: pd.DataFrame, peaks: pd.DataFrame, rng: np.random.Generator, per_link: int = 10
) -> Candidates:
    """The planted links, and for each up to ``per_link`` other pairs of its chromosome and bin of distance.

    Parameters
    ----------
    links
        Truth table with ``gene_id`` and ``peak``; links of genes or peaks that are not in the tables are left out.
    genes, peaks
        Tables in the model's order (:class:`~bi2scope.model.checkpoint.Trained`).
    rng
        Source of the draw of other pairs.
    per_link
        Other pairs wanted for each link.

    Raises
    ------
    DatasetError
        If none of the links is of the genes and peaks.
    """
    gene = genes.index.get_indexer(pd.Index(links["gene_id"]))
    peak = peaks.index.get_indexer(pd.Index(links["peak"]))
    known = (gene >= 0) & (peak >= 0)
    if not known.any():
        raise DatasetError(
            f"None of the {len(links):,} planted links is of the model's genes and peaks.",
            "Give the truth_links.csv of the simulation that the model was trained on.",
        )
    site, middle = tss(genes), ((peaks["start"] + peaks["end"]) // 2).to_numpy(np.int64)
    planted = np.sort(gene[known] * np.int64(len(peaks)) + peak[known])
    distance = np.abs(middle[planted % len(peaks)] - site[planted // len(peaks)])
    edges = np.quantile(distance, np.linspace(0, 1, DISTANCE_BINS + 1))
    gene_chrom, peak_chrom = genes["chrom"].to_numpy(), peaks["chrom"].to_numpy()
    drawn = []
    for chromosome in pd.unique(gene_chrom):
        rows, columns = np.flatnonzero(gene_chrom == chromosome), np.flatnonzero(peak_chrom == chromosome)
        apart = np.abs(middle[columns][None] - site[rows][:, None])  # (genes, peaks) of the chromosome
        i, j = np.nonzero((apart >= edges[0]) & (apart <= edges[-1]))
        pair = rows[i] * np.int64(len(peaks)) + columns[j]
        place = np.minimum(np.searchsorted(edges, apart[i, j], side="right") - 1, DISTANCE_BINS - 1)
        drawn.append(_like(pair, place, np.isin(pair, planted), rng, per_link))
    pair = np.sort(np.concatenate(drawn))
    return Candidates(pair // len(peaks), pair % len(peaks), np.isin(pair, planted))


def _like(pair: Ints, place: Ints, planted: npt.NDArray[np.bool_], rng: np.random.Generator, per_link: int) -> Ints:
    """The planted pairs of a chromosome, and others bin by bin."""
    parts = [pair[planted]]
    for number in range(DISTANCE_BINS):
        here = place == number
        others = rng.permutation(pair[here & ~planted])
        parts.append(others[: per_link * int((here & planted).sum())])
    return np.concatenate(parts)


@torch.no_grad()
def pair_attention(trained: Trained, multiome: Multiome, pairs: Candidates, cells: Ints) -> pd.DataFrame:
    """What a model of one layer and head makes of pairs, over the cells where gene and peak are both seen.

    Parameters
    ----------
    trained
        The model.
    multiome
        The cells.
    pairs
        Pairs, positions in the model's genes and peaks.
    cells
        Positions of the cells to go through.

    Returns
    -------
    DataFrame
        Row for row with the pairs: ``n_cells`` in which gene and peak are both seen; ``score``, their mean score there;
        ``weight``, the mean of the pruned attention; ``lift``, the score less the mean that the peak has over all genes
        of the chromosome; ``accessibility``, the share of the cells in which the peak is open. NaN where there is no
        such cell.

    Raises
    ------
    ConfigurationError
        If the model has more than one layer or head.
    """
    config = trained.model_config
    if (config.layers, config.heads) != (1, 1):
        raise ConfigurationError(
            f"The model has {config.layers} layers and {config.heads} heads; one of each was wanted."
        )
    known, network = trained.align(multiome), trained.network.eval()
    of_pair, of_peak = np.zeros((3, len(pairs.gene))), np.zeros((2, len(trained.peaks)))
    for cell in cells:
        graph = cell_graph(known, int(cell), int(cell))
        if len(graph.gene_index) and len(graph.peak_index):
            score, weight, same = _of_cell(network, graph)
            of_peak[:, graph.peak_index] += (score * same).sum(axis=0), same.sum(axis=0)
            gene, peak = _place(graph.gene_index, pairs.gene), _place(graph.peak_index, pairs.peak)
            seen = np.flatnonzero((gene >= 0) & (peak >= 0))
            at = gene[seen], peak[seen]
            of_pair[:, seen] += score[at], weight[at], np.ones(len(seen))
    with np.errstate(invalid="ignore"):
        mean, usual = of_pair[:2] / of_pair[2], of_peak[0] / of_peak[1]
    return pd.DataFrame(
        {
            "n_cells": of_pair[2].astype(np.int64),
            "score": mean[0],
            "weight": mean[1],
            "lift": mean[0] - usual[pairs.peak],
            "accessibility": np.asarray((known.atac[cells] > 0).mean(axis=0)).ravel()[pairs.peak],
        }
    )


def _of_cell(network: Bi2Former, graph: CellGraph) -> tuple[Floats, Floats, npt.NDArray[np.bool_]]:
    """``(n_genes, n_peaks)`` scores, weights, and which pairs are of one chromosome, of a cell's genes and peaks."""
    layout = network.layout
    batch = collate([graph], layout.gene_chromosome, layout.peak_chromosome, layout.window)
    attention = network.attention(batch)[0]
    query, key = attention.query.nodes()[:, 0], attention.key.nodes()[:, 0]
    score = torch.sigmoid(query @ key.T).double().numpy()
    links, weight = attention.links(), np.zeros_like(score)
    weight[links.gene.numpy(), links.peak.numpy()] = links.weight.double().numpy()
    same = layout.gene_chromosome[graph.gene_index][:, None] == layout.peak_chromosome[graph.peak_index][None]
    return score, weight, same


def _place(among: Ints, wanted: Ints) -> Ints:
    """Places of some numbers in an ascending array; -1 where it lacks one."""
    place = np.minimum(np.searchsorted(among, wanted), len(among) - 1)
    found: Ints = np.where(among[place] == wanted, place, -1)
    return found
