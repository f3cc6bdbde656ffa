from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from service import API, Service, refusal
from stores import RandomModel, tiny_attributes, tiny_multiome, tiny_store, write_store

from bi2scope.data.errors import RegionError
from bi2scope.data.store.reader import StoreReader
from bi2scope.data.tracks.significance import false_discovery_rates
from bi2scope.server import tracks
from bi2scope.server.app import create_app
from bi2scope.server.settings import Settings
from bi2scope.server.wire_tf import TrackComparison, TrackMatrix

MEASURES = ["cosine", "cosine_of_ranks", "pearson", "spearman", "jaccard_top_n", "auroc", "auprc", "odds_ratio"]


def bed(reader: StoreReader, every: int, width: int = 6) -> bytes:
    peaks = reader.peaks.iloc[::every]
    rows = [
        f"{chrom}\t{start}\t{end}\tx\t{i % 9 + 1}\t+\t{i % 5}\t3\t2\t{i % 40}"
        for i, (chrom, start, end) in enumerate(zip(peaks["chrom"], peaks["start"], peaks["end"], strict=True))
    ]
    return "".join("\t".join(row.split("\t")[:width]) + "\n" for row in rows).encode()


def post(service: Service, contents: bytes, regions: bytes | None = None, **params: Any) -> Any:
    files = {"file": ("tf.bed", contents)} | ({} if regions is None else {"blacklist": ("black.bed", regions)})
    return service.ask("POST", f"{API}/celltypes/CD4 naive/tf", params={"draws": 50, **params}, files=files)


def upload(service: Service, contents: bytes, name: str = "tf.bed") -> Any:
    return service.ask("POST", f"{API}/tracks", files={"file": (name, contents)})


@pytest.fixture
def fresh(reader: StoreReader) -> Service:
    """A service without tracks yet."""
    return Service(create_app(Settings(), reader))


# ---------------------------------------------------------------- one comparison


def test_every_measure_stands_with_interval_chance_and_what_it_is_read_beside(
    service: Service, reader: StoreReader
) -> None:
    body = TrackComparison.model_validate_json(post(service, bed(reader, 3)).content, strict=True)
    assert [measure.name for measure in body.measures] == MEASURES
    for measure in body.measures:
        assert measure.low is not None
        assert measure.high is not None
        assert measure.low <= measure.high
        for chance in (measure.null_matched, measure.null_shift):
            assert chance is not None
            assert 1 / 51 <= chance.p <= 1
        assert measure.accessibility is not None
        assert (measure.gain is not None) == (measure.name in {"pearson", "spearman", "auroc"})
    by_name = {measure.name: measure for measure in body.measures}
    assert by_name["cosine"].value == body.cosine
    assert by_name["jaccard_top_n"].accessibility == body.accessibility_jaccard_top_n
    assert by_name["odds_ratio"].width is None  # all peaks are as wide, so all are in the set
    assert (body.draws, body.matched_on, body.base_rate) == (50, ["accessibility", "width"], 1 / 3)
    assert body.n_strata is not None
    assert body.log10_fisher is not None


def test_degree_and_accessibility_of_all_cells_are_those_of_the_store(service: Service, reader: StoreReader) -> None:
    body = TrackComparison.model_validate_json(post(service, bed(reader, 3), threshold=0.9, draws=0).content)
    scores = [service.json(f"/celltypes/{name}/scores") for name in reader.cell_types]
    track = np.array(body.columns.tf)
    pearson = next(measure for measure in body.measures if measure.name == "pearson")
    opened = np.sum([each["n_open"] for each in scores], axis=0)
    assert pearson.accessibility_all == pytest.approx(np.corrcoef(track, opened)[0, 1])
    degree = service.json("/celltypes/CD4 naive/scores")["links"]
    assert pearson.degree == pytest.approx(np.corrcoef(track, degree)[0, 1])


def test_without_draws_there_is_no_chance(service: Service, reader: StoreReader) -> None:
    for measure in post(service, bed(reader, 3), draws=0).json()["measures"]:
        assert (measure["low"], measure["null_matched"], measure["null_shift"]) == (None, None, None)


def test_the_same_seed_gives_the_same_and_is_not_worked_out_twice(
    fresh: Service, reader: StoreReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = post(fresh, bed(reader, 3), seed=3).json()
    other = Service(create_app(Settings(), reader))
    assert post(other, bed(reader, 3), seed=3).json() == first
    monkeypatch.setattr("bi2scope.server.tf.compare", lambda *_: 1 / 0)
    assert post(fresh, bed(reader, 3), seed=3).json() == first


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"overlap": "summit"}, "have their summit in the peak"),
        ({"overlap": "reciprocal", "share": 0.8}, "share 0.8 or more of their length and of the peak's"),
        ({"aggregate": "sum", "score_column": 7}, "overlap the peak by 1 bp or more"),
    ],
)
def test_rules_of_overlap_are_named(service: Service, reader: StoreReader, params: dict[str, Any], said: str) -> None:
    body = post(service, bed(reader, 3, width=10), draws=0, **params).json()
    assert body["overlap"] == said
    assert (body["score_column"], body["aggregate"]) == ("signalValue", params.get("aggregate", "max"))
    assert body["n_peaks_bound"] == 100


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"overlap": "summit"}, "The track has no summits."),
        ({"score_column": 40}, "tf.bed has no scores in column 40; its lines have 6 columns."),
        ({"score_column": 6}, "tf.bed, line 1, column 6 (column 6): found '+', wanted a number."),
        ({"score_column": 2}, "tf.bed has no scores in column 2;"),
        ({"share": 0}, "share is 0; it must be a number from 0.05 to 1."),
        ({"draws": 10_001}, "draws is 10001; it must be a whole number from 0 to 10000."),
        ({"overlap": "some"}, "overlap is some; it must be one of any (1 bp or more), summit and reciprocal."),
    ],
)
def test_options_that_cannot_be_are_refused(
    service: Service, reader: StoreReader, params: dict[str, Any], said: str
) -> None:
    status, _, message, _ = refusal(post(service, bed(reader, 3), **params))
    assert (status, message[: len(said)]) == (422, said)


# ---------------------------------------------------------------- blacklist, assembly


def test_peaks_in_a_blacklist_are_left_out_and_counted(reader: StoreReader, tmp_path: Path) -> None:
    regions = bed(reader, 5, width=3)
    (tmp_path / "own.bed").write_bytes(regions)
    service = Service(create_app(Settings(blacklist=tmp_path / "own.bed"), reader))
    assert service.json("/tracks")["blacklist"] == "own.bed"
    body = post(service, bed(reader, 3)).json()
    assert (body["n_peaks_compared"], body["n_peaks_removed"], body["n_peaks_bound"]) == (240, 60, 80)
    assert body["columns"]["compared"] == [int(i % 5 != 0) for i in range(300)]
    kept = np.arange(300) % 5 != 0
    tf, score = (np.array(body["columns"][name])[kept] for name in ("tf", "cumulative"))
    assert body["pearson"] == pytest.approx(np.corrcoef(tf, score)[0, 1])
    assert post(service, bed(reader, 3), blacklist="false").json()["n_peaks_removed"] == 0
    another = post(service, bed(reader, 3), bed(reader, 2, width=3)).json()
    assert (another["blacklist"], another["n_peaks_removed"]) == ("black.bed", 150)
    files = {"file": ("tf.bed", bed(reader, 3))}
    text = service.ask("POST", f"{API}/celltypes/CD4 naive/tf.csv", params={"draws": 9}, files=files).text
    assert "# peaks compared: 240, left out: 60 (blacklist: own.bed)\r\n" in text
    assert "# measure auroc: value " in text
    assert "# gain residual_auroc: value " in text
    table = pd.read_csv(io.StringIO(text), comment="#")
    assert table["compared"].tolist() == body["columns"]["compared"]


def test_a_blacklist_that_cannot_be_used_is_refused(service: Service, reader: StoreReader, tmp_path: Path) -> None:
    for contents, said in (
        (b"1\t5\t9\n", "black.bed names its chromosomes 1;"),
        (bed(reader, 1, 3), "Every one of the 300 peaks overlaps the blacklist black.bed."),
        (b"x\n", "black.bed, line 1 has 1 column(s)"),
    ):
        status, _, message, _ = refusal(post(service, bed(reader, 3), contents))
        assert (status, message[: len(said)]) == (422, said)
    with pytest.raises(RegionError, match=r"The blacklist .*nowhere\.bed cannot be read: No such file"):
        create_app(Settings(blacklist=tmp_path / "nowhere.bed"), reader)


def test_a_track_of_another_assembly_is_refused(tmp_path: Path) -> None:
    from bi2scope.data.assembly import chromosome_lengths

    multiome = tiny_multiome(n_cells=9)
    ends = {chrom: chromosome_lengths("hg38").get(chrom[3:], 0) for chrom in multiome.peaks["chrom"].unique()}
    end = multiome.peaks["chrom"].map(ends).to_numpy() - np.arange(len(multiome.peaks))[::-1] * 1000
    multiome.peaks["start"], multiome.peaks["end"] = end - 500, end
    model = RandomModel.of(multiome, np.random.default_rng(0))
    with StoreReader.open(write_store(tmp_path / "a.h5", multiome, model, tiny_attributes())) as reader:
        service = Service(create_app(Settings(), reader))
        lengths = chromosome_lengths("mm10")
        mouse = "".join(f"chr{name}\t{length - 900}\t{length}\n" for name, length in lengths.items()).encode()
        status, _, message, hint = refusal(post(service, mouse))
        assert (status, hint) == (422, "Lift one of the two over.")
        assert message.startswith("The intervals of tf.bed lie on mm10, the peaks of this data set on hg38,")
        assert post(service, bed(reader, 3), draws=0).status_code == 200


# ---------------------------------------------------------------- controls


def test_control_models_stand_beside(tmp_path: Path) -> None:
    from bi2scope.data.store.controls import copy_control

    paths = [tiny_store(tmp_path / f"{seed}.h5", n_cells=12) for seed in (0, 1)]
    import h5py

    with h5py.File(paths[0], "r+") as file:
        copy_control(file, "untrained", paths[1])
    with StoreReader.open(paths[0]) as reader:
        service = Service(create_app(Settings(), reader))
        body = post(service, bed(reader, 3), draws=0).json()
        assert all(each["controls"] == {"untrained": each["value"]} for each in body["measures"])
        assert body["notes"] == []
        body = post(service, bed(reader, 3), draws=0, threshold=0.555).json()
        assert all(each["controls"] == {} for each in body["measures"])
        assert body["notes"] == ["The control untrained has no cumulative scores for a threshold of 0.555."]


# ---------------------------------------------------------------- tracks that are held


def test_tracks_are_kept_listed_compared_and_deleted(fresh: Service, reader: StoreReader) -> None:
    kept = upload(fresh, bed(reader, 3, width=10), "a.narrowPeak").json()
    assert kept == {
        "track_id": kept["track_id"], "name": "a.narrowPeak", "source": "upload", "n_intervals": 100,
        "score_column": "signalValue", "has_summits": True,
    }  # fmt: skip
    assert upload(fresh, bed(reader, 3, width=10), "again.bed").json() == kept
    assert fresh.json("/tracks")["tracks"] == [kept]
    posted = post(fresh, bed(reader, 3, width=10)).json()
    held = fresh.json("/celltypes/CD4 naive/tf", track=kept["track_id"], draws=50)
    assert held["measures"] == posted["measures"]
    assert (held["track"], posted["track"]) == ("a.narrowPeak", "tf.bed")
    text = fresh.get("/celltypes/CD4 naive/tf.csv", track=kept["track_id"], draws=0).text
    assert "# track: a.narrowPeak, 100 intervals" in text
    assert fresh.ask("DELETE", f"{API}/tracks/{kept['track_id']}").json() == kept
    assert fresh.json("/tracks")["tracks"] == []
    for answer in (
        fresh.ask("DELETE", f"{API}/tracks/{kept['track_id']}"),
        fresh.get("/celltypes/CD4 naive/tf", track=kept["track_id"]),
        fresh.get("/tf/matrix", track=kept["track_id"]),
    ):
        assert refusal(answer)[:2] == (404, "NotFoundError")
    assert fresh.error("/celltypes/CD4 naive/tf")[0] == 422


def test_what_is_no_bed_is_not_kept(fresh: Service) -> None:
    assert refusal(upload(fresh, b"chr1\tx\t9\n"))[:2] == (422, "RegionError")
    assert fresh.json("/tracks")["tracks"] == []


def test_uploads_are_bounded_in_number_and_size(
    fresh: Service, reader: StoreReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracks, "MOST_UPLOADS", 2)
    assert [upload(fresh, bed(reader, every)).status_code for every in (2, 3, 4)] == [200, 200, 422]
    assert upload(fresh, bed(reader, 3)).status_code == 200
    monkeypatch.setattr(tracks, "MOST_UPLOADS", 99)
    monkeypatch.setattr(tracks, "MOST_UPLOADED_BYTES", len(bed(reader, 2)) + len(bed(reader, 3)) + 10)
    status, _, message, hint = refusal(upload(fresh, bed(reader, 4)))
    assert (status, hint.split(",")[0]) == (422, "Delete one first")
    assert message.startswith("2 uploaded tracks are kept already;")


def test_a_folder_of_tracks_is_read_at_the_start(reader: StoreReader, tmp_path: Path) -> None:
    (tmp_path / "b.BED").write_bytes(bed(reader, 3))
    (tmp_path / "a.narrowPeak").write_bytes(bed(reader, 4, width=10))
    (tmp_path / "notes.txt").write_text("not a track")
    (tmp_path / "folder.bed").mkdir()
    service = Service(create_app(Settings(tracks=tmp_path), reader))
    listed = service.json("/tracks")["tracks"]
    assert [(each["name"], each["source"]) for each in listed] == [("a.narrowPeak", "folder"), ("b.BED", "folder")]
    answer = service.ask("DELETE", f"{API}/tracks/{listed[0]['track_id']}")
    assert refusal(answer)[:2] == (422, "ConfigurationError")
    (tmp_path / "c.bed").write_text("chr1\t5\n")
    with pytest.raises(RegionError, match=r"c\.bed, line 1 has 2 column"):
        create_app(Settings(tracks=tmp_path), reader)
    with pytest.raises(RegionError, match=r"The folder of tracks, .*nowhere, cannot be read"):
        create_app(Settings(tracks=tmp_path / "nowhere"), reader)


# ---------------------------------------------------------------- matrix


def test_the_matrix_holds_what_single_comparisons_do(fresh: Service, reader: StoreReader) -> None:
    ids = [upload(fresh, bed(reader, every), f"{every}.bed").json()["track_id"] for every in (2, 3, 5)]
    answer = fresh.get("/tf/matrix", measure="spearman", draws=50, threshold=0.8)
    body = TrackMatrix.model_validate_json(answer.content, strict=True)
    assert (body.cell_types, [each.track_id for each in body.tracks]) == (reader.cell_types, ids)
    assert body.n_peaks_bound == [150, 100, 60]
    assert sum(body.n_cells) == 60
    for row, name in enumerate(body.cell_types):
        for column, track in enumerate(ids):
            one = fresh.json(f"/celltypes/{name}/tf", track=track, draws=50, threshold=0.8)
            measure = next(each for each in one["measures"] if each["name"] == "spearman")
            assert body.value[row][column] == measure["value"]
            assert body.low[row][column] == measure["low"]
            assert body.p_matched[row][column] == measure["null_matched"]["p"]
            assert body.z_shift[row][column] == measure["null_shift"]["z"]
            assert body.accessibility[row][column] == measure["accessibility"]
            assert body.degree[row][column] == measure["degree"]
            assert body.width[column] == measure["width"]
            assert body.gain is not None
            assert body.gain[row][column] == measure["gain"]["value"]
        rates = false_discovery_rates(np.array(body.p_matched[row], dtype=float))
        assert body.q_matched[row] == pytest.approx(rates.tolist())
    assert body.gain_q_all_matched is not None
    rates = false_discovery_rates(np.array(body.gain_p_matched, dtype=float))
    assert np.ravel(body.gain_q_all_matched).tolist() == pytest.approx(rates.ravel().tolist())
    assert np.ravel(body.q_all_shift).tolist() == pytest.approx(
        false_discovery_rates(np.array(body.p_shift, dtype=float)).ravel().tolist()
    )
    text = fresh.get("/tf/matrix.csv", measure="spearman", draws=50, threshold=0.8).text
    table = pd.read_csv(io.StringIO(text), comment="#", float_precision="round_trip")
    assert table["value"].tolist() == np.ravel(body.value).tolist()
    assert table["cell_type"].tolist() == list(np.repeat(reader.cell_types, 3))
    assert table["track_id"].tolist() == ids * 3
    assert {"low", "q_matched", "gain", "gain_q_all_matched", "accessibility", "degree", "width", "base_rate"} <= set(
        table
    )


def test_the_matrix_takes_some_types_and_tracks_and_none(fresh: Service, reader: StoreReader) -> None:
    assert fresh.json("/tf/matrix")["value"] == [[], [], []]
    assert fresh.get("/tf/matrix.csv").status_code == 200
    ids = [upload(fresh, bed(reader, every)).json()["track_id"] for every in (2, 3)]
    body = fresh.json("/tf/matrix", track=[ids[1]], cell_type=["B cell", "B cell"], measure="auprc", draws=9)
    assert (body["cell_types"], [each["track_id"] for each in body["tracks"]]) == (["B cell"], [ids[1]])
    assert (body["gain"], np.shape(body["value"])) == (None, (1, 1))
    assert fresh.error("/tf/matrix", cell_type="B sell")[:2] == (404, "NotFoundError")
    assert fresh.error("/tf/matrix", measure="kappa")[0] == 422


def test_many_tracks_are_compared_a_few_at_a_time(
    fresh: Service, reader: StoreReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    for every in (2, 3, 4, 5, 6):
        upload(fresh, bed(reader, every))
    whole = fresh.json("/tf/matrix", draws=20)
    monkeypatch.setattr("bi2scope.server.tf.TRACKS_AT_A_TIME", 2)
    monkeypatch.setattr("bi2scope.server.tf.MOST_RESULTS", 3)
    other = Service(create_app(Settings(), reader))
    for every in (2, 3, 4, 5, 6):
        upload(other, bed(reader, every))
    again = other.json("/tf/matrix", draws=20)
    assert again["p_matched"] == whole["p_matched"]
    np.testing.assert_allclose(again["z_shift"], whole["z_shift"])
