import numpy as np
import pytest
from scipy import stats
from simulations import few, simulated

from bi2scope.data.simulation.truth import OPEN_DECOY, RANDOM_DECOY
from bi2scope.data.simulator import simulate


def peaks_under(data, intervals):
    """Position of the peak that holds the middle of each interval, -1 for none."""
    found = np.full(len(intervals), -1)
    middle = ((intervals["start"] + intervals["end"]) // 2).to_numpy()
    for chrom in data.peaks["chrom"].unique():
        here = np.flatnonzero((data.peaks["chrom"] == chrom).to_numpy())
        rows = np.flatnonzero((intervals["chrom"] == chrom).to_numpy())
        start, end = data.peaks["start"].to_numpy()[here], data.peaks["end"].to_numpy()[here]
        last = np.searchsorted(start, middle[rows], side="right") - 1
        inside = (last >= 0) & (middle[rows] < end[np.maximum(last, 0)])
        found[rows[inside]] = here[last[inside]]
    return found


def targets_of(data, factor):
    return set(data.peaks.index.get_indexer(data.targets.loc[data.targets["tf"] == factor, "peak"]))


def test_links_name_the_factors_and_types_that_make_them():
    data = simulated("tiny")
    active = data.activity.drop(columns="scope") > 0
    by_peak = data.targets.groupby("peak")["tf"].agg(set)
    for link in data.links.itertuples():
        factors = link.factors.split(";")
        assert set(factors) == by_peak[link.peak]
        types = [str(name) for name in active.columns[active.loc[factors].any()]]
        assert link.cell_types.split(";") == types
        assert link.n_cell_types == len(types)
        assert (link.scope == "one type") == (len(types) == 1)
    assert {"one type", "all types"} <= set(data.links["scope"])


def test_targets_count_their_linked_genes():
    data = simulated("tiny")
    counted = data.links["peak"].value_counts()
    for row in data.targets.itertuples():
        assert row.n_linked_genes == counted.get(row.peak, 0)
    assert data.targets["opening"].gt(0).all()


def test_tracks_score_higher_at_targets_than_elsewhere():
    data = simulated("small")
    real = [track for track in data.tracks if not track.factor.startswith("DECOY")]
    assert len(real) == data.config.tracks_per_type * len(data.config.cell_types)
    for track in real:
        assert data.activity.loc[track.factor, track.cell_type] > 0
        targets = targets_of(data, track.factor)
        at_target = np.isin(peaks_under(data, track.intervals), list(targets))
        scores = track.intervals["score"].to_numpy()
        assert 0.3 < at_target.mean() < 0.8
        assert stats.mannwhitneyu(scores[at_target], scores[~at_target], alternative="greater").pvalue < 1e-3


def test_decoys_know_nothing_of_the_targets():
    data = simulated("small")
    decoys = [track for track in data.tracks if track.factor.startswith(RANDOM_DECOY)]
    pvalues, n_at_target, expected = [], 0, 0.0
    for decoy in decoys:
        real = [
            each.factor
            for each in data.tracks
            if each.cell_type == decoy.cell_type and each.factor in data.activity.index
        ]
        targets = set().union(*(targets_of(data, factor) for factor in real))
        at_target = np.isin(peaks_under(data, decoy.intervals), list(targets))
        scores = decoy.intervals["score"].to_numpy()
        pvalues.append(stats.mannwhitneyu(scores[at_target], scores[~at_target]).pvalue)
        n_at_target += at_target.sum()
        expected += len(at_target) * len(targets) / len(data.peaks)
    assert len(decoys) == len(data.config.cell_types)
    assert min(pvalues) > 0.01 / len(pvalues)
    assert n_at_target == pytest.approx(expected, abs=4 * np.sqrt(expected))


def test_the_open_decoy_follows_how_open_peaks_are():
    data = simulated("small")
    openness = data.programs.mean_openness() * data.programs.signal
    for track in data.tracks:
        if track.factor.startswith(OPEN_DECOY):
            row = openness[[each.name for each in data.config.cell_types].index(track.cell_type)]
            under = peaks_under(data, track.intervals)
            known = under >= 0
            assert stats.spearmanr(row[under[known]], track.intervals["score"][known]).statistic > 0.5
            assert row[under[known]].mean() > 1.3 * row.mean()


def test_sites_lie_on_their_chromosomes_in_order():
    data = simulated("tiny")
    ends = data.peaks.groupby("chrom")["end"].max()
    for track in data.tracks:
        table = track.intervals
        assert (table["start"] >= 0).all()
        assert (table["start"] < table["end"]).all()
        assert (table["end"].to_numpy() <= ends[table["chrom"]].to_numpy()).all()
        assert table["name"].is_unique


@pytest.mark.parametrize(("tracks", "decoys"), [(0, 0), (0, 3), (2, 0)])
def test_numbers_of_tracks_can_be_chosen(tracks, decoys):
    data = simulate(few(tracks_per_type=tracks, decoys_per_type=decoys), seed=0)
    names = [(track.factor, track.cell_type) for track in data.tracks]
    assert len(set(names)) == len(names)
    for cell_type in ("A", "B"):
        here = [factor for factor, of_type in names if of_type == cell_type]
        assert sum(factor.startswith("DECOY") for factor in here) == decoys
        assert len(here) <= tracks + decoys
