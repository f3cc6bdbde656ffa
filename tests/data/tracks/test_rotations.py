from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rotated import moved

from bi2scope.data.tracks.matching import gc_share, quantile_bins, strata
from bi2scope.data.tracks.measures import precision_from_groups
from bi2scope.data.tracks.profiles import Binding, Profile
from bi2scope.data.tracks.rotations import Rotations


@given(st.lists(st.integers(0, 4), min_size=1, max_size=60), st.integers(0, 5), st.booleans())
def test_products_and_precision_are_those_of_labels_moved_one_by_one(
    codes: list[int], seed: int, shuffled: bool
) -> None:
    rng = np.random.default_rng(seed)
    code = np.array(codes) if shuffled else np.sort(codes)
    make = Rotations.of_strata if shuffled else Rotations.of_chromosomes
    rotations = make(code, 9, rng)
    labels, scores = rng.normal(size=(2, len(code))), rng.normal(size=(3, len(code)))
    bound = rng.random((2, len(code))) < 0.4
    pairs = [(0, 0), (1, 2), (0, 1)]
    products = rotations.products(
        rotations.spectra(list(labels), labels=True), rotations.spectra(list(scores), labels=False), pairs
    )
    profile = Profile.of(np.round(scores[0], 1))
    tracks = [Binding(Profile.of(each.astype(float)), each) for each in bound]
    precision = rotations.precision(tracks, profile)
    for draw in range(9):
        for row, (one, other) in enumerate(pairs):
            assert products[row, draw] == pytest.approx(moved(rotations, draw, labels[one]) @ scores[other])
        for track, each in enumerate(bound):
            there = profile.group[moved(rotations, draw, each)]
            wanted = np.bincount(there, minlength=len(profile.group_size))
            plain = precision_from_groups(wanted.astype(float), profile.group_size)
            assert precision[track, draw] == pytest.approx(float(plain), nan_ok=True)


def test_blocks_of_slow_lengths_give_the_same() -> None:
    rng = np.random.default_rng(0)
    code = np.repeat([0, 1, 2], [1021, 1, 64])
    rotations = Rotations.of_chromosomes(code, 5, rng)
    label, score = rng.normal(size=(2, len(code)))
    spectra = rotations.spectra([label], labels=True), rotations.spectra([score], labels=False)
    wanted = [moved(rotations, draw, label) @ score for draw in range(5)]
    np.testing.assert_allclose(rotations.products(*spectra, [(0, 0)])[0], wanted, rtol=1e-10, atol=1e-10)


def test_offsets_reach_every_place_of_every_block_and_none_beyond() -> None:
    rotations = Rotations.of_chromosomes(np.repeat([0, 1], [3, 5]), 500, np.random.default_rng(0))
    assert [sorted(set(column)) for column in rotations.offset.T] == [[0, 1, 2], [0, 1, 2, 3, 4]]


def test_rotations_vary_as_permutations_do() -> None:
    """Mean and spread of a product under rotations of shuffled strata are those of permuting within the strata."""
    rng = np.random.default_rng(5)
    code = np.repeat(np.arange(40), 50)
    label, score = rng.gamma(1, size=2000), rng.gamma(1, size=2000)
    rotations = Rotations.of_strata(code, 4000, rng)
    spectra = rotations.spectra([label], labels=True), rotations.spectra([score], labels=False)
    found = rotations.products(*spectra, [(0, 0)])[0]
    by_stratum = label.reshape(40, 50), score.reshape(40, 50)
    mean = sum(one.sum() * other.sum() / 50 for one, other in zip(*by_stratum, strict=True))
    variance = sum(
        ((one - one.mean()) ** 2).sum() * ((other - other.mean()) ** 2).sum() / 49
        for one, other in zip(*by_stratum, strict=True)
    )
    assert found.mean() == pytest.approx(mean, abs=5 * (variance / 4000) ** 0.5)
    assert found.std() == pytest.approx(variance**0.5, rel=0.06)


# ---------------------------------------------------------------- strata


def test_strata_hold_peaks_alike_in_accessibility_and_width() -> None:
    rng = np.random.default_rng(1)
    opened, width, gc = rng.poisson(20, 5000), rng.integers(200, 2000, 5000), rng.random(5000)
    code = strata(opened, width, gc)
    assert code.min() == 0
    assert len(np.unique(code)) == code.max() + 1 >= 150
    for one in range(0, code.max() + 1, 7):
        inside = code == one
        assert np.ptp(width[inside]) < 0.35 * 1800
        assert np.ptp(gc[inside]) < 0.35


def test_equal_values_share_a_bin_and_bins_are_quantiles() -> None:
    bins = quantile_bins(np.repeat([0, 1, 2, 3], [50, 10, 20, 20]), 4)
    assert bins.tolist() == [0] * 50 + [1] * 10 + [1] * 20 + [2] * 20
    assert np.bincount(quantile_bins(np.arange(1000), 10)).tolist() == [100] * 10
    assert set(quantile_bins(np.full(7, 500), 5)) == {0}


def test_strata_of_few_peaks_are_two_by_accessibility() -> None:
    assert strata(np.arange(10), np.full(10, 500)).tolist() == [0] * 5 + [1] * 5
    assert strata([], []).tolist() == []


def test_gc_is_counted_among_known_bases() -> None:
    codes = np.zeros((3, 256), dtype=np.float32)
    codes[0, :4] = [0.25, 0.5, 0.75, 1]
    codes[1, :2] = [1, 1]
    assert gc_share(codes)[:2].tolist() == [0.5, 1.0]
    assert np.isnan(gc_share(codes)[2])
