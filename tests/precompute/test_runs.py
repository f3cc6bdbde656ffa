"""A store is made in shards, by any number of workers, in any number of goes: its arrays have the same bytes."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import psutil
import pytest
from runs import N_CELLS, SHARD_CELLS, Forks, cells_and_model, start
from same_arrays import arrays, attributes

from bi2scope.data.attention import Cut
from bi2scope.data.choice import CellChoice
from bi2scope.data.errors import ConfigurationError, InputError, StoreError
from bi2scope.data.store.check import CheckOptions, check_store
from bi2scope.data.store.reader import StoreReader
from bi2scope.data.store.writer import StoreWriter
from bi2scope.precompute import build, embed, work_folder
from bi2scope.precompute.attend import attend_cells
from bi2scope.precompute.build import BuildOptions, precompute
from bi2scope.precompute.execution import Execution
from bi2scope.precompute.lock import only_writer
from bi2scope.precompute.quality import metrics_of, quality_of
from bi2scope.precompute.represent import represent
from bi2scope.precompute.shards import Task
from bi2scope.precompute.work_folder import shard_bounds
from bi2scope.precompute.workers import perform_here

OPTIONS = BuildOptions(k_max=7, name="run")
CELLS, TRAINED = cells_and_model()


@pytest.fixture(autouse=True)
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work_folder, "_LARGEST_SHARD", SHARD_CELLS)
    monkeypatch.setattr(embed, "FEWEST_CELLS", 1_000)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of one shard, made in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embed, "FEWEST_CELLS", 1_000)
        target = tmp_path_factory.mktemp("whole") / "run.h5"
        return precompute(TRAINED, CELLS, target, OPTIONS, progress=False)


def stop_after(monkeypatch: pytest.MonkeyPatch, n_tasks: int, error: type[BaseException]) -> None:
    """Have the run end in an exception after so many tasks."""
    done = 0

    def stopping(tasks: Sequence[Task]) -> Iterator[tuple[Task, Path]]:
        nonlocal done
        for one in perform_here(tasks):
            if done == n_tasks:
                raise error
            done += 1
            yield one

    monkeypatch.setattr("bi2scope.precompute.execution.perform_here", stopping)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_the_store_of_one_shard_is_what_the_writer_writes_cell_by_cell(tmp_path: Path, undisturbed: Path) -> None:
    aligned = TRAINED.align(CELLS)
    attended = list(attend_cells(TRAINED, aligned, 7, range(N_CELLS)))
    represented = represent(TRAINED, aligned)
    n_links = np.array([len(attention[0][0].peak) for attention in attended])
    quality = quality_of(CELLS, aligned, represented, n_links)
    said = build._attributes(TRAINED, CELLS, aligned, OPTIONS, tmp_path / "run.h5")
    said = replace(said, metrics=metrics_of(represented.matched, aligned.cells["cell_type"], {}))
    with StoreWriter(tmp_path / "run.h5", aligned, said) as writer:
        writer.write_embedding(replace(embed.embed(CELLS), pooled=represented.pooled, quality=quality))
        writer.write_factors(build._factors(TRAINED))
        for attention in attended:
            writer.write_cell(attention)
    assert arrays(tmp_path / "run.h5") == arrays(undisturbed)
    assert attributes(tmp_path / "run.h5") == attributes(undisturbed)


def test_shards_change_nothing(tmp_path: Path, undisturbed: Path) -> None:
    store = precompute(TRAINED, CELLS, tmp_path / "run.h5", OPTIONS, progress=False)
    assert arrays(store) == arrays(undisturbed)
    assert attributes(store) == attributes(undisturbed)
    assert check_store(store, CheckOptions(full=True)) == []
    assert names(tmp_path) == {"run.h5"}


def test_every_layer_and_head_comes_out_of_the_shards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cells, deep = cells_and_model(layers=2, heads=2)
    one = precompute(deep, cells, tmp_path / "one.h5", OPTIONS, progress=False)
    monkeypatch.setattr(work_folder, "_LARGEST_SHARD", 512)
    other = precompute(deep, cells, tmp_path / "other.h5", OPTIONS, progress=False)
    assert arrays(one) == arrays(other)


@pytest.mark.parametrize("n_tasks", [1, 5, 8, 12])
def test_a_stopped_run_keeps_what_is_done_and_goes_on(
    tmp_path: Path, undisturbed: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], n_tasks: int
) -> None:
    target = tmp_path / "run.h5"
    with monkeypatch.context() as patch:
        stop_after(patch, n_tasks, KeyboardInterrupt)
        with pytest.raises(KeyboardInterrupt):
            precompute(TRAINED, CELLS, target, OPTIONS)
    assert "--resume" in capsys.readouterr().err
    assert names(tmp_path) == {"run.h5.shards"}
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "run.h5.shards").glob("[ct]*-*.h5")}
    assert len(kept) == n_tasks + 1  # the one whose end was not heard of stands, too
    performed: list[str] = []

    def counting(tasks: Sequence[Task]) -> Iterator[tuple[Task, Path]]:
        performed.extend(task.stem for task in tasks)
        yield from perform_here(tasks)

    monkeypatch.setattr("bi2scope.precompute.execution.perform_here", counting)
    precompute(TRAINED, CELLS, target, OPTIONS, Execution(resume=True), progress=False)
    assert len(performed) == 8 + 12 - len(kept)
    assert arrays(target) == arrays(undisturbed)
    assert names(tmp_path) == {"run.h5"}


@pytest.fixture
def stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The target of a run that was stopped after three shards."""
    with monkeypatch.context() as patch:
        stop_after(patch, 2, KeyboardInterrupt)
        with pytest.raises(KeyboardInterrupt):
            precompute(TRAINED, CELLS, tmp_path / "run.h5", OPTIONS, progress=False)
    return tmp_path / "run.h5"


def test_a_stopped_run_is_not_forgotten(stopped: Path, undisturbed: Path) -> None:
    with pytest.raises(InputError, match=r"was stopped, with 3 of its tasks done.*--resume"):
        precompute(TRAINED, CELLS, stopped, OPTIONS, progress=False)
    again = BuildOptions(k_max=7, name="run", overwrite=True)
    precompute(TRAINED, CELLS, stopped, again, progress=False)
    assert arrays(stopped) == arrays(undisturbed)


def test_another_run_is_not_gone_on_with(stopped: Path) -> None:
    before = names(stopped.with_name("run.h5.shards"))
    for options, said in (
        (BuildOptions(k_max=6, name="run"), "it has k_max 7; asked for is k_max 6"),
        (BuildOptions(k_max=7, name="run", floor=0.6), "it has floor 0.5; asked for is floor 0.6"),
    ):
        with pytest.raises(InputError, match=said):
            precompute(TRAINED, CELLS, stopped, options, Execution(resume=True), progress=False)
    with pytest.raises(InputError, match=r"data [0-9a-f]{12}…; asked for is data [0-9a-f]{12}…\."):
        precompute(TRAINED, CELLS.take_cells(range(9)), stopped, OPTIONS, Execution(resume=True), progress=False)
    _, other = cells_and_model(heads=2)
    with pytest.raises(InputError, match="it has model "):
        precompute(other, CELLS, stopped, OPTIONS, Execution(resume=True), progress=False)
    assert names(stopped.with_name("run.h5.shards")) == before


def test_a_damaged_shard_is_made_again(stopped: Path, undisturbed: Path) -> None:
    shard = next(stopped.with_name("run.h5.shards").glob("cells-0-*"))
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 4
    shard.write_bytes(content)
    precompute(TRAINED, CELLS, stopped, OPTIONS, Execution(resume=True), progress=False)
    assert arrays(stopped) == arrays(undisturbed)


def test_to_resume_what_is_finished_is_no_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = precompute(TRAINED, CELLS, tmp_path / "run.h5", OPTIONS, progress=False)
    before = target.stat().st_mtime_ns
    precompute(TRAINED, CELLS, target, OPTIONS, Execution(resume=True))
    assert "finished already" in capsys.readouterr().err
    assert target.stat().st_mtime_ns == before
    with pytest.raises(StoreError, match="exists already"):
        precompute(TRAINED, CELLS, target, BuildOptions(k_max=3), Execution(resume=True), progress=False)


def test_two_writers_of_one_target(tmp_path: Path) -> None:
    target = tmp_path / "run.h5"
    with (
        only_writer(target),
        pytest.raises(StoreError, match=rf"is being written by process {os.getpid()} on "),
    ):
        precompute(TRAINED, CELLS, target, OPTIONS, progress=False)
    assert names(tmp_path) == set()


def test_what_a_killed_run_left_beside_the_target_goes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "run.h5.lock").write_text("process 1 on elsewhere\n")
    (tmp_path / "run.h5.partial-0badcafe").write_text("half")
    (tmp_path / "run.h5.partial-of-mine").write_text("mine")
    precompute(TRAINED, CELLS, tmp_path / "run.h5", OPTIONS)
    said = capsys.readouterr().err
    assert "left by process 1 on elsewhere, which has ended" in said
    assert "run.h5.partial-0badcafe was left by a run that was killed: removed" in said
    assert names(tmp_path) == {"run.h5", "run.h5.partial-of-mine"}


def test_a_file_of_the_users_in_the_work_folder_stays(stopped: Path) -> None:
    mine = stopped.with_name("run.h5.shards") / "notes.txt"
    mine.write_text("mine")
    precompute(TRAINED, CELLS, stopped, OPTIONS, Execution(resume=True), progress=False)
    assert names(mine.parent) == {"notes.txt"}


@pytest.mark.parametrize(("n_cells", "workers", "count"), [(1, 2, 1), (48, 0, 8), (48, 3, 8), (50, 0, 9)])
def test_shards_are_alike_in_size(n_cells: int, workers: int, count: int) -> None:
    bounds = shard_bounds(n_cells, workers)
    sizes = [stop - start for start, stop in pairwise(bounds)]
    assert len(sizes) == count
    assert sum(sizes) == n_cells
    assert max(sizes) - min(sizes) <= 1


def test_as_many_shards_as_keep_the_workers_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work_folder, "_LARGEST_SHARD", 512)
    assert len(shard_bounds(10_000, 1)) - 1 == 20
    assert len(shard_bounds(10_000, 16)) - 1 == 32
    assert len(shard_bounds(1_000, 64)) - 1 == 7  # 128 cells each, and more


@pytest.mark.parametrize(("changes", "said"), [({"workers": -1}, "workers is -1"), ({"threads": 0}, "threads is 0")])
def test_numbers_out_of_range(changes: dict[str, int], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        Execution(**changes)


def kill_and_resume(forks: Forks, folder: Path, moment: float) -> Path:
    """Kill a run some seconds after it began its folder; then go on with it."""
    folder.mkdir()
    target = folder / "run.h5"
    process = forks.start(target)
    until(lambda: (folder / "run.h5.shards").exists() or target.exists())
    time.sleep(moment)
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)
    assert forks.wait() in {signal.SIGKILL, 0}
    precompute(TRAINED, CELLS, target, OPTIONS, Execution(resume=True), progress=False)
    return target


def same_after_kills(folder: Path, undisturbed: Path, n_kills: int) -> None:
    drawn = random.Random(n_kills)
    with Forks() as forks:
        for number in range(n_kills):
            store = kill_and_resume(forks, folder / str(number), drawn.uniform(0, 2))
            assert arrays(store) == arrays(undisturbed)
            assert names(store.parent) == {"run.h5"}


def test_killed_at_random_moments(tmp_path: Path, undisturbed: Path) -> None:
    same_after_kills(tmp_path, undisturbed, 3)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_killed_at_twenty_random_moments(tmp_path: Path, undisturbed: Path) -> None:
    same_after_kills(tmp_path, undisturbed, 20)


@pytest.mark.skipif(sys.platform == "win32", reason="file size limits are POSIX")
def test_a_full_disk_is_one_sentence_and_loses_no_shard(tmp_path: Path, undisturbed: Path) -> None:
    """A limit on the size of files stands in for the disk that is full: the store is larger than any shard."""
    target = tmp_path / "run.h5"
    process = start(target, file_limit=undisturbed.stat().st_size - 20_000)
    _, said = process.communicate()
    assert process.returncode == 1
    assert "Traceback" not in said
    assert "run.h5 cannot be written: File too large" in said
    assert "keeps 20 finished tasks; the same with --resume goes on from there" in said
    assert names(tmp_path) == {"run.h5.shards"}
    precompute(TRAINED, CELLS, target, OPTIONS, Execution(resume=True), progress=False)
    assert arrays(target) == arrays(undisturbed)


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 240  # on a busy machine processes take long to start
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@contextlib.contextmanager
def two_workers(target: Path) -> Iterator[tuple["subprocess.Popen[str]", list[psutil.Process]]]:
    """A run with two workers that has its first shard; nothing of it is left behind."""
    process = start(target, "--workers", "2")
    try:
        until(lambda: process.poll() is not None or list(target.parent.glob("run.h5.shards/cells-*.h5")))
        children = psutil.Process(process.pid).children()
        workers = [child for child in children if "spawn_main" in " ".join(child.cmdline())]
        assert len(workers) == 2
        yield process, workers
    finally:
        process.kill()
        process.communicate()


def test_workers_make_the_same_store_and_one_that_is_killed_is_replaced(tmp_path: Path, undisturbed: Path) -> None:
    target = tmp_path / "run.h5"
    with two_workers(target) as (process, workers):
        workers[0].kill()
        _, said = process.communicate()
    assert process.returncode == 0, said
    assert arrays(target) == arrays(undisturbed)
    assert names(tmp_path) == {"run.h5"}


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_workers_end_with_the_main_process(tmp_path: Path, how: signal.Signals) -> None:
    with two_workers(tmp_path / "run.h5") as (process, workers):
        process.send_signal(how)
        _, said = process.communicate()
    assert process.returncode == (-how if how == signal.SIGKILL else 130)
    assert "Traceback" not in said
    _, alive = psutil.wait_procs(workers, timeout=60)
    assert not alive
    if how == signal.SIGINT:
        assert names(tmp_path) == {"run.h5.shards"}
        assert "--resume" in said


@pytest.mark.parametrize("floor", [0.6, 0.93])
def test_a_store_with_a_floor_holds_what_survives_it_as_threshold(
    tmp_path: Path, undisturbed: Path, floor: float
) -> None:
    options = BuildOptions(k_max=7, name="run", floor=floor)
    store = precompute(TRAINED, CELLS, tmp_path / "run.h5", options, progress=False)
    assert check_store(store, CheckOptions(full=True)) == []
    with StoreReader.open(store) as high, StoreReader.open(undisturbed) as low:
        assert high.attributes.floor == floor
        for cell in range(N_CELLS):
            for cut in (Cut(floor), Cut(floor, 3), Cut(0.97)):
                one, other = (reader.attention(cell).links(cut) for reader in (high, low))
                for field in ("gene", "peak", "logit", "rank", "weight"):
                    np.testing.assert_array_equal(getattr(one, field), getattr(other, field))
                assert other.truncated or not one.truncated
            assert high.attention(cell).links(Cut(floor - 0.01, 1)).truncated
            whole = high.attention_for(cell, Cut()).links(Cut())
            assert not whole.truncated
            assert len(whole) >= len(low.attention(cell).links(Cut()))
        for name in low.cell_types:
            for cut in (Cut(floor), Cut(0.95, 3)):
                one, other = high.cumulative(name, cut), low.cumulative(name, cut)
                np.testing.assert_array_equal(one.score, other.score)
                np.testing.assert_array_equal(one.weight, other.weight)
            assert high.cumulative(name, Cut(0.55, 2)).truncated
            assert high.cumulative_of_cells([0, 3], Cut(0.55, 2)).truncated


@pytest.mark.parametrize(("options", "said"), [
    (BuildOptions(k_max=0), "k_max is 0"),
    (BuildOptions(floor=0.4), r"The floor is 0\.4"),
    (BuildOptions(floor=1.0), "The floor is 1"),
])  # fmt: skip
def test_what_no_store_has_is_refused_before_any_work(tmp_path: Path, options: BuildOptions, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        precompute(TRAINED, CELLS, tmp_path / "run.h5", options, progress=False)
    assert names(tmp_path) == set()


def test_a_store_of_some_cells(tmp_path: Path) -> None:
    kept = CELLS.cells.index[CELLS.cells["cell_type"] == "B cell"]
    choice = CellChoice(("B cell",))
    options = BuildOptions(k_max=7, name="run", choice=choice)
    with StoreReader.open(precompute(TRAINED, CELLS, tmp_path / "run.h5", options, progress=False)) as reader:
        assert list(reader.cells.index) == list(kept)
        assert reader.cell_types == ["B cell"]
        assert f"{len(kept)} of the data set's 48 cells were chosen." in reader.attributes.notes
