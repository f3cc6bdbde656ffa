"""From a trained model and paired cells to an attention store, by way of shards that many workers write."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from bi2scope.data.attention import FLOOR
from bi2scope.data.choice import CellChoice
from bi2scope.data.errors import StoreError
from bi2scope.data.factors import Factors
from bi2scope.data.multiome import Multiome
from bi2scope.data.progress import progress_bar
from bi2scope.data.store.growing import LinkLayout
from bi2scope.data.store.reader import StoreReader
from bi2scope.data.store.schema import StoreAttributes
from bi2scope.data.store.sums import SUM_KINDS
from bi2scope.data.store.writer import StoreWriter, check_limits, refuse_existing
from bi2scope.model.alignment import MIN_OVERLAP
from bi2scope.model.checkpoint import Trained, save
from bi2scope.precompute.counts_file import write_counts
from bi2scope.precompute.embed import kept_embedding
from bi2scope.precompute.execution import Execution, Performer, performer
from bi2scope.precompute.lock import only_writer
from bi2scope.precompute.shards import MODEL_FILE, Job, ShardTask, SumTask, Task
from bi2scope.precompute.work_folder import Manifest, WorkFolder, remove_partial, shard_bounds, unwritable


@dataclass(frozen=True)
class BuildOptions:
    """What a store shall hold.

    Parameters
    ----------
    k_max
        Links kept per gene, cell, layer and head.
    name
        What the data set is called on the screen; the file's name without its ending when empty.
    overwrite
        Whether a file that is there may be replaced.
    min_overlap
        Share of the model's genes, and of its peaks, that the data set must have.
    floor
        Links of this score and below are not kept; 0.5, the model's own threshold, or more.
    choice
        Which cells.
    """

    k_max: int = 50
    name: str = ""
    overwrite: bool = False
    min_overlap: float = MIN_OVERLAP
    floor: float = FLOOR
    choice: CellChoice = field(default_factory=CellChoice)


def precompute(
    trained: Trained,
    multiome: Multiome,
    path: str | Path,
    options: BuildOptions | None = None,
    execution: Execution | None = None,
    *,
    progress: bool = True,
) -> Path:
    """Write the attention of every cell into one store.

    The store holds the cells with the genes and peaks that the model knows. Its links are made in shards, runs of
    cells, whose files stand in ``<path>.shards`` until the store is whole; memory does not grow with the links. The
    arrays of the store have the same bytes however many workers make it, in however many goes.

    Parameters
    ----------
    trained
        The model.
    multiome
        The cells, as they were read.
    path
        Where the store shall stand; it appears there when it is whole and not before.
    options
        What it shall hold; the defaults when left out.
    execution
        How it is made; in this process when left out. With workers, a script must keep what it does out of their
        reach: ``if __name__ == "__main__"``.
    progress
        Whether to show what is being done, with cells per second and the time left.

    Returns
    -------
    The path.

    Raises
    ------
    CheckpointError
        If the data set lacks too many features of the model (:meth:`Trained.align`).
    InputError
        If a run for this store was stopped and nothing was said about it, or it was of other data, model or options.
    StoreError
        If the store cannot be written, or somebody else is writing it.
    """
    options, execution, target = options or BuildOptions(), execution or Execution(), Path(path)
    say = _say if progress else _silent
    if not execution.resume:
        refuse_existing(target, options.overwrite)
    chosen = options.choice.of(multiome)
    aligned = trained.align(chosen, options.min_overlap)
    say(aligned.notes[len(multiome.notes) :])
    attributes = _attributes(trained, multiome, aligned, options, target)
    check_limits(attributes)
    with only_writer(target) as notes:
        say([*notes, *remove_partial(target)])
        if execution.resume and _stands(target, attributes, aligned):
            say([f"{target} is finished already."])
            WorkFolder(target).remove()
            return target
        refuse_existing(target, options.overwrite)
        manifest = Manifest.of(
            trained.digest, aligned.digest, options.k_max, options.floor,
            shard_bounds(aligned.n_cells, execution.n_workers),
        )  # fmt: skip
        folder = WorkFolder(target)
        manifest = folder.begin(manifest, execution.resume, options.overwrite)
        with _kept_when_stopped(folder, say), performer(execution, folder.path, aligned.n_cells) as perform:
            work = _Work(trained, aligned, folder, perform, progress)
            job = work.job(manifest, execution.threads)
            embedding = kept_embedding(folder.path, chosen, say)
            shards = work.done([ShardTask(job, *bounds) for bounds in pairwise(manifest.shards)], "Attend")
            sums = work.done(_sum_tasks(job, aligned, [path.name for path in shards]), "Sum cell types")
            with StoreWriter(target, aligned, attributes, overwrite=options.overwrite) as writer:
                writer.write_embedding(embedding)
                if trained.model_config.attention != "random":
                    writer.write_factors(_factors(trained))
                for shard in shards:
                    writer.take_shard(shard)
                for code in range(len(aligned.cell_types)):
                    writer.take_sums(code, sums[code * len(SUM_KINDS) : (code + 1) * len(SUM_KINDS)])
        folder.remove()
    return target


@dataclass(frozen=True)
class _Work:
    """What a run works on, and by whom."""

    trained: Trained
    aligned: Multiome
    folder: WorkFolder
    perform: Performer
    progress: bool

    def job(self, manifest: Manifest, threads: int) -> Job:
        """Lay model and counts in the folder, for whoever works."""
        try:
            save(self.trained, self.folder.path / MODEL_FILE)
        except OSError as error:
            raise unwritable(self.folder.path, error) from error
        write_counts(self.folder.path, self.aligned)
        layout = LinkLayout.of(self.aligned, manifest.k_max)
        return Job(str(self.folder.path), self.trained.digest, layout, manifest.floor, threads)

    def done(self, tasks: Sequence[Task], what: str) -> list[Path]:
        """Do what is not done yet; the files of all tasks, in their order."""
        found = {task.stem: self.folder.done(task) for task in tasks}
        missing = sorted((task for task in tasks if found[task.stem] is None), key=lambda task: -task.n_cells)
        total = sum(task.n_cells for task in missing)
        with progress_bar(what=what, unit="cell", total=total, shown=self.progress and bool(missing)) as bar:
            for task, left in self.perform(missing):
                found[task.stem] = self._seen(left)
                bar.update(task.n_cells)
        return [path for task in tasks if (path := found[task.stem]) is not None]

    def _seen(self, path: Path) -> Path:
        if not path.exists():
            raise StoreError(
                f"A worker wrote {path.name}, but {self.folder.path} does not hold it.",
                "All machines must see the target's folder under one path: use a shared file system.",
            )
        return path


def _sum_tasks(job: Job, aligned: Multiome, shards: list[str]) -> list[SumTask]:
    """All kinds of sums of the first type, then of the second, and so on."""
    sizes = aligned.cells["cell_type"].value_counts(sort=False)
    return [
        SumTask(job, kind, code, int(sizes[name]), tuple(shards))
        for code, name in enumerate(aligned.cells["cell_type"].cat.categories)
        for kind in SUM_KINDS
    ]


@contextmanager
def _kept_when_stopped(folder: WorkFolder, say: Callable[[Iterable[str]], None]) -> Iterator[None]:
    """Keep what is done when the run is stopped, by whatever, and say so; where nothing is done remove the folder."""
    try:
        yield
    except BaseException:
        if folder.n_done():
            say([f"{folder.path} keeps {folder.n_done()} finished tasks; the same with --resume goes on from there."])
        else:
            folder.remove()
        raise


def _stands(target: Path, wanted: StoreAttributes, aligned: Multiome) -> bool:
    """Whether the store of this very run stands already: the run was killed while it cleaned up."""
    if not target.exists():
        return False
    try:
        with StoreReader.open(target) as reader:
            keys = ("model_digest", "dataset_digest", "k_max", "floor", "name")
            same = all(getattr(reader.attributes, key) == getattr(wanted, key) for key in keys)
            return same and list(reader.cells.index) == list(aligned.cells.index)
    except StoreError:
        return False


def _say(notes: Iterable[str]) -> None:
    for note in notes:
        print(f"note: {note}", file=sys.stderr, flush=True)


def _silent(notes: Iterable[str]) -> None:
    del notes


def _attributes(
    trained: Trained, multiome: Multiome, aligned: Multiome, options: BuildOptions, target: Path
) -> StoreAttributes:
    return StoreAttributes(
        name=options.name or target.stem,
        model_digest=trained.digest,
        n_layers=trained.model_config.layers,
        n_heads=trained.model_config.heads,
        n_parameters=sum(parameter.numel() for parameter in trained.network.parameters()),
        k_max=options.k_max,
        floor=options.floor,
        notes=tuple(dict.fromkeys((*aligned.notes, *trained.provenance))),
        configuration=_configuration(trained, options),
        training=trained.training_report,
        max_distance=trained.model_config.max_distance,
        dataset_digest=multiome.digest,
        attention=trained.model_config.attention,
    )


def _factors(trained: Trained) -> Factors:
    factors = trained.factors
    return Factors(
        query=factors.query.detach().numpy(),
        query_per_count=factors.query_per_count.detach().numpy(),
        key=factors.key.detach().numpy(),
        key_per_count=factors.key_per_count.detach().numpy(),
        heads=trained.model_config.heads,
        counts=trained.model_config.counts,
    )


def _configuration(trained: Trained, options: BuildOptions) -> dict[str, Any]:
    return {
        "model": trained.model_config.as_dict(),
        "training": trained.training_config.as_dict(),
        "precompute": {"k_max": options.k_max, "floor": options.floor},
    }
