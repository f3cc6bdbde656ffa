import numpy as np
from scipy import sparse

from bi2scope.model.baseline import log_normalised, nearest_types, predict_matched


def separable(n: int = 60) -> tuple[sparse.csr_matrix, np.ndarray]:
    """Counts in which each of three types has four features of its own, at any sequencing depth."""
    rng = np.random.default_rng(0)
    codes = np.arange(n) % 3
    rate = np.full((n, 12), 0.2)
    for kind in range(3):
        rate[codes == kind, 4 * kind : 4 * kind + 4] = 6
    return sparse.csr_matrix(rng.poisson(rate * rng.choice([1, 4], (n, 1))).astype(np.float32)), codes


def test_types_that_differ_are_told_apart_on_unseen_cells() -> None:
    counts, codes = separable()
    train, rest = np.arange(30), np.arange(30, 60)
    assert (nearest_types(counts, codes, train, rest) == codes[rest]).all()
    rna_cell, atac_cell = rest, np.roll(rest, 1)  # neighbours are of two types
    assert predict_matched(counts, counts, codes, train, (rest, rest)).all()
    assert not predict_matched(counts, counts, codes, train, (rna_cell, atac_cell)).any()


def test_types_of_held_out_cells_are_not_looked_at() -> None:
    counts, codes = separable()
    train, rest = np.arange(30), np.arange(30, 60)
    hidden = codes.copy()
    hidden[rest] = -1
    assert (nearest_types(counts, hidden, train, rest) == nearest_types(counts, codes, train, rest)).all()


def test_depth_is_taken_out() -> None:
    counts = sparse.csr_matrix(np.array([[1.0, 3.0], [10.0, 30.0], [0.0, 0.0]], dtype=np.float32))
    found = log_normalised(counts).toarray()
    np.testing.assert_allclose(found[0], found[1])
    np.testing.assert_allclose(np.expm1(found[0]).sum(), 22)  # the median of 4 and 40
    assert (found[2] == 0).all()
