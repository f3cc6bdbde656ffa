"""The verb ``train`` and its options."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from bi2scope.data.errors import InputError
from bi2scope.data.source import Source
from bi2scope.options import with_fields, with_source
from bi2scope.reporting import report_accuracy, report_notes

if TYPE_CHECKING:
    from bi2scope.model.config import ModelConfig, TrainingConfig

Protocol = Literal["paper", "bi2scope"]
Control = Literal["random-weights", "shuffled-labels", "uniform-attention", "random-peaks"]

_PANEL = "Machine"


@dataclass(frozen=True)
class Settings:
    """What is to be trained: a protocol, a file of settings over it, and settings over both; ``None`` is not given."""

    protocol: str | None = None
    config: Path | None = None
    epochs: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    seed: int | None = None
    hard_share: float | None = None
    mismatch_ratio: float | None = None
    max_distance: str | None = None
    control: Control | None = None

    def configurations(self) -> tuple[ModelConfig, TrainingConfig]:
        """The two configurations.

        Raises
        ------
        ConfigurationError
            If a setting is unknown or out of its range.
        """
        from bi2scope.data.candidates import parse_distance
        from bi2scope.model.config import protocol_defaults
        from bi2scope.model.configuration import DEFAULT_PROTOCOL, read_configuration

        limit = None if self.max_distance is None else parse_distance(self.max_distance)
        if self.config is not None:
            model, training = read_configuration(self.config, self.protocol)
        else:
            model, training = protocol_defaults(self.protocol or DEFAULT_PROTOCOL)
        names = ("epochs", "batch_size", "learning_rate", "seed", "hard_share", "mismatch_ratio", "control")
        changes: dict[str, Any] = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        if limit is not None:
            model = replace(model, max_distance=limit)
        return model, replace(training, **changes)


@dataclass(frozen=True)
class Machine:
    """Where and how it is trained, which changes nothing of the result but for the precision."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["float32", "bf16"] = "float32"
    workers: int = 0
    resume: bool = False
    save_every: int | None = None
    history: Path | None = None


def _machine(flag: str, text: str, **limits: int) -> Any:
    return typer.Option(flag, help=text, rich_help_panel=_PANEL, **limits)  # type: ignore[arg-type]


SETTINGS: dict[str, Any] = {
    "protocol": Annotated[
        Protocol | None,
        typer.Option("--protocol", help="The paper's training, or bi2scope (default), the best on unseen cells."),
    ],
    "config": Annotated[
        Path | None, typer.Option("--config", help="JSON of settings, in place of the protocol's (docs/training.md).")
    ],
    "epochs": Annotated[int | None, typer.Option("--epochs", min=1, help="Epochs; the protocol's when left out.")],
    "batch_size": Annotated[int | None, typer.Option("--batch-size", min=1, help="Pairs in a step.")],
    "learning_rate": Annotated[float | None, typer.Option("--learning-rate", help="Of the optimiser.")],
    "seed": Annotated[int | None, typer.Option("--seed", min=0, help="Seed of splits, pairs and weights.")],
    "hard_share": Annotated[
        float | None,
        typer.Option("--hard-share", min=0, max=1, help="Share of mismatches of two cells of one type (0 by default)."),
    ],
    "mismatch_ratio": Annotated[
        float | None, typer.Option("--mismatch-ratio", help="Mismatched pairs per matched pair (1 by default).")
    ],
    "max_distance": Annotated[
        str | None,
        typer.Option("--max-distance", help="A gene attends to peaks so near its TSS only: 500kb, 500000, 2.5Mb."),
    ],
    "control": Annotated[
        Control | None, typer.Option("--control", help="Make a control to compare the model with, in its place.")
    ],
}
"""Fields of :class:`Settings` and the options that set them."""

MACHINE: dict[str, Any] = {
    "device": Annotated[Literal["auto", "cpu", "cuda"], _machine("--device", "auto: CUDA where there is some.")],
    "precision": Annotated[Literal["float32", "bf16"], _machine("--precision", "bf16: autocast, on CUDA only.")],
    "workers": Annotated[int, _machine("--workers", "Processes that make batches beside training.", min=0)],
    "resume": Annotated[bool, _machine("--resume", "Go on with a training for --out that was stopped.")],
    "save_every": Annotated[
        int | None, _machine("--save-every", "Keep the state after so many steps, not after epochs alone.", min=1)
    ],
    "history": Annotated[Path | None, _machine("--history", "CSV to write, a row per epoch, as it trains.")],
}
"""Fields of :class:`Machine` and the options that set them."""


@with_source
@with_fields("settings", Settings, SETTINGS)
@with_fields("machine", Machine, MACHINE)
def train(
    source: Source,
    settings: Settings,
    machine: Machine,
    out: Annotated[Path, typer.Option("--out", help="Checkpoint to write (.safetensors).")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file if it is there.")] = False,
) -> None:
    """Train Bi2Former to tell matched cells from mismatched ones."""
    from bi2scope.data.files import require_absent
    from bi2scope.data.reading import read_multiome
    from bi2scope.model.checkpoint import save
    from bi2scope.model.distributed import first_process
    from bi2scope.model.history import write_history
    from bi2scope.model.resume import state_path
    from bi2scope.model.training import Execution
    from bi2scope.model.training import train as train_model

    first, history, state = first_process(), machine.history, state_path(out)
    require_absent(out, overwrite)
    if history is not None:
        require_absent(history, overwrite or machine.resume)
    model_config, training_config = settings.configurations()
    notes = leftover_notes(state, machine.resume, overwrite)
    multiome = read_multiome(replace(source, seed=None))
    report_notes([*notes, *multiome.notes] if first else [])
    execution = Execution(
        device=machine.device,
        precision=machine.precision,
        state=state,
        resume=machine.resume,
        save_every=machine.save_every,
        on_epoch=None if history is None else lambda rows: write_history(history, rows),
    )
    try:
        trained = train_model(multiome, model_config, training_config, workers=machine.workers, execution=execution)
    except KeyboardInterrupt:
        if first and state.exists():
            typer.echo(f"{state} holds the state; the same command with --resume goes on from there.", err=True)
        raise
    if first:
        save(trained, out)
        state.unlink(missing_ok=True)
        report_accuracy(trained.report)
        typer.echo(f"Wrote {out}")


def leftover_notes(state: Path, resume: bool, overwrite: bool) -> list[str]:
    """What is to be said of the state of an earlier training.

    Raises
    ------
    InputError
        If there is one and nothing was said about it.
    """
    from bi2scope.model.resume import standing

    if not state.exists():
        return [f"There is no {state} to go on from: trained from the beginning."] if resume else []
    if resume:
        return [f"Going on {standing(state)}, from {state}."]
    if overwrite:
        return [f"{state}, the state of an earlier training, is replaced."]
    raise InputError(
        f"{state} is there: a training for that checkpoint was stopped {standing(state)}.",
        "Pass --resume to go on with it, or --overwrite to begin anew.",
    )
