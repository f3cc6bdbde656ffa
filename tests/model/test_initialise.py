import numpy as np
from networks import random_layout
from scipy import sparse

from bi2scope.model.baseline import log_normalised
from bi2scope.model.config import ModelConfig
from bi2scope.model.initialise import feature_loadings, start_from_svd
from bi2scope.model.network import Bi2Former


def random_counts(n_cells: int, n_features: int) -> sparse.csr_matrix:
    rng = np.random.default_rng(1)
    return sparse.csr_matrix(rng.poisson(rng.gamma(1, 1, n_features), (n_cells, n_features)).astype(np.float32))


def test_loadings_are_those_of_a_dense_svd() -> None:
    counts = random_counts(40, 25)
    dense = log_normalised(counts).toarray().astype(np.float64)
    standard = (dense - dense.mean(axis=0)) / (dense.std(axis=0) + 0.1)
    _, singular, right = np.linalg.svd(standard, full_matrices=False)
    wanted = right[:6].T * singular[:6]
    found = feature_loadings(counts, 6, np.random.default_rng(0))
    np.testing.assert_allclose(np.abs(found), np.abs(wanted) / np.sqrt(np.mean(wanted**2)), atol=1e-6)
    assert (found[np.abs(found).argmax(axis=0), range(6)] > 0).all()


def test_columns_past_the_rank_keep_their_random_start() -> None:
    layout = random_layout(np.random.default_rng(0), 8, 30, 2)
    network = Bi2Former(ModelConfig(id_dim=20, hidden=4), layout)
    before = network.rna_idembedding.weight.detach().clone()
    start_from_svd(network, random_counts(6, 8), random_counts(6, 30), np.random.default_rng(0))
    after = network.rna_idembedding.weight.detach()
    assert (after[:, :5] != before[:, :5]).all()
    assert (after[:, 5:] == before[:, 5:]).all()


def test_one_cell_leaves_the_random_start() -> None:
    assert feature_loadings(random_counts(1, 8), 4, np.random.default_rng(0)).shape == (8, 0)
