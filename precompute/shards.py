"""The tasks that a store is made of: links of a run of cells, and sums of a cell type. Each writes one file.

A task says what is to be done in a few numbers; what it works on, model and counts, it reads from the work folder. So
it is the same task in this process, in another, or on another machine that sees the folder.
"""

from __future__ import annotations

import functools
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from threadpoolctl import threadpool_limits

from bi2scope.data.attention import FLOOR
from bi2scope.data.candidates import Window
from bi2scope.data.errors import StoreError
from bi2scope.data.store import schema
from bi2scope.data.store.floor import above_floor
from bi2scope.data.store.growing import GrowingLinks, LinkLayout
from bi2scope.data.store.links import StoredLinks
from bi2scope.data.store.null import CellPlaces
from bi2scope.data.store.parts import PartFile, joined_links
from bi2scope.data.store.sums import SumKind, SumSources, group_of, kinds_of, write_sums
from bi2scope.model.checkpoint import Trained, load
from bi2scope.precompute.attend import attend_cells
from bi2scope.precompute.counts_file import CountsFile
from bi2scope.precompute.represent import represent_shard

MODEL_FILE = "model.safetensors"


@dataclass(frozen=True)
class Job:
    """What the tasks of one run share.

    Attributes
    ----------
    folder
        The work folder, as every worker finds it.
    model_digest
        Digest of the model there.
    layout
        How the links of the store lie.
    floor
        What their scores exceed.
    threads
        Threads of one worker.
    role
        Beginning of the names of its files: empty for the model, one of its own for each control, whose links are
        made to be summed alone.
    """

    folder: str
    model_digest: str
    layout: LinkLayout
    floor: float = FLOOR
    threads: int = 1
    role: str = ""

    @property
    def model_file(self) -> Path:
        """Where the model is."""
        return Path(self.folder) / f"{self.role}{MODEL_FILE}"

    def model(self) -> Trained:
        """The model, read once in each process.

        Raises
        ------
        StoreError
            If the folder cannot be seen from here, or holds another model.
        """
        return _model(self.model_file, self.model_digest)


class Task(Protocol):
    """Something to be done that leaves one file in the work folder."""

    @property
    def stem(self) -> str:
        """Beginning of the file's name."""

    @property
    def n_cells(self) -> int:
        """Cells that it goes through."""

    def perform(self) -> Path:
        """Do it; the file."""


def perform(task: Task) -> Path:
    """Do one task with a thread of its own; the file that it left."""
    with _one_thread():
        return task.perform()


@dataclass(frozen=True)
class ShardTask:
    """Links of the cells ``first`` to ``stop``."""

    job: Job
    first: int
    stop: int

    @property
    def stem(self) -> str:
        """Beginning of the file's name."""
        return f"{self.job.role}cells-{self.first}-{self.stop}"

    @property
    def n_cells(self) -> int:
        """Cells of the shard."""
        return self.stop - self.first

    def perform(self) -> Path:
        """Write the links of every layer and head and, of the model, what it reads out of each cell."""
        job, trained = self.job, self.job.model()
        part = PartFile(Path(job.folder), self.stem)
        with CountsFile(Path(job.folder), trained) as counts, part as file:
            cells = counts.cells(self.first, self.stop)
            if not job.role:
                represent_shard(trained, counts, self.first, self.stop).write(file)
            links = [
                GrowingLinks(file.create_group(schema.links_path(layer, head)), self.n_cells, job.layout)
                for layer, head in layers_and_heads(trained)
            ]
            attended = attend_cells(trained, cells, job.layout.k_max, range(self.n_cells), job.threads)
            for cell, attention in enumerate(attended):
                own_peaks = cells.atac.indices[cells.atac.indptr[cell] : cells.atac.indptr[cell + 1]]
                for growing, one in zip(links, (one for heads in attention for one in heads), strict=True):
                    growing.append(above_floor(one, job.floor), own_peaks)
            for growing in links:
                growing.close()
        return part.path


@dataclass(frozen=True)
class SumTask:
    """Sums of one kind over the cells of a type, from the links in the shards."""

    job: Job
    kind: SumKind
    type_code: int
    n_cells: int
    shards: tuple[str, ...]

    @property
    def stem(self) -> str:
        """Beginning of the file's name."""
        return f"{self.job.role}type-{self.type_code}-{self.kind}"

    def perform(self) -> Path:
        """Write the sums of every layer and head."""
        job, trained = self.job, self.job.model()
        folder, layout = Path(job.folder), trained.network.layout
        window = Window.of(trained.genes, trained.peaks, trained.model_config.max_distance)
        places = CellPlaces(layout.gene_chromosome, layout.peak_chromosome, window)
        shards = [folder / name for name in self.shards]
        part = PartFile(folder, self.stem)
        with CountsFile(folder, trained) as counts, part as file:
            of_type = counts.of_type(self.type_code)
            sources = SumSources(counts.stored, places, trained.model_config.attention != "random")
            for layer, head in layers_and_heads(trained):
                with joined_links(shards, layer, head) as joined:
                    links = StoredLinks(joined, *counts.stored, trained.model_config.attention)
                    if not job.role and self.kind not in kinds_of(links, of_type.cells):
                        continue
                    group = group_of(file, self.kind, layer, head, self.type_code)
                    write_sums(group, self.kind, links, of_type, sources, layer)
        return part.path


def layers_and_heads(trained: Trained) -> Iterator[tuple[int, int]]:
    """Every layer of a model with every head."""
    for layer in range(trained.model_config.layers):
        for head in range(trained.model_config.heads):
            yield layer, head


@functools.lru_cache(maxsize=1)
def _model(path: Path, digest: str) -> Trained:
    if not path.exists():
        raise StoreError(
            f"A worker on {socket.gethostname()} does not find {path}.",
            "All machines must see the target's folder under one path: use a shared file system.",
        )
    trained = load(path)
    if trained.digest != digest:
        raise StoreError(f"{path} holds another model than this run's.", "Is another run writing there?")
    return trained


@contextmanager
def _one_thread() -> Iterator[None]:
    """Keep torch and BLAS to one thread: sums of floats, and so bits, may differ with their number."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(before)
