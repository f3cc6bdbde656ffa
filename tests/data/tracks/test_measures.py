from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from sklearn import metrics
from sklearn.metrics.pairwise import cosine_similarity

from bi2scope.data.tracks import measures
from bi2scope.data.tracks.measures import MEASURES, measured
from bi2scope.data.tracks.profiles import GROUPS, Attended, Binding, Profile, highest, top_n_of


def binding(values: object, bound: object = None) -> Binding:
    array = np.asarray(values, dtype=np.float64)
    return Binding(Profile.of(array), array > 0 if bound is None else np.asarray(bound, dtype=bool))


def by_the_book(track: np.ndarray, score: np.ndarray, bound: np.ndarray) -> dict[str, float]:
    """Every measure from scipy and scikit-learn, sets by python."""
    n = len(track)

    def top(values: np.ndarray) -> set[int]:
        edge = sorted(values, reverse=True)[top_n_of(n) - 1]
        return {i for i in range(n) if values[i] >= edge and values[i] > 0}

    one, other = top(track), top(score)
    table = np.zeros((2, 2))
    for i in range(n):
        table[int(not bound[i]), int(i not in other)] += 1
    fixed = table + 0.5 * bool((table == 0).any())
    union = len(one | other)
    whole = bool(one and other)
    return {
        "cosine": float(cosine_similarity([track], [score])[0, 0]),
        "cosine_of_ranks": float(cosine_similarity([stats.rankdata(track)], [stats.rankdata(score)])[0, 0]),
        "pearson": float(stats.pearsonr(track, score).statistic),
        "spearman": float(stats.spearmanr(track, score).statistic),
        "jaccard_top_n": len(one & other) / union if whole else np.nan,
        "auroc": float(metrics.roc_auc_score(bound, score)),
        "auprc": float(metrics.average_precision_score(bound, score)),
        "odds_ratio": fixed[0, 0] * fixed[1, 1] / fixed[0, 1] / fixed[1, 0]
        if table.sum(axis=0).min() and table.sum(axis=1).min()
        else np.nan,
    }


VALUES = arrays(np.float64, st.integers(3, 40), elements=st.sampled_from([0.0, 0.25, 1.0, 1.5, 3.0, 1000.0]))


@given(data=st.data(), track=VALUES)
def test_measures_agree_with_scipy_and_scikit_learn(data: st.DataObject, track: np.ndarray) -> None:
    score = data.draw(arrays(np.float64, len(track), elements=st.sampled_from([0.0, 0.5, 2.0, 7.0, 1e6])))
    bound = data.draw(arrays(bool, len(track)))
    assume(np.ptp(track) > 0 and np.ptp(score) > 0 and 0 < bound.sum() < len(bound))
    found = measured(binding(track, bound), Profile.of(score))
    wanted = by_the_book(track, score, bound)
    for name, value in wanted.items():
        assert found[name] == (pytest.approx(value, abs=1e-9) if np.isfinite(value) else None), name


def test_measures_agree_on_many_peaks() -> None:
    rng = np.random.default_rng(0)
    score = rng.gamma(0.5, size=5_000).round(2)
    bound = rng.random(5_000) < 0.1 + 0.3 * (score > 1)
    track = np.where(bound, rng.gamma(2, size=5_000), 0)
    found = measured(binding(track, bound), Profile.of(score))
    assert found == pytest.approx(by_the_book(track, score, bound), abs=1e-9)


def test_the_papers_four_measures_by_hand() -> None:
    """Ten peaks, so sets of one. Track: 4 at peak 1, 2 at peak 3; score: 3 at peak 1, 1 at peaks 2 and 3.

    cosine: (4·3 + 2·1) / (√(16 + 4) √(9 + 1 + 1)) = 14 / √220.
    ranks of the track: 4.5 eight times (places 1 to 8), 9, 10; of the score: 4 seven times, 8.5 twice, 10.
    squares: 8·20.25 + 81 + 100 = 343; 7·16 + 2·72.25 + 100 = 356.5; product: peak 1 10·10, peak 3 9·8.5,
    peak 2 4.5·8.5, seven others 4.5·4: 100 + 76.5 + 38.25 + 126 = 340.75.
    Pearson: means 0.6 and 0.5: (14 - 10·0.6·0.5) / √((20 - 3.6)(11 - 2.5)) = 11 / √139.4.
    Jaccard: the highest of both is peak 1, so 1.
    """
    track, score = np.zeros(10), np.zeros(10)
    track[[1, 3]], score[[1, 2, 3]] = [4, 2], [3, 1, 1]
    found = measured(binding(track), Profile.of(score))
    assert found["cosine"] == pytest.approx(14 / 220**0.5)
    assert found["cosine_of_ranks"] == pytest.approx(340.75 / (343 * 356.5) ** 0.5)
    assert found["pearson"] == pytest.approx(11 / 139.4**0.5)
    assert found["jaccard_top_n"] == 1
    # bound: peaks 1 and 3; of 16 pairs with an unbound one 8 + 7 + 1/2 are right
    assert found["auroc"] == pytest.approx(15.5 / 16)
    # thresholds 3 (1 of 1) and 1 (2 of 3)
    assert found["auprc"] == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)
    # the table 1 0 / 1 8 has a zero: 1.5 · 8.5 / (0.5 · 1.5)
    assert found["odds_ratio"] == pytest.approx(17)


def test_the_example_in_the_documentation_is_right() -> None:
    page = (Path(__file__).parents[3] / "docs" / "tf-comparison.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| .* \| (\d+\.\d{4}) \|$", page, flags=re.MULTILINE)
    assert [name for name, _ in rows] == [name for name in MEASURES if name != "spearman"]
    track, score = np.zeros(10), np.zeros(10)
    track[[1, 3]], score[[1, 2, 3]] = [4, 2], [3, 1, 1]
    found = measured(binding(track), Profile.of(score))
    for name, value in rows:
        assert f"{found[name]:.4f}" == value, name


def test_a_constant_track_has_no_correlation_and_a_track_of_zeros_nothing() -> None:
    varied, constant, zeros = np.array([1.0, 2.0, 3.0]), np.full(3, 2.0), np.zeros(3)
    found = measured(binding(varied, [1, 0, 0]), Profile.of(constant))
    assert found["cosine"] == pytest.approx(6 * 2 / (14**0.5 * 12**0.5))
    assert (found["cosine_of_ranks"], found["pearson"], found["spearman"]) == (None, None, None)
    assert found["auroc"] == 0.5
    found = measured(binding(zeros), Profile.of(varied))
    assert set(found.values()) == {None}


@pytest.mark.parametrize("size", [1e-200, 1e200])
def test_measures_do_not_depend_on_the_scale(size: float) -> None:
    first, second = np.array([1.0, 0.0, 3.0, 2.0]), np.array([2.0, 1.0, 3.0, 0.0])
    plain, scaled = (measured(binding(each), Profile.of(second)) for each in (first, first * size))
    assert scaled == pytest.approx(plain)


def test_what_ties_at_the_edge_of_a_set_is_in_it_and_zeros_never_count() -> None:
    assert np.flatnonzero(highest(np.array([0.0, 1.0, 5.0, 1.0, 1.0, 0.0]), 3)).tolist() == [1, 2, 3, 4]
    assert np.flatnonzero(highest(np.array([0.0, 1.0, 5.0, 3.0]), 2)).tolist() == [2, 3]
    assert np.flatnonzero(highest(np.array([0.0, 1.0, -2.0, 0.0]), 3)).tolist() == [1]


@pytest.mark.parametrize(
    ("n_peaks", "top_n"), [(1, 1), (9, 1), (4_699, 469), (99_999, 9_999), (100_000, 10_000), (107_194, 10_000)]
)
def test_sizes_of_the_sets(n_peaks: int, top_n: int) -> None:
    assert top_n_of(n_peaks) == top_n


@given(st.integers(1, 40), st.integers(0, 40), st.integers(0, 40), st.integers(0, 40))
def test_fisher_agrees_with_scipy(a: int, b: int, c: int, d: int) -> None:
    found = measures.log10_fisher(a + b + c + d, a + b, a + c, a)
    if 0 in (c + d, b + d):
        assert found is None
    else:
        assert found == pytest.approx(np.log10(stats.fisher_exact([[a, b], [c, d]]).pvalue), abs=1e-6)


def test_fisher_does_not_end_at_zero() -> None:
    found = measures.log10_fisher(107_194, 10_000, 10_000, 9_000)
    assert found is not None
    assert -20_000 < found < -5_000


@given(data=st.data(), score=VALUES)
def test_grouped_areas_are_exact_when_no_group_holds_two_values(data: st.DataObject, score: np.ndarray) -> None:
    bound = data.draw(arrays(bool, len(score)))
    assume(0 < bound.sum() < len(bound))
    profile = Profile.of(score)
    counts = np.bincount(profile.group[bound], minlength=len(profile.group_size)).astype(float)
    auroc = measures.area_from_groups(counts, measures.lower_peaks(profile.group_size), np.array(len(score)))
    assert auroc == pytest.approx(metrics.roc_auc_score(bound, score))
    auprc = measures.precision_from_groups(counts, profile.group_size)
    assert auprc == pytest.approx(metrics.average_precision_score(bound, score))


def test_grouped_areas_are_close_when_groups_hold_many_values() -> None:
    rng = np.random.default_rng(1)
    score = rng.gamma(0.5, size=60_000)
    bound = rng.random(60_000) < 0.05 + 0.5 * (score > np.quantile(score, 0.9))
    profile = Profile.of(score)
    counts = np.bincount(profile.group[bound], minlength=GROUPS).astype(float)
    auprc = measures.precision_from_groups(counts, profile.group_size)
    assert auprc == pytest.approx(metrics.average_precision_score(bound, score), rel=2e-3)
    auroc = measures.area_from_groups(counts, measures.lower_peaks(profile.group_size), np.array(60_000))
    assert auroc == pytest.approx(metrics.roc_auc_score(bound, score), abs=5e-5)


def test_partial_correlation_is_the_correlation_of_residuals() -> None:
    rng = np.random.default_rng(2)
    z = rng.normal(size=200)
    x, y = z + rng.normal(size=200), 2 * z + rng.normal(size=200)
    left = [each - np.polyval(np.polyfit(z, each, 1), z) for each in (x, y)]
    pairs = [np.array(np.corrcoef(*pair)[0, 1]) for pair in ((x, y), (x, z), (y, z))]
    assert measures.partial(*pairs) == pytest.approx(np.corrcoef(*left)[0, 1])


def test_the_residual_holds_nothing_of_accessibility_alone() -> None:
    from sklearn.isotonic import IsotonicRegression

    rng = np.random.default_rng(3)
    opened = rng.poisson(3, 500).astype(float)
    score = np.exp(opened) * rng.gamma(1, size=500)
    attended = Attended(Profile.of(score), Profile.of(opened))
    fitted = IsotonicRegression().fit_transform(opened, attended.score.rank)
    np.testing.assert_allclose(attended.residual.value, attended.score.rank - fitted, atol=1e-9)
    alone = Attended(Profile.of(opened**3), Profile.of(opened))
    assert np.ptp(alone.residual.value) == 0
