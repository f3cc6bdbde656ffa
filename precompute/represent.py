"""What the model reads out of cells: their pooled representation, and whether it takes them for matched."""

from __future__ import annotations

from dataclasses import dataclass

import h5py
import numpy as np
import numpy.typing as npt
import torch

from bi2scope.data.graph import cell_graph
from bi2scope.data.multiome import Multiome
from bi2scope.data.store import schema
from bi2scope.data.store.tables import write_array
from bi2scope.model.batch import collate
from bi2scope.model.checkpoint import Trained
from bi2scope.precompute.counts_file import CountsFile

_CELLS_AT_ONCE = 16
"""Cells of one batch. Sums of floats depend on what is in a batch, so batches are the same whatever the shards."""

_MATCHED = "matched"


@dataclass(frozen=True)
class Representation:
    """What the model reads out of some cells.

    Attributes
    ----------
    pooled
        ``(n_cells, 2 * hidden)`` mean over the genes, then mean over the peaks: what the read-out takes.
    matched
        ``(n_cells,)`` probability that RNA and ATAC are of one cell, which they are.
    """

    pooled: npt.NDArray[np.float32]
    matched: npt.NDArray[np.float32]

    def __getitem__(self, cells: slice) -> Representation:
        """That of some of the cells."""
        return Representation(self.pooled[cells], self.matched[cells])

    def write(self, file: h5py.File) -> None:
        """Put it into the part of a shard."""
        write_array(file, schema.POOLED, self.pooled)
        write_array(file, _MATCHED, self.matched)

    @classmethod
    def read(cls, file: h5py.File) -> Representation:
        """Take it out of the part of a shard."""
        return cls(file[schema.POOLED][:], file[_MATCHED][:])

    @classmethod
    def joined(cls, parts: list[Representation]) -> Representation:
        """That of the cells of all parts, one part after the other."""
        return cls(np.concatenate([part.pooled for part in parts]), np.concatenate([part.matched for part in parts]))


def represent_shard(trained: Trained, counts: CountsFile, first: int, stop: int) -> Representation:
    """That of the cells ``first`` to ``stop``, to the bit the same in whatever shard they are.

    Batches begin at multiples of their size, so that those at the ends of a shard may hold cells of its neighbours.
    """
    begin = first // _CELLS_AT_ONCE * _CELLS_AT_ONCE
    end = min(-(-stop // _CELLS_AT_ONCE) * _CELLS_AT_ONCE, counts.n_cells)
    return represent(trained, counts.cells(begin, end))[first - begin : stop - begin]


@torch.inference_mode()
def represent(trained: Trained, multiome: Multiome) -> Representation:
    """What the model reads out of each cell.

    Parameters
    ----------
    trained
        The model.
    multiome
        Cells over its features (:meth:`Trained.align`).
    """
    network, layout, parts = trained.network, trained.network.layout, []
    for first in range(0, multiome.n_cells, _CELLS_AT_ONCE):
        cells = range(first, min(first + _CELLS_AT_ONCE, multiome.n_cells))
        graphs = [cell_graph(multiome, cell, cell) for cell in cells]
        batch = collate(graphs, layout.gene_chromosome, layout.peak_chromosome, layout.window)
        mean_gene, mean_peak, _ = network.means(batch, trained.tables)
        matched = torch.softmax(network.read_out(mean_gene, mean_peak), dim=1)[:, 1]
        parts.append(Representation(torch.cat([mean_gene, mean_peak], dim=1).numpy(), matched.numpy()))
    return Representation.joined(parts)
