import numpy as np
import pytest
import torch
from networks import random_layout
from scipy import sparse

from bi2scope.model.baseline import log_normalised
from bi2scope.model.config import ModelConfig
from bi2scope.model.initialise import (
    align_attention,
    feature_loadings,
    joint_loadings,
    start_from_counts,
    start_from_svd,
)
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


def standardised(counts: sparse.csr_matrix) -> np.ndarray:
    dense = log_normalised(counts).toarray().astype(np.float64)
    return (dense - dense.mean(axis=0)) / (dense.std(axis=0) + 0.1)


def test_joint_loadings_hold_the_covariance_of_genes_and_peaks() -> None:
    rna, atac = random_counts(40, 12), random_counts(40, 25)[::-1]
    left, singular, right = np.linalg.svd(standardised(rna).T @ standardised(atac), full_matrices=False)
    wanted = (left[:, :5] * singular[:5]) @ right[:5]
    genes, peaks = joint_loadings(rna, atac, 5, np.random.default_rng(0))
    assert (genes.shape, peaks.shape) == ((12, 5), (25, 5))
    found = genes @ peaks.T
    np.testing.assert_allclose(found / np.linalg.norm(found), wanted / np.linalg.norm(wanted), atol=1e-6)
    for loadings in (genes, peaks):
        assert np.mean(loadings**2) == pytest.approx(1)


@pytest.mark.parametrize("n_cells", [1, 2])
def test_too_few_cells_have_no_covariance(n_cells: int) -> None:
    genes, peaks = joint_loadings(random_counts(n_cells, 8), random_counts(n_cells, 9), 4, np.random.default_rng(0))
    assert (genes.shape, peaks.shape) == ((8, 0), (9, 0))


@pytest.mark.parametrize(("hidden", "heads"), [(64, 1), (64, 2), (8, 2)])
def test_aligned_logits_are_products_of_embeddings_with_deviation_1(hidden: int, heads: int) -> None:
    layout = random_layout(np.random.default_rng(0), 300, 500, 2)
    config = ModelConfig(id_dim=16, hidden=hidden, heads=heads, attention_init="aligned")
    network = Bi2Former(config, layout)
    align_attention(network, np.random.default_rng(1))
    factors = network.static_factors()
    product = network.rna_idembedding.weight @ network.atac_idembedding.weight.T
    each = hidden // heads
    for head in range(heads):
        columns = slice(head * each, (head + 1) * each)
        logits = factors.query[:, columns] @ factors.key[:, columns].T
        assert float(logits.std()) == pytest.approx(1, rel=0.1)
        if each >= 16:  # wide enough to hold the embeddings whole
            torch.testing.assert_close(logits / logits.norm(), product / product.norm(), atol=1e-5, rtol=0)
    assert not factors.query_per_count.any()
    assert not factors.key_per_count.any()


def test_a_published_start_is_left_as_it_is() -> None:
    network = Bi2Former(ModelConfig(id_dim=4, hidden=4), random_layout(np.random.default_rng(0), 8, 30, 2))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    start_from_counts(network, random_counts(9, 8), random_counts(9, 30), np.random.default_rng(0))
    for name, value in network.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)


def test_a_joint_start_depends_on_the_seed_alone() -> None:
    config = ModelConfig(id_dim=4, hidden=8, embedding_init="joint", attention_init="aligned")
    counts = random_counts(9, 8), random_counts(9, 30)
    states = []
    for _ in range(2):
        torch.manual_seed(0)
        network = Bi2Former(config, random_layout(np.random.default_rng(0), 8, 30, 2))
        start_from_counts(network, *counts, np.random.default_rng(3))
        states.append(network.state_dict())
    for name, value in states[0].items():
        torch.testing.assert_close(value, states[1][name], rtol=0, atol=0)
