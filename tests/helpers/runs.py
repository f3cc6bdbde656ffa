"""Precompute over cells and a model that are the same in every process; run as a script, in a process to be killed."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

import numpy as np
from ctrl_c import heeding
from networks import random_network
from stores import tiny_multiome, training_report

from bi2scope.data.multiome import Multiome
from bi2scope.model.checkpoint import Trained
from bi2scope.model.config import ModelConfig, protocol_defaults
from bi2scope.model.features import Normalisation, feature_layout
from bi2scope.precompute import embed, work_folder
from bi2scope.precompute.build import BuildOptions, precompute
from bi2scope.precompute.execution import Execution

HERE = Path(__file__).parent
N_CELLS, SHARD_CELLS = 48, 6


def cells_and_model(layers: int = 1, heads: int = 1) -> tuple[Multiome, Trained]:
    """48 cells, and an untrained network over most of their genes and peaks, its scores spread."""
    cells = tiny_multiome(N_CELLS, n_genes=40, n_peaks=120)
    known = cells.take_features(np.arange(0, 40, 2), np.arange(5, 120))
    config = ModelConfig(id_dim=6, hidden=8, layers=layers, heads=heads)
    network = random_network(5, config, feature_layout(known.genes, known.peaks, Normalisation()), double=False)
    _, training = protocol_defaults("bi2scope")
    return cells, Trained(network, config, training, known.genes, known.peaks, Normalisation(), training_report(), "ab")


def start(target: Path, *options: str, file_limit: int | None = None) -> subprocess.Popen[str]:
    """Precompute to a target in eight shards, as a process."""
    more = [] if file_limit is None else ["--file-limit", str(file_limit)]
    return _process(str(target), *options, *more)


def _process(*arguments: str) -> subprocess.Popen[str]:
    path = os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    command = heeding(sys.executable, __file__, *arguments)
    return subprocess.Popen(command, **pipes, text=True, env=environment)


class Forks:
    """A process that has imported everything and makes runs as copies of itself, to be killed; a context manager."""

    def __enter__(self) -> Self:
        self._process = _process("--fork")
        return self

    def __exit__(self, *error: object) -> None:
        self._process.communicate()

    def start(self, target: Path) -> int:
        """Begin a run; its process id."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{target}\n")
        self._process.stdin.flush()
        return int(self._line())

    def wait(self) -> int:
        """Wait for the run to end; its exit status."""
        return int(self._line())

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


def fork() -> None:
    """Make a run for each line of the standard input."""
    import scanpy  # noqa: F401  what a run imports late

    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            run(Path(line.strip()), 0, resume=False)
            os._exit(0)
        print(child, flush=True)
        print(os.waitpid(child, 0)[1], flush=True)


def run(target: Path, workers: int, resume: bool) -> None:
    """Precompute to a target in eight shards, in this process."""
    embed.FEWEST_CELLS = 1_000  # UMAP takes its time
    work_folder._LARGEST_SHARD = SHARD_CELLS
    cells, trained = cells_and_model()
    options = BuildOptions(k_max=7, name="run")
    precompute(trained, cells, target, options, Execution(workers, resume=resume))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("target", type=Path)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--file-limit", type=int)
    parser.add_argument("--resume", action="store_true")
    given: Any = parser.parse_args()
    if given.file_limit is not None:
        import resource

        import anndata.io  # noqa: F401  before no file may be written

        resource.setrlimit(resource.RLIMIT_FSIZE, (given.file_limit, given.file_limit))
    run(given.target, given.workers, given.resume)


if __name__ == "__main__":
    from bi2scope.data.errors import Bi2scopeError

    try:
        fork() if "--fork" in sys.argv else main()
    except Bi2scopeError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
