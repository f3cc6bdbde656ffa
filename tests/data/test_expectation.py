"""The null models against throwing links at random, and against their definitions."""

import numpy as np
import pytest
from stores import tiny_multiome

from bi2scope.data.candidates import Window
from bi2scope.data.expectation import accessibility, expected_score, lift, z_score
from bi2scope.data.store.chance import shared_out
from bi2scope.data.store.null import CellPlaces


@pytest.mark.parametrize("max_distance", [None, 300_000])
def test_the_closed_form_is_the_mean_and_variance_of_random_throws(max_distance: int | None) -> None:
    multiome, rng = tiny_multiome(3, 20, 40, density=0.6, seed=4), np.random.default_rng(0)
    window = Window.of(multiome.genes, multiome.peaks, max_distance)
    genes, peaks = multiome.rna[0].indices, multiome.atac[0].indices
    same = multiome.gene_chromosome[genes][:, None] == multiome.peak_chromosome[peaks]
    if window is not None:
        same &= window.near(genes[:, None], peaks)
    values = [rng.uniform(0.5, 1, rng.integers(0, row.sum() + 1)) for row in same]
    places = CellPlaces(multiome.gene_chromosome, multiome.peak_chromosome, window)
    totals = np.array([[[(row**power).sum() for row in values]] for power in (1, 2)])
    (expected,), (variance,) = shared_out(totals, genes.astype(np.int64), peaks, places.arrays())
    throws = np.zeros((20_000, len(peaks)))
    for candidates, row in zip(same, values, strict=True):
        own = np.flatnonzero(candidates)
        if len(row):
            chosen = rng.permuted(np.tile(own, (len(throws), 1)), axis=1)[:, : len(row)]
            np.add.at(throws, (np.arange(len(throws))[:, None], chosen), row)
    assert expected.any()
    np.testing.assert_allclose(throws.mean(axis=0), expected, atol=5 * np.sqrt(variance.max() / len(throws)))
    np.testing.assert_allclose(throws.var(axis=0), variance, rtol=0.06, atol=1e-3)


def test_expected_by_chromosome_shares_out_the_total() -> None:
    score, n_open = np.array([3.0, 1, 5, 0]), np.array([2, 2, 4, 1])
    expected = expected_score(score, n_open, ["chr1", "chr1", "chr2", "chr2"])
    assert expected.tolist() == [2, 2, 4, 1]
    assert lift(score, expected).tolist() == [1.5, 0.5, 1.25, 0]
    assert np.isnan(lift([0.0], [0.0])).all()
    assert accessibility(n_open, 4).tolist() == [0.5, 0.5, 1, 0.25]


def test_z_is_in_standard_deviations() -> None:
    np.testing.assert_array_equal(z_score([5.0, 1, 2], [3.0, 1, 1], [4.0, 0, 0]), [1, np.nan, np.nan])
