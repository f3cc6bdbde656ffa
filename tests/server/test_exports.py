from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from service import Service, segment
from stores import tiny_store

from bi2scope.data.exchange import csv as exports
from bi2scope.data.exchange.csv import csv_stream, text_field
from bi2scope.data.exchange.peaks import dense_rank, lift
from bi2scope.data.store.reader import StoreReader
from bi2scope.server.app import create_app
from bi2scope.server.exports import attachment
from bi2scope.server.settings import Settings

LINK_COLUMNS = [
    "cell_id", "cell_type", "gene_id", "gene_name", "gene_chrom", "gene_tss", "gene_strand", "peak", "peak_chrom",
    "peak_start", "peak_end", "distance_to_tss", "logit", "score", "rank", "weight", "gene_count", "peak_count",
]  # fmt: skip
PEAK_COLUMNS = [
    "cell_type", "peak", "chrom", "chromStart", "chromEnd", "n_cells", "n_open",
    "accessibility", "links", "score", "weight", "lift", "rank",
]  # fmt: skip


def comments(text: str) -> list[str]:
    return [line.removeprefix("# ") for line in text.split("\r\n") if line.startswith("#")]


@pytest.mark.parametrize(
    "asked", [{}, {"threshold": 0.9, "top_k": 3}, {"chromosome": "chr2"}, {"limit": 7}, {"threshold": 1}]
)
def test_links_read_back_as_the_json_has_them(service: Service, reader: StoreReader, asked: dict[str, Any]) -> None:
    path = f"/cells/{reader.cells.index[5]}/links"
    body, answer = service.json(path, **asked), service.get(f"{path}.csv", **asked)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    table = pd.read_csv(io.StringIO(answer.text), comment="#")
    assert list(table.columns) == LINK_COLUMNS
    assert len(table) == len(body["links"]["rank"])
    for name, column in body["links"].items():
        assert table[name].tolist() == column, name
    assert set(table["cell_id"]) <= {body["cell_id"]}
    assert set(table["cell_type"]) <= {body["cell_type"]}


@pytest.mark.parametrize("asked", [{}, {"threshold": 0.77, "top_k": 3, "layer": 1}])
def test_peaks_read_back_as_the_json_has_them(service: Service, asked: dict[str, Any]) -> None:
    path = "/celltypes/CD14 monocyte/scores"
    body, answer = service.json(path, **asked), service.get(f"{path}.csv", **asked)
    table = pd.read_csv(io.StringIO(answer.text), comment="#", float_precision="round_trip")
    assert list(table.columns) == PEAK_COLUMNS
    for name, key in {"chromStart": "start", "chromEnd": "end"}.items():
        assert table[name].tolist() == body[key]
    for name in ("peak", "chrom", "n_open", "links", "score", "weight"):
        assert table[name].tolist() == body[name]
    assert set(table["cell_type"]) == {"CD14 monocyte"}
    assert set(table["n_cells"]) == {body["n_cells"]}
    assert table["accessibility"].tolist() == [n / body["n_cells"] for n in body["n_open"]]
    np.testing.assert_array_equal(table["lift"], lift(body["score"], body["n_open"], body["chrom"]))
    assert table["lift"].isna().any()
    assert table["rank"].tolist() == dense_rank(body["score"]).tolist()


def test_float32_columns_keep_every_bit(service: Service, reader: StoreReader) -> None:
    text = service.get(f"/cells/{reader.cells.index[5]}/links.csv").text
    table = pd.read_csv(io.StringIO(text), comment="#", dtype={"logit": np.float32})
    assert table["logit"].tolist() == reader.attention(5).logit.tolist()


def test_comment_lines_say_where_the_links_come_from(service: Service, reader: StoreReader) -> None:
    cell, attributes = reader.cells.index[5], reader.attributes
    said = comments(service.get(f"/cells/{cell}/links.csv", threshold=0.9, chromosome="chr2", limit=3).text)
    whole = service.json(f"/cells/{cell}/links", threshold=0.9, chromosome="chr2")
    assert said[0].startswith("bi2scope 0.")
    assert f"data set: tiny, SHA-256 {attributes.dataset_digest}" in said
    assert f"model: SHA-256 {attributes.model_digest}" in said
    assert f"cell: {cell}" in said
    assert "threshold: 0.9, on the score, sigmoid of the logit: links with score > 0.9" in said
    assert "k: off" in said
    assert "chromosome: chr2" in said
    assert f"links: {whole['n_links']}" in said
    assert "the first 3 links only" in said
    assert f"view: /?view=cell&cell={cell}&threshold=0.9&layer=0&head=0" in said
    said = comments(service.get(f"/cells/{cell}/links.csv", top_k=2).text)
    assert "k: 2, on the rank of the logit in the gene's row" in said
    assert f"view: /?view=cell&cell={cell}&threshold=0.5&k=2&layer=0&head=0" in said
    assert not any("truncated" in line or "first" in line for line in said)
    assert any("truncated" in line for line in comments(service.get(f"/cells/{cell}/links.csv").text))


def test_comment_lines_of_peaks(service: Service, reader: StoreReader) -> None:
    said = comments(service.get("/celltypes/CD4 naive/scores.csv", threshold=0.8, top_k=4, head=1).text)
    assert "cell type: CD4 naive" in said
    assert f"cells: {(reader.cells['cell_type'] == 'CD4 naive').sum()}" in said
    assert "view: /?view=celltype&cell_type=CD4%20naive&threshold=0.8&k=4&layer=0&head=1" in said


def test_strange_names_survive_and_are_no_formulas(strange: Service, strange_reader: StoreReader) -> None:
    seen = set()
    for cell in strange_reader.cells.index:
        path = f"/cells/{segment(cell)}/links"
        body, text = strange.json(path), strange.get(f"{path}.csv").text
        assert body["cell_id"] == cell
        table = pd.read_csv(io.StringIO(text), comment="#", dtype=str)
        assert len(table) == body["n_links"] > 0
        for column in ("gene_name", "gene_id", "peak", "gene_chrom"):
            for read, name in zip(table[column], body["links"][column], strict=True):
                assert read == (f"'{name}" if name[0] in "=+-@" else name)
                seen.add(read)
        assert set(table["cell_id"]) == {f"'{cell}" if cell[0] in "=+-@" else cell}
        assert table["gene_strand"].tolist() == body["links"]["gene_strand"]
        assert table["distance_to_tss"].astype(int).tolist() == body["links"]["distance_to_tss"]
        rows = list(csv.reader(line for line in io.StringIO(text, newline="") if not line.startswith("#")))
        assert rows[1:] == table.to_numpy().tolist()
    assert {"'=SUM(A1)", "'@twin", "hash#tag", "com,ma"} <= seen
    for name in strange_reader.cell_types:
        table = pd.read_csv(io.StringIO(strange.get(f"/celltypes/{segment(name)}/scores.csv").text), comment="#")
        assert set(table["cell_type"]) == {f"'{name}" if name[0] == "=" else name}


def test_the_lines_are_those_of_rfc_4180(service: Service, reader: StoreReader) -> None:
    content = service.get(f"/cells/{reader.cells.index[5]}/links.csv").content
    assert content.endswith(b"\r\n")
    assert content.count(b"\n") == content.count(b"\r\n")


def test_a_long_table_comes_in_pieces_and_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    columns = {"n": np.arange(10), "x": np.linspace(0, 1, 10), "name": np.array(list("abcdefghij"), dtype=object)}
    whole = b"".join(csv_stream(["c"], columns))
    monkeypatch.setattr(exports, "ROWS_AT_A_TIME", 3)
    pieces = list(csv_stream(["c"], columns))
    assert len(pieces) == 5
    assert b"".join(pieces) == whole


def test_no_rows_leave_the_header() -> None:
    columns = {"n": np.array([], dtype=int), "name": np.array([], dtype=object)}
    assert b"".join(csv_stream([], columns)) == b"n,name\r\n"


def test_a_comment_stays_on_its_line() -> None:
    assert next(csv_stream(["cell type: a\r\nb,c\x85d"], {"n": np.array([1])})) == b"# cell type: a b,c d\r\nn\r\n"


def test_what_is_no_number_is_empty() -> None:
    columns = {"x": np.array([1.5, np.nan, np.inf]), "n": np.array([1, 2, 3])}
    assert b"".join(csv_stream([], columns)) == b"x,n\r\n1.5,1\r\n,2\r\n,3\r\n"


@given(st.lists(st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])), min_size=1, max_size=5))
def test_any_text_reads_back(texts: list[str]) -> None:
    line = ",".join(text_field(text) for text in [*texts, "last"]) + "\r\n"
    read = next(csv.reader(io.StringIO(line, newline="")))[:-1]
    assert read == [f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text for text in texts]


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1))
def test_any_number_reads_back(numbers: list[float]) -> None:
    text = b"".join(csv_stream([], {"x": np.array(numbers, dtype=np.float32)})).decode()
    assert [np.float32(line) for line in text.split("\r\n")[1:-1]] == numbers


@pytest.mark.parametrize(
    ("parts", "wanted"),
    [
        (("links", "AAAC-1", None), 'attachment; filename="links_AAAC-1.csv"'),
        (("CD4 Naive/Tcm",), 'attachment; filename="CD4-Naive-Tcm.csv"'),
        (("naïv",), "attachment; filename=\"na-v.csv\"; filename*=UTF-8''na%C3%AFv.csv"),
        (
            ('a"; filename="x',),
            "attachment; filename=\"a---filename--x.csv\"; filename*=UTF-8''a-%3B-filename%3D-x.csv",
        ),
        (("a\r\nSet-Cookie: x",), 'attachment; filename="a-Set-Cookie-x.csv"'),
    ],
)
def test_names_of_downloads(parts: tuple[str | None, ...], wanted: str) -> None:
    assert attachment(*parts) == wanted


def test_the_limit_on_the_distance_is_in_every_answer_that_can_hold_it(
    service: Service, reader: StoreReader, tmp_path: Path
) -> None:
    assert service.json("/dataset")["max_distance"] is None
    assert "candidates: all peaks of the chromosome" in comments(service.get("/celltypes/CD4 naive/scores.csv").text)
    with StoreReader.open(tiny_store(tmp_path / "near.h5", n_cells=12, max_distance=150_000)) as near:
        limited = Service(create_app(Settings(), near))
        assert limited.json("/dataset")["max_distance"] == 150_000
        answer = limited.get(f"/cells/{near.cells.index[3]}/links.csv")
        assert "candidates: peaks within 150,000 bp of the TSS" in comments(answer.text)
        table = pd.read_csv(io.StringIO(answer.text), comment="#")
        assert 0 < table["distance_to_tss"].abs().max() <= 150_000
        scores = limited.get("/celltypes/CD4 naive/scores.csv").text
        assert "candidates: peaks within 150,000 bp of the TSS" in comments(scores)
