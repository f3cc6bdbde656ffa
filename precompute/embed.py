"""A two-dimensional embedding of the cells by their RNA, for the map that one picks cells from."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

from bi2scope.data.multiome import Multiome
from bi2scope.data.store.cells_table import Embedding
from bi2scope.data.store.parts import PartFile, find_part
from bi2scope.data.store.tables import fixed_text, text_of, write_array

_STEM = "embedding"

FEWEST_CELLS = 15
"""Below this UMAP has no neighbourhoods to work with, and the first two principal components stand in."""

N_NEIGHBOURS = 15
N_COMPONENTS = 30
FEWEST_VARIABLE = 50
"""Highly variable genes below which all genes are used."""

Coordinates = npt.NDArray[np.float32]


def embed(multiome: Multiome, seed: int = 0) -> Embedding:
    """UMAP of the RNA: counts normalised per cell, log1p, principal components, neighbours (scanpy).

    Fewer than 15 cells are placed by their first two principal components, and the method says so.

    Parameters
    ----------
    multiome
        The cells; all genes that were read, not the model's alone.
    seed
        Seed of the layout: the same cells, seed and library versions give the same embedding.
    """
    import scanpy

    with _quiet():
        genes = multiome.genes["highly_variable"].to_numpy(dtype=bool)
        genes = genes if genes.sum() >= FEWEST_VARIABLE else np.ones_like(genes)
        cells = scanpy.AnnData(multiome.rna[:, genes].astype(np.float32))
        scanpy.pp.normalize_total(cells, target_sum=1e4)
        scanpy.pp.log1p(cells)
        n_components = min(N_COMPONENTS, multiome.n_cells - 1, int(genes.sum()) - 1)
        how = f"RNA counts normalised per cell, log1p, {int(genes.sum()):,} genes"
        if multiome.n_cells < FEWEST_CELLS or n_components < 2:
            return _by_components(cells.X.toarray(), how)
        scanpy.pp.pca(cells, n_comps=n_components, random_state=seed)
        # exact neighbours: the approximate ones that scanpy takes of many cells break on current releases of scipy
        n_neighbours = min(N_NEIGHBOURS, multiome.n_cells - 1)
        scanpy.pp.neighbors(cells, n_neighbors=n_neighbours, transformer="sklearn", random_state=seed)
        scanpy.tl.umap(cells, random_state=seed)
    method = f"UMAP of the {how}, {n_components} principal components (scanpy {version('scanpy')}, seed {seed})"
    return Embedding(cells.obsm["X_umap"].astype(np.float32), method)


def kept_embedding(folder: Path, multiome: Multiome, say: Callable[[Iterable[str]], None]) -> Embedding:
    """The embedding that an earlier run left in the work folder, or a new one, which is left there.

    Parameters
    ----------
    folder
        The work folder.
    multiome
        The cells; all genes that were read, not the model's alone.
    say
        Takes sentences on what is being done.
    """
    path = find_part(folder, _STEM)
    if path is not None:
        with h5py.File(path, "r", locking=False) as file:
            return Embedding(file["coordinates"][:], text_of(file.attrs["method"]))
    say([f"Embed {multiome.n_cells:,} cells by their RNA"])
    embedding = embed(multiome)
    with PartFile(folder, _STEM) as file:
        write_array(file, "coordinates", embedding.coordinates)
        file.attrs["method"] = fixed_text(embedding.method)
    return embedding


def _by_components(expression: npt.NDArray[np.float32], how: str) -> Embedding:
    """First two principal components; zero where there are not that many."""
    centred = expression - expression.mean(axis=0, keepdims=True)
    left, singular, _ = np.linalg.svd(centred, full_matrices=False)
    found = (left * singular)[:, :2]
    coordinates = np.zeros((len(expression), 2), dtype=np.float32)
    coordinates[:, : found.shape[1]] = found
    return Embedding(coordinates, f"First two principal components of the {how}: too few cells or genes for UMAP")


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep from the user what the libraries say to their developers; nothing else is silenced."""
    with warnings.catch_warnings():
        # umap notes that a seed makes it run on one thread: that is wanted.
        warnings.filterwarnings("ignore", message="n_jobs value .* overridden to 1 by setting random_state")
        # cells without a count in the chosen genes stay at zero, which is where they belong.
        warnings.filterwarnings("ignore", message="Some cells have zero counts")
        # scanpy, umap and pynndescent call what their own dependencies have deprecated.
        warnings.filterwarnings("ignore", category=FutureWarning, module=r"(scanpy|umap|pynndescent|sklearn|anndata)")
        warnings.filterwarnings(
            "ignore", category=DeprecationWarning, module=r"(scanpy|umap|pynndescent|sklearn|anndata)"
        )
        yield
