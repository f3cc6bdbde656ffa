from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from rotated import moved
from scipy import stats

from bi2scope.data.tracks import comparison
from bi2scope.data.tracks.comparison import Design, TypeScores, Universe, compare
from bi2scope.data.tracks.measures import GAINS, MEASURES, measured
from bi2scope.data.tracks.profiles import Attended, Binding, Profile
from bi2scope.data.tracks.resampling import Blocks, Resampled, interval


def universe(n: int, rng: np.random.Generator, n_chromosomes: int = 4) -> Universe:
    return Universe(np.sort(rng.integers(0, n_chromosomes, n)), rng.integers(200, 900, n))


def binding(bound: np.ndarray, rng: np.random.Generator) -> Binding:
    return Binding(Profile.of(np.where(bound, rng.gamma(2, size=len(bound)), 0)), bound)


def some(n: int = 400, seed: int = 0) -> tuple[Universe, list[Binding], TypeScores]:
    rng = np.random.default_rng(seed)
    opened = rng.poisson(6, n)
    attended = Attended(Profile.of(opened * rng.gamma(1, size=n)), Profile.of(opened))
    tracks = [binding(rng.random(n) < 0.05 + 0.02 * opened, rng) for _ in range(2)]
    return universe(n, rng), tracks, TypeScores(attended, {"accessibility": attended.accessibility})


def residual_auroc(track: Binding, attended: Attended) -> float | None:
    return measured(track, attended.residual)["auroc"]


def partials(track: Binding, attended: Attended) -> tuple[float, float]:
    """Pearson's and Spearman's correlation of what is left of both when accessibility is regressed out."""

    def left(values: np.ndarray, of: np.ndarray) -> np.ndarray:
        return values - np.polyval(np.polyfit(of, values, 1), of)

    found = []
    for change in (np.asarray, stats.rankdata):
        t, x, a = (change(each.value) for each in (track.profile, attended.score, attended.accessibility))
        found.append(float(np.corrcoef(left(t, a), left(x, a))[0, 1]))
    return found[0], found[1]


def test_values_are_the_measures_and_those_of_each_other_score_stand_beside() -> None:
    peaks, tracks, scores = some()
    [found] = compare(Design.of(peaks, 20), tracks, [scores])
    for track, one in zip(tracks, found, strict=True):
        assert {name: each.value for name, each in one.measures.items()} == pytest.approx(
            measured(track, scores.attended.score)
        )
        assert one.beside == {"accessibility": measured(track, scores.attended.accessibility)}
        gains = {name: each.value for name, each in one.gains.items()}
        pearson, spearman = partials(track, scores.attended)
        wanted = {
            "partial_pearson": pearson,
            "partial_spearman": spearman,
            "residual_auroc": residual_auroc(track, scores.attended),
        }
        assert gains == pytest.approx(wanted)
        assert one.base_rate == track.bound.mean()


@pytest.mark.parametrize("null", ["matched", "shift"])
def test_chance_is_what_measuring_every_moved_track_gives(null: str) -> None:
    peaks, tracks, scores = some(n=240)
    design, attended = Design.of(peaks, 30, seed=7), scores.attended
    rotations = design.shift if null == "shift" else design.matched(attended.accessibility)
    [found] = compare(design, tracks, [scores])
    for track, one in zip(tracks, found, strict=True):
        turned = [
            Binding(Profile.of(moved(rotations, draw, track.profile.value)), moved(rotations, draw, track.bound))
            for draw in range(30)
        ]
        by_hand = [measured(each, attended.score) for each in turned]
        estimates = {name: (one.measures[name], [each[name] for each in by_hand]) for name in MEASURES}
        for at, name in enumerate(("partial_pearson", "partial_spearman")):
            estimates[name] = one.gains[name], [partials(each, attended)[at] for each in turned]
        estimates["residual_auroc"] = (
            one.gains["residual_auroc"],
            [residual_auroc(each, attended) for each in turned],
        )
        for name, (estimate, draws) in estimates.items():
            chance, values = getattr(estimate, null), np.array(draws)
            assert chance.mean == pytest.approx(values.mean()), name
            assert chance.sd == pytest.approx(values.std(ddof=1)), name
            higher = (1 + (values >= estimate.value - 1e-9).sum()) / 31
            lower = (1 + (values <= estimate.value + 1e-9).sum()) / 31
            directed = name in {"cosine", "cosine_of_ranks", "jaccard_top_n", "auprc", "odds_ratio"}
            assert chance.p == pytest.approx(higher if directed else min(1, 2 * min(higher, lower))), name


def test_replicates_are_the_measures_of_resampled_peaks() -> None:
    peaks, [track, _], scores = some(n=150)
    attended, score = scores.attended, scores.attended.score
    blocks = Blocks.of(peaks.chromosome, 8, np.random.default_rng(0))
    found = Resampled(attended, blocks).replicates(track)
    assert set(found) == {*MEASURES, *GAINS.values()}
    for row, times in enumerate(blocks.times.astype(int)):
        chosen = np.concatenate(
            [np.tile(np.arange(blocks.start[b], blocks.start[b + 1]), n) for b, n in enumerate(times)]
        )
        again = Binding(Profile(track.profile.value[chosen]), track.bound[chosen])
        book = measured(again, Profile(score.value[chosen]))
        for name in ("cosine", "pearson", "auroc", "auprc"):
            assert found[name][row] == pytest.approx(book[name]), name
        left = measured(again, Profile(attended.residual.value[chosen]))["auroc"]
        assert found["residual_auroc"][row] == pytest.approx(left)
        ranks = [each.rank[chosen] for each in (track.profile, score)]
        assert found["spearman"][row] == pytest.approx(np.corrcoef(*ranks)[0, 1])
        tops = [each.top[chosen] > 0 for each in (track.profile, score)]
        assert found["jaccard_top_n"][row] == pytest.approx((tops[0] & tops[1]).sum() / (tops[0] | tops[1]).sum())
        table = [[(one & other).sum() for other in (tops[1], ~tops[1])] for one in (again.bound, ~again.bound)]
        fixed = np.array(table) + 0.5 * (np.min(table) == 0)
        assert found["odds_ratio"][row] == pytest.approx(fixed[0, 0] * fixed[1, 1] / fixed[0, 1] / fixed[1, 0])


def test_blocks_are_stretches_of_one_chromosome_and_replicates_as_many() -> None:
    chromosome = np.repeat([0, 1, 5], [700, 299, 1])
    blocks = Blocks.of(chromosome, 50, np.random.default_rng(0))
    assert blocks.start[0] == 0
    assert blocks.start[-1] == 1000
    assert {700, 999} <= set(blocks.start.tolist())
    assert np.diff(blocks.start).max() <= 11
    assert (blocks.times.sum(axis=1) == len(blocks.start) - 1).all()


def test_intervals_cover_the_truth() -> None:
    """AUROC of two normal scores: 95 % of the intervals hold the true chance; here 38 of 40 expected."""
    truth, held, repeats = float(stats.norm.cdf(1 / 2**0.5)), 0, 40
    for seed in range(repeats):
        rng = np.random.default_rng(seed)
        bound = rng.random(800) < 0.2
        score = rng.normal(size=800) + bound
        blocks = Blocks.of(np.repeat(np.arange(5), 160), 200, rng)
        attended = Attended(Profile.of(score - score.min()), Profile.of(rng.random(800)))
        low, high = interval(Resampled(attended, blocks).replicates(binding(bound, rng))["auroc"])
        assert low is not None
        assert high is not None
        held += low <= truth <= high
    assert held >= 34


def test_an_interval_needs_nine_replicates_in_ten() -> None:
    assert interval(np.array([*range(80), *[np.nan] * 20])) == (None, None)
    assert interval(np.linspace(0, 1, 201)) == pytest.approx((0.025, 0.975))


# ---------------------------------------------------------------- calibration


def clustered(rng: np.random.Generator, n: int) -> np.ndarray:
    """A stationary row in which neighbours are alike: white noise averaged around a circle."""
    return np.fft.irfft(np.fft.rfft(rng.normal(size=n)) * np.fft.rfft(np.ones(25), n), n)


def p_values(null: str, seed: int, n_tracks: int = 15) -> list[dict[str, float]]:
    """p-values of tracks that have nothing to do with the score but what their null model allows."""
    rng, n = np.random.default_rng([seed, 11]), 900
    opened, peaks = rng.poisson(8, n), universe(n, rng)
    if null == "matched":
        score, likely = opened**2 * rng.gamma(1, size=n), [0.02 * opened] * n_tracks
    else:
        rows = np.zeros((1 + n_tracks, n))
        for row in rows:
            for one in range(4):
                inside = peaks.chromosome == one
                row[inside] = clustered(rng, int(inside.sum()))
        score, likely = rows[0] - rows[0].min(), list(rows[1:] > 3)
    tracks = [binding(rng.random(n) < each, rng) for each in likely]
    attended = Attended(Profile.of(score), Profile.of(opened))
    [row] = compare(Design.of(peaks, 199, seed=seed), tracks, [TypeScores(attended)])
    return [{name: getattr(each, null).p for name, each in {**found.measures, **found.gains}.items()} for found in row]


@pytest.mark.parametrize("null", ["matched", "shift"])
def test_p_values_of_tracks_without_any_relation_are_uniform(null: str) -> None:
    found = [each for seed in range(12) for each in p_values(null, seed)]
    for name in (*MEASURES, *GAINS.values()):
        uniform = stats.kstest([each[name] for each in found], "uniform").pvalue
        assert uniform > 1e-3, f"{name}: {uniform}"


def test_a_related_track_is_told_from_one_that_follows_accessibility_alone() -> None:
    rng, n = np.random.default_rng(4), 3000
    opened, program = rng.poisson(8, n), rng.random(n) < 0.1
    attended = Attended(Profile.of(opened * rng.gamma(4, size=n) * (1 + 1.5 * program)), Profile.of(opened))
    related, decoy = program & (rng.random(n) < 0.8), rng.random(n) < 0.012 * opened
    tracks = [binding(each, rng) for each in (related, decoy)]
    [[one, other]] = compare(Design.of(universe(n, rng), 999), tracks, [TypeScores(attended)])
    for name in MEASURES:
        assert one.measures[name].matched.p <= 0.002, name
        assert other.measures[name].matched.p > 0.01, name
    assert other.measures["auroc"].shift.p <= 0.01
    assert one.gains["residual_auroc"].low > 0.6


# ---------------------------------------------------------------- what is odd


def test_the_same_seed_gives_the_same_and_tracks_do_not_meddle_with_each_other() -> None:
    peaks, tracks, scores = some()
    together = compare(Design.of(peaks, 40, seed=3), tracks, [scores, scores])
    alone = [compare(Design.of(peaks, 40, seed=3), [track], [scores])[0][0] for track in tracks]
    for row in together:
        for one, other in zip(row, alone, strict=True):
            for name in MEASURES:
                assert one.measures[name].matched.z == pytest.approx(other.measures[name].matched.z)
                assert one.measures[name].shift.p == other.measures[name].shift.p
                assert one.measures[name].low == pytest.approx(other.measures[name].low)
    assert compare(Design.of(peaks, 40, seed=4), tracks, [scores])[0][0].measures["cosine"].matched != (
        alone[0].measures["cosine"].matched
    )


def test_without_draws_there_are_values_alone() -> None:
    peaks, tracks, scores = some()
    [[one, _]] = compare(Design.of(peaks, 0), tracks, [scores])
    assert one.measures["auroc"].value is not None
    assert {(each.low, each.high, each.matched, each.shift) for each in one.measures.values()} == {(None,) * 4}


@pytest.mark.parametrize("kind", ["nothing bound", "all bound", "score of zeros", "one peak", "accessibility of zeros"])
def test_what_is_not_defined_is_none_and_nothing_fails(kind: str) -> None:
    rng, n = np.random.default_rng(0), 1 if kind == "one peak" else 60
    bound = {"nothing bound": np.zeros(n, bool), "all bound": np.ones(n, bool)}.get(kind, rng.random(n) < 0.4)
    score = np.zeros(n) if kind == "score of zeros" else rng.gamma(1, size=n)
    opened = np.zeros(n) if kind == "accessibility of zeros" else rng.poisson(3, n)
    scores = TypeScores(Attended(Profile.of(score), Profile.of(opened)))
    [[found]] = compare(Design.of(universe(n, rng, 2), 19), [binding(bound, rng)], [scores])
    for each in {**found.measures, **found.gains}.values():
        assert (each.value is None) == (each.matched is None) == (each.shift is None)
        assert each.value is None or np.isfinite(each.value)
    if kind in {"nothing bound", "all bound", "one peak"}:
        assert found.measures["auroc"].value is None
        assert found.log10_fisher is None


def test_gc_takes_part_in_the_matching() -> None:
    peaks, _, scores = some(n=2000)
    gc = np.random.default_rng(0).random(2000)
    plain, further = (Design.of(each, 2) for each in (peaks, replace(peaks, gc=gc)))
    counts = [len(each.matched(scores.attended.accessibility).start) for each in (plain, further)]
    assert counts[1] > counts[0]


def test_one_processor_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(comparison.os, "sched_getaffinity", raising=False)
    peaks, tracks, scores = some(n=100)
    assert compare(Design.of(peaks, 5), tracks, [scores])[0][0].measures["cosine"].matched is not None
