"""The one command, ``bi2scope``: each verb parses, calls its layer, reports.

A verb imports its layer only when it is called, so that ``bi2scope --help`` needs neither torch nor the web.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from bi2scope.data.errors import (
    Bi2scopeError,
    InputError,
    NotFoundError,
    StoreError,
    TrainingError,
)
from bi2scope.data.source import Source
from bi2scope.export_verb import export
from bi2scope.import_verb import import_checkpoint
from bi2scope.options import with_source
from bi2scope.precompute_verb import precompute
from bi2scope.reporting import report_accuracy, report_notes
from bi2scope.search_verb import search
from bi2scope.serve_verb import OpenOption, PortOption, dashboard, run_server, serve
from bi2scope.train_verb import train

EXIT_CODES: tuple[tuple[type[Bi2scopeError], int], ...] = (
    (InputError, 2),
    (StoreError, 3),
    (NotFoundError, 4),
    (TrainingError, 5),
    (Bi2scopeError, 1),
)
"""Exit code of each class of error; the first class that fits counts. 2 is also the code of a wrong usage."""

EXTRA_OF_MODULE = {
    "torch": "model",
    "torch_geometric": "model",
    "safetensors": "model",
    "scanpy": "model",
    "igraph": "model",
    "sklearn": "model",
    "skmisc": "model",
    "matplotlib": "model",
    "optuna": "model",
    "threadpoolctl": "model",
    "numba": "model",
    "distributed": "cluster",
    "dask": "cluster",
    "fastapi": "server",
    "fastapi_offline": "server",
    "httptools": "server",
    "prometheus_client": "server",
    "starlette_compress": "server",
    "uvicorn": "server",
    "pyarrow": "export",
    "pydantic_settings": "server",
    "dash": "dashboard",
    "dash_ag_grid": "dashboard",
    "dash_mantine_components": "dashboard",
    "httpx": "dashboard",
    "plotly": "dashboard",
}

app = typer.Typer(
    name="bi2scope",
    help="Which ATAC peaks a cell's genes attend to: train or load Bi2Former, store its attention, browse it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)

RnaOption = Annotated[Path, typer.Option("--rna", help="RNA counts of the cells (.h5ad).")]
AtacOption = Annotated[Path, typer.Option("--atac", help="ATAC counts of the same cells (.h5ad).")]
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Replace the file if it is there.")]
StoreArgument = Annotated[Path, typer.Argument(metavar="STORE", help="An attention store (.h5).")]


@app.callback(invoke_without_command=True)
def root(
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.", is_eager=True)] = False,
) -> None:
    """Which ATAC peaks a cell's genes attend to: train or load Bi2Former, store its attention, browse it."""
    if version:
        from importlib.metadata import version as installed_version

        typer.echo(f"bi2scope {installed_version('bi2scope')}")
        raise typer.Exit


@app.command()
def simulate(
    out: Annotated[Path, typer.Option("--out", help="Folder to write the pair, the truth and the BED tracks to.")],
    preset: Annotated[str, typer.Option("--preset", help="tiny, small, pbmc10k or cell_lines.")] = "small",
    cells: Annotated[int | None, typer.Option("--cells", help="Cells; the preset's number when left out.")] = None,
    seed: Annotated[int, typer.Option("--seed", help="The same seed gives the same data set.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a simulated data set there.")] = False,
) -> None:
    """Simulate paired cells whose true gene-peak links are known."""
    from bi2scope.data.simulation.output import require_free_folder
    from bi2scope.data.simulator import simulate as simulate_cells
    from bi2scope.data.simulator import write

    require_free_folder(out, overwrite)
    simulated = simulate_cells(preset, n_cells=cells, seed=seed, progress=sys.stderr.isatty())
    write(simulated, out, overwrite=overwrite)
    typer.echo(
        f"Wrote {out}: {len(simulated.cells):,} cells, {len(simulated.genes):,} genes, {len(simulated.peaks):,} peaks, "
        f"{len(simulated.links):,} planted links."
    )


@app.command("fit-report")
def fit_report(
    rna: RnaOption,
    atac: AtacOption,
    out: Annotated[Path, typer.Option("--out", help="Folder to write table, page and figures to.")],
    real_rna: Annotated[Path | None, typer.Option("--real-rna", help="Real RNA counts (.h5ad).")] = None,
    real_atac: Annotated[Path | None, typer.Option("--real-atac", help="Real ATAC counts (.h5ad).")] = None,
    real_cells: Annotated[
        Path | None, typer.Option("--real-cells", help="Or a CSV of real cells: cell_type, n_genes, n_counts.")
    ] = None,
) -> None:
    """Compare simulated cells (--rna, --atac) with real ones: a table and figures."""
    from bi2scope.data.fit_report import measured_pair, write_report

    typer.echo(f"Wrote {write_report(*measured_pair((rna, atac), (real_rna, real_atac), real_cells), out)}")


@app.command()
@with_source
def prepare(
    source: Source,
    out: Annotated[Path, typer.Option("--out", help="Prepared file to write (.h5).")],
    peak_fasta: Annotated[Path | None, typer.Option("--peak-fasta", help="FASTA with a sequence per peak.")] = None,
    genome: Annotated[Path | None, typer.Option("--genome", help="FASTA of the genome, to cut peaks out of.")] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Seed of clusters in place of missing cell types.")] = 0,
    overwrite: OverwriteOption = False,
) -> None:
    """Read paired cells of any format, say what they hold, and write them as one file that is quick to read."""
    from bi2scope.data.files import require_absent
    from bi2scope.data.overview import overview
    from bi2scope.data.prepared import write_prepared
    from bi2scope.data.reading import read

    require_absent(out, overwrite)
    reading = read(replace(source, peak_fasta=peak_fasta, genome=genome, seed=seed))
    report_notes(reading.multiome.notes)
    for name, value in overview(reading):
        typer.echo(f"{name:15} {value}")
    write_prepared(reading.multiome, out, overwrite=overwrite)
    typer.echo(f"Wrote {out}. Train on it with: bi2scope train --cells {out} --out model.safetensors")


app.command("train")(train)
app.command("search")(search)
app.command("precompute")(precompute)
app.command("export")(export)
app.command("import-checkpoint")(import_checkpoint)


@app.command()
def info(store: StoreArgument) -> None:
    """Say what an attention store holds."""
    from rich import print as rich_print
    from rich.markup import escape

    from bi2scope.data.store.reader import StoreReader
    from bi2scope.data.store.summary import store_summary

    with StoreReader.open(store) as reader:
        for name, value in store_summary(reader):
            rich_print(f"[bold]{name}[/bold]  {escape(value)}")


@app.command()
def check(
    store: StoreArgument,
    cells: Annotated[int, typer.Option("--cells", min=0, help="Cells, chosen at random, that are recomputed.")] = 50,
    full: Annotated[bool, typer.Option("--full", help="Every cell, and every cell type's sums and map.")] = False,
) -> None:
    """Verify an attention store; the exit code is 3 if anything is wrong."""
    from bi2scope.data.errors import StoreDamagedError
    from bi2scope.data.store.check import CheckOptions, check_store

    violations = check_store(store, CheckOptions(cells, full))
    for violation in violations:
        typer.echo(violation, err=True)
    if violations:
        raise StoreDamagedError(
            f"{store}: {len(violations)} violation(s) found, listed above.",
            "Make it again: bi2scope precompute.",
        )
    typer.echo(f"{store}: no violation found.")


app.command("serve")(serve)
app.command("dashboard")(dashboard)


@app.command()
def demo(
    folder: Annotated[Path, typer.Option("--folder", help="Where the model and the store go, and are reused.")] = Path(
        "bi2scope-demo"
    ),
    port: PortOption = None,
    open_page: OpenOption = True,
    serve_after: Annotated[
        bool, typer.Option("--serve/--no-serve", help="Serve when done, or stop after the store is made.")
    ] = True,
) -> None:
    """From the bundled cells to the dashboard: train, precompute, serve. A second run reuses what is there."""
    from bi2scope.precompute.demo import build_demo

    built = build_demo(folder)
    for step, seconds in built.seconds:
        typer.echo(f"{step}: {seconds:.0f} s" if seconds is not None else f"{step}: reused")
    report_accuracy(built.report)
    if serve_after:
        run_server([str(built.store)], open_page, port=port)


def main() -> None:
    """Run the command; turn every expected error into one message and an exit code."""
    _wait_passively()
    try:
        app()
    except Bi2scopeError as error:
        typer.echo(f"error: {error.message}", err=True)
        if error.hint:
            typer.echo(f"  {error.hint}", err=True)
        sys.exit(next(code for kind, code in EXIT_CODES if isinstance(error, kind)))
    except ModuleNotFoundError as error:
        extra = EXTRA_OF_MODULE.get((error.name or "").split(".")[0])
        if extra is None:
            raise
        typer.echo(f"error: this verb needs {error.name}, which is not installed.", err=True)
        typer.echo(f"  pip install 'bi2scope[{extra}]'", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        typer.echo("interrupted", err=True)
        sys.exit(130)


def _wait_passively() -> None:
    """Let torch's threads sleep while they wait for one another, unless the user has settled how they wait.

    By default they wait with their processors busy. Where other jobs run, that takes the processor from the very
    thread that is waited for. OpenMP reads the setting once, when torch is loaded; processes started later inherit it.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
