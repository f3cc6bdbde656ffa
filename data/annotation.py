"""Genes of a genome annotation, GTF, GFF or BED, and where they place the genes of a data set."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pandas as pd

from bi2scope.data.errors import RegionError
from bi2scope.data.places import NAME_COLUMNS, without_genome
from bi2scope.data.regions import bare_chromosome, check_intervals, genome_order
from bi2scope.data.textfile import open_text

_HINT = "Wanted genes as GTF, GFF3 or BED with names in its fourth column, plain or gzipped."
_QUOTED = re.compile(r'(\w+) "([^"]*)"')
_PARTS = {"transcript", "mrna", "exon"}
"""Features that a gene is made up from in files that list no genes."""

_ID_KEYS = ("gene_id", "ID")
_NAME_KEYS = ("gene_name", "Name", "gene")
_ENSEMBL = re.compile(r"^(ENS[A-Z]*G[0-9]+)\.[0-9]+")
_COLUMNS = ("gene_id", "name", "chrom", "start", "end", "strand")
_MITOCHONDRIAL = {"M", "MT"}


@dataclass(frozen=True)
class Annotation:
    """Genes of a genome.

    Attributes
    ----------
    source
        The file, for messages.
    genes
        One row per gene in genome order; columns ``gene_id`` (without its version), ``name``, ``chrom``, ``start``,
        ``end`` (0-based, half-open) and ``strand``.
    """

    source: str
    genes: pd.DataFrame


def read_annotation(path: str | Path) -> Annotation:
    """Read the genes of a GTF, GFF3 or BED file, told apart by content.

    A GTF without lines for genes has them put together from its transcripts and exons. A BED file needs the genes'
    ids or symbols in column 4; strands come from column 6.

    Parameters
    ----------
    path
        Plain or gzipped.

    Raises
    ------
    DatasetError
        If the file is missing, not text, or a damaged gzip file.
    RegionError
        If a line is none of those formats, or no genes are there.
    """
    path = Path(path)
    genes: list[Row] = []
    parts: list[Row] = []
    with open_text(path, "a gene annotation") as text:
        for number, line in enumerate(text, start=1):
            row = _row(line, f"{path}, line {number}", parts_wanted=not genes)
            if row is not None:
                (genes if row[6] else parts).append(row)
    table = pd.DataFrame([row[:6] for row in genes or parts], columns=list(_COLUMNS))
    if table.empty:
        raise RegionError(f"{path} holds no genes.", _HINT)
    table = table.astype({"start": np.int64, "end": np.int64})
    check_intervals(table.set_index("gene_id"), "gene", str(path))
    if not genes:
        table = _put_together(table)
    return Annotation(str(path), table.iloc[genome_order(table)].reset_index(drop=True))


Row = tuple[str, str, str, int, int, str, bool]


def _row(line: str, where: str, parts_wanted: bool) -> Row | None:
    """Id, name, place and strand of one line, and whether it is a gene rather than a part of one; else ``None``."""
    if line.startswith(("#", "track", "browser")) or not line.strip():
        return None
    fields = line.rstrip("\n").split("\t")
    if len(fields) >= 4 and fields[1].isdigit() and fields[2].isdigit():
        return _bed_row(fields)
    if len(fields) != 9 or not (fields[3].isdigit() and fields[4].isdigit()):
        raise RegionError(f"{where}: found {line.strip()[:60]!r}, which is no line of a GTF, GFF or BED file.", _HINT)
    feature = fields[2].lower()
    if feature == "gene" or feature.endswith(("_gene", "pseudogene")):
        return _gene_row(fields, where)
    return _part_row(fields) if parts_wanted and feature in _PARTS else None


def _gene_row(fields: list[str], where: str) -> Row:
    attributes = _attributes(fields[8])
    gene_id = next((attributes[key] for key in _ID_KEYS if attributes.get(key)), "")
    if not gene_id:
        raise RegionError(f"{where}: the gene has no {' or '.join(_ID_KEYS)}: {fields[8][:60]!r}.", _HINT)
    return (*_named_place(fields, gene_id, attributes), True)


def _part_row(fields: list[str]) -> Row | None:
    attributes = _attributes(fields[8])
    gene_id = attributes.get("gene_id", "")
    return (*_named_place(fields, gene_id, attributes), False) if gene_id else None


def _named_place(fields: list[str], gene_id: str, attributes: dict[str, str]) -> tuple[str, str, str, int, int, str]:
    gene_id = without_version(gene_id.removeprefix("gene:").removeprefix("gene-"))
    name = next((attributes[key] for key in _NAME_KEYS if attributes.get(key)), gene_id)
    strand = fields[6] if fields[6] in {"+", "-"} else "."
    return gene_id, name, fields[0], int(fields[3]) - 1, int(fields[4]), strand


def without_version(gene_id: str) -> str:
    """An Ensembl id without its version (``ENSG00000121410.12``); any other name as it is."""
    return _ENSEMBL.sub(r"\1", gene_id)


def _bed_row(fields: list[str]) -> Row:
    name = fields[3].strip()
    strand = fields[5].strip() if len(fields) > 5 and fields[5].strip() in {"+", "-"} else "."
    return without_version(name), name, fields[0].strip(), int(fields[1]), int(fields[2]), strand, False


def _attributes(text: str) -> dict[str, str]:
    """Attributes of a GTF (``key "value";``) or of a GFF3 (``key=value;``)."""
    if found := _QUOTED.findall(text):
        return dict(reversed(found))
    pairs = (part.split("=", 1) for part in text.strip().split(";") if "=" in part)
    return {key.strip(): unquote(value.strip()) for key, value in pairs}


def _put_together(parts: pd.DataFrame) -> pd.DataFrame:
    """One row per gene and chromosome, from the first base of its parts to the last."""
    grouped = parts.groupby(["gene_id", "chrom"], sort=False)
    spans = grouped.agg(name=("name", "first"), start=("start", "min"), end=("end", "max"), strand=("strand", "first"))
    return spans.reset_index()[list(_COLUMNS)]


def spelled_as(annotation: Annotation, chromosomes: set[str]) -> tuple[Annotation, bool]:
    """The annotation with its chromosomes named as the peaks' are, and whether that changed them.

    ``1`` and ``chr1`` are one chromosome, and so are ``MT``, ``M`` and ``chrM``; other names stay.
    """
    wanted = {_plain(name): name for name in chromosomes}
    names = annotation.genes["chrom"].unique()
    renamed = {name: wanted.get(_plain(name), name) for name in names}
    if all(old == new for old, new in renamed.items()):
        return annotation, False
    genes = annotation.genes.assign(chrom=annotation.genes["chrom"].map(renamed).astype("object"))
    return Annotation(annotation.source, genes), True


def _plain(chromosome: str) -> str:
    bare = bare_chromosome(chromosome)
    return "M" if bare.upper() in _MITOCHONDRIAL else bare


def placed_by(annotation: Annotation, var: pd.DataFrame, source: str) -> tuple[pd.DataFrame, str]:
    """The table of the genes with the annotation's places in place of its own.

    A gene is looked up by its id (the index, or ``gene_ids``), versions aside, and then by its symbol (the index, or
    ``gene_name``). Of several genes of one symbol the first in genome order counts.

    Parameters
    ----------
    annotation
        The genome's genes.
    var
        ``(n_genes,)`` rows; index ids or symbols.
    source
        The file of ``var``, for messages.

    Returns
    -------
    var
        With ``chrom``, ``chromStart``, ``chromEnd`` and ``strand``; missing for genes that are not in the annotation.
    note
        One sentence on how many were found.

    Raises
    ------
    RegionError
        If none of the genes is in the annotation.
    """
    row = np.full(len(var), -1)
    found = []
    for column, keys in _lookups(var):
        first = annotation.genes.drop_duplicates(column)
        positions = pd.Series(first.index.to_numpy(), index=first[column])
        hits = positions.reindex(keys).to_numpy(dtype=float, na_value=np.nan)
        new = (row < 0) & ~np.isnan(hits)
        row[new] = hits[new].astype(np.int64)
        found.append((column, int(new.sum())))
    if (row < 0).all():
        example = annotation.genes.iloc[0]
        raise RegionError(
            f"None of the genes of {source} is in {annotation.source}: it has {example['gene_id']!r} "
            f"({example['name']}), the counts have {var.index[0]!r}.",
            "Give the annotation of the genome that the reads were mapped to.",
        )
    by_id, by_name = (sum(number for kind, number in found if kind == column) for column in ("gene_id", "name"))
    note = (
        f"{by_id + by_name} of {len(var)} genes are placed by {annotation.source} ({by_id} by id, {by_name} by symbol)."
    )
    return _with_places(var, annotation.genes, row), note


def _lookups(var: pd.DataFrame) -> Iterator[tuple[str, pd.Index]]:
    """Columns of the annotation and what of the data set to look for in them, in order."""
    for kind, columns in (("gene_id", ("gene_ids", "gene_id", "ensembl_id")), ("name", NAME_COLUMNS)):
        for keys in (var.index, *(pd.Index(var[column]) for column in columns if column in var.columns)):
            names = [without_version(without_genome(str(key))) for key in keys]
            yield kind, pd.Index(names, dtype="object")


def _with_places(
    var: pd.DataFrame, genes: pd.DataFrame, row: np.ndarray[tuple[int], np.dtype[np.int64]]
) -> pd.DataFrame:
    chosen = genes.iloc[np.maximum(row, 0)]
    lost = row < 0
    places = pd.DataFrame(index=var.index)
    places["chrom"] = np.where(lost, "", chosen["chrom"].to_numpy())
    places["chromStart"] = np.where(lost, np.nan, chosen["start"].to_numpy(dtype=np.float64))
    places["chromEnd"] = np.where(lost, np.nan, chosen["end"].to_numpy(dtype=np.float64))
    places["strand"] = np.where(lost, "", chosen["strand"].to_numpy())
    return places.join(var.drop(columns=[column for column in var.columns if column in _OWN_PLACES]))


_OWN_PLACES = {"chrom", "chromStart", "chromEnd", "start", "end", "strand", "interval"}
