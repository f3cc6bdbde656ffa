"""The embedding keeps cell types together, is the same for the same cells, and copes with few cells."""

import dataclasses

import numpy as np
import pytest
from scipy import sparse
from stores import tiny_multiome

from bi2scope.data.multiome import Multiome
from bi2scope.precompute.embed import FEWEST_CELLS, embed


def test_cells_lie_among_their_own_type() -> None:
    multiome = tiny_multiome(90, n_genes=200, seed=4)
    embedding = embed(multiome)
    assert embedding.method.startswith("UMAP of the RNA")
    assert embedding.coordinates.shape == (90, 2)
    codes = multiome.cells["cell_type"].cat.codes.to_numpy()
    distance = np.linalg.norm(embedding.coordinates[:, None] - embedding.coordinates[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    assert (codes[distance.argmin(axis=1)] == codes).mean() > 0.9
    np.testing.assert_array_equal(embed(multiome).coordinates, embedding.coordinates)


@pytest.mark.parametrize("n_cells", [1, 2, 3, FEWEST_CELLS - 1])
def test_too_few_cells_are_placed_by_components_and_it_says_so(n_cells: int) -> None:
    embedding = embed(tiny_multiome(n_cells))
    assert embedding.coordinates.shape == (n_cells, 2)
    assert np.isfinite(embedding.coordinates).all()
    assert "too few cells" in embedding.method
    assert "UMAP of" not in embedding.method


@pytest.mark.parametrize("n_cells", [FEWEST_CELLS, FEWEST_CELLS + 1])
def test_just_enough_cells(n_cells: int) -> None:
    embedding = embed(tiny_multiome(n_cells))
    assert np.isfinite(embedding.coordinates).all()
    assert embedding.method.startswith("UMAP")


def without_counts(multiome: Multiome, cell: int) -> Multiome:
    counts = multiome.rna.toarray()
    counts[cell] = 0
    return dataclasses.replace(multiome, rna=sparse.csr_matrix(counts))


@pytest.mark.parametrize("n_cells", [5, 30])
def test_a_cell_without_counts_has_a_place(n_cells: int) -> None:
    assert np.isfinite(embed(without_counts(tiny_multiome(n_cells), 2)).coordinates).all()


def test_two_genes_are_too_few_for_umap() -> None:
    embedding = embed(tiny_multiome(30, n_genes=2))
    assert np.isfinite(embedding.coordinates).all()
    assert "too few" in embedding.method


@pytest.mark.slow
def test_thousands_of_cells() -> None:
    """Beyond some thousands of cells scanpy looks for neighbours in another way unless it is told how."""
    embedding = embed(tiny_multiome(8_300, n_genes=60, n_peaks=10))
    assert embedding.coordinates.shape == (8_300, 2)
    assert np.isfinite(embedding.coordinates).all()
