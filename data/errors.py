"""Every exception that bi2scope raises on purpose.

The tree::

    Bi2scopeError                what was found, what was wanted; a hint says what to do
    ├── InputError               a file or a setting of the user's is wrong
    │   ├── DatasetError         cells, genes, peaks or their counts
    │   ├── RegionError          genomic coordinates, BED files
    │   ├── ConfigurationError   an option out of its range
    │   └── CheckpointError      not a checkpoint, or one of another model or data set
    ├── TrainingError            training cannot go on (no pairs to learn from, loss not finite)
    ├── StoreError               the attention store cannot be used
    │   ├── StoreFormatError     not a store, or one of another format version
    │   └── StoreDamagedError    a store that is cut short or whose checksums fail
    └── NotFoundError            no cell, gene, peak, cell type, layer or head of that name

The command line maps the classes to exit codes (``cli.py``), the service to HTTP statuses (``server/errors.py``).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class Bi2scopeError(Exception):
    """An error that a user can act on.

    Parameters
    ----------
    message
        What was found and what was wanted, naming file and key.
    hint
        What to do about it; empty when the message says it all.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".rstrip()


class InputError(Bi2scopeError):
    """A file or a setting of the user's is wrong."""


class DatasetError(InputError):
    """Cells, genes, peaks or their counts are not what a paired data set needs."""


class RegionError(InputError):
    """Genomic coordinates or a BED file cannot be read."""


class ConfigurationError(InputError):
    """An option is out of its range."""


class CheckpointError(InputError):
    """Not a checkpoint, or the checkpoint of another model or data set."""


class TrainingError(Bi2scopeError):
    """Training cannot start or cannot go on."""


class StoreError(Bi2scopeError):
    """The attention store cannot be used."""


class StoreFormatError(StoreError):
    """Not an attention store, or one of a format version that this program does not read."""


class StoreDamagedError(StoreError):
    """An attention store that is cut short or whose checksums fail."""


class NotFoundError(Bi2scopeError):
    """No cell, gene, peak, cell type, layer or head of that name.

    Parameters
    ----------
    kind
        What was looked for, in the singular: ``"cell"``, ``"gene"``, ``"cell type"``.
    name
        The name that was asked for.
    known
        All names there are; the nearest three are offered, whatever their case.
    where
        Where it was looked for.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str] = (), where: str = "in this data set") -> None:
        self.kind = kind
        self.name = name
        by_folded = {each.casefold(): each for each in known}
        nearest = difflib.get_close_matches(name.casefold(), by_folded, n=3, cutoff=0.5)
        self.nearest = [by_folded[folded] for folded in nearest]
        hint = f"Nearest: {', '.join(self.nearest)}." if self.nearest else ""
        super().__init__(f"There is no {kind} named {name!r} {where}.", hint)
