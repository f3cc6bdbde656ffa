"""Types by tracks: what the numbers are, the marks of chance, figure and rows; and the callbacks on a real service."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from fastapi import FastAPI
from screen import ask_callback, by_id, run, text_of

from bi2scope.dashboard import ids, tf, tf_matrix
from bi2scope.dashboard.address import MATRIX_MEASURES, Shown, TfShown, missing_track
from bi2scope.dashboard.callbacks.tf_matrix import asked
from bi2scope.dashboard.client import BedFile, Client, ClientError, Cut
from bi2scope.dashboard.figures.style import SCHEMES
from bi2scope.dashboard.figures.track_matrix import centre_of, colours_of, matrix_figure, short
from bi2scope.data.store.reader import StoreReader
from bi2scope.server.wire_tf import TrackInfo, TrackMatrix

CUT = {"threshold": 0.6, "top_k": 5, "layer": 0, "head": 0}


def bed(reader: StoreReader, every: int) -> BedFile:
    rows = reader.peaks.iloc[::every]
    lines = [f"{row.chrom}\t{row.start}\t{row.end}\tx\t{i}\n" for i, row in enumerate(rows.itertuples(), start=1)]
    return BedFile(f"{every}_peaks.bed", "".join(lines).encode())


def held(name: str = "ctcf.bed", source: str = "folder") -> TrackInfo:
    return TrackInfo.model_validate(
        {"track_id": name[:4], "name": name, "source": source, "n_intervals": 1200, "score_column": "score",
         "has_summits": False}
    )  # fmt: skip


@pytest.fixture
def matrix(client: Client, reader: StoreReader) -> TrackMatrix:
    for every in (2, 5):
        run(client.keep_track(bed(reader, every)))
    return run(client.track_matrix("auroc", Cut(0.6, 5), "score", chance=False))


def test_the_table_is_that_of_the_service(matrix: TrackMatrix, reader: StoreReader) -> None:
    table = tf_matrix.spots(matrix, "auroc")
    assert [row[0].cell_type for row in table] == reader.cell_types
    assert [[spot.value for spot in row] for row in table] == matrix.value
    assert [[spot.accessibility for spot in row] for row in table] == matrix.accessibility
    gains = tf_matrix.spots(matrix, "gain_auroc")
    assert matrix.gain is not None
    assert [[spot.value for spot in row] for row in gains] == matrix.gain
    assert gains[0][0].accessibility is None


def test_a_mark_needs_the_false_discovery_rate_of_the_table(matrix: TrackMatrix) -> None:
    shape = np.shape(matrix.value)
    rates, z = np.full(shape, 0.2), np.full(shape, 4.0)
    rates[0, 0], rates[0, 1], z[0, 1] = 0.01, 0.05, -3.0
    changed = matrix.model_copy(update={"q_all_matched": rates.tolist(), "z_matched": z.tolist()})
    marks = [[spot.mark for spot in row] for row in tf_matrix.spots(changed, "auroc")]
    assert marks[0] == ["▲", "▼"]
    assert not any(any(row) for row in marks[1:])


def test_the_caption_says_what_over_what_and_whether_chance_is_known(matrix: TrackMatrix) -> None:
    said = tf_matrix.caption(matrix, "auroc")
    assert f"over {matrix.n_peaks_compared:,} peaks; links above 0.6, k ≤ 5" in said
    assert tf_matrix.WAITING in said
    later = tf_matrix.caption(matrix.model_copy(update={"draws": 1000}), "gain_auroc")
    assert "false discovery rate ≤ 5 % over the table, 1,000 draws" in later
    assert "In grey" not in later


def test_numbers_stand_in_the_cells_with_accessibility_below(matrix: TrackMatrix) -> None:
    table = tf_matrix.spots(matrix, "auroc")
    [trace] = matrix_figure(table, "auroc", matrix.base_rate, "dark").data
    assert np.shape(trace.z) == np.shape(matrix.value)
    assert f"<b>{matrix.value[1][0]:.3f}</b>" in trace.text[1][0]
    assert f"{matrix.accessibility[1][0]:.3f}" in trace.text[1][0]
    assert trace.textfont.color == SCHEMES["dark"].text


def test_a_value_that_is_not_defined_is_a_dash_without_colour(matrix: TrackMatrix) -> None:
    values = [[None, *row[1:]] for row in matrix.value]
    table = tf_matrix.spots(matrix.model_copy(update={"value": values}), "auroc")
    [trace] = matrix_figure(table, "auroc", matrix.base_rate).data
    assert np.isnan(np.array(trace.z, dtype=float)[0, 0])
    assert trace.text[0][0].startswith("<b>–</b>")


def test_colours_run_from_chance_to_both_sides_alike() -> None:
    colours = colours_of(np.array([[0.4, 0.55]]), "auroc", "light")
    assert (colours["zmin"], colours["zmax"]) == pytest.approx((0.4, 0.6))
    assert colours_of(np.array([[0.2, 0.8]]), "cosine", "light")["zmin"] == 0.2
    assert colours_of(np.array([[np.nan]]), "auprc", "light")["zmax"] == 1.0
    assert {name: centre_of(name) for name in ("gain_auroc", "gain_pearson", "auprc")} == {
        "gain_auroc": 0.5, "gain_pearson": 0.0, "auprc": None,
    }  # fmt: skip


def test_names_of_tracks_are_shortened_by_what_all_have() -> None:
    assert short("44092_peaks.bed") == "44092"
    assert short("ENCFF.narrowPeak.gz") == "ENCFF"
    assert len(short("x" * 60)) == 24


def test_every_measure_can_be_chosen() -> None:
    [choice] = [by_id(tf_matrix.panel("auroc"), ids.TF_MEASURE)]
    offered = [item["value"] for group in choice.data for item in group["items"]]
    assert sorted(offered) == sorted(MATRIX_MEASURES)
    assert {tf_matrix.served(name) for name in MATRIX_MEASURES} == {
        name for name in MATRIX_MEASURES if not name.startswith("gain_")
    }


def test_held_and_dropped_tracks_are_offered_apart_and_the_address_chooses() -> None:
    tracks = [held("ctcf.bed"), held("rest.bed", "upload")]
    groups = tf.track_options(tracks, "mine.bed")
    assert [group["group"] for group in groups] == [*tf.GROUPS.values(), "Dropped here, not kept"]
    assert groups[0]["items"] == [{"value": "ctcf", "label": "ctcf.bed (1,200)"}]
    assert tf.track_control(tracks, TfShown(track="rest")).value == "rest"
    assert tf.track_control(tracks, TfShown(track="gone")).value == "ctcf"
    assert tf.track_control([], TfShown()).value is None


def test_an_address_of_a_track_that_is_not_there_says_so() -> None:
    asks = "?view=tf&track={}&tab=matrix&measure=spearman"
    shown = Shown.of_query(asks.format("abcd"))
    assert (shown.tf, shown.locus.tracks, shown.problems) == (TfShown("abcd", "matrix", "spearman"), (), ())
    assert list(missing_track(shown, ["abcd"])) == []
    assert "holds no track “abcd”" in next(missing_track(shown, []))
    assert "Drop it again" in next(missing_track(Shown.of_query(asks.format("dropped")), []))
    assert "Nearest: matrix" in Shown.of_query("?view=tf&tab=matrx").problems[0]


def lay_out(screen: FastAPI, before: Any = None, tracks: Any = None) -> Any:
    outputs = [
        "tf-matrix.figure", "tf-matrix-caption.children", "tf-matrix-rows.rowData", "tf-matrix.style",
        "tf-matrix-files.children", "tf-matrix-asked.data", "tf-matrix-notice.children",
    ]  # fmt: skip
    inputs = {
        "tf-measure.value": "auroc", "tf-definition.value": "score", "cut-settled-tf.data": CUT, "scheme.data": "light",
        "tf-sight.data": "matrix", "tf-track.data": tracks or [],
    }  # fmt: skip
    return ask_callback(screen, outputs, inputs, {"tf-matrix-asked.data": before})


def test_the_table_is_laid_out_once_for_one_question(screen: FastAPI, client: Client, reader: StoreReader) -> None:
    empty = lay_out(screen).json()["response"]
    assert "holds no TF-binding track" in text_of(str(empty["tf-matrix-caption"]["children"]))
    kept = run(client.keep_track(bed(reader, 3)))
    tracks = tf.track_options([kept])
    answer = lay_out(screen, tracks=tracks).json()["response"]
    rows = answer["tf-matrix-rows"]["rowData"]
    assert [row["cell_type"] for row in rows] == reader.cell_types
    assert {row["track_id"] for row in rows} == {kept.track_id}
    assert "/tf/matrix.csv?threshold=0.6&top_k=5" in str(answer["tf-matrix-files"]["children"])
    before = asked("auroc", "score", CUT, "light", tracks)
    assert answer["tf-matrix-asked"]["data"] == before
    assert lay_out(screen, before, tracks).status_code == 204


def test_a_kept_track_answers_as_the_file_does_until_it_is_deleted(client: Client, reader: StoreReader) -> None:
    file, kind, cut = bed(reader, 4), reader.cell_types[0], Cut(0.6, 5)
    kept = run(client.keep_track(file))
    sent, served = (run(client.compare_track(kind, cut, "score", one, chance=False)) for one in (file, kept.track_id))
    assert sent == served
    csv = run(client.track_csv(kind, cut, "score", kept.track_id))
    assert csv.count("\n") > len(reader.peaks)
    run(client.forget_track(kept.track_id))
    with pytest.raises(ClientError, match="no track"):
        run(client.compare_track(kind, cut, "score", kept.track_id))
