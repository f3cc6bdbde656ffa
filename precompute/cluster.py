"""Tasks on a Dask cluster that is there already, over a shared file system."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bi2scope.data.errors import ConfigurationError, StoreError
from bi2scope.precompute.shards import Task, perform

if TYPE_CHECKING:
    from distributed import Client

TIMEOUT_SECONDS = 20
"""How long a scheduler may take to answer, and its first worker to come."""


def perform_on_cluster(tasks: Sequence[Task], client: Client) -> Iterator[tuple[Task, Path]]:
    """Do tasks on the workers of a cluster; each with its file as it is done, in any order.

    The scheduler gives what a lost worker was doing to another one.

    Raises
    ------
    StoreError
        If workers are lost again and again.
    """
    from distributed import KilledWorker, as_completed

    futures = {client.submit(perform, task, pure=False): task for task in tasks}
    try:
        for future in as_completed(list(futures)):  # type: ignore[no-untyped-call]
            yield futures[future], future.result()
    except KilledWorker as error:
        raise StoreError(
            f"The cluster lost every worker that was given {futures[future].stem}.",
            "Was their memory used up? Give them more, or fewer tasks at a time.",
        ) from error
    finally:
        client.cancel(list(futures), reason="precompute has ended")  # type: ignore[no-untyped-call]


@contextmanager
def connected(address: str, folder: Path) -> Iterator[Client]:
    """A client of the scheduler at an address, whose workers were asked whether they can do the work.

    Raises
    ------
    ConfigurationError
        If no scheduler answers, or it has no worker, or a worker lacks this version of bi2scope or the folder.
    """
    from distributed import Client

    try:
        client = Client(address, timeout=TIMEOUT_SECONDS, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, TimeoutError, ValueError) as error:
        raise ConfigurationError(
            f"No Dask scheduler answers at {address} ({_first_line(error)}).",
            "Start one with `dask scheduler`, and workers with `dask worker`, and give its tcp:// address.",
        ) from error
    with client, client.as_current():
        _check_workers(client, address, folder)
        yield client


def _check_workers(client: Client, address: str, folder: Path) -> None:
    try:
        client.wait_for_workers(1, timeout=TIMEOUT_SECONDS)
    except TimeoutError as error:
        raise ConfigurationError(f"The scheduler at {address} has no worker.", "Start some: dask worker.") from error
    try:
        found: dict[str, Any] = client.run(look_around, str(folder))
    except ImportError as error:
        raise ConfigurationError(
            f"A worker of {address} cannot import bi2scope ({_first_line(error)}).",
            f"Install bi2scope {version('bi2scope')} with its extras model and cluster there.",
        ) from error
    for worker, (theirs, sees) in found.items():
        if theirs != version("bi2scope"):
            raise ConfigurationError(f"{worker} has bi2scope {theirs}, here is {version('bi2scope')}.")
        if not sees:
            raise ConfigurationError(
                f"{worker} does not see {folder}.", "Workers need the target's folder under the same path."
            )


def look_around(folder: str) -> tuple[str, bool]:
    """On a worker: the version of bi2scope, and whether the folder is there."""
    return version("bi2scope"), Path(folder).is_dir()


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
