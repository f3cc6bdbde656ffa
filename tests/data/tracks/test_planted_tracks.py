"""On simulated cells whose links are known: what holds of tracks of factors, and of decoys, when the score is right."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from simulations import simulated

from bi2scope.data.simulation.truth import BETWEEN, OPEN_DECOY, RANDOM_DECOY
from bi2scope.data.tracks.comparison import Comparison, Design, TypeScores, Universe, compare
from bi2scope.data.tracks.overlap import lay_over
from bi2scope.data.tracks.profiles import Attended, Binding, Profile
from bi2scope.data.tracks.significance import false_discovery_rates

Found = dict[tuple[str, str, str], Comparison]


@pytest.fixture(scope="module")
def found() -> Found:
    """Comparisons by type of the score, type of the track and factor.

    The score of a peak in a type is made of the planted truth as the model's would be: in each cell in which the peak
    is open it takes a link to every gene at random, a little, and the effects of the links that are at work there.
    """
    truth = simulated("small")
    names = list(dict.fromkeys(track.cell_type for track in truth.tracks))
    place = pd.Series(np.arange(len(truth.peaks)), index=truth.peaks.index)
    universe = Universe(
        pd.factorize(truth.peaks["chrom"].astype(str))[0], (truth.peaks["end"] - truth.peaks["start"]).to_numpy()
    )
    rng, types = np.random.default_rng(0), []
    for name in names:
        cells = (truth.cells["cell_type"] == name).to_numpy()
        opened = np.asarray((truth.atac[cells] > 0).sum(axis=0)).ravel()
        at_work = truth.links[[name in each.split(BETWEEN) for each in truth.links["cell_types"]]]
        effect = np.bincount(place[at_work["peak"]], at_work["effect"], len(truth.peaks))
        types.append(TypeScores(Attended(Profile.of(rng.poisson(opened * (1 + effect))), Profile.of(opened))))
    laid = [lay_over(track.intervals, truth.peaks) for track in truth.tracks]
    tracks = [Binding(Profile.of(each.score), each.bound) for each in laid]
    rows = compare(Design.of(universe, 1000), tracks, types)
    return {
        (name, track.cell_type, track.factor): each
        for name, row in zip(names, rows, strict=True)
        for track, each in zip(truth.tracks, row, strict=True)
    }


def z_of(comparison: Comparison, measure: str = "auroc") -> float:
    chance = comparison.measures[measure].matched
    assert chance is not None
    assert chance.z is not None
    return chance.z


@pytest.mark.slow
@pytest.mark.parametrize("measure", ["spearman", "auroc", "auprc", "odds_ratio"])
def test_the_factors_of_a_type_score_highest_in_it_once_accessibility_is_accounted_for(
    found: Found, measure: str
) -> None:
    for name in sorted({of for of, _, _ in found}):
        own = {factor: each for (of, track, factor), each in found.items() if of == track == name}
        factors = [each for factor, each in own.items() if not factor.startswith("DECOY")]
        decoys = [each for factor, each in own.items() if factor.startswith("DECOY")]
        assert min(z_of(each, measure) for each in factors) > max(z_of(each, measure) for each in decoys), name
        p = [each.measures[measure].matched.p for each in [*factors, *decoys]]  # type: ignore[union-attr]
        rates = false_discovery_rates(p)
        assert (rates[: len(factors)] < 0.05).all(), name
    activity, tracks = simulated("small").activity, {(name, factor) for _, name, factor in found}
    for name, factor in sorted(tracks):
        if not factor.startswith("DECOY"):
            by_type = {of: z_of(each, measure) for (of, *track), each in found.items() if track == [name, factor]}
            highest = max(by_type, key=lambda each: by_type[each])
            assert activity.loc[factor, highest] > 0, (name, factor)
            idle = [z for of, z in by_type.items() if activity.loc[factor, of] == 0]
            assert by_type[name] > max(idle, default=-np.inf), (name, factor)


@pytest.mark.slow
def test_a_track_of_openness_alone_agrees_with_the_score_and_says_nothing_beyond_accessibility(found: Found) -> None:
    opened = [each for (of, track, factor), each in found.items() if of == track and factor.startswith(OPEN_DECOY)]
    blind = [each for (of, track, factor), each in found.items() if of == track and factor.startswith(RANDOM_DECOY)]
    assert len(opened) == len(blind) >= 8
    for each in opened:
        assert each.measures["auroc"].shift.p < 0.01  # type: ignore[union-attr]
        assert each.measures["auroc"].value > 0.6  # type: ignore[operator]
    for decoys in (opened, blind):
        p = [each.measures["auroc"].matched.p for each in decoys]  # type: ignore[union-attr]
        assert (false_discovery_rates(p) > 0.05).all()
        assert abs(np.mean([z_of(each) for each in decoys])) < 1
