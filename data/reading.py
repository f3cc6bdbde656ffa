"""The front door: any of the formats in, one checked data set out. Formats are told by content, not by name."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import h5py
import pandas as pd

from bi2scope.data.annotation import placed_by, read_annotation, spelled_as
from bi2scope.data.elements import check_file, listed, opened
from bi2scope.data.errors import ConfigurationError, DatasetError
from bi2scope.data.file_order import FileOrder
from bi2scope.data.h5ad import Slot, read_modality
from bi2scope.data.h5mu import read_h5mu
from bi2scope.data.labels import cell_type_column, read_labels, with_column, with_labels
from bi2scope.data.modality import Modality, divided
from bi2scope.data.multiome import Multiome
from bi2scope.data.places import peak_table
from bi2scope.data.prepared import is_prepared, read_prepared
from bi2scope.data.presets import as_published, preset_named
from bi2scope.data.readers import Leniency, joined
from bi2scope.data.source import Source
from bi2scope.data.tenx import read_10x_folder, read_10x_h5

FORMATS = {
    "pair": "pair of .h5ad files",
    "h5ad": ".h5ad with RNA and ATAC",
    "h5mu": "MuData (.h5mu)",
    "10x h5": "10x .h5",
    "10x folder": "10x folder",
    "prepared": "prepared file",
}
"""Formats that are read, and what they are called."""

_FEATURE_TYPES = ("feature_types", "feature_type", "modality")
"""Columns in which an .h5ad with both kinds of features says which is which."""

_WANTED = "Wanted an .h5mu, a 10x .h5, a 10x folder, an .h5ad with both, or a file of bi2scope prepare."


@dataclass(frozen=True)
class Reading:
    """What was read, and how much of it there was in the files.

    Attributes
    ----------
    multiome
        The data set.
    format
        What the files are, in words.
    n_cells, n_genes, n_peaks
        Cells, genes and peaks of the files, before any was left out.
    order
        Genes and peaks as the files list them; ``None`` of a prepared file, which has them in genome order alone.
    """

    multiome: Multiome
    format: str
    n_cells: int
    n_genes: int
    n_peaks: int
    order: FileOrder | None = None


def read_multiome(source: Source) -> Multiome:
    """Read paired cells of any of the formats.

    Cells without types get Leiden clusters in their place, and the notes say so; with ``source.seed`` of ``None``
    they are refused.

    Raises
    ------
    Bi2scopeError
        If a file cannot be read or does not hold what is needed; the message names file and key.
    """
    return read(source).multiome


def read(source: Source) -> Reading:
    """As :func:`read_multiome`, with what the files held.

    Raises
    ------
    Bi2scopeError
        As :func:`read_multiome`.
    """
    kind = "pair" if source.cells is None else recognised(source.cells)
    if kind == "prepared":
        return _read_prepared(source)
    rna, atac = _modalities(source, kind)
    sizes = (len(rna.obs), len(rna.var), len(atac.var))
    notes: list[str] = []
    if source.preset is not None:
        rna, atac = as_published(rna, atac, preset_named(source.preset), notes)
    rna, atac = _typed(rna, atac, source, notes)
    if source.genes is not None:
        rna = _placed(rna, atac, source.genes, notes)
    elif kind.startswith("10x"):
        notes.append(
            "10x gives genes the span of their transcription start sites and no strand; "
            "--genes with the annotation of the genome gives both."
        )
    multiome = joined(rna, atac, Leniency(only_shared=kind == "h5mu", cluster_seed=source.seed))
    multiome = _with_dna(replace(multiome, notes=(*notes, *multiome.notes)), source)
    return Reading(multiome, FORMATS[kind], *sizes, FileOrder(rna.var, atac.var))


def recognised(path: Path) -> str:
    """Which of :data:`FORMATS` a file or folder is.

    Raises
    ------
    DatasetError
        If it is none of them.
    """
    if path.is_dir():
        if any(file.name.endswith(("matrix.mtx", "matrix.mtx.gz")) for file in path.iterdir()):
            return "10x folder"
        found = listed([file.name for file in sorted(path.iterdir())][:6])
        raise DatasetError(f"{path} is a folder without a matrix.mtx.gz; it has {found}.", _WANTED)
    check_file(path, "a multiome", _WANTED)
    with opened(path, "a multiome", _WANTED) as file:
        if is_prepared(file):
            return "prepared"
        for key, kind in (("mod", "h5mu"), ("matrix", "10x h5"), ("X", "h5ad"), ("var", "h5ad")):
            if key in file:
                return kind
        raise _unknown(file, path)


def _unknown(file: h5py.File, path: Path) -> DatasetError:
    magic = file.attrs.get("magic", "")
    what = "an attention store, made from cells" if "bi2scope" in str(magic) else "none of the files that hold cells"
    return DatasetError(f"{path} is {what}; it has {listed(sorted(file)[:8])}.", _WANTED)


def _read_prepared(source: Source) -> Reading:
    assert source.cells is not None
    if source.extras:
        raise ConfigurationError(
            f"{source.cells} is a prepared file and takes no {' or '.join(source.extras)}.",
            "Give these to bi2scope prepare, and prepare it again.",
        )
    multiome = read_prepared(source.cells)
    return Reading(multiome, FORMATS["prepared"], multiome.n_cells, multiome.n_genes, multiome.n_peaks)


def _modalities(source: Source, kind: str) -> tuple[Modality, Modality]:
    rna, atac = Slot(source.rna_layer, "--rna-layer"), Slot(source.atac_layer, "--atac-layer")
    if source.cells is None:
        assert source.rna is not None
        assert source.atac is not None
        return read_modality(source.rna, rna), read_modality(source.atac, atac)
    if kind == "h5mu":
        return read_h5mu(source.cells, rna, atac)
    if kind == "h5ad":
        return _halves(source.cells, rna, atac)
    if rna.layer is not None or atac.layer is not None:
        raise ConfigurationError(f"{source.cells} is a {FORMATS[kind]} and has no layers.")
    return read_10x_h5(source.cells) if kind == "10x h5" else read_10x_folder(source.cells)


def _halves(path: Path, rna: Slot, atac: Slot) -> tuple[Modality, Modality]:
    """RNA and ATAC of one .h5ad whose features say which they are."""
    if rna.layer != atac.layer:
        raise ConfigurationError(f"{path} holds RNA and ATAC in one matrix: --rna-layer and --atac-layer must agree.")
    both = read_modality(path, rna)
    column = next((name for name in _FEATURE_TYPES if name in both.var.columns), None)
    if column is None:
        raise DatasetError(
            f"{path} is one .h5ad, and its var does not say which features are genes and which are peaks: it has "
            f"{listed(both.var.columns)}; wanted feature_types ('Gene Expression', 'Peaks').",
            "Two files, one of each, are read with --rna and --atac.",
        )
    return divided(both, both.var[column].astype(str).to_numpy().astype(object))


def _typed(rna: Modality, atac: Modality, source: Source, notes: list[str]) -> tuple[Modality, Modality]:
    """Both modalities with their cell types, where any are given, as ``obs["cell_type"]``."""
    if source.labels is not None:
        labels = read_labels(source.labels)
        return with_labels(rna, labels, source.labels, notes), with_labels(atac, labels, source.labels, [])
    if source.cell_type is not None:
        if not any(source.cell_type in modality.obs.columns for modality in (rna, atac)):
            raise DatasetError(
                f"{rna.source}: obs has no column {source.cell_type!r}; it has {listed(rna.obs.columns)}.",
                "Choose one with --cell-type.",
            )
        return with_column(rna, source.cell_type), with_column(atac, source.cell_type)
    return _spelled(rna, notes), _spelled(atac, [])


def _spelled(modality: Modality, notes: list[str]) -> Modality:
    column = cell_type_column(modality)
    if column is None or column == "cell_type":
        return modality
    notes.append(f"The cell types are those of the column {column!r}.")
    return with_column(modality, column)


def _placed(rna: Modality, atac: Modality, path: Path, notes: list[str]) -> Modality:
    annotation, renamed = spelled_as(read_annotation(path), _chromosomes(atac))
    var, note = placed_by(annotation, rna.var, rna.source)
    notes.append(note)
    if renamed:
        notes.append(f"The chromosomes of {path} are named as those of the peaks.")
    return replace(rna, var=var)


def _chromosomes(atac: Modality) -> set[str]:
    peaks: pd.DataFrame = peak_table(atac.var, atac.source)
    return set(peaks["chrom"])


def _with_dna(multiome: Multiome, source: Source) -> Multiome:
    from bi2scope.data.dna import with_genome_fasta, with_peak_fasta

    if source.peak_fasta is not None:
        return with_peak_fasta(multiome, source.peak_fasta)
    return multiome if source.genome is None else with_genome_fasta(multiome, source.genome)
