"""The folder beside a store that is being made: what is done so far, and of what run it is.

``<store>.shards/`` holds ``manifest.json``, the model, the counts, and one file for each finished task
(:mod:`bi2scope.data.store.parts`). It is removed when the store stands.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from glob import escape
from importlib.metadata import version
from pathlib import Path

from bi2scope.data.errors import InputError, StoreError
from bi2scope.data.files import replacing
from bi2scope.data.store.parts import find_part
from bi2scope.precompute.shards import MODEL_FILE, Task

_MANIFEST = "manifest.json"
_TASKS = ("cells-*.h5", "type-*.h5", "control*-cells-*.h5", "control*-type-*.h5")
_OURS = (
    _MANIFEST, MODEL_FILE, f"control*-{MODEL_FILE}", "counts.*.h5", "embedding.*.h5", *_TASKS, ".*.partial",
)  # fmt: skip

_SMALLEST_SHARD, _LARGEST_SHARD = 128, 768


@dataclass(frozen=True)
class Manifest:
    """What a run makes: two runs of one manifest make the same store.

    Attributes
    ----------
    model, data
        Digests of the model and of the chosen cells over its features.
    k_max
        Links kept per gene, cell, layer and head.
    floor
        Score that they exceed.
    controls
        Digests of the control models by name.
    shards
        First cell of each shard, and the number of cells at the end. They do not change what is made.
    program
        Version of bi2scope.
    """

    model: str
    data: str
    k_max: int
    floor: float
    controls: Mapping[str, str]
    shards: tuple[int, ...]
    program: str = field(default_factory=lambda: version("bi2scope"))

    def differing(self, other: Manifest) -> list[str]:
        """Names of what differs, the shards left out."""
        return [key for key, value in asdict(self).items() if key != "shards" and getattr(other, key) != value]


def shard_bounds(n_cells: int, workers: int) -> tuple[int, ...]:
    """First cell of each shard, and the number of cells at the end.

    Shards are alike in size: 768 cells at most, so that not much is lost in a kill, and 128 at least, since many cells
    share one product; as many as keep all workers busy.
    """
    workers = max(workers, 1)
    fewest = -(-n_cells // _LARGEST_SHARD)
    evenly = -(-fewest // workers) * workers
    count = min(evenly, max(fewest, n_cells // _SMALLEST_SHARD))
    return tuple(n_cells * i // count for i in range(count + 1))


class WorkFolder:
    """The work folder of a target.

    Parameters
    ----------
    target
        The store that is being made.
    """

    def __init__(self, target: Path) -> None:
        self.path = target.absolute().with_name(f"{target.name}.shards")
        self._target = target

    def begin(self, manifest: Manifest, resume: bool, overwrite: bool) -> Manifest:
        """Make the folder, or take up what an earlier run left there.

        Returns
        -------
        The manifest that counts: that of the earlier run, whose shards may be other ones, when it is gone on with.

        Raises
        ------
        InputError
            If an earlier run left finished tasks and nothing was said about them, or they are of another run than the
            one to go on with.
        StoreError
            If it cannot be made.
        """
        earlier = self._read()
        if earlier is not None and resume:
            self._refuse_other(manifest, earlier)
            self._remove("*.partial")
            return earlier
        if earlier is not None and not overwrite and self.n_done():
            raise InputError(
                f"{self.path} is there: a precompute for {self._target.name} was stopped, with {self.n_done()} of its "
                "tasks done.",
                "Pass --resume to go on with it, or --overwrite to begin anew.",
            )
        self.remove()
        try:
            self.path.mkdir(exist_ok=True)
            with replacing(self.path / _MANIFEST) as temporary:
                temporary.write_text(json.dumps(asdict(manifest), indent=1))
        except OSError as error:
            raise unwritable(self.path, error) from error
        return manifest

    def done(self, task: Task) -> Path | None:
        """The file that a task left, if it is there and whole."""
        return find_part(self.path, task.stem)

    def n_done(self) -> int:
        """Finished tasks, not looked at closely."""
        return sum(1 for pattern in _TASKS for _ in self.path.glob(pattern))

    def remove(self) -> None:
        """Remove the folder; files in it that are none of its own stay."""
        if not self.path.is_dir():
            return
        self._remove(*_OURS)
        if not any(self.path.iterdir()):
            self.path.rmdir()

    def _remove(self, *patterns: str) -> None:
        for pattern in patterns:
            for path in self.path.glob(pattern):
                path.unlink(missing_ok=True)

    def _read(self) -> Manifest | None:
        """The manifest of an earlier run, if there is one that can be read."""
        try:
            content = json.loads((self.path / _MANIFEST).read_text())
            return Manifest(**{**content, "shards": tuple(content["shards"])})
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def _refuse_other(self, manifest: Manifest, earlier: Manifest) -> None:
        differing = manifest.differing(earlier)
        if differing:
            found = ", ".join(f"{key} {_shown(getattr(earlier, key))}" for key in differing)
            wanted = ", ".join(f"{key} {_shown(getattr(manifest, key))}" for key in differing)
            raise InputError(
                f"{self.path} is of another run: it has {found}; asked for is {wanted}.",
                "Give the same model, cells and options as then, or pass --overwrite without --resume to begin anew.",
            )


def remove_partial(target: Path) -> list[str]:
    """Remove what killed runs left under temporary names beside the target, whose lock is held; say so."""
    leftover = sorted(target.absolute().parent.glob(f"{escape(target.name)}.partial-????????"))
    for path in leftover:
        path.unlink(missing_ok=True)
    return [f"{path} was left by a run that was killed: removed." for path in leftover]


def unwritable(path: Path, error: OSError) -> StoreError:
    """What to say when something cannot be written to the folder."""
    return StoreError(
        f"{path} cannot be written: {error.strerror or error}.",
        "It needs a folder that exists, the right to write there and room on the disk.",
    )


def _shown(value: object) -> str:
    if isinstance(value, Mapping):
        return " ".join(f"{name} {_shown(digest)}" for name, digest in value.items()) or "none"
    return f"{value[:12]}…" if isinstance(value, str) and len(value) == 64 else str(value)
