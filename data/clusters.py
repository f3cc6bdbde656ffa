"""Clusters of cells that stand in for cell types where none are given."""

from __future__ import annotations

import warnings
from importlib.metadata import version

import numpy as np
import numpy.typing as npt
from scipy import sparse

from bi2scope.data.errors import ConfigurationError

FEWEST_CELLS = 20
"""Below this all cells are one cluster: neighbourhoods of 15 cells would be nearly everything."""

FEWEST_VARIABLE = 50
"""Highly variable genes below which all genes are used."""

N_COMPONENTS = 30
N_NEIGHBOURS = 15
RESOLUTION = 1.0


def leiden_clusters(
    rna: sparse.csr_matrix, variable: npt.NDArray[np.bool_], seed: int
) -> tuple[npt.NDArray[np.object_], str]:
    """Leiden clusters of the cells by their RNA (Traag et al. 2019), as scanpy's tutorials make them.

    Counts normalised per cell, log1p, principal components, 15 neighbours, Leiden at resolution 1 by igraph. The
    counts are not touched; only the variable genes of them are copied.

    Parameters
    ----------
    rna
        ``(n_cells, n_genes)`` counts, no cell empty.
    variable
        ``(n_genes,)`` which genes are highly variable; all are used when those are fewer than 50.
    seed
        Seed of components, neighbours and clusters.

    Returns
    -------
    names
        ``(n_cells,)`` ``cluster 0`` (the largest) and so on.
    how
        What they are, for a note.

    Raises
    ------
    ConfigurationError
        If scanpy or igraph is not installed.
    """
    n_cells = rna.shape[0]
    genes = variable if variable.sum() >= FEWEST_VARIABLE else np.ones_like(variable)
    n_components = min(N_COMPONENTS, n_cells - 1, int(genes.sum()) - 1)
    if n_cells < FEWEST_CELLS or n_components < 2:
        return np.full(n_cells, "cluster 0", dtype=object), "one cluster, cluster 0, for want of cells or genes"
    try:
        import igraph  # noqa: F401  (scanpy imports it late)
        import scanpy
    except ImportError as error:
        raise ConfigurationError(
            f"No cell types are given, and making clusters of the cells needs {error.name}.",
            "Install it with: pip install 'bi2scope[model]', or give --labels with a type for each cell.",
        ) from error
    with warnings.catch_warnings():
        # what the libraries say to their developers; a cell without a variable gene stays at zero
        for category in (FutureWarning, DeprecationWarning, UserWarning):
            warnings.filterwarnings("ignore", category=category)
        cells = scanpy.AnnData(rna[:, genes])
        scanpy.pp.normalize_total(cells, target_sum=1e4)
        scanpy.pp.log1p(cells)
        scanpy.pp.pca(cells, n_comps=n_components, random_state=seed)
        scanpy.pp.neighbors(cells, n_neighbors=min(N_NEIGHBOURS, n_cells - 1), random_state=seed)
        scanpy.tl.leiden(
            cells, resolution=RESOLUTION, flavor="igraph", n_iterations=2, directed=False, random_state=seed
        )
    found = _largest_first(cells.obs["leiden"].astype(str).to_numpy())
    n_clusters = int(found.max()) + 1
    how = (
        f"{n_clusters} Leiden clusters of the RNA, named cluster 0 to cluster {n_clusters - 1} "
        f"(scanpy {version('scanpy')}, resolution {RESOLUTION:g}, seed {seed})"
    )
    return np.array([f"cluster {number}" for number in found], dtype=object), how


def _largest_first(names: npt.NDArray[np.str_]) -> npt.NDArray[np.int64]:
    """``(n_cells,)`` number of each cell's cluster, by size; of clusters of one size the one met first."""
    _, first, number, size = np.unique(names, return_index=True, return_inverse=True, return_counts=True)
    rank = np.empty(len(size), dtype=np.int64)
    rank[np.lexsort((first, -size))] = np.arange(len(size))
    return rank[number]
