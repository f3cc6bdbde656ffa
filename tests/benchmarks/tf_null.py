"""Tracks against two null models, 1,000 draws of every measure, beside a plain loop of scipy and scikit-learn.

107,194 peaks on 23 chromosomes, about a tenth of them bound. The loop moves the labels draw by draw and measures each
with scipy and scikit-learn, for a few draws, from which a thousand are reckoned. Wall time depends on who else uses the
processors; time of the processors is given beside it.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from pbmc import median_seconds
from rotated import moved
from scipy import stats
from sklearn import metrics
from sklearn.metrics.pairwise import cosine_similarity

from bi2scope.data.tracks.comparison import Design, TypeScores, Universe, compare
from bi2scope.data.tracks.profiles import Attended, Binding, Profile, top_n_of
from bi2scope.data.tracks.rotations import Rotations

PEAKS, DRAWS, LOOPED, REPEATS = 107_194, 1_000, 5, 5
TYPES, TRACKS = 20, 10


def main() -> tuple[dict[str, float], dict[str, float]]:
    """Ratio loop / own for one track, and seconds of one track and of 20 types by 10 tracks."""
    rng = np.random.default_rng(0)
    likely = rng.gamma(0.5, size=PEAKS)
    universe = Universe(np.sort(rng.integers(0, 23, PEAKS)), rng.integers(200, 1500, PEAKS))
    tracks = [some_track(rng, likely) for _ in range(TRACKS)]
    types = [some_type(rng, likely) for _ in range(TYPES)]
    one = median_seconds(
        lambda: compare(Design.of(universe, DRAWS), [fresh(tracks[0])], [fresh_type(types[0])]), REPEATS
    )
    looped = 2 * loop_seconds(Design.of(universe, LOOPED).shift, tracks[0], types[0].attended.score)
    wall, processors = spent(lambda: compare(Design.of(universe, DRAWS), tracks, types))
    return {"loop_over_own_one_track": looped / one}, {
        "one_track_s": one,
        "loop_one_track_s": looped,
        "matrix_20_types_10_tracks_s": wall,
        "matrix_20_types_10_tracks_processor_s": processors,
    }


def some_track(rng: np.random.Generator, likely: np.ndarray) -> Binding:
    value = likely * np.exp(rng.normal(size=PEAKS))
    bound = value > np.quantile(value, 0.9)
    return Binding(Profile.of(np.where(bound, rng.gamma(2, size=PEAKS), 0)), bound)


def some_type(rng: np.random.Generator, likely: np.ndarray) -> TypeScores:
    opened = Profile.of(rng.binomial(500, np.clip(likely * np.exp(0.3 * rng.normal(size=PEAKS)) / 20, 0, 1)))
    return TypeScores(Attended(Profile.of(opened.value * rng.gamma(1, size=PEAKS)), opened), {"accessibility": opened})


def fresh(track: Binding) -> Binding:
    """The track without anything worked out of it."""
    return Binding(Profile(track.profile.value), track.bound)


def fresh_type(scores: TypeScores) -> TypeScores:
    opened = Profile(scores.attended.accessibility.value)
    return TypeScores(Attended(Profile(scores.attended.score.value), opened), {"accessibility": opened})


def loop_seconds(rotations: Rotations, track: Binding, score: Profile) -> float:
    """Seconds that measuring a thousand draws of one null model takes, one by one; moving the labels is not counted."""
    labels = track.profile.value, track.bound
    draws = [[moved(rotations, draw, each) for each in labels] for draw in range(LOOPED)]
    began = time.perf_counter()
    for values, bound in draws:
        measured_plainly(values, bound, score.value)
    return (time.perf_counter() - began) / LOOPED * DRAWS


def measured_plainly(values: np.ndarray, bound: np.ndarray, score: np.ndarray) -> list[float]:
    tops = [each >= np.partition(each, -top_n_of(len(each)))[-top_n_of(len(each))] for each in (values, score)]
    table = [[(one & other).sum() for other in (tops[1], ~tops[1])] for one in (bound, ~bound)]
    return [
        cosine_similarity([values], [score])[0, 0],
        cosine_similarity([stats.rankdata(values)], [stats.rankdata(score)])[0, 0],
        stats.pearsonr(values, score).statistic,
        stats.spearmanr(values, score).statistic,
        metrics.jaccard_score(*tops),
        metrics.roc_auc_score(bound, score),
        metrics.average_precision_score(bound, score),
        stats.contingency.odds_ratio(np.array(table), kind="sample").statistic,
    ]


def spent(task: Callable[[], object]) -> tuple[float, float]:
    """Seconds on the clock and of the processors."""
    wall, processors = time.perf_counter(), time.process_time()
    task()
    return time.perf_counter() - wall, time.process_time() - processors
