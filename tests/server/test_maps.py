from __future__ import annotations

import io
from typing import Any

import numpy as np
import pandas as pd
import pytest
from service import Service, segment

from bi2scope.data.store.reader import StoreReader
from bi2scope.server import maps
from bi2scope.server.wire_genes import MapColumns, RegulatoryMap

PATH = "/celltypes/CD4 naive/map"


def recount(reader: StoreReader, layer: int = 0, head: int = 0) -> pd.DataFrame:
    """The map of CD4 naive cells from their links, cell by cell."""
    links, both = [], np.zeros((80, 300), dtype=int)
    for cell in reader.cells_of("CD4 naive"):
        attention, graph = reader.attention(int(cell), layer, head), reader.graph(int(cell))
        both[np.ix_(graph.gene_index, graph.peak_index)] += 1
        gene = attention.gene[attention.row]
        score = 1 / (1 + np.exp(-attention.logit.astype(np.float64)))
        links.append(pd.DataFrame({"gene": gene, "peak": attention.peak, "score": score}))
    table = pd.concat(links).groupby(["gene", "peak"])["score"].agg(["size", "mean"]).reset_index()
    return table.assign(both=both[table["gene"], table["peak"]])


def chosen_by(reader: StoreReader, asked: dict[str, Any], table: pd.DataFrame) -> pd.DataFrame:
    if "gene" in asked:
        table = table[table["gene"] == list(reader.genes["name"]).index(asked["gene"])]
    if "peak" in asked:
        table = table[reader.peaks.index[table["peak"]] == asked["peak"]]
    if asked.get("region") == "chr2":
        table = table[reader.peaks["chrom"].to_numpy(object)[table["peak"]] == "chr2"]
    elif "region" in asked:
        own = reader.peaks.iloc[table["peak"]]
        there = (own["chrom"] == "chr1") & (own["start"] < 200_000) & (own["end"] > 100_000)
        table = table[there.to_numpy(bool)]
    return table


ASKED: list[dict[str, Any]] = [
    {}, {"gene": "GENE7"}, {"region": "chr2"}, {"region": "1:100,000-200,000"}, {"peak": "chr1:101000-101500"},
    {"gene": "GENE7", "region": "chr1:100000-200000"}, {"peak": "chr1:101000-101500", "region": "chr2"},
    {"layer": 1, "head": 1},
]  # fmt: skip


@pytest.mark.parametrize("asked", ASKED)
def test_the_map_agrees_with_a_recount(
    service: Service, reader: StoreReader, monkeypatch: pytest.MonkeyPatch, asked: dict[str, Any]
) -> None:
    monkeypatch.setattr(maps, "BLOCK_PAIRS", 100)  # several blocks
    body = RegulatoryMap.model_validate(service.json(PATH, **asked))
    wanted = chosen_by(reader, asked, recount(reader, asked.get("layer", 0), asked.get("head", 0)))
    assert body.pairs.gene_id == list(reader.genes.index[wanted["gene"]])
    assert body.pairs.peak == list(reader.peaks.index[wanted["peak"]])
    assert body.pairs.n_cells == wanted["size"].tolist()
    assert body.pairs.n_both == wanted["both"].tolist()
    np.testing.assert_allclose(body.pairs.mean_score, wanted["mean"], atol=2e-4)
    assert (body.n_pairs, body.limited) == (len(wanted), False)
    assert (body.n_cells, body.least_cells, body.truncated) == (len(reader.cells_of("CD4 naive")), 1, True)


@pytest.mark.parametrize("asked", [{}, {"gene": "gene7"}, {"region": "chr2"}, {"limit": 250}, {"limit": 0}])
def test_the_csv_has_the_rows_of_the_json(
    service: Service, monkeypatch: pytest.MonkeyPatch, asked: dict[str, Any]
) -> None:
    monkeypatch.setattr(maps, "BLOCK_PAIRS", 100)
    body, answer = service.json(PATH, **asked), service.get(f"{PATH}.csv", **asked)
    assert answer.status_code == 200
    table = pd.read_csv(io.StringIO(answer.text), comment="#", float_precision="round_trip")
    assert list(table.columns) == ["cell_type", *MapColumns.model_fields]
    assert {name: table[name].tolist() for name in body["pairs"]} == body["pairs"]
    assert set(table["cell_type"]) <= {"CD4 naive"}
    assert "# truncated: links beyond rank 8" in answer.text


def test_a_limit_keeps_the_first_and_counts_all(service: Service) -> None:
    for asked in ({}, {"region": "chr1"}):
        whole, part = service.json(PATH, **asked), service.json(PATH, **asked, limit=5)
        assert part["n_pairs"] == whole["n_pairs"] > 5
        assert part["limited"]
        assert part["pairs"] == {name: column[:5] for name, column in whole["pairs"].items()}


def test_types_and_genes_with_strange_names(strange: Service, strange_reader: StoreReader) -> None:
    for name in strange_reader.cell_types:
        path = f"/celltypes/{segment(name)}/map"
        body = strange.json(path, gene="HLA-DRA")  # the symbol of two genes
        assert body["cell_type"] == name
        assert set(body["pairs"]["gene_id"]) <= {"ENSG00002", "ENSG00005"}
        assert strange.get(f"{path}.csv", gene="HLA-DRA").status_code == 200


@pytest.mark.parametrize(
    ("asked", "status", "said"),
    [
        ({"gene": "GENE7x"}, 404, "There is no gene named 'GENE7x'"),
        ({"peak": "chr1:101001-101500"}, 404, "Nearest: chr1:101000-101500"),
        ({"peak": "chr7:5-6"}, 404, "There is no chromosome named 'chr7'"),
        ({"region": "chr7"}, 404, "There is no chromosome named 'chr7'"),
        ({"peak": "chr1"}, 422, "'chr1' is not a place; wanted one such as chr1:1,000-2,000"),
        ({"region": "chr1:9-3"}, 422, "'chr1:9-3' is not a place;"),
        ({"region": "chr1:-9-3"}, 422, "'chr1:-9-3' is not a place;"),
        ({"layer": 2}, 404, "There is no layer named '2'"),
        ({"threshold": 0.9}, 422, "takes no parameter 'threshold'"),
    ],
)
def test_what_cannot_be_answered_is_said(service: Service, asked: dict[str, Any], status: int, said: str) -> None:
    for path in (PATH, f"{PATH}.csv"):
        found, _, message, hint = service.error(path, **asked)
        assert found == status
        assert said in f"{message} {hint}"
    assert service.error("/celltypes/CD4/map")[::3] == (404, "Nearest: CD4 naive.")
