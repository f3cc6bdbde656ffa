"""Batches of pairs for the network, in order, made beside it by worker processes if there are any.

A graph is built from the counts when its batch is, and is never written to disk.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from bi2scope.data.graph import CellGraph, cell_graph
from bi2scope.data.multiome import Multiome
from bi2scope.data.pairs import Pairs
from bi2scope.model.batch import GraphBatch, collate
from bi2scope.model.distributed import ALONE, Ranks
from bi2scope.model.network import FeatureLayout

Ints = npt.NDArray[np.int64]

FORK = "fork" if sys.platform == "linux" else None
"""How workers start: forked, they share the counts with the process that trains; elsewhere each has a copy."""


@dataclass(frozen=True)
class NodeDropout:
    """Leave out a share of the genes and of the peaks of every graph, by one stream of random numbers.

    A node takes one number of the stream, so that the place of every pair in it is known beforehand and whoever makes
    a batch jumps there: a batch does not depend on who makes it, or on which batches were made before.

    Attributes
    ----------
    share
        Left out on average; one gene and one peak of each graph stay.
    state
        The stream: state of a :class:`numpy.random.PCG64` at the first node of the first pair.
    """

    share: float
    state: Any

    @classmethod
    def of(cls, share: float, rng: np.random.Generator, n_numbers: int) -> NodeDropout:
        """Take the next ``n_numbers`` of a generator, which goes on behind them, as if they had been drawn."""
        state = rng.bit_generator.state
        rng.bit_generator.state = _ahead(state, n_numbers).state
        return cls(share, state)

    def __call__(self, graphs: Sequence[CellGraph], place: int) -> list[CellGraph]:
        """The graphs without the nodes left out; their first node has the number at ``place``."""
        rng = np.random.Generator(_ahead(self.state, place))
        return [self._thinned(graph, rng) for graph in graphs]

    def _thinned(self, graph: CellGraph, rng: np.random.Generator) -> CellGraph:
        genes, peaks = (self._kept(rng.random(len(nodes))) for nodes in (graph.gene_index, graph.peak_index))
        return CellGraph(
            graph.gene_index[genes], graph.gene_count[genes], graph.peak_index[peaks], graph.peak_count[peaks]
        )

    def _kept(self, number: npt.NDArray[np.float64]) -> Ints:
        """Places of the nodes that stay: the one with the highest number if no other does."""
        kept = np.flatnonzero(number >= self.share)
        return kept if len(kept) else np.array([number.argmax()])


def _ahead(state: Any, n_numbers: int) -> np.random.PCG64:
    """A stream ``n_numbers`` doubles further on."""
    stream = np.random.PCG64()
    stream.state = state
    stream.advance(n_numbers)  # forgets the half of a number that draws of small integers keep for later
    stream.state = {**stream.state, "has_uint32": state["has_uint32"], "uinteger": state["uinteger"]}
    return stream


@dataclass(frozen=True)
class _BatchOfPairs:
    """Makes the batch of the pairs at some positions: what a worker calls."""

    multiome: Multiome
    layout: FeatureLayout
    pairs: Pairs
    place: Ints  # (n_pairs,) number of nodes before each pair
    dropout: NodeDropout | None
    packed: bool

    def __call__(self, positions: list[int]) -> Any:
        made = self.made(positions)
        return _arrays(made) if self.packed else made

    def made(self, positions: list[int]) -> tuple[GraphBatch, Tensor]:
        """The batch and its labels."""
        pairs = self.pairs.take(positions)
        graphs = [
            cell_graph(self.multiome, int(rna), int(atac))
            for rna, atac in zip(pairs.rna_cell, pairs.atac_cell, strict=True)
        ]
        if self.dropout is not None:
            graphs = self.dropout(graphs, int(self.place[positions[0]]))
        layout = self.layout
        batch = collate(graphs, layout.gene_chromosome, layout.peak_chromosome, layout.window)
        return batch, torch.from_numpy(pairs.label)


class PairLoader:
    """Batches of pairs in the order of the pairs, the same whatever the number of workers.

    Parameters
    ----------
    multiome
        The cells, over the model's features.
    layout
        The model's features.
    batch_size
        Pairs in a batch; the last may be smaller.
    workers
        Processes that make batches ahead of their use; with 0 the calling process makes each when it is asked for.
        Forked workers (Linux) share the counts with the calling process, elsewhere each has its copy. On a CPU a
        step takes far longer than the making of its batch, and workers do not pay (``make bench ONLY=loader``).
    ranks
        The processes that train together: of each batch comes the share :meth:`Ranks.taken`.
    """

    def __init__(
        self, multiome: Multiome, layout: FeatureLayout, batch_size: int, workers: int = 0, ranks: Ranks = ALONE
    ) -> None:
        self.multiome, self.layout, self.batch_size = multiome, layout, batch_size
        self.workers, self.ranks = workers, ranks

    def bounds(self, pairs: Pairs) -> list[tuple[int, int]]:
        """First position and end of every batch among the pairs."""
        n = len(pairs)
        return [(start, min(start + self.batch_size, n)) for start in range(0, n, self.batch_size)]

    def batches(
        self, pairs: Pairs, *, node_dropout: float = 0.0, rng: np.random.Generator | None = None, first: int = 0
    ) -> Iterator[tuple[GraphBatch, Tensor]]:
        """Batches and their ``(batch_size,)`` labels, pair after pair.

        Parameters
        ----------
        pairs
            What to batch.
        node_dropout
            Share of the nodes of each graph to leave out (:class:`NodeDropout`).
        rng
            Source of that choice, over :class:`numpy.random.PCG64` (``numpy.random.default_rng``); a node of the
            pairs takes one of its numbers.
        first
            Batch to begin with; those that come are the same as if all had come.
        """
        ends = np.cumsum(_row_sizes(self.multiome, pairs))
        dropout = None
        if node_dropout > 0 and rng is not None:
            dropout = NodeDropout.of(node_dropout, rng, int(ends[-1]) if len(ends) else 0)
        place = np.concatenate(([0], ends[:-1]))
        positions = [list(self.ranks.taken(*bounds)) for bounds in self.bounds(pairs)[first:]]
        make = _BatchOfPairs(self.multiome, self.layout, pairs, place, dropout, packed=self.workers > 0)
        return self._run(make, positions)

    def _run(self, make: _BatchOfPairs, positions: list[list[int]]) -> Iterator[tuple[GraphBatch, Tensor]]:
        loader: DataLoader[Any] = DataLoader(
            range(len(make.pairs)),  # type: ignore[arg-type]
            batch_sampler=positions,
            collate_fn=make,
            num_workers=self.workers,
            multiprocessing_context=FORK if self.workers else None,
            generator=torch.Generator(),  # else each pass takes a number of torch's own stream
        )
        with warnings.catch_warnings():
            # Python 3.12 warns of a fork beside threads; a worker touches arrays alone and takes no lock of theirs
            warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
            batches = iter(loader)
        return map(_tensors, batches) if self.workers else batches


def _arrays(part: Any) -> Any:
    """The same with arrays in place of tensors, to be passed on by a worker.

    As bytes through a pipe: a batch has a hundred tensors, and to share each, as torch would, costs more than a copy.
    """
    return _mapped(part, Tensor, lambda tensor: tensor.numpy())


def _tensors(part: Any) -> Any:
    """The same with tensors in place of arrays, over the arrays' memory."""
    return _mapped(part, np.ndarray, torch.from_numpy)


def _mapped(part: Any, kind: type, change: Callable[[Any], Any]) -> Any:
    """A batch, or a part of one, with every array of a kind changed."""
    if isinstance(part, kind):
        return change(part)
    if isinstance(part, tuple):
        return tuple(_mapped(one, kind, change) for one in part)
    if is_dataclass(part) and not isinstance(part, type):
        return replace(part, **{f.name: _mapped(getattr(part, f.name), kind, change) for f in fields(part)})
    return part


def _row_sizes(multiome: Multiome, pairs: Pairs) -> Ints:
    """``(n_pairs,)`` nodes of each graph."""
    sizes: Ints = np.diff(multiome.rna.indptr).astype(np.int64)[pairs.rna_cell]
    sizes += np.diff(multiome.atac.indptr).astype(np.int64)[pairs.atac_cell]
    return sizes
