"""The formats of tables: the same rows by every ending, chosen columns, refusals."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from service import Service, segment

from bi2scope.data.store.reader import StoreReader
from bi2scope.server.tabular import FORMS

ALL = {"threshold": 0.5}
TABLES: tuple[tuple[str, dict[str, Any], str | None], ...] = (
    ("/cells", {"limit": 60}, "cells"),
    ("/cells", {"cell_type": "CD4 naive", "limit": 5}, "cells"),
    ("/embedding", {}, None),
    ("/genes", {"query": "gene1", "limit": 9}, "genes"),
    ("/peaks", {"query": "chr2", "limit": 9}, "peaks"),
    ("/cells/{cell}/links", {"top_k": 3, "threshold": 0.8}, "links"),
    ("/cells/{cell}/links", {"head": "mean", "layer": 1, "order": "score", "limit": 40}, "links"),
    ("/cells/{cell}/heatmap", {"width": 20, "height": 10}, "bins"),
    ("/celltypes/CD4 naive/scores", {"threshold": 0.9}, None),
    ("/celltypes/CD4 naive/map", {"region": "chr2"}, "pairs"),
    ("/celltypes/CD4 naive/difference/peaks", {"threshold": 0.7, "columns": "peak,mean,p,q"}, "rows"),
    ("/celltypes/CD4 naive/difference/genes", {"limit": 9, "columns": "gene_id,effect"}, "rows"),
    ("/celltypes/CD4 naive/genes/GENE7/links", {"top_k": 4}, "links"),
    ("/celltypes/CD4 naive/peaks/{peak}/links", {}, "links"),
)
OTHERWISE = {"start": "chromStart", "end": "chromEnd"}
PAIRED = [asked for asked in TABLES if asked[0].endswith(("/links", "/map"))]


@pytest.fixture(scope="module")
def names(reader: StoreReader) -> dict[str, str]:
    peak = reader.attention(int(reader.cells_of("CD4 naive")[0])).peak[0]
    return {"cell": str(reader.cells.index[5]), "peak": str(reader.peaks.index[peak])}


def arrow(content: bytes) -> pa.Table:
    return pa.ipc.open_stream(content).read_all()


@pytest.mark.parametrize(("path", "asked", "key"), TABLES)
def test_every_ending_gives_the_same_rows(
    service: Service, names: dict[str, str], path: str, asked: dict[str, Any], key: str | None
) -> None:
    path = path.format(**names)
    body = service.json(path, **asked)
    assert service.json(f"{path}.json", **asked) == body
    rows = body if key is None else body[key]
    columns = {name: [row[name] for row in rows] for name in rows[0]} if isinstance(rows, list) else rows
    columns = {name: column for name, column in columns.items() if isinstance(column, list) and name != "quality"}
    text, stream = service.get(f"{path}.csv", **asked), service.get(f"{path}.arrow", **asked)
    assert stream.headers["content-type"] == FORMS["arrow"].media_type
    read, kept = pd.read_csv(io.StringIO(text.text), comment="#", float_precision="round_trip"), arrow(stream.content)
    assert list(read.columns) == kept.column_names
    assert len(read) == kept.num_rows == len(next(iter(columns.values()))) > 0
    said = [line.removeprefix("# ") for line in text.text.split("\r\n") if line.startswith("#")]
    assert kept.schema.metadata[b"bi2scope"].decode().split("\n") == said
    for name, column in columns.items():
        here = name if name in read else OTHERWISE[name]
        of_arrow = kept[here].to_pylist()
        if kept[here].type == pa.float32():
            of_arrow = kept[here].to_numpy().tolist()
            assert pd.Series(column, dtype="float32").tolist() == of_arrow
            assert read[here].astype("float32").tolist() == of_arrow
        elif pa.types.is_floating(kept[here].type):  # what is undefined is null in JSON, which has no NaN
            np.testing.assert_array_equal(np.array(column, dtype=float), of_arrow, err_msg=name)
            np.testing.assert_array_equal(read[here], of_arrow, err_msg=name)
        else:
            assert column == of_arrow, name
            assert read[here].tolist() == of_arrow, name


@pytest.mark.parametrize(("path", "asked", "key"), PAIRED)
def test_pairs_come_as_tracks_of_the_genome_browsers(
    service: Service, names: dict[str, str], path: str, asked: dict[str, Any], key: str
) -> None:
    path = path.format(**names)
    columns = service.json(path, **asked)[key]
    score = columns.get("score", columns.get("mean_score"))
    for ending, each in (("bedpe", 1), ("interact", 1), ("longrange", 2)):
        answer = service.get(f"{path}.{ending}", **asked)
        assert answer.status_code == 200
        assert answer.headers["content-disposition"].endswith(f'.{ending}"')
        rows = [line for line in answer.text.split("\n") if line and not line.startswith(("#", "track"))]
        assert len(rows) == each * len(score) > 0
        place = {"bedpe": 7, "interact": 5, "longrange": 3}[ending]
        found = [float(row.split("\t")[place].rpartition(",")[2]) for row in rows[::each]]
        assert found == pytest.approx(score, rel=1e-6)


def test_truncated_and_limited_are_said_in_every_file(service: Service, names: dict[str, str]) -> None:
    for ending in ("csv", "arrow", "bedpe", "interact", "longrange"):
        content = service.get(f"/cells/{names['cell']}/links.{ending}", limit=3).content
        assert b"truncated: links beyond rank 8" in content
        assert b"the first 3 links only" in content
        assert b"truncated" not in service.get(f"/cells/{names['cell']}/links.{ending}", top_k=8).content


def test_columns_are_chosen_in_the_order_asked(service: Service, names: dict[str, str]) -> None:
    path, chosen = f"/cells/{names['cell']}/links", ["score", "gene_id", "rank"]
    asked = {"columns": ",".join(chosen), "top_k": 2}
    whole, body = service.json(path, top_k=2), service.json(path, **asked)
    assert body == {**whole, "links": {name: whole["links"][name] for name in chosen}}
    assert list(body["links"]) == chosen
    assert arrow(service.get(f"{path}.arrow", **asked).content).column_names == chosen
    text = service.get(f"{path}.csv", **asked).text
    assert next(line for line in text.split("\r\n") if not line.startswith("#")) == "score,gene_id,rank"
    cells = service.json("/cells", columns="n_peaks,cell_id", limit=3)["cells"]
    assert [list(cell) for cell in cells] == [["n_peaks", "cell_id"]] * 3
    scores = service.json("/celltypes/B cell/scores", columns="peak,links")
    assert {"peak", "links", "n_cells"} < set(scores)
    assert not {"score", "weight", "start"} & set(scores)
    map_text = service.get("/celltypes/B cell/map.csv", columns="peak, n_cells").text
    assert "\r\npeak,n_cells\r\n" in map_text


@pytest.mark.parametrize(
    ("path", "asked", "said"),
    [
        ("links", {"columns": "gene_id,genes"}, "There is no column 'genes' here. There are: gene_id, gene_name"),
        ("links.csv", {"columns": "x,y"}, "There is no column 'x', 'y' here. There are: cell_id, cell_type, gene_id"),
        ("links.arrow", {"columns": "counts"}, "There is no column 'counts' here."),
        ("links.bedpe", {"columns": "gene_id"}, ".bedpe has columns of its own"),
        ("heatmap", {"columns": "n"}, "There is no column 'n' here. There are: row, column, n_links"),
        ("links.parquet", {}, "ending"),
        ("heatmap.bedpe", {}, "ending"),
    ],
)
def test_what_a_format_does_not_have_is_refused(
    service: Service, names: dict[str, str], path: str, asked: dict[str, Any], said: str
) -> None:
    status, kind, message, hint = service.error(f"/cells/{names['cell']}/{path}", **asked)
    assert (status, kind) == (422, "ConfigurationError")
    assert said in f"{message} {hint}"
    if said == "ending":
        assert "'json', 'csv'" in message


def test_strange_names_survive_in_arrow(strange: Service, strange_reader: StoreReader) -> None:
    for cell in strange_reader.cells.index:
        path = f"/cells/{segment(cell)}/links"
        body, kept = strange.json(path), arrow(strange.get(f"{path}.arrow").content)
        assert set(kept["cell_id"].to_pylist()) == {cell}
        for name in ("gene_name", "gene_id", "peak"):
            assert kept[name].to_pylist() == body["links"][name]
        kept.to_pandas()  # no word stands twice in a dictionary


def test_a_table_without_rows_has_its_columns_in_every_format(service: Service, names: dict[str, str]) -> None:
    path = f"/cells/{names['cell']}/links"
    kept = arrow(service.get(f"{path}.arrow", limit=0).content)
    assert kept.num_rows == 0
    assert kept.schema == arrow(service.get(f"{path}.arrow").content).schema.with_metadata(kept.schema.metadata)
    for ending in ("csv", "bedpe", "interact", "longrange"):
        assert service.get(f"{path}.{ending}", limit=0).status_code == 200
    assert arrow(service.get("/celltypes/B cell/map.arrow", limit=0).content).num_rows == 0
