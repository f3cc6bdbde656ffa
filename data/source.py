"""Where paired cells come from, as the command line and callers say it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bi2scope.data.errors import ConfigurationError


@dataclass(frozen=True)
class Source:
    """Files with paired cells, and what goes with them.

    Attributes
    ----------
    cells
        One file or folder with both RNA and ATAC: .h5mu, 10x .h5, 10x folder, .h5ad of both, or a prepared file.
    rna, atac
        In place of ``cells``: an .h5ad of each.
    labels
        CSV of barcodes and cell types.
    cell_type
        Column of the cells that holds their types, when it is not ``cell_type``.
    genes
        Gene annotation (GTF, GFF3, BED) that places the genes.
    rna_layer, atac_layer
        Layer of the counts when ``X`` does not hold them.
    preset
        Name of a data set of the paper whose published files these are (:mod:`bi2scope.data.presets`).
    peak_fasta, genome
        FASTA of the peaks, or of the genome, for the sequences of the peaks.
    seed
        Seed of the clusters that stand in for missing cell types; ``None`` refuses cells without types.

    Raises
    ------
    ConfigurationError
        If the files named do not make one data set.
    """

    cells: Path | None = None
    rna: Path | None = None
    atac: Path | None = None
    labels: Path | None = None
    cell_type: str | None = None
    genes: Path | None = None
    rna_layer: str | None = None
    atac_layer: str | None = None
    preset: str | None = None
    peak_fasta: Path | None = None
    genome: Path | None = None
    seed: int | None = 0

    def __post_init__(self) -> None:
        given = [name for name in ("cells", "rna", "atac") if getattr(self, name) is not None]
        if given not in (["cells"], ["rna", "atac"]):
            found = " and ".join(f"--{name}" for name in given) or "none of them"
            raise ConfigurationError(
                f"Wanted --rna and --atac, or --cells; found {found}.",
                "--cells takes one .h5mu, 10x .h5, 10x folder or file of bi2scope prepare.",
            )
        for one, other in (("labels", "cell_type"), ("peak_fasta", "genome")):
            if getattr(self, one) is not None and getattr(self, other) is not None:
                options = " and ".join(f"--{name.replace('_', '-')}" for name in (one, other))
                raise ConfigurationError(f"{options} exclude each other.", "Give one of them.")

    @property
    def extras(self) -> list[str]:
        """Options beside the files with counts, as they are spelled on the command line."""
        names = ("labels", "cell_type", "genes", "rna_layer", "atac_layer", "preset", "peak_fasta", "genome")
        return [f"--{name.replace('_', '-')}" for name in names if getattr(self, name) is not None]
