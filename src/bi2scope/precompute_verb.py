"""The verb ``precompute`` and its options."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bi2scope.data.source import Source
from bi2scope.options import with_fields, with_source
from bi2scope.reporting import report_notes

if TYPE_CHECKING:
    from bi2scope.model.checkpoint import Trained
    from bi2scope.precompute.build import BuildOptions

_PANEL = "Machine"


@dataclass(frozen=True)
class Contents:
    """What the store shall hold."""

    k_max: int = 50
    floor: float = 0.5
    cell_types: str | None = None
    only_cells: str | None = None
    name: str = ""
    min_overlap: float = 0.8
    control: list[str] | None = None

    def options(self, overwrite: bool) -> BuildOptions:
        """The same as the library takes it.

        Raises
        ------
        InputError
            If names of cells or types, or control models, cannot be read.
        """
        from bi2scope.data.choice import CellChoice, parse_names
        from bi2scope.precompute.build import BuildOptions

        types = () if self.cell_types is None else parse_names(self.cell_types)
        names = () if self.only_cells is None else parse_names(self.only_cells)
        choice = CellChoice(types, names)
        controls = _controls(self.control or [])
        return BuildOptions(self.k_max, self.name, overwrite, self.min_overlap, self.floor, choice, controls)


@dataclass(frozen=True)
class Machine:
    """By whom it is made, which changes nothing of the store."""

    workers: int | None = None
    threads: int = 1
    resume: bool = False
    scheduler: str | None = None


def _controls(given: list[str]) -> dict[str, Trained]:
    """Control models by name, from texts NAME=FILE."""
    from bi2scope.data.errors import InputError
    from bi2scope.model.checkpoint import load

    controls: dict[str, Trained] = {}
    for text in given:
        name, equals, file = text.partition("=")
        if not (name and equals and file):
            raise InputError(
                f"--control is {text}; wanted NAME=FILE.", "For example: --control shuffled=shuffled.safetensors"
            )
        if name in controls:
            raise InputError(f"--control names {name} twice.", "Give every control a name of its own.")
        controls[name] = load(file)
    return controls


def _machine(flag: str, text: str, **limits: int) -> Any:
    return typer.Option(flag, help=text, rich_help_panel=_PANEL, **limits)  # type: ignore[arg-type]


CONTENTS: dict[str, Any] = {
    "k_max": Annotated[
        int, typer.Option("--k-max", min=1, max=65535, help="Links kept per gene, cell, layer and head.")
    ],
    "floor": Annotated[
        float, typer.Option("--floor", min=0.5, max=1, help="Links of this score and below are not kept.")
    ],
    "cell_types": Annotated[
        str | None, typer.Option("--cell-types", help="Cells of these types alone: names with commas between.")
    ],
    "only_cells": Annotated[
        str | None, typer.Option("--only-cells", help="These cells alone: a file with a name a line, or A,B,C.")
    ],
    "name": Annotated[str, typer.Option("--name", help="What the data set is called on the screen.")],
    "min_overlap": Annotated[
        float, typer.Option("--min-overlap", min=0, max=1, help="Share of the model's genes and peaks that are wanted.")
    ],
    "control": Annotated[
        list[str] | None,
        typer.Option(
            "--control",
            metavar="NAME=FILE",
            help="Checkpoint of `bi2scope train --control`, whose cumulative scores are kept beside the model's; "
            "may be given again.",
        ),
    ],
}
"""Fields of :class:`Contents` and the options that set them."""

MACHINE: dict[str, Any] = {
    "workers": Annotated[
        int | None, _machine("--workers", "Processes; as many as cores when left out, 0 for none.", min=0)
    ],
    "threads": Annotated[int, _machine("--threads", "Threads of each process, for links of one-layer models.", min=1)],
    "resume": Annotated[bool, _machine("--resume", "Go on with a run for --out that was stopped.")],
    "scheduler": Annotated[
        str | None, _machine("--scheduler", "Dask scheduler (tcp://host:8786) whose workers do it instead.")
    ],
}
"""Fields of :class:`Machine` and the options that set them."""


@with_source
@with_fields("contents", Contents, CONTENTS)
@with_fields("machine", Machine, MACHINE)
def precompute(
    source: Source,
    contents: Contents,
    machine: Machine,
    model: Annotated[Path, typer.Option("--model", help="Checkpoint of `bi2scope train` (.safetensors).")],
    out: Annotated[Path, typer.Option("--out", help="Attention store to write (.h5).")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file if it is there.")] = False,
) -> None:
    """Store the attention of every cell in one HDF5 file."""
    from bi2scope.data.files import require_absent
    from bi2scope.data.reading import read_multiome
    from bi2scope.model.checkpoint import load
    from bi2scope.precompute.build import precompute as build_store
    from bi2scope.precompute.execution import Execution

    require_absent(out, overwrite or machine.resume)
    options = contents.options(overwrite)
    execution = Execution(machine.workers, machine.threads, machine.resume, machine.scheduler)
    trained = load(model)
    multiome = read_multiome(replace(source, seed=None))
    report_notes(multiome.notes)
    build_store(trained, multiome, out, options, execution)
    typer.echo(f"Wrote {out}. Browse it with: bi2scope serve {out}")
