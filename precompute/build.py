"""From a trained model and paired cells to an attention store, by way of shards that many workers write."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
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
from bi2scope.data.store.sums import CONTROL_KINDS, SUM_KINDS, SumKind
from bi2scope.data.store.writer import StoreWriter, check_limits, refuse_existing
from bi2scope.model.alignment import MIN_OVERLAP
from bi2scope.model.checkpoint import Trained, save
from bi2scope.precompute.controls import require_comparable
from bi2scope.precompute.counts_file import write_counts
from bi2scope.precompute.embed import kept_embedding
from bi2scope.precompute.execution import Execution, Performer, performer
from bi2scope.precompute.lock import only_writer
from bi2scope.precompute.quality import metrics_of, quality_of, read_shards
from bi2scope.precompute.shards import Job, ShardTask, SumTask, Task, layers_and_heads
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
    controls
        Control models by name, over the same features; their cumulative scores are kept beside the model's.
    """

    k_max: int = 50
    name: str = ""
    overwrite: bool = False
    min_overlap: float = MIN_OVERLAP
    floor: float = FLOOR
    choice: CellChoice = field(default_factory=CellChoice)
    controls: Mapping[str, Trained] = field(default_factory=dict)


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
        If a run for this store was stopped and nothing was said about it, or it was of other data, model or options;
        or if a control has other features than the model.
    StoreError
        If the store cannot be written, or somebody else is writing it.
    """
    options, execution, target = options or BuildOptions(), execution or Execution(), Path(path)
    say = _say if progress else _silent
    if not execution.resume:
        refuse_existing(target, options.overwrite)
    chosen = options.choice.of(multiome)
    aligned = trained.align(chosen, options.min_overlap)
    say([*aligned.notes[len(multiome.notes) :], *require_comparable(trained, options.controls)])
    attributes = _attributes(trained, multiome, aligned, options, target)
    check_limits(attributes)
    with only_writer(target) as notes:
        say([*notes, *remove_partial(target)])
        if execution.resume and _stands(target, attributes, aligned):
            say([f"{target} is finished already."])
            WorkFolder(target).remove()
            return target
        refuse_existing(target, options.overwrite)
        manifest = Manifest(
            trained.digest, aligned.digest, options.k_max, options.floor, _digests(options.controls),
            shard_bounds(aligned.n_cells, execution.n_workers),
        )  # fmt: skip
        folder = WorkFolder(target)
        manifest = folder.begin(manifest, execution.resume, options.overwrite)
        with _kept_when_stopped(folder, say), performer(execution, folder.path, aligned.n_cells) as perform:
            work = _Work(aligned, folder, manifest, execution.threads, perform, progress)
            job = work.job(trained)
            embedding = kept_embedding(folder.path, chosen, say)
            shards, sums = work.summed(job, SUM_KINDS)
            of_controls = {
                name: work.of_control(control, i, name) for i, (name, control) in _numbered(options.controls)
            }
            represented, n_links = read_shards(shards, list(layers_and_heads(trained)))
            quality = quality_of(chosen, aligned, represented, n_links)
            metrics = metrics_of(represented.matched, aligned.cells["cell_type"], options.controls)
            attributes = replace(attributes, metrics=metrics)
            with StoreWriter(target, aligned, attributes, overwrite=options.overwrite) as writer:
                writer.write_embedding(replace(embedding, pooled=represented.pooled, quality=quality))
                if trained.model_config.attention != "random":
                    writer.write_factors(_factors(trained))
                for shard in shards:
                    writer.take_shard(shard)
                for code in range(len(aligned.cell_types)):
                    writer.take_sums(code, sums[code * len(SUM_KINDS) : (code + 1) * len(SUM_KINDS)])
                for name, parts in of_controls.items():
                    writer.take_control(name, parts)
        folder.remove()
    return target


@dataclass(frozen=True)
class _Work:
    """What a run works on, and by whom."""

    aligned: Multiome
    folder: WorkFolder
    manifest: Manifest
    threads: int
    perform: Performer
    progress: bool

    def job(self, model: Trained, role: str = "") -> Job:
        """Lay a model and the counts in the folder, for whoever works."""
        layout = LinkLayout.of(self.aligned, self.manifest.k_max)
        job = Job(str(self.folder.path), model.digest, layout, self.manifest.floor, self.threads, role)
        try:
            save(model, job.model_file)
        except OSError as error:
            raise unwritable(self.folder.path, error) from error
        write_counts(self.folder.path, self.aligned)
        return job

    def summed(self, job: Job, kinds: Sequence[SumKind], whose: str = "") -> tuple[list[Path], list[Path]]:
        """Make the links of all cells, then their sums; the files of both."""
        shards = self.done([ShardTask(job, *bounds) for bounds in pairwise(self.manifest.shards)], f"Attend{whose}")
        tasks = _sum_tasks(job, self.aligned, [path.name for path in shards], kinds)
        return shards, self.done(tasks, f"Sum cell types{whose}")

    def of_control(self, control: Trained, number: int, name: str) -> list[Path]:
        """The sums of a control; its links, which nobody asks for, are gone when they stand."""
        job = self.job(control, f"control{number}-")
        found = [self.folder.done(task) for task in _sum_tasks(job, self.aligned, [], CONTROL_KINDS)]
        if None not in found:
            return [path for path in found if path is not None]
        shards, sums = self.summed(job, CONTROL_KINDS, f" ({name})")
        for shard in shards:
            shard.unlink()
        return sums

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


def _numbered(controls: Mapping[str, Trained]) -> Iterable[tuple[int, tuple[str, Trained]]]:
    return enumerate(sorted(controls.items(), key=lambda item: item[0]))


def _digests(controls: Mapping[str, Trained]) -> dict[str, str]:
    return {name: control.digest for _, (name, control) in _numbered(controls)}


def _sum_tasks(job: Job, aligned: Multiome, shards: list[str], kinds: Sequence[SumKind]) -> list[SumTask]:
    """All kinds of sums of the first type, then of the second, and so on."""
    sizes = aligned.cells["cell_type"].value_counts(sort=False)
    return [
        SumTask(job, kind, code, int(sizes[name]), tuple(shards))
        for code, name in enumerate(aligned.cells["cell_type"].cat.categories)
        for kind in kinds
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
            same = same and reader.attributes.configuration.get("precompute") == wanted.configuration["precompute"]
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
        "precompute": {"k_max": options.k_max, "floor": options.floor, "controls": _digests(options.controls)},
    }
