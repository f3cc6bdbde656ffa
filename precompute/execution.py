"""How the tasks of a store are done: in this process, in several, or on a cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bi2scope.data.errors import ConfigurationError
from bi2scope.precompute.shards import Task
from bi2scope.precompute.workers import Processes, cores, perform_here

Performer = Callable[[Sequence[Task]], Iterable[tuple[Task, Path]]]
"""Does tasks; each with its file as it is done, in any order."""


@dataclass(frozen=True)
class Execution:
    """How the work is done, which changes nothing of the store.

    Parameters
    ----------
    workers
        Processes that do it; 0 is this one, ``None`` as many as there are cores, or this one for few cells.
    threads
        Threads of each, for the links of models of one layer.
    resume
        Go on with a run for the same store that was stopped; begin where there is none.
    scheduler
        Address of a Dask scheduler whose workers do the work instead.

    Raises
    ------
    ConfigurationError
        If a number is out of its range.
    """

    workers: int | None = 0
    threads: int = 1
    resume: bool = False
    scheduler: str | None = None

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 0:
            raise ConfigurationError(f"workers is {self.workers}; it counts processes, and 0 is this process alone.")
        if self.threads < 1:
            raise ConfigurationError(f"threads is {self.threads}; it must be 1 or more.")

    @property
    def n_workers(self) -> int:
        """Processes of this machine."""
        return cores() if self.workers is None else self.workers


@contextmanager
def performer(execution: Execution, folder: Path, n_cells: int) -> Iterator[Performer]:
    """Who does the tasks: a cluster that sees the work folder, processes, or this process itself."""
    alone = execution.n_workers == 0 or (execution.workers is None and n_cells <= FEW_CELLS)
    if execution.scheduler is not None:
        from bi2scope.precompute.cluster import connected, perform_on_cluster

        with connected(execution.scheduler, folder) as client:
            yield partial(perform_on_cluster, client=client)
    elif alone:
        yield perform_here
    else:
        with Processes(execution.n_workers) as processes:
            yield processes


FEW_CELLS = 1_500
"""Cells that are done sooner than processes have started, which takes each some seconds."""
