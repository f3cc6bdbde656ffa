"""The four data sets of the paper: how their published files differ from what is read, and their sizes."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pandas as pd

from bi2scope.data.errors import ConfigurationError
from bi2scope.data.modality import Modality
from bi2scope.data.pairing import cell_types_of


@dataclass(frozen=True)
class Preset:
    """One of the paper's data sets.

    Attributes
    ----------
    name
        What it is called on the command line.
    title
        What it is and where its files come from.
    cells, genes, peaks
        Sizes of the published files.
    gene_column, peak_column, cell_column
        Columns that hold the names of genes, peaks and cells when the index does not.
    strand_column
        Column of the strand.
    """

    name: str
    title: str
    cells: int
    genes: int
    peaks: int
    gene_column: str | None = None
    peak_column: str | None = None
    cell_column: str | None = None
    strand_column: str = "strand"


PRESETS = {
    preset.name: preset
    for preset in (
        Preset("pbmc10k", "10x Multiome PBMC 10k (scGLUE: 10x-Multiome-Pbmc10k)", 9_631, 29_095, 107_194),
        Preset("share", "SHARE-seq mouse skin (scGLUE: Ma-2020)", 32_231, 21_478, 340_341),
        Preset("snare", "SNARE-seq mouse cortex (scGLUE: Chen-2019)", 9_190, 28_930, 241_757),
        Preset("issaac", "ISSAAC-seq mouse cortex", 10_361, 20_771, 169_180, "gene", "peak", "cell", "_"),
    )
}
"""The paper's data sets by name."""


def preset_named(name: str) -> Preset:
    """The preset of that name.

    Raises
    ------
    ConfigurationError
        If there is none.
    """
    if name not in PRESETS:
        raise ConfigurationError(f"There is no preset {name!r}; there are {', '.join(PRESETS)}.")
    return PRESETS[name]


def as_published(rna: Modality, atac: Modality, preset: Preset, notes: list[str]) -> tuple[Modality, Modality]:
    """The pair with the preset's columns brought to the names that are read; sizes that differ are noted.

    Where RNA and ATAC have no cell name in common but as many cells, of the same types row by row, the rows are taken
    for the same cells, as the paper's code takes them.

    Parameters
    ----------
    rna, atac
        The published pair.
    preset
        Which one it is.
    notes
        Grows by a sentence for each thing that differs.
    """
    found = (len(rna.obs), len(rna.var), len(atac.var))
    wanted = (preset.cells, preset.genes, preset.peaks)
    for size, expected, what in zip(found, wanted, ("cells", "genes", "peaks"), strict=True):
        if size != expected:
            notes.append(f"{preset.title} has {expected:,} {what}; these files have {size:,}.")
    rna, atac = _named_cells(rna, preset), _named_cells(atac, preset)
    rna_var = _indexed(rna.var, preset.gene_column)
    if preset.strand_column in rna_var.columns and "strand" not in rna_var.columns:
        rna_var = rna_var.rename(columns={preset.strand_column: "strand"})
    atac_var = _indexed(atac.var, preset.peak_column)
    return _paired_by_row(replace(rna, var=rna_var), replace(atac, var=atac_var), notes)


def _named_cells(modality: Modality, preset: Preset) -> Modality:
    return replace(modality, obs=_indexed(modality.obs, preset.cell_column))


def _indexed(table: pd.DataFrame, column: str | None) -> pd.DataFrame:
    """The table under the names in a column, where it has that column and they are unique."""
    if column is None or column not in table.columns or not table[column].astype(str).is_unique:
        return table
    return table.set_index(pd.Index(table[column].astype(str), name=None))


def _paired_by_row(rna: Modality, atac: Modality, notes: list[str]) -> tuple[Modality, Modality]:
    if len(rna.obs) != len(atac.obs) or rna.obs.index.isin(atac.obs.index).any():
        return rna, atac
    of_rna, of_atac = cell_types_of(rna), cell_types_of(atac)
    if of_rna is None or of_atac is None or (of_rna != of_atac).any():
        return rna, atac
    notes.append(
        "RNA and ATAC name the cells differently; they are paired row by row, as the paper's code does "
        "(the cell types agree in every row)."
    )
    return rna, replace(atac, obs=atac.obs.set_index(rna.obs.index))
