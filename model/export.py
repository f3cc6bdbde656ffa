"""One cell as a graph of torch-geometric, for those who have models of their own in it."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch

from bi2scope.data.errors import DatasetError
from bi2scope.data.graph import cell_graph
from bi2scope.data.multiome import Multiome
from bi2scope.model.features import gene_attributes

if TYPE_CHECKING:
    from torch_geometric.data import HeteroData

EDGE = ("gene", "same_chromosome", "peak")
"""Type of the edges: a gene and a peak of one chromosome, the pairs that may attend to one another."""

Ints = npt.NDArray[np.int64]


def hetero_data(multiome: Multiome, cell: int, *, edges: bool = True) -> HeteroData:
    """The graph of one cell as ``torch_geometric.data.HeteroData``.

    Nodes are the cell's genes and peaks that are not zero, in genome order. Both types of node have

    - ``x``, float32: ``(n_genes, 5)`` count, means, variances_norm, strand (+ is 1) and highly_variable, as they are;
      ``(n_peaks, 1)`` count, followed by the 256 bases when the data set carries sequences;
    - ``feature``, ``(n,)`` int64: position among the data set's genes or peaks, for an ID embedding;
    - ``chromosome``, ``(n,)`` int64: code of the chromosome in ``multiome.chromosomes``;
    - ``name``: list of gene ids or of peaks.

    The graph itself has ``cell`` and ``cell_type``, both text.

    Parameters
    ----------
    multiome
        The cells.
    cell
        Position of the cell.
    edges
        Whether to add the ``edge_index`` ``(2, n_edges)`` of :data:`EDGE`, by gene and then by peak: some hundred
        thousand edges for a cell of thousands of peaks.

    Raises
    ------
    DatasetError
        If there is no such cell.
    """
    if not 0 <= cell < multiome.n_cells:
        raise DatasetError(f"There is no cell {cell}: the data set has {multiome.n_cells:,}, counted from 0.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # at import it calls what torch has deprecated
        from torch_geometric.data import HeteroData

    graph = cell_graph(multiome, cell, cell)
    genes, peaks = multiome.genes.iloc[graph.gene_index], multiome.peaks.iloc[graph.peak_index]
    bases = [] if multiome.peak_dna is None else [multiome.peak_dna[graph.peak_index]]
    data = HeteroData()
    data.cell, data.cell_type = str(multiome.cells.index[cell]), str(multiome.cells["cell_type"].iloc[cell])
    gene_x = np.column_stack([graph.gene_count, gene_attributes(genes)])
    peak_x = np.column_stack([graph.peak_count, *bases])
    for kind, table, feature, chromosome, x in (
        ("gene", genes, graph.gene_index, multiome.gene_chromosome, gene_x),
        ("peak", peaks, graph.peak_index, multiome.peak_chromosome, peak_x),
    ):
        data[kind].x = torch.from_numpy(x.astype(np.float32))
        # Not "feature_index": torch-geometric shifts whatever is named an index when it makes a batch
        data[kind].feature = torch.from_numpy(feature)
        data[kind].chromosome = torch.from_numpy(chromosome[feature])
        data[kind].name = [str(name) for name in table.index]
    if edges:
        pairs = same_chromosome(data["gene"].chromosome.numpy(), data["peak"].chromosome.numpy())
        data[EDGE].edge_index = torch.from_numpy(pairs)
    return data


def same_chromosome(gene: Ints, peak: Ints) -> Ints:
    """``(2, n_edges)`` pairs of a gene and a peak with the same chromosome, by gene and then by peak.

    Parameters
    ----------
    gene, peak
        ``(n_genes,)`` and ``(n_peaks,)`` codes of chromosomes, non-decreasing.
    """
    first = np.searchsorted(peak, gene, side="left")  # a gene's peaks are a run
    size = np.searchsorted(peak, gene, side="right") - first
    begin = np.cumsum(size) - size
    place = np.arange(size.sum()) - np.repeat(begin, size)
    return np.stack([np.repeat(np.arange(len(gene)), size), np.repeat(first, size) + place])
