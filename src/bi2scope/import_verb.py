"""The verb ``import-checkpoint``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import typer

from bi2scope.data.source import Source
from bi2scope.options import with_source
from bi2scope.reporting import report_notes


@with_source
def import_checkpoint(
    checkpoint: Annotated[Path, typer.Argument(metavar="FILE", help="Published state dict (.pth or .safetensors).")],
    source: Source,
    out: Annotated[Path, typer.Option("--out", help="Checkpoint to write (.safetensors).")],
    heads: Annotated[
        int | None, typer.Option("--heads", min=1, help="Attention heads; wanted when there is more than one.")
    ] = None,
    dropout: Annotated[float, typer.Option("--dropout", help="Dropout of the read-out, which no shape gives.")] = 0.1,
    feature_order: Annotated[
        Literal["file", "genome"], typer.Option("--feature-order", help="Order of its genes and peaks.")
    ] = "file",
    chromosome_order: Annotated[
        str,
        typer.Option("--chromosome-order", help="Of its one-hot columns: file, natural, names with commas, or a file."),
    ] = "file",
    evaluate: Annotated[
        bool, typer.Option("--evaluate", help="Tell these cells' pairs apart with it, and say how well.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the file if it is there.")] = False,
) -> None:
    """Bring a published Bi2Former checkpoint into bi2scope's format, with the files that it was trained on."""
    from bi2scope.data.files import require_absent
    from bi2scope.data.reading import read
    from bi2scope.model.checkpoint import save
    from bi2scope.model.published import ImportOptions, evaluated, import_published, parse_chromosome_order
    from bi2scope.model.state_dict import read_state_dict

    require_absent(out, overwrite)
    state = read_state_dict(checkpoint)
    reading = read(replace(source, seed=None))
    report_notes(reading.multiome.notes)
    order = parse_chromosome_order(chromosome_order, reading)
    options = ImportOptions(heads, dropout, feature_order, order)
    trained = import_published(state, reading, options, checkpoint.name)
    report_notes(trained.report["notes"])
    if evaluate:
        trained = evaluated(trained, reading)
        metrics = trained.report["evaluation"]
        typer.echo(
            f"Accuracy {metrics['accuracy']:.3f} on {metrics['n_pairs']:,} pairs of these cells (chance 0.500); "
            "it may have been trained on them."
        )
    save(trained, out)
    typer.echo(f"Wrote {out}: imported, not trained here.")
