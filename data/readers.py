"""Paired cells out of files, checked here and trusted afterwards."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from natsort import natsorted, ns
from scipy import sparse

from bi2scope.data.errors import DatasetError
from bi2scope.data.features import computed_attributes, given_attributes
from bi2scope.data.h5ad import Modality, check_unique, read_modality
from bi2scope.data.multiome import Multiome
from bi2scope.data.places import are_peak_names, check_same_naming, gene_table, peak_table
from bi2scope.data.regions import genome_order


def read_h5ad_pair(
    rna_path: str | Path, atac_path: str | Path, *, rna_layer: str | None = None, atac_layer: str | None = None
) -> Multiome:
    """Read RNA and ATAC counts of the same cells from two .h5ad files in the shape scGLUE uses.

    Cells may stand in any order (that of the RNA file is kept), genes and peaks as well (genome order results).
    Genes without a place on a chromosome and cells without any gene or any peak are left out; ``notes`` of the
    result counts them.

    Parameters
    ----------
    rna_path
        Cells by genes; ``obs["cell_type"]``; ``var`` with ``chrom``, ``chromStart``, ``chromEnd`` and, when there,
        ``strand``, ``gene_name`` and ``means``, ``variances_norm``, ``highly_variable``.
    atac_path
        The same cells by peaks; ``var`` with ``chrom``, ``chromStart``, ``chromEnd``, or peaks named
        ``chr:start-end``, ``chr-start-end`` or ``chr_start_end``.
    rna_layer, atac_layer
        Layer that holds the counts; ``X`` when not given.

    Raises
    ------
    DatasetError
        If a file cannot be read, the cells differ, cell types are missing, or the matrices do not hold counts.
    RegionError
        If genes or peaks have no usable coordinates, or name the chromosomes differently.
    """
    rna = read_modality(rna_path, rna_layer, "rna_layer")
    atac = read_modality(atac_path, atac_layer, "atac_layer")
    return joined(rna, atac)


def joined(rna: Modality, atac: Modality) -> Multiome:
    """Two modalities as one data set: the same cells in the RNA's order, features in genome order.

    Raises
    ------
    DatasetError, RegionError
        As :func:`read_h5ad_pair`.
    """
    if are_peak_names(rna.var.index):
        raise DatasetError(
            f"The genes of {rna.source} have names of peaks, such as {rna.var.index[0]}.",
            "Are the RNA and the ATAC file swapped?",
        )
    atac_rows = _matching_rows(rna, atac)
    cells, notes = _cells(rna, atac, atac_rows)
    genes, placed = gene_table(rna.var, rna.source)
    peaks = peak_table(atac.var, atac.source)
    check_unique(peaks.index, "peak", atac.source)
    check_same_naming(genes, peaks, rna.source, atac.source)
    if not placed.all():
        notes.append(f"{int((~placed).sum())} of {len(placed)} genes have no place on a chromosome: left out.")

    gene_order, peak_order = genome_order(genes), genome_order(peaks)
    rna_columns = np.flatnonzero(placed)[gene_order]
    rna_counts = _sorted(rna.counts[:, rna_columns])
    atac_counts = _sorted(atac.counts[atac_rows][:, peak_order])
    kept = _cells_with_both(rna_counts, atac_counts, notes)
    cells, rna_counts, atac_counts = cells.iloc[kept], rna_counts[kept], atac_counts[kept]

    genes = genes.iloc[gene_order]
    attributes = given_attributes(rna.var.iloc[rna_columns])
    if attributes is None:
        attributes, note = computed_attributes(rna_counts, genes.index)
        notes.append(note)
    cells = cells.assign(cell_type=cells["cell_type"].cat.remove_unused_categories())
    multiome = Multiome(
        cells=cells,
        genes=pd.concat([genes, attributes], axis=1),
        peaks=peaks.iloc[peak_order],
        rna=rna_counts,
        atac=atac_counts,
    )
    return replace(multiome, notes=tuple(notes))


def _matching_rows(rna: Modality, atac: Modality) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Row of the ATAC file for each cell of the RNA file."""
    rows = atac.obs.index.get_indexer(rna.obs.index)
    n_rna, n_atac, n_shared = len(rna.obs), len(atac.obs), int((rows >= 0).sum())
    if n_shared == n_rna == n_atac:
        return rows.astype(np.int64)
    if n_shared == 0:
        raise DatasetError(
            f"No cell name is in both files: {rna.source} has {rna.obs.index[0]!r}, "
            f"{atac.source} has {atac.obs.index[0]!r}.",
            "RNA and ATAC must be of the same cells, under the same names; look for suffixes such as -1.",
        )
    only_rna, only_atac = rna.obs.index[rows < 0], atac.obs.index.difference(rna.obs.index, sort=False)
    alone = [f"{len(only_rna)} only in {rna.source} (such as {only_rna[0]})"] if len(only_rna) else []
    alone += [f"{len(only_atac)} only in {atac.source} (such as {only_atac[0]})"] if len(only_atac) else []
    raise DatasetError(
        f"The files hold different cells: {n_shared} names are in both, {' and '.join(alone)}.",
        "Keep the shared cells in both: rna[shared].write_h5ad(...), atac[shared].write_h5ad(...).",
    )


def _cells(
    rna: Modality, atac: Modality, atac_rows: np.ndarray[tuple[int], np.dtype[np.int64]]
) -> tuple[pd.DataFrame, list[str]]:
    """Cells with their types, in the RNA's order, and notes on what was decided."""
    of_rna, of_atac = _types(rna), _types(atac)
    notes = []
    if of_rna is None and of_atac is None:
        raise DatasetError(
            f"{rna.source}: obs has no column 'cell_type'; it has "
            f"{', '.join(map(str, rna.obs.columns)) or 'no columns'}.",
            "Name the column of the annotation cell_type, or add one.",
        )
    if of_rna is None:
        assert of_atac is not None
        chosen, source = of_atac[atac_rows], atac.source
        notes.append("The cell types are those of the ATAC file; the RNA file has none.")
    else:
        chosen, source = of_rna, rna.source
    if of_rna is not None and of_atac is not None and (differ := int((of_rna != of_atac[atac_rows]).sum())):
        notes.append(f"{differ} of {len(of_rna)} cells have another cell_type in the ATAC file; the RNA's is used.")
    if (untyped := int((chosen == "").sum())) > 0:
        raise DatasetError(
            f"{source}: {untyped} of {len(chosen)} cells have no cell_type, such as {rna.obs.index[chosen == ''][0]}.",
            "Give them one ('unknown' will do) or leave them out.",
        )
    types = pd.Categorical(chosen, categories=natsorted(set(chosen), alg=ns.IGNORECASE))
    return pd.DataFrame({"cell_type": types}, index=pd.Index(rna.obs.index.to_numpy().astype(object))), notes


def _types(modality: Modality) -> np.ndarray[tuple[int], np.dtype[np.object_]] | None:
    """Cell types as text, "" where missing; ``None`` without the column."""
    if "cell_type" not in modality.obs.columns:
        return None
    column = modality.obs["cell_type"].astype("object")
    return column.where(column.notna(), "").astype(str).str.strip().to_numpy().astype(object)


def _cells_with_both(
    rna: sparse.csr_matrix, atac: sparse.csr_matrix, notes: list[str]
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Positions of the cells that have a gene and a peak; the others are counted in the notes."""
    has_gene, has_peak = np.diff(rna.indptr) > 0, np.diff(atac.indptr) > 0
    kept = np.flatnonzero(has_gene & has_peak)
    if len(kept) == 0:
        raise DatasetError(f"None of the {len(has_gene)} cells has both a count of a placed gene and one of a peak.")
    if len(kept) < len(has_gene):
        notes.append(
            f"{len(has_gene) - len(kept)} of {len(has_gene)} cells are empty "
            f"({int((~has_gene).sum())} without a gene, {int((~has_peak).sum())} without a peak): left out."
        )
    return kept


def _sorted(counts: sparse.csr_matrix) -> sparse.csr_matrix:
    counts.sort_indices()
    return counts
