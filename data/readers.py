"""Paired cells out of files, checked here and trusted afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from bi2scope.data.assembly import check_one_assembly
from bi2scope.data.errors import DatasetError
from bi2scope.data.features import computed_attributes, given_attributes
from bi2scope.data.h5ad import Slot, read_modality
from bi2scope.data.modality import Modality, check_unique, take_columns
from bi2scope.data.multiome import Multiome
from bi2scope.data.pairing import Names, cell_table, given_types, matching_rows, refuse_untyped
from bi2scope.data.places import are_peak_names, check_same_naming, gene_table, peak_table
from bi2scope.data.regions import genome_order


@dataclass(frozen=True)
class Leniency:
    """What joining two modalities makes up for, aloud, instead of refusing.

    Attributes
    ----------
    only_shared
        Leave out cells that one modality lacks.
    cluster_seed
        Seed of the clusters that stand in for missing cell types; ``None`` refuses cells without types.
    """

    only_shared: bool = False
    cluster_seed: int | None = None


STRICT = Leniency()


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
    rna = read_modality(rna_path, Slot(rna_layer, "rna_layer"))
    atac = read_modality(atac_path, Slot(atac_layer, "atac_layer"))
    return joined(rna, atac)


def joined(rna: Modality, atac: Modality, leniency: Leniency = STRICT) -> Multiome:
    """Two modalities as one data set: the same cells in the RNA's order, features in genome order.

    The counts of the two modalities are taken over and reordered in place, so that no second copy of them is made
    unless cells have to be left out or put into another order.

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
    notes: list[str] = []
    rows = matching_rows(rna, atac, leniency.only_shared, notes)
    types = given_types(rna, atac, rows, notes)
    if types is None and leniency.cluster_seed is None:
        raise refuse_untyped(rna)
    genes, placed, peaks = _features(rna, atac)
    if not placed.all():
        notes.append(f"{int((~placed).sum())} of {len(placed)} genes have no place on a chromosome: left out.")

    gene_order, peak_order = genome_order(genes), genome_order(peaks)
    rna_columns = np.flatnonzero(placed)[gene_order]
    rna_counts, atac_counts = take_columns(rna.counts, rna_columns), take_columns(atac.counts, peak_order)
    kept = _cells_with_both(rna_counts, atac_counts, rows, notes)
    rna_counts, atac_counts = _take_rows(rna_counts, rows[0][kept]), _take_rows(atac_counts, rows[1][kept])

    genes = genes.iloc[gene_order]
    attributes = given_attributes(rna.var.iloc[rna_columns])
    if attributes is None:
        attributes, note = computed_attributes(rna_counts, genes.index)
        notes.append(note)
    types = _clusters(rna, rna_counts, attributes, leniency, notes) if types is None else types[kept]
    return Multiome(
        cells=cell_table(rna.obs.index[rows[0][kept]], types),
        genes=pd.concat([genes, attributes.set_index(genes.index)], axis=1),
        peaks=peaks.iloc[peak_order],
        rna=rna_counts,
        atac=atac_counts,
        notes=tuple(notes),
    )


def _features(rna: Modality, atac: Modality) -> tuple[pd.DataFrame, npt.NDArray[np.bool_], pd.DataFrame]:
    """Placed genes, which genes they are, and peaks, of one genome."""
    genes, placed = gene_table(rna.var, rna.source)
    peaks = peak_table(atac.var, atac.source)
    check_unique(peaks.index, "peak", atac.source)
    check_same_naming(genes, peaks, rna.source, atac.source)
    check_one_assembly(genes, peaks, rna.source, atac.source)
    return genes, placed, peaks


def _cells_with_both(
    rna: sparse.csr_matrix,
    atac: sparse.csr_matrix,
    rows: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]],
    notes: list[str],
) -> npt.NDArray[np.int64]:
    """Positions, among the shared cells, of those that have a gene and a peak; the others are counted in the notes."""
    has_gene, has_peak = np.diff(rna.indptr)[rows[0]] > 0, np.diff(atac.indptr)[rows[1]] > 0
    kept = np.flatnonzero(has_gene & has_peak)
    if len(kept) == 0:
        raise DatasetError(f"None of the {len(has_gene)} cells has both a count of a placed gene and one of a peak.")
    if len(kept) < len(has_gene):
        notes.append(
            f"{len(has_gene) - len(kept)} of {len(has_gene)} cells are empty "
            f"({int((~has_gene).sum())} without a gene, {int((~has_peak).sum())} without a peak): left out."
        )
    return kept


def _take_rows(counts: sparse.csr_matrix, rows: npt.NDArray[np.int64]) -> sparse.csr_matrix:
    """Rows in the order asked for; the matrix itself if that is all of them as they stand."""
    return counts if np.array_equal(rows, np.arange(counts.shape[0])) else counts[rows]


def _clusters(
    rna: Modality, counts: sparse.csr_matrix, attributes: pd.DataFrame, leniency: Leniency, notes: list[str]
) -> Names:
    from bi2scope.data.clusters import leiden_clusters

    assert leniency.cluster_seed is not None
    variable = attributes["highly_variable"].to_numpy(dtype=bool)
    names, how = leiden_clusters(counts, variable, leniency.cluster_seed)
    notes.append(
        f"No cell types are given (obs has {', '.join(map(str, rna.obs.columns)) or 'no columns'}): the cell types "
        f"are {how}."
    )
    return names
