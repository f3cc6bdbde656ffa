"""Shards on a Dask cluster: the same store; what is wrong with a cluster is said in a sentence."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from runs import SHARD_CELLS, cells_and_model
from same_arrays import arrays

from bi2scope.data.errors import ConfigurationError
from bi2scope.precompute import cluster, embed, work_folder
from bi2scope.precompute.build import BuildOptions, precompute
from bi2scope.precompute.execution import Execution

distributed = pytest.importorskip("distributed")

OPTIONS = BuildOptions(k_max=7, name="run")


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work_folder, "_LARGEST_SHARD", SHARD_CELLS)
    monkeypatch.setattr(embed, "FEWEST_CELLS", 1_000)


@pytest.fixture
def two_workers(tmp_path: Path) -> Iterator["distributed.LocalCluster"]:
    """Two worker processes of one thread each."""
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        dashboard_address=None,
        local_directory=str(tmp_path / "dask"),
    ) as started:
        yield started


@pytest.mark.slow
def test_a_cluster_makes_the_same_store_and_a_lost_worker_is_made_up_for(
    tmp_path: Path, two_workers: "distributed.LocalCluster"
) -> None:
    cells, trained = cells_and_model()
    here = precompute(trained, cells, tmp_path / "here.h5", OPTIONS, progress=False)
    execution = Execution(scheduler=two_workers.scheduler_address)
    there = precompute(trained, cells, tmp_path / "there.h5", OPTIONS, execution, progress=False)
    assert arrays(there) == arrays(here)

    victim = next(iter(two_workers.workers.values())).pid

    def kill_with_the_first_shard() -> None:
        while not list(tmp_path.glob("lost.h5.shards/cells-*.h5")):
            time.sleep(0.005)
        os.kill(victim, signal.SIGKILL)

    killer = threading.Thread(target=kill_with_the_first_shard)
    killer.start()
    lost = precompute(trained, cells, tmp_path / "lost.h5", OPTIONS, execution, progress=False)
    killer.join()
    assert arrays(lost) == arrays(here)


def test_no_scheduler_at_the_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "TIMEOUT_SECONDS", 1)
    cells, trained = cells_and_model()
    for address in ("tcp://127.0.0.1:9", "nonsense://x"):
        with pytest.raises(ConfigurationError, match="No Dask scheduler answers at"):
            precompute(trained, cells, tmp_path / "run.h5", OPTIONS, Execution(scheduler=address), progress=False)
        assert list(tmp_path.iterdir()) == []
