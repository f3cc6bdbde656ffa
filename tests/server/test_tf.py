from __future__ import annotations

import gzip
import io
import tempfile
from typing import Any

import httpx
import numpy as np
import pandas as pd
import pytest
from service import API, Service, refusal
from sklearn.metrics.pairwise import cosine_similarity

from bi2scope.data.store.reader import StoreReader
from bi2scope.server.app import create_app
from bi2scope.server.settings import Settings
from bi2scope.server.wire_tf import TrackComparison


def post(
    service: Service, bed: bytes, name: str = "tf.bed", cell_type: str = "CD4 naive", **params: Any
) -> httpx.Response:
    return service.ask("POST", f"{API}/celltypes/{cell_type}/tf", params=params, files={"file": (name, bed)})


def test_the_csv_holds_the_rows_of_the_scores_with_the_track(service: Service, reader: StoreReader) -> None:
    files = {"file": ("a, b.bed", some_bed(reader))}
    asked = {"threshold": 0.8, "top_k": 4, "definition": "weight"}
    path = f"{API}/celltypes/CD4 naive/tf"
    body = TrackComparison.model_validate_json(service.ask("POST", path, params=asked, files=files).content)
    answer = service.ask("POST", f"{path}.csv", params=asked, files=files)
    assert answer.headers["content-disposition"].startswith('attachment; filename="bi2scope_tf_CD4-naive_a--b.bed.csv"')
    table = pd.read_csv(io.StringIO(answer.text), comment="#", float_precision="round_trip")
    assert table["tf"].tolist() == body.columns.tf
    assert table["weight"].tolist() == body.columns.cumulative
    scores = service.get("/celltypes/CD4 naive/scores.csv", threshold=0.8, top_k=4)
    plain = pd.read_csv(io.StringIO(scores.text), comment="#", float_precision="round_trip")
    pd.testing.assert_frame_equal(table.drop(columns="tf"), plain)
    assert f"# cosine: {body.cosine}\r\n" in answer.text
    assert f"# accessibility_pearson: {body.accessibility_pearson}\r\n" in answer.text


def test_the_csv_of_a_bad_track_is_refused_like_the_json(service: Service) -> None:
    files = {"file": ("tf.bed", b"chr1\tten\t20\n")}
    answer = service.ask("POST", f"{API}/celltypes/CD4 naive/tf.csv", files=files)
    status, _, message, _ = refusal(answer)
    assert status == 422
    assert "tf.bed" in message


def test_negative_scores_are_refused(service: Service) -> None:
    answer = post(service, b"chr1\t10\t2000000\ta\t-5\nchr1\t10\t2000000\tb\t5\n")
    status, _, message, _ = refusal(answer)
    assert status == 422
    assert message == "tf.bed: 1 of 2 intervals have a negative score."


def bed_of(rows: list[tuple[Any, ...]]) -> bytes:
    return "".join("\t".join(map(str, row)) + "\n" for row in rows).encode()


def some_bed(reader: StoreReader) -> bytes:
    """A BED6 over every third peak, a few bases of it, twice with different scores, and some intervals off them."""
    peaks = reader.peaks.iloc[::3]
    rows: list[tuple[Any, ...]] = []
    for at, (chrom, start, end) in enumerate(zip(peaks["chrom"], peaks["start"], peaks["end"], strict=True)):
        rows.append((chrom, end - 1, end + 30, f"a{at}", at % 7, "+"))
        rows.append((chrom, start - 20, start + 1, f"b{at}", at % 5, "-"))
        rows.append((chrom, end, end + 30, f"c{at}", 900, "-"))
    return b"track name=tf\n# a comment\n" + bed_of([*rows, ("chrUn", 5, 9, "d", 1000, "+")])


@pytest.mark.parametrize("definition", ["links", "score", "weight"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_comparison_agrees_with_a_recount(
    service: Service, reader: StoreReader, definition: str, packed: bool
) -> None:
    bed, name = (gzip.compress(some_bed(reader)), "tf.bed.gz") if packed else (some_bed(reader), "tf.bed")
    answer = post(service, bed, name, threshold=0.8, top_k=4, definition=definition, draws=0)
    assert answer.status_code == 200, answer.text
    body = TrackComparison.model_validate_json(answer.content)
    scores = service.json("/celltypes/CD4 naive/scores", threshold=0.8, top_k=4)
    track = [max(at // 3 % 7, at // 3 % 5) if at % 3 == 0 else 0 for at in range(300)]
    assert body.columns.tf == track
    assert body.columns.cumulative == scores[definition]
    assert (body.track, body.definition, body.threshold, body.top_k) == (name, definition, 0.8, 4)
    assert (body.n_intervals, body.n_intervals_used, body.n_peaks_bound) == (301, 200, 100)
    assert (body.score_column, body.top_n) == ("score", 30)
    for prefix, other in (("", scores[definition]), ("accessibility_", scores["n_open"])):
        wanted = naive_measures(np.array(track, float), np.array(other, float), 30)
        found = {key: getattr(body, f"{prefix}{key}") for key in wanted}
        assert found == pytest.approx(wanted)


def naive_measures(first: np.ndarray, second: np.ndarray, top_n: int) -> dict[str, float]:
    """The four measures, by the book: scikit-learn's cosine, counting ranks, numpy's correlation, sets."""

    def ranks(values: np.ndarray) -> list[float]:
        return [(values < value).sum() + ((values == value).sum() + 1) / 2 for value in values]

    def top(values: np.ndarray) -> set[int]:
        edge = sorted(values)[-top_n]
        return {at for at, value in enumerate(values) if value >= edge and value > 0}

    return {
        "cosine": float(cosine_similarity([first], [second])[0, 0]),
        "cosine_of_ranks": float(cosine_similarity([ranks(first)], [ranks(second)])[0, 0]),
        "pearson": float(np.corrcoef(first, second)[0, 1]),
        "jaccard_top_n": len(top(first) & top(second)) / len(top(first) | top(second)),
    }


@pytest.mark.parametrize(
    ("bed", "said"),
    [
        (b"1\t1000\t2000\n2\t1000\t2000\n", "tf.bed names its chromosomes 1, 2; this data set names them chr1, chr2,"),
        (bed_of([("NC_1.1", 1000, 2000)]), "tf.bed names its chromosomes NC_1.1;"),
        (bed_of([("chr1", 900_000_000, 900_000_010)]), "None of the 1 intervals of tf.bed overlaps any of the 300"),
        (bed_of([("chr1", "start", 2000)]), "tf.bed, line 1, column 2 (start): found 'start', wanted a whole number"),
        (bed_of([("chr1", 10, 20, "x", "high")]), "tf.bed, line 1, column 5 (score): found 'high', wanted a number"),
        (bed_of([("chr1", 20, 10)]), "tf.bed: interval in line 1"),
        (b"chr1\t10\n", "tf.bed, line 1 has 2 column(s)"),
        (b"", "tf.bed holds no intervals."),
        (b"\x89PNG\r\n\x1a\n\x00\xff", "tf.bed is not a text file."),
        (b"\x1f\x8b\x08\x00broken", "tf.bed is a damaged gzip file"),
    ],
)  # fmt: skip
def test_a_bed_that_cannot_be_used_is_refused(service: Service, bed: bytes, said: str) -> None:
    status, kind, message, _ = refusal(post(service, bed))
    assert (status, kind) == (422, "RegionError")
    assert message.startswith(said)


def test_the_naming_of_chromosomes_is_what_the_hint_speaks_of(service: Service) -> None:
    assert refusal(post(service, b"1\t10\t20\n"))[3] == "Add or remove the chr in the BED file."


def test_an_unknown_cell_type_is_not_found(service: Service) -> None:
    status, kind, _, hint = refusal(post(service, b"chr1\t10\t20\n", cell_type="CD4 naif"))
    assert (status, kind, hint) == (404, "NotFoundError", "Nearest: CD4 naive.")


def test_bed3_counts_presence(service: Service) -> None:
    body = post(service, b"chr1\t0\t30000\n").json()
    assert body["score_column"] == "presence"
    assert set(body["columns"]["tf"]) == {0.0, 1.0}


@pytest.mark.parametrize(
    "form",
    [
        {"data": {"file": "chr1\t1\t2"}},
        {"files": {"other": ("tf.bed", b"chr1\t1\t2\n")}},
        {"content": b"chr1\t1\t2\n"},
        {"content": b"--x\r\nno form", "headers": {"content-type": "multipart/form-data; boundary=x"}},
        {"content": b"", "headers": {"content-type": "multipart/form-data"}},
        {},
    ],
)
def test_a_form_without_the_file_is_refused(service: Service, form: dict[str, Any]) -> None:
    status, kind, message, hint = refusal(service.ask("POST", f"{API}/celltypes/CD4 naive/tf", **form))
    assert (status, kind) == (422, "ConfigurationError")
    assert message.startswith("Wanted a BED file in the field 'file' of a multipart form, but ")
    assert "curl" in hint


def test_an_upload_over_the_limit_is_refused(reader: StoreReader) -> None:
    service = Service(create_app(Settings(max_upload_bytes=1000), reader))
    line = b"chr1\t1000\t1500\n"
    assert post(service, line * 66).status_code == 200
    for size in (67, 100_000):
        status, kind, message, _ = refusal(post(service, line * size))
        assert (status, kind) == (413, "UploadTooLargeError")
        assert message == "The file is larger than the 1000 bytes that this service takes."


def test_an_upload_without_a_length_is_cut_off_while_it_arrives(reader: StoreReader) -> None:
    service = Service(create_app(Settings(max_upload_bytes=1000), reader))
    sent = 0

    async def endless() -> Any:
        nonlocal sent
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.bed"\r\n\r\n'
        for _ in range(1000):
            sent += 1
            yield b"chr1\t1000\t1500\n" * 1000

    headers = {"content-type": "multipart/form-data; boundary=x"}
    answer = service.ask("POST", f"{API}/celltypes/CD4 naive/tf", content=endless(), headers=headers)
    assert refusal(answer)[0] == 413
    assert sent < 20


def test_an_upload_never_touches_the_disk(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("a temporary file was made")

    monkeypatch.setattr(tempfile.SpooledTemporaryFile, "rollover", refuse)
    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    bed = bed_of([("chr1", at, at + 5) for at in range(0, 2_000_000, 10)])
    assert len(bed) > 2 * 2**20
    assert post(service, bed).status_code == 200


def test_the_name_of_a_file_is_its_last_part(service: Service) -> None:
    assert post(service, b"chr1\t0\t30000\n", name="C:\\secret\\x/my tf.bed").json()["track"] == "my tf.bed"
