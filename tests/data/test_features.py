import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from multiomes import random_multiome
from scipy import sparse

from bi2scope.data import features
from bi2scope.data.errors import ConfigurationError, DatasetError
from bi2scope.data.features import cells_with, computed_attributes, frequent_features, given_attributes


def genes(n):
    return pd.Index([f"g{number}" for number in range(n)])


def random_counts(n_cells, n_genes, seed=0):
    rng = np.random.default_rng(seed)
    return sparse.csr_matrix(rng.poisson(rng.gamma(0.5, 2, n_genes), (n_cells, n_genes)).astype(np.float32))


def reference(counts, span=0.3):
    """``seurat_v3`` written out densely: loess of log variance on log mean, clipped standardised variance."""
    from skmisc.loess import loess

    dense = counts.toarray().astype(np.float64)
    n, mean, variance = len(dense), dense.mean(axis=0), dense.var(axis=0, ddof=1)
    varies, expected = variance > 0, np.zeros(len(mean))
    fit = loess(np.log10(mean[varies]), np.log10(variance[varies]), span=span, degree=2)
    fit.fit()
    expected[varies] = fit.outputs.fitted_values
    sd = np.sqrt(10**expected)
    clipped = np.minimum(dense, mean + sd * np.sqrt(n))
    return mean, ((clipped - mean) ** 2).sum(axis=0) / ((n - 1) * sd**2)


def test_attributes_are_those_of_seurat_v3(monkeypatch):
    monkeypatch.setattr(features, "N_HIGHLY_VARIABLE", 30)
    counts = random_counts(200, 300)
    table, note = computed_attributes(counts, genes(300))
    mean, variance = reference(counts)
    np.testing.assert_allclose(table["means"], mean, rtol=1e-5)
    np.testing.assert_allclose(table["variances_norm"], variance, rtol=1e-4)
    assert set(np.flatnonzero(table["highly_variable"])) == set(np.argsort(-variance)[:30])
    assert note == (
        "Gene attributes computed from the counts (scanpy's seurat_v3, loess span 0.3); "
        "30 of 300 genes highly variable."
    )
    assert table.dtypes.astype(str).tolist() == ["float64", "float64", "bool"]


@pytest.mark.parametrize(
    "counts",
    [
        random_counts(20, 3),
        random_counts(1, 5),
        random_counts(2, 5),
        sparse.csr_matrix(np.eye(6, dtype=np.float32)),
        sparse.csr_matrix((5, 4), dtype=np.float32),
        sparse.csr_matrix(np.ones((7, 9), dtype=np.float32)),
        sparse.csr_matrix(np.full((30, 1), 2, dtype=np.float32)),
    ],
    ids=["few genes", "one cell", "two cells", "means all alike", "no count", "all constant", "one gene"],
)
def test_small_and_odd_data_get_finite_attributes_and_a_note(counts):
    table, note = computed_attributes(counts, genes(counts.shape[1]))
    assert np.isfinite(table[["means", "variances_norm"]].to_numpy()).all()
    assert (table["variances_norm"] >= 0).all()
    np.testing.assert_allclose(table["means"], counts.toarray().mean(axis=0), rtol=1e-6)
    assert "with a polynomial, because a loess curve cannot be fitted" in note


@settings(max_examples=25)
@given(st.integers(0, 10**6), st.integers(2, 40), st.integers(2, 60))
def test_attributes_are_always_finite(seed, n_cells, n_genes):
    table, _ = computed_attributes(random_counts(n_cells, n_genes, seed), genes(n_genes))
    assert np.isfinite(table[["means", "variances_norm"]].to_numpy()).all()
    assert table["highly_variable"].all()  # fewer genes than are wanted


def test_the_polynomial_in_place_of_loess_is_near_it():
    counts = random_counts(400, 500)
    near = features._polynomial_attributes(counts, genes(500))
    _, variance = reference(counts)
    assert np.corrcoef(near["variances_norm"], variance)[0, 1] > 0.9


def test_missing_scanpy_is_said_in_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "scanpy", None)
    with pytest.raises(ConfigurationError, match=r"computing them needs scanpy\. Install it with: pip install"):
        computed_attributes(random_counts(20, 30), genes(30))


def test_attributes_that_a_file_brings_are_kept():
    var = pd.DataFrame({"means": ["1", "2"], "variances_norm": [0.5, 1.5], "highly_variable": ["True", "False"]})
    table = given_attributes(var.assign(other=1))
    assert table.to_dict("list") == {
        "means": [1.0, 2.0],
        "variances_norm": [0.5, 1.5],
        "highly_variable": [True, False],
    }


@pytest.mark.parametrize(
    "change",
    [{"means": [1.0, np.nan]}, {"variances_norm": [np.inf, 1.0]}, {"highly_variable": ["yes", "no"]}],
)
def test_attributes_with_a_gap_are_not_taken(change):
    var = pd.DataFrame({"means": [1.0, 2.0], "variances_norm": [0.5, 1.5], "highly_variable": [True, False]})
    assert given_attributes(var) is not None
    assert given_attributes(var.assign(**change)) is None
    assert given_attributes(var.drop(columns=list(change))) is None


@given(st.integers(0, 1000), st.integers(0, 8))
def test_frequent_features_are_seen_in_enough_cells(seed, min_cells):
    multiome = random_multiome(seed)
    seen = (multiome.rna.toarray() != 0).sum(axis=0), (multiome.atac.toarray() != 0).sum(axis=0)
    wanted = tuple(np.flatnonzero(each >= min_cells) for each in seen)
    if min(len(each) for each in wanted) == 0:
        with pytest.raises(DatasetError, match="are seen in at least"):
            frequent_features(multiome, min_cells)
        return
    for found, each in zip(frequent_features(multiome, min_cells), wanted, strict=True):
        assert found.tolist() == each.tolist()
    np.testing.assert_array_equal(cells_with(multiome.rna), seen[0])


def test_too_much_asked_of_the_features_is_said():
    with pytest.raises(DatasetError, match=r"Only 0 genes and 0 peaks are seen in at least 13 of the 12 cells. Lower"):
        frequent_features(random_multiome(), 13)
