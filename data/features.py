"""Properties of genes and peaks across cells: the gene attributes that the model reads, and how often each is seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from bi2scope.data.errors import ConfigurationError, DatasetError
from bi2scope.data.multiome import GENE_ATTRIBUTES

if TYPE_CHECKING:
    from bi2scope.data.multiome import Multiome

N_HIGHLY_VARIABLE = 2000
"""Genes called highly variable, as in scGLUE's preparation of the paper's data."""

_SPANS = (0.3, 0.6, 1.0)
"""Spans of the loess fit, scanpy's own first; few genes need a wider one."""

_FEWEST = {"cells": 3, "genes that vary": 20, "different means": 10}
"""What a loess fit is tried with at least; with a handful of genes its Fortran code fails or crashes."""

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


def given_attributes(var: pd.DataFrame) -> pd.DataFrame | None:
    """The gene attributes that a file brings along, or ``None`` unless all three are there, finite, for every gene."""
    if not set(GENE_ATTRIBUTES) <= set(var.columns):
        return None
    texts = {"true": 1.0, "false": 0.0}
    table = pd.DataFrame(index=var.index)
    for column in GENE_ATTRIBUTES:
        values = var[column].astype("object")
        values = values.map(lambda value: texts.get(str(value).lower(), value))
        table[column] = pd.to_numeric(values, errors="coerce").astype(np.float64)
    if not np.isfinite(table.to_numpy()).all():
        return None
    return table.astype({"highly_variable": bool})


def computed_attributes(rna: sparse.csr_matrix, gene_ids: pd.Index) -> tuple[pd.DataFrame, str]:
    """Mean, normalised variance and highly variable genes by scanpy's ``seurat_v3``.

    The variance that a gene's mean predicts is a loess fit of log variance on log mean (Stuart et al. 2019). Where
    that cannot be fitted (a handful of genes, or means all alike) a polynomial of degree two or less takes its
    place, with all else as before; the note says so.

    Parameters
    ----------
    rna
        ``(n_cells, n_genes)`` counts.
    gene_ids
        ``(n_genes,)`` index of the table returned.

    Returns
    -------
    table
        ``means``, ``variances_norm`` (float64), ``highly_variable`` (bool).
    note
        One sentence on how they were computed.

    Raises
    ------
    ConfigurationError
        If scanpy or scikit-misc is not installed.
    """
    for span in _SPANS if _can_be_fitted(rna) else ():
        table = _scanpy_attributes(rna, gene_ids, span)
        if table is not None:
            how = f"scanpy's seurat_v3, loess span {span:g}"
            break
    else:
        table = _polynomial_attributes(rna, gene_ids)
        how = "as seurat_v3, but with a polynomial, because a loess curve cannot be fitted to so few genes"
    chosen = int(table["highly_variable"].sum())
    return table, f"Gene attributes computed from the counts ({how}); {chosen} of {len(table)} genes highly variable."


def _can_be_fitted(rna: sparse.csr_matrix) -> bool:
    mean, mean_square = _column_means(rna, rna.data)
    varies = mean_square - mean**2 > 1e-12
    found = (rna.shape[0], int(varies.sum()), len(np.unique(mean[varies].round(9))))
    return all(number >= fewest for number, fewest in zip(found, _FEWEST.values(), strict=True))


def _scanpy_attributes(rna: sparse.csr_matrix, gene_ids: pd.Index, span: float) -> pd.DataFrame | None:
    try:
        import scanpy
        import skmisc.loess  # noqa: F401  (scanpy imports it late and without a useful message)
    except ImportError as error:
        raise ConfigurationError(
            f"The genes have no {', '.join(GENE_ATTRIBUTES)}, and computing them needs {error.name}.",
            "Install it with: pip install 'bi2scope[model]'.",
        ) from error
    adata = scanpy.AnnData(X=rna, var=pd.DataFrame(index=gene_ids))
    try:
        with np.errstate(all="ignore"):
            result = scanpy.pp.highly_variable_genes(
                adata, flavor="seurat_v3", n_top_genes=N_HIGHLY_VARIABLE, span=span, inplace=False
            )
    except ValueError:  # loess: too few genes, or extrapolation
        return None
    table = result[list(GENE_ATTRIBUTES)].astype({"means": np.float64, "variances_norm": np.float64})
    return table if np.isfinite(table["variances_norm"]).all() else None


def _polynomial_attributes(rna: sparse.csr_matrix, gene_ids: pd.Index) -> pd.DataFrame:
    """The attributes with a polynomial in place of the loess curve; zero variance stays zero."""
    n_cells = rna.shape[0]
    mean, mean_square = _column_means(rna, rna.data)
    variance = np.maximum(mean_square - mean**2, 0) * n_cells / max(n_cells - 1, 1)
    varies = variance > 1e-12
    expected = np.ones(len(mean))
    if varies.any():
        x, y = np.log10(mean[varies]), np.log10(variance[varies])
        degree = min(2, len(np.unique(x.round(9))) - 1)
        expected[varies] = np.sqrt(10 ** np.polyval(np.polyfit(x - x.mean(), y, degree), x - x.mean()))
    clip = mean + expected * np.sqrt(n_cells)
    clipped, clipped_square = _column_means(rna, np.minimum(rna.data, clip[rna.indices]))
    centred = mean**2 + clipped_square - 2 * clipped * mean
    norm = np.where(varies, n_cells * centred / (max(n_cells - 1, 1) * expected**2), 0.0)
    top = np.argsort(-norm, kind="stable")[:N_HIGHLY_VARIABLE]
    return pd.DataFrame(
        {"means": mean, "variances_norm": norm, "highly_variable": np.isin(np.arange(len(norm)), top)}, index=gene_ids
    )


def _column_means(rna: sparse.csr_matrix, data: npt.NDArray[np.floating]) -> tuple[Floats, Floats]:
    """Means over the cells of the values and of their squares, with ``data`` in the places of ``rna``."""
    values = data.astype(np.float64)
    sums = [np.bincount(rna.indices, weights=each, minlength=rna.shape[1]) for each in (values, values**2)]
    return sums[0] / rna.shape[0], sums[1] / rna.shape[0]


def cells_with(counts: sparse.csr_matrix) -> Ints:
    """``(n_features,)`` number of cells in which each gene or peak is not zero."""
    return np.bincount(counts.indices, minlength=counts.shape[1]).astype(np.int64)


def frequent_features(multiome: Multiome, min_cells: int) -> tuple[Ints, Ints]:
    """Positions of the genes and of the peaks seen in at least ``min_cells`` cells, ascending.

    Raises
    ------
    DatasetError
        If no gene or no peak is seen so often.
    """
    genes = np.flatnonzero(cells_with(multiome.rna) >= min_cells)
    peaks = np.flatnonzero(cells_with(multiome.atac) >= min_cells)
    if len(genes) == 0 or len(peaks) == 0:
        raise DatasetError(
            f"Only {len(genes)} genes and {len(peaks)} peaks are seen in at least {min_cells} of the "
            f"{multiome.n_cells} cells.",
            "Lower the number of cells asked for.",
        )
    return genes.astype(np.int64), peaks.astype(np.int64)
