"""Where genes and peaks lie: the tables of features, out of the ``var`` of a file."""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt
import pandas as pd

from bi2scope.data.errors import RegionError
from bi2scope.data.regions import PEAK_SPELLINGS, bare_chromosome, check_intervals, natural_chromosome_order

PLACE_COLUMNS = (("chrom", "chromStart", "chromEnd"), ("chrom", "start", "end"))
"""Columns of ``var`` that give a place, 0-based and half-open: as scGLUE writes them, or as bioframe does."""

NAME_COLUMNS = ("gene_name", "name", "gene_symbols")

INTERVAL_COLUMN = "interval"
"""Column in which 10x and its readers give a place, as ``chr1:100-200``; ``NA`` for a gene without one."""

_PEAK_NAME = r"(.+)([:_-])([0-9]{1,12})([_-])([0-9]{1,12})"
_GENOME = re.compile(r"^((?:GRC[a-z]|hg|mm|rn)[0-9]+[A-Za-z0-9.-]*)_+(?=.)")
"""A genome before the name of a chromosome, as 10x writes it for references of two genomes: ``GRCh38_chr1``."""

_MISSING = {"", "nan", "none", "na", "n/a", "<na>", "."}
_STRANDS = {"+": "+", "-": "-", "1": "+", "-1": "-", "+1": "+", "1.0": "+", "-1.0": "-"}


def are_peak_names(names: pd.Index) -> bool:
    """Whether features are named as peaks are, nearly all of them."""
    return bool(names.to_series().str.fullmatch(_PEAK_NAME).mean() > 0.9)


def gene_table(var: pd.DataFrame, source: str) -> tuple[pd.DataFrame, npt.NDArray[np.bool_]]:
    """Genes with a place, in the order of the file.

    Parameters
    ----------
    var
        ``(n_genes,)`` rows; index the gene ids; columns ``chrom``, ``chromStart``, ``chromEnd`` (or ``start``,
        ``end``), else ``interval``, and, when there, ``strand`` and ``gene_name``, ``name`` or ``gene_symbols``.
    source
        The file, for messages.

    Returns
    -------
    table
        ``name``, ``chrom``, ``start``, ``end``, ``strand`` of the genes that have a place.
    placed
        ``(n_genes,)`` mask of those genes; the others have no chromosome or no coordinates.

    Raises
    ------
    RegionError
        If there are no coordinates, or they are not numbers, negative, or the start is not below the end.
    """
    columns = _place_columns(var)
    if columns:
        places = _places(var, columns, "gene", source)
    elif INTERVAL_COLUMN in var.columns:
        places = _from_intervals(var, "gene", source)
    else:
        raise RegionError(
            f"{source}: the genes have no coordinates: the columns of var are "
            f"{', '.join(map(str, var.columns)) or 'none'}; wanted {', '.join(PLACE_COLUMNS[0])} (and strand).",
            "Give a gene annotation of the genome the reads were mapped to: --genes genes.gtf.gz.",
        )
    placed = places.notna().all(axis=1).to_numpy() & (places["chrom"].to_numpy() != "")
    if not placed.any():
        raise RegionError(
            f"{source}: none of the {len(var)} genes has a place on a chromosome "
            f"({', '.join(columns or (INTERVAL_COLUMN,))}).",
            "Give a gene annotation: --genes genes.gtf.gz.",
        )
    table = _whole(places[placed], "gene", source)
    table.insert(0, "name", _names(var)[placed])
    table["strand"] = _strands(var, source)[placed]
    table.index = pd.Index(table.index.to_numpy().astype(object))
    return table, placed


def peak_table(var: pd.DataFrame, source: str) -> pd.DataFrame:
    """Peaks in the order of the file, named ``chrom:start-end``; columns ``chrom``, ``start``, ``end``.

    Places come from columns as for the genes, else from the names of the peaks in any of three spellings, else from
    the column ``interval``. A genome before the chromosome (``GRCh38_chr1``) is left out.

    Raises
    ------
    RegionError
        If a peak has no place, or it is not one.
    """
    columns = _place_columns(var)
    if columns:
        places = _places(var, columns, "peak", source)
    elif INTERVAL_COLUMN in var.columns and not are_peak_names(var.index):
        places = _from_intervals(var, "peak", source)
    else:
        places = _from_names(var.index, source)
    lost = places.isna().any(axis=1).to_numpy() | (places["chrom"].to_numpy() == "")
    if lost.any():
        raise RegionError(
            f"{source}: {int(lost.sum())} of {len(var)} peaks have no place, such as {var.index[lost][0]}.",
            f"Every peak needs {', '.join(PLACE_COLUMNS[0])}.",
        )
    table = _whole(places, "peak", source)
    table.index = pd.Index(
        table["chrom"] + ":" + table["start"].astype(str) + "-" + table["end"].astype(str), dtype="object"
    )
    return table


def check_same_naming(genes: pd.DataFrame, peaks: pd.DataFrame, rna_source: str, atac_source: str) -> None:
    """Check that genes and peaks speak of the same chromosomes.

    Raises
    ------
    RegionError
        If one side writes ``chr1`` and the other ``1``, or they have no chromosome in common.
    """
    of_genes, of_peaks = set(genes["chrom"]), set(peaks["chrom"])
    bare_peaks = {bare_chromosome(name): name for name in natural_chromosome_order(of_peaks)}
    for gene_chrom in natural_chromosome_order(of_genes - of_peaks):
        peak_chrom = bare_peaks.get(bare_chromosome(gene_chrom))
        if peak_chrom is not None:
            raise RegionError(
                f"Genes and peaks name the chromosomes differently: {gene_chrom!r} in {rna_source}, "
                f"{peak_chrom!r} in {atac_source}.",
                "Write them one way in both files, with chr or without.",
            )
    if not of_genes & of_peaks:
        raise RegionError(
            f"Genes and peaks have no chromosome in common: {_some(of_genes)} in {rna_source}, "
            f"{_some(of_peaks)} in {atac_source}.",
            "Are both of one genome?",
        )


def _some(names: set[str]) -> str:
    ordered = natural_chromosome_order(names)
    return ", ".join(ordered[:4]) + (", ..." if len(ordered) > 4 else "")


def _place_columns(var: pd.DataFrame) -> tuple[str, str, str] | None:
    return next((columns for columns in PLACE_COLUMNS if set(columns) <= set(var.columns)), None)


def _text(column: pd.Series) -> pd.Series:
    """A column as stripped text, "" where nothing is given."""
    text = column.astype("object").where(column.notna(), "").astype(str).str.strip()
    return text.mask(text.str.lower().isin(_MISSING), "")


def _places(var: pd.DataFrame, columns: tuple[str, str, str], what: str, source: str) -> pd.DataFrame:
    """Chromosome ("" where missing), start and end (float64, NaN where missing)."""
    table = pd.DataFrame({"chrom": _text(var[columns[0]]).astype("object")}, index=var.index)
    for field, column in zip(("start", "end"), columns[1:], strict=True):
        numbers = pd.to_numeric(var[column].astype("object"), errors="coerce").astype(np.float64)
        text = _text(var[column])
        fault = (numbers.isna() & (text != "")) | (numbers.notna() & (numbers != np.floor(numbers)))
        fault |= np.isinf(numbers)
        if fault.any():
            row = int(np.flatnonzero(fault)[0])
            raise RegionError(
                f"{source}: {what} {var.index[row]} has {text.iloc[row]!r} in {column}; wanted a whole number "
                f"({int(fault.sum())} of {len(var)} such {what}s).",
                "Coordinates are 0-based and half-open, as in BED.",
            )
        table[field] = numbers
    return table


def _from_names(names: pd.Index, source: str) -> pd.DataFrame:
    parts = names.to_series().str.extract(f"^{_PEAK_NAME}$")
    spelled = (parts[1] + parts[3]).isin([":-", "--", "__"]).to_numpy()
    if not spelled.all():
        bad = names[~spelled]
        raise RegionError(
            f"{source}: {len(bad)} of {len(names)} peaks have no place: {bad[0]!r} is none of {PEAK_SPELLINGS}.",
            f"Rename them, or give var the columns {', '.join(PLACE_COLUMNS[0])}.",
        )
    return pd.DataFrame(
        {"chrom": parts[0].astype("object"), "start": parts[2].astype(np.float64), "end": parts[4].astype(np.float64)}
    )


def _from_intervals(var: pd.DataFrame, what: str, source: str) -> pd.DataFrame:
    """Places out of the column ``interval``; "" and NaN where none is given."""
    text = _text(var[INTERVAL_COLUMN])
    parts = text.str.extract(f"^{_PEAK_NAME}$")
    fault = (text != "") & parts[0].isna()
    if fault.any():
        row = int(np.flatnonzero(fault)[0])
        raise RegionError(
            f"{source}: {what} {var.index[row]} has {text.iloc[row]!r} in {INTERVAL_COLUMN}; wanted chr:start-end "
            f"({int(fault.sum())} of {len(var)} such {what}s)."
        )
    chrom = parts[0].astype("object").where(parts[0].notna(), "")
    return pd.DataFrame({"chrom": chrom, "start": parts[2].astype(np.float64), "end": parts[4].astype(np.float64)})


def _whole(places: pd.DataFrame, what: str, source: str) -> pd.DataFrame:
    table = places.astype({"start": np.int64, "end": np.int64})
    check_intervals(table, what, source)
    table["chrom"] = _without_genome(table["chrom"], what, source)
    return table


def _without_genome(chrom: pd.Series, what: str, source: str) -> pd.Series:
    """Chromosomes without the genome that 10x writes before them (``GRCh38_chr1``)."""
    names = pd.Series(chrom.unique(), dtype="object").astype(str)
    genomes = names.str.extract(_GENOME)[0]
    if genomes.isna().all():
        return chrom
    found = sorted(set(genomes.dropna()))
    if len(found) > 1 or genomes.isna().any():
        raise RegionError(
            f"{source}: the {what}s are of several genomes: "
            f"{', '.join(found)}{' and chromosomes without one' if genomes.isna().any() else ''}.",
            "Keep the cells and features of one genome.",
        )
    return chrom.map({name: without_genome(name) for name in names}).astype("object")


def without_genome(name: str) -> str:
    """A chromosome or gene without the genome that 10x writes before it (``GRCh38_chr1``)."""
    return _GENOME.sub("", name)


def _names(var: pd.DataFrame) -> npt.NDArray[np.object_]:
    """Symbols of the genes; the id where there is none."""
    ids = var.index.to_numpy().astype(object)
    column = next((name for name in NAME_COLUMNS if name in var.columns), None)
    if column is None:
        return ids
    names = _text(var[column]).to_numpy().astype(object)
    return np.where(names == "", ids, names)


def _strands(var: pd.DataFrame, source: str) -> npt.NDArray[np.object_]:
    if "strand" not in var.columns:
        return np.full(len(var), ".", dtype=object)
    text = _text(var["strand"])
    strands = text.map(_STRANDS)
    fault = (strands.isna() & (text != "")).to_numpy()
    if fault.any():
        row = int(np.flatnonzero(fault)[0])
        raise RegionError(f"{source}: gene {var.index[row]} has {text.iloc[row]!r} in strand; wanted +, - or nothing.")
    return strands.fillna(".").to_numpy().astype(object)
