from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bi2scope.data.errors import ConfigurationError, RegionError
from bi2scope.data.regions import read_bed
from bi2scope.data.tracks.overlap import OverlapRule, lay_over

CHROMOSOMES = st.sampled_from(["chr1", "chr2", "chrX"])
PLACES = st.tuples(CHROMOSOMES, st.integers(0, 40), st.integers(1, 15))
SCORES = st.sampled_from([-3.0, 0.0, 0.5, 1.0, 7.0])


def peaks_table(rows: list[tuple[str, int, int]]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "chrom": np.array([row[0] for row in rows], dtype=object),
            "start": np.array([row[1] for row in rows], dtype=np.int64),
            "end": np.array([row[1] + row[2] for row in rows], dtype=np.int64),
        }
    )


@given(
    peaks=st.lists(PLACES, max_size=25),
    intervals=st.lists(st.tuples(PLACES, SCORES), max_size=25),
)
def test_tracks_agree_with_two_loops(
    peaks: list[tuple[str, int, int]], intervals: list[tuple[tuple[str, int, int], float]]
) -> None:
    track = lay_over(
        peaks_table([place for place, _ in intervals]).assign(score=np.array([score for _, score in intervals], float)),
        peaks_table(peaks),
    )
    used = [False] * len(intervals)
    for at, (chrom, start, length) in enumerate(peaks):
        best = None
        for i, ((other, first, reach), score) in enumerate(intervals):
            if chrom == other and max(start, first) < min(start + length, first + reach):
                used[i] = True
                best = score if best is None else max(best, score)
        assert bool(track.bound[at]) == (best is not None)
        assert track.score[at] == (0 if best is None else best)
    assert track.used.tolist() == used


def test_touching_is_not_overlapping() -> None:
    peaks = peaks_table([("chr1", 100, 50)])
    beside = peaks_table([("chr1", 50, 50), ("chr1", 150, 10)]).assign(score=1.0)
    inside = peaks_table([("chr1", 149, 10)]).assign(score=1.0)
    assert lay_over(beside, peaks).bound.tolist() == [False]
    assert lay_over(inside, peaks).bound.tolist() == [True]


def test_a_million_overlaps_are_not_listed() -> None:
    """Twenty thousand intervals over every one of twenty thousand peaks are 4e8 overlaps; too many to list."""
    n = 20_000
    peaks = peaks_table([("chr1", at * 10, 5) for at in range(n)])
    intervals = peaks_table([("chr1", 0, n * 10)] * n).assign(score=np.arange(n, dtype=float))
    track = lay_over(intervals, peaks)
    assert track.score.tolist() == [n - 1] * n


@given(
    peaks=st.lists(PLACES, max_size=15),
    intervals=st.lists(st.tuples(PLACES, SCORES, st.integers(0, 14)), max_size=15),
    kind=st.sampled_from(["any", "summit", "reciprocal"]),
    share=st.sampled_from([0.05, 0.25, 0.5, 1.0]),
    aggregate=st.sampled_from(["max", "sum"]),
)
def test_every_rule_agrees_with_two_loops(
    peaks: list, intervals: list, kind: str, share: float, aggregate: str
) -> None:
    rule = OverlapRule(kind, share, aggregate)  # type: ignore[arg-type]
    summits = np.array([summit % place[2] for place, _, summit in intervals], dtype=np.int64)
    table = peaks_table([place for place, _, _ in intervals])
    table = table.assign(score=np.array([score for _, score, _ in intervals], float), summit=summits)
    track = lay_over(table, peaks_table(peaks), rule)
    used = [False] * len(intervals)
    for at, (chrom, start, length) in enumerate(peaks):
        scores = []
        for i, ((other, first, reach), score, _) in enumerate(intervals):
            shared = min(start + length, first + reach) - max(start, first)
            summit = first + summits[i]
            counts = {
                "any": shared >= 1,
                "summit": start <= summit < start + length,
                "reciprocal": shared >= share * max(length, reach),
            }[kind]
            if chrom == other and counts:
                used[i] = True
                scores.append(score)
        assert bool(track.bound[at]) == bool(scores)
        wanted = (max(scores) if aggregate == "max" else sum(scores)) if scores else 0
        assert track.score[at] == pytest.approx(wanted)
    assert track.used.tolist() == used


def test_a_sum_over_no_interval_is_exactly_zero() -> None:
    peaks = peaks_table([("chr1", 100, 10), ("chr1", 300, 10)])
    table = peaks_table([("chr1", 0, 50), ("chr1", 60, 20), ("chr1", 305, 3)]).assign(score=[0.1, 0.2, 0.7])
    assert lay_over(table, peaks, OverlapRule(aggregate="sum")).score.tolist() == [0.0, pytest.approx(0.7)]


def test_summits_are_asked_for_in_words() -> None:
    peaks, rule = peaks_table([("chr1", 100, 10)]), OverlapRule("summit")
    table = peaks_table([("chr1", 95, 10)]).assign(score=1.0)
    with pytest.raises(RegionError, match="has no summits"):
        lay_over(table, peaks, rule)
    for summit in (-1, 10):
        with pytest.raises(RegionError, match="1 of 1 intervals have no summit within them"):
            lay_over(table.assign(summit=summit), peaks, rule)


@pytest.mark.parametrize("share", [0.0, 0.01, 1.5, float("nan")])
def test_a_share_out_of_its_range_is_refused(share: float) -> None:
    with pytest.raises(ConfigurationError, match=r"must lie from 0\.05 to 1"):
        OverlapRule("reciprocal", share)


def test_a_million_reciprocal_pairs_are_taken_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bi2scope.data.tracks.overlap.PAIRS_AT_A_TIME", 100)
    peaks = peaks_table([("chr1", at * 3, 20) for at in range(200)])
    table = peaks_table([("chr1", at * 5, 20) for at in range(150)]).assign(score=np.arange(150.0))
    few = lay_over(table, peaks, OverlapRule("reciprocal", 0.9))
    monkeypatch.undo()
    whole = lay_over(table, peaks, OverlapRule("reciprocal", 0.9))
    np.testing.assert_array_equal(few.score, whole.score)
    assert few.bound.sum() > 100


TF_PEAKS = sorted((Path(__file__).parents[4] / "shared" / "data" / "tf_cd4").glob("*.bed"))
ATAC = Path(__file__).parents[3] / "data" / "examples" / "snare_cellline_mix_atac.h5ad"


@pytest.mark.skipif(not TF_PEAKS, reason="the TF ChIP-seq peaks of ../shared/data are not here")
@pytest.mark.parametrize("path", TF_PEAKS, ids=lambda path: path.stem)
def test_real_tf_peaks_lie_where_bioframe_lays_them(path: Path) -> None:
    import bioframe
    import h5py
    from anndata.io import read_elem

    with h5py.File(ATAC) as file:
        table = read_elem(file["var"])
    peaks = pd.DataFrame(
        {
            "chrom": table["chrom"].astype(str).to_numpy(),
            "start": table["chromStart"].to_numpy(np.int64),
            "end": table["chromEnd"].to_numpy(np.int64),
        }
    )
    intervals = read_bed(path).intervals
    pairs = bioframe.overlap(peaks, intervals, how="inner", return_index=True, suffixes=("", "_tf"))
    highest = pairs.groupby("index")["score_tf"].max().reindex(np.arange(len(peaks)))
    track = lay_over(intervals, peaks)
    assert len(pairs) > 100
    np.testing.assert_array_equal(track.score, highest.fillna(0).to_numpy(np.float64))
    np.testing.assert_array_equal(track.bound, highest.notna().to_numpy())
    assert np.flatnonzero(track.used).tolist() == sorted(set(pairs["index_tf"].tolist()))
