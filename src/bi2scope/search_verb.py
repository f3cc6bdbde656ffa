"""The verb ``search`` and its options."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from bi2scope.data.source import Source
from bi2scope.options import with_fields, with_source
from bi2scope.reporting import report_notes
from bi2scope.train_verb import SETTINGS, Settings

if TYPE_CHECKING:
    from bi2scope.model.search import SearchOptions

_PANEL = "Search"


@dataclass(frozen=True)
class Trials:
    """How to search; times in minutes, files beside the output when left out."""

    space: Path | None = None
    sampler: Literal["grid", "tpe"] = "tpe"
    pruner: Literal["median", "hyperband", "none"] = "median"
    trials: int = 30
    timeout: float | None = None
    storage: Path | None = None
    table: Path | None = None
    stale_after: float = 60.0
    workers: int = 0
    device: Literal["auto", "cpu", "cuda"] = "auto"

    def options(self, out: Path) -> SearchOptions:
        """The options of the search whose best configuration goes to ``out``."""
        from bi2scope.model.search import SearchOptions

        return SearchOptions(
            storage=self.storage or out.with_suffix(".log"),
            table=self.table or out.with_suffix(".csv"),
            sampler=self.sampler,
            pruner=self.pruner,
            trials=self.trials,
            timeout=None if self.timeout is None else 60 * self.timeout,
            stale_after=60 * self.stale_after,
            workers=self.workers,
            device=self.device,
        )


def _option(flag: str, text: str, **limits: int) -> Any:
    return typer.Option(flag, help=text, rich_help_panel=_PANEL, **limits)  # type: ignore[arg-type]


TRIALS: dict[str, Any] = {
    "space": Annotated[
        Path | None, _option("--space", "JSON of values by setting (docs/search.md); the paper's grids when left out.")
    ],
    "sampler": Annotated[
        Literal["grid", "tpe"], _option("--sampler", "Combinations in random order, or led by earlier trials.")
    ],
    "pruner": Annotated[Literal["median", "hyperband", "none"], _option("--pruner", "What ends poor trials early.")],
    "trials": Annotated[
        int, _option("--trials", "Trials in all, those of earlier runs and other machines too.", min=1)
    ],
    "timeout": Annotated[float | None, _option("--timeout", "Minutes after which this run begins no further trial.")],
    "storage": Annotated[Path | None, _option("--storage", "Journal of the trials (.log), beside --out by default.")],
    "table": Annotated[Path | None, _option("--table", "Table of the trials (.csv), beside --out by default.")],
    "stale_after": Annotated[
        float, _option("--stale-after", "Minutes of silence after which another machine's trial is repeated.")
    ],
    "workers": Annotated[int, _option("--workers", "Processes that make batches beside training.", min=0)],
    "device": Annotated[Literal["auto", "cpu", "cuda"], _option("--device", "auto: CUDA where there is some.")],
}
"""Fields of :class:`Trials` and the options that set them."""

_SETTINGS = {name: option for name, option in SETTINGS.items() if name != "control"}


@with_source
@with_fields("settings", Settings, _SETTINGS)
@with_fields("trials", Trials, TRIALS)
def search(
    source: Source,
    settings: Settings,
    trials: Trials,
    out: Annotated[Path, typer.Option("--out", help="Best configuration to write (.json), for `train --config`.")],
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an --out of another search.")] = False,
) -> None:
    """Search for the best settings by the validation pairs; run it again, or elsewhere too, to go on."""
    from bi2scope.data.files import require_absent
    from bi2scope.data.reading import read_multiome
    from bi2scope.model.configuration import write_configuration
    from bi2scope.model.search import search as search_settings
    from bi2scope.model.search_space import PAPER_GRIDS, SearchSpace, read_space

    options = trials.options(out)
    goes_on = options.storage.exists()
    for path in (out, options.table):
        require_absent(path, overwrite or goes_on)
    require_absent(options.storage, overwrite=True)
    values = PAPER_GRIDS if trials.space is None else read_space(trials.space)
    space = SearchSpace(values, *settings.configurations())
    multiome = read_multiome(replace(source, seed=None))
    report_notes(multiome.notes)
    found = search_settings(multiome, space, options, lambda text: typer.echo(text, err=True))
    write_configuration(out, found.model, found.training)
    typer.echo(
        f"Best of {found.n_trials} trials is trial {found.trial}: validation accuracy {found.accuracy:.3f}. Being the "
        "best of several it flatters; the test pairs were not looked at."
    )
    typer.echo(f"Wrote {out} and {options.table}. Train it with: bi2scope train --config {out}")
