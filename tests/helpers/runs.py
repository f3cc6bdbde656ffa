"""Precompute over cells and a model that are the same in every process; run as a script, in a process to be killed."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
from networks import random_network
from stores import tiny_multiome, training_report

from bi2scope.data.multiome import Multiome
from bi2scope.model.checkpoint import Trained
from bi2scope.model.config import ModelConfig, protocol_defaults
from bi2scope.model.features import Normalisation, feature_layout
from bi2scope.precompute import embed, execution, work_folder
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
    command = [sys.executable, __file__, str(target), *options]
    if file_limit is not None:
        command += ["--file-limit", str(file_limit)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(HERE), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True)


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
    embed.FEWEST_CELLS = 1_000  # UMAP takes its time
    execution.FEW_CELLS = 0
    work_folder._LARGEST_SHARD = SHARD_CELLS
    cells, trained = cells_and_model()
    options = BuildOptions(k_max=7, name="run")
    precompute(trained, cells, given.target, options, Execution(given.workers, resume=given.resume))


if __name__ == "__main__":
    from bi2scope.data.errors import Bi2scopeError

    try:
        main()
    except Bi2scopeError as error:
        sys.exit(f"error: {error}")
    except KeyboardInterrupt:
        sys.exit(130)
