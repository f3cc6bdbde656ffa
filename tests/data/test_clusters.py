"""Clusters that stand in for cell types."""

import sys

import numpy as np
import pytest
from scipy import sparse

from bi2scope.data.clusters import leiden_clusters
from bi2scope.data.errors import ConfigurationError


@pytest.fixture(scope="module")
def three_kinds():
    """Cells of three kinds, 40, 20 and 30, each with genes of its own, and 120 genes in all."""
    rng = np.random.default_rng(0)
    kinds = np.random.default_rng(4).permutation(np.repeat([1, 2, 0], [20, 30, 40]))
    mean = np.full((3, 120), 0.4)
    for kind in range(3):
        mean[kind, kind * 40 : kind * 40 + 40] = 4
    return sparse.csr_matrix(rng.poisson(mean[kinds]).astype(np.float32)), kinds


def test_kinds_of_cells_become_clusters_the_largest_first(three_kinds):
    counts, kinds = three_kinds
    before = counts.copy()
    names, how = leiden_clusters(counts, np.ones(120, dtype=bool), seed=0)
    assert [set(names[kinds == kind]) for kind in range(3)] == [{"cluster 0"}, {"cluster 2"}, {"cluster 1"}]
    assert how.startswith("3 Leiden clusters of the RNA, named cluster 0 to cluster 2 (scanpy ")
    assert how.endswith("resolution 1, seed 0)")
    assert (counts != before).nnz == 0


def test_the_same_seed_gives_the_same_clusters():
    rng = np.random.default_rng(1)
    counts = sparse.csr_matrix(rng.poisson(1, (80, 100)).astype(np.float32))
    first, second = (leiden_clusters(counts, np.ones(100, dtype=bool), seed=5)[0] for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_few_cells_are_one_cluster(three_kinds):
    names, how = leiden_clusters(three_kinds[0][:10], np.ones(120, dtype=bool), seed=0)
    assert set(names) == {"cluster 0"}
    assert "one cluster" in how


@pytest.mark.parametrize("module", ["scanpy", "igraph"])
def test_what_is_not_installed_is_named(three_kinds, monkeypatch, module):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigurationError, match=f"making clusters of the cells needs {module}") as caught:
        leiden_clusters(three_kinds[0], np.ones(120, dtype=bool), seed=0)
    assert "--labels" in caught.value.hint
