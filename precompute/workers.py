"""Worker processes on this machine."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Self

from bi2scope.data.errors import StoreError
from bi2scope.precompute.shards import Task, perform

ATTEMPTS = 3
"""How often in a row workers may be killed before anything more is done."""

Done = tuple[Task, Path]


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def perform_here(tasks: Sequence[Task]) -> Iterator[Done]:
    """Do tasks one after another in this process; each with its file as it is done."""
    for task in tasks:
        yield task, perform(task)


class Processes:
    """Processes that do tasks; a context manager, called with tasks.

    They end when this process does, however it ends. When one of them is killed, what was not done is done again.

    Parameters
    ----------
    workers
        How many.
    """

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._start()

    def _start(self) -> None:
        # A fork would copy locks that threads of this process hold; a spawned process starts afresh.
        context = multiprocessing.get_context("spawn")
        self._lifeline, self._held = context.Pipe(duplex=False)
        self._pool = ProcessPoolExecutor(self._workers, context, initializer=_begin, initargs=(self._lifeline,))
        for _ in range(self._workers):  # they take seconds to start: let them
            self._pool.submit(os.getpid)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._held.close()  # whoever still works ends now
        self._pool.shutdown(cancel_futures=True)
        self._lifeline.close()

    def __call__(self, tasks: Sequence[Task]) -> Iterator[Done]:
        """Do tasks; each with its file as it is done, in any order.

        Raises
        ------
        StoreError
            If processes are killed again and again.
        """
        remaining, attempt = list(tasks), 0
        while remaining:
            try:
                futures = {self._pool.submit(perform, task): task for task in remaining}
                for future in as_completed(futures):
                    path = future.result()
                    remaining.remove(futures[future])
                    attempt = 0
                    yield futures[future], path
            except BrokenProcessPool as error:
                attempt += 1
                self.__exit__()
                if attempt == ATTEMPTS:
                    raise StoreError(
                        f"A worker process was killed {ATTEMPTS} times in a row, the last time on {remaining[0].stem}.",
                        "Was the memory used up? Try again with fewer --workers.",
                    ) from error
                self._start()


def _begin(lifeline: Connection) -> None:
    """Set up a worker: Ctrl-C is for the main process, and the worker ends with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(lifeline,), daemon=True).start()


def _end_with(lifeline: Connection) -> None:
    """Nothing is ever sent: to read ends when the other side is closed, by its holder or by its holder's end."""
    try:
        lifeline.recv_bytes()
    except (EOFError, OSError):
        os._exit(1)
