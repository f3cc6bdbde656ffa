"""Training by several processes at once (``torchrun``): who takes which pairs, and what they sum.

Every process holds all cells and the same network. Of each batch it takes a run of the pairs; the gradients are summed
over the processes before every step, so that the step is that of one process with the whole batch, up to rounding.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from bi2scope.model.batch import GraphBatch


@dataclass(frozen=True, slots=True)
class Ranks:
    """One of the processes that train together.

    Attributes
    ----------
    rank
        Number of this process, from 0.
    size
        Number of processes.
    """

    rank: int = 0
    size: int = 1

    @property
    def first(self) -> bool:
        """Whether this is the process that prints and writes."""
        return self.rank == 0

    def own(self, start: int, stop: int) -> range:
        """Share of ``range(start, stop)`` of this process: runs, in order, equal give or take one."""
        each, more = divmod(stop - start, self.size)
        begin = start + self.rank * each + min(self.rank, more)
        return range(begin, begin + each + (self.rank < more))

    def taken(self, start: int, stop: int) -> range:
        """The own share, or the first of all where it is empty: every process must take part in every step."""
        return self.own(start, stop) or range(start, min(start + 1, stop))

    def total(self, values: Tensor) -> Tensor:
        """Sum of the values of all processes, in place."""
        if self.size > 1:
            torch.distributed.all_reduce(values)
        return values


ALONE = Ranks()
"""One process."""


def first_process() -> bool:
    """Whether this process is to print and write: the only one, or the first that ``torchrun`` started."""
    return int(os.environ.get("WORLD_SIZE", "1")) == 1 or os.environ.get("RANK", "0") == "0"


@contextmanager
def joined(device: torch.device) -> Iterator[Ranks]:
    """Meet the other processes that ``torchrun`` started, if it did; over NCCL on GPUs, over Gloo on CPUs."""
    if not torch.distributed.is_available() or int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield ALONE
        return
    own = not torch.distributed.is_initialized()
    if own:
        torch.distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    yield Ranks(torch.distributed.get_rank(), torch.distributed.get_world_size())
    if own:  # not after an error: a process that fails alone must not wait for the others
        torch.distributed.destroy_process_group()


class LogitsOf(nn.Module):
    """A network's logits without its attention, whose tensors would count as outputs that want a gradient."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, batch: GraphBatch) -> Tensor:
        """``(n_graphs, 2)``."""
        logits: Tensor = self.network(batch)[0]
        return logits


def shared(network: nn.Module, ranks: Ranks, *, unused: bool) -> nn.Module:
    """The network's logits, with gradients that are the mean over the processes.

    Parameters
    ----------
    network
        Its dropout is made to be that of one process.
    ranks
        The processes.
    unused
        Whether parameters may be left without gradient.
    """
    logits = LogitsOf(network)
    if ranks.size == 1:
        return logits
    for module in list(network.modules()):
        for name, child in module.named_children():
            if type(child) is nn.Dropout:
                setattr(module, name, SharedDropout(child.p))
    return DistributedDataParallel(logits, broadcast_buffers=False, find_unused_parameters=unused)


class SharedDropout(nn.Dropout):
    """Dropout of a share of a batch as it would be of the whole batch.

    Every process draws for the whole batch from the same stream and takes its own rows.
    """

    rows: slice = slice(None)
    n_rows: int | None = None

    def forward(self, hidden: Tensor) -> Tensor:
        """``(n_own, d)`` rows of a batch, :attr:`rows` of its :attr:`n_rows`."""
        if not self.training or self.p == 0 or self.n_rows is None:
            return super().forward(hidden)
        kept = hidden.new_empty(self.n_rows, hidden.shape[1]).bernoulli_(1 - self.p).div_(1 - self.p)
        return hidden * kept[self.rows]


def tell_dropout(network: nn.Module, rows: slice, n_rows: int) -> None:
    """Say which rows of a batch of ``n_rows`` come next."""
    for module in network.modules():
        if isinstance(module, SharedDropout):
            module.rows, module.n_rows = rows, n_rows


def plain_dropout(network: nn.Module) -> None:
    """Put back the dropout of a network that was trained by several processes."""
    for module in list(network.modules()):
        for name, child in module.named_children():
            if isinstance(child, SharedDropout):
                setattr(module, name, nn.Dropout(child.p))
