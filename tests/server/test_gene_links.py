from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from service import Service, segment
from stores import tiny_store

from bi2scope.data.attention import Cut
from bi2scope.data.store.reader import StoreReader
from bi2scope.server.app import create_app
from bi2scope.server.cells import take_rows
from bi2scope.server.settings import Settings
from bi2scope.server.wire_genes import AcrossColumns, GeneLinks

TYPE = "CD4 naive"
CUTS: list[dict[str, Any]] = [
    {}, {"threshold": 0.9}, {"top_k": 3}, {"threshold": 0.77, "top_k": 8, "layer": 1, "head": 1}, {"threshold": 1},
    {"threshold": 0.999, "top_k": 20},
]  # fmt: skip


@pytest.mark.parametrize("asked", CUTS)
@pytest.mark.parametrize("gene", [7, 30, 79])
def test_links_agree_with_those_of_each_cell(
    service: Service, reader: StoreReader, gene: int, asked: dict[str, Any]
) -> None:
    body = GeneLinks.model_validate(service.json(f"/celltypes/{TYPE}/genes/gene{gene}/links", **asked))
    rows: list[tuple[Any, ...]] = []
    truncated, expressing, cut = False, 0, Cut(asked.get("threshold", 0.5), asked.get("top_k"))
    for cell in map(int, reader.cells_of(TYPE)):
        attention = reader.attention(cell, asked.get("layer", 0), asked.get("head", 0))
        links = attention.links(cut)
        own = links.where(links.gene == gene)
        if gene in attention.gene:
            expressing += 1
            of_gene = take_rows(attention, attention.gene == gene)
            truncated |= of_gene.cut_off(cut)
        name = str(reader.cells.index[cell])
        peaks = reader.peaks.index[own.peak]
        rows += zip([name] * len(own), peaks, own.rank, own.logit, own.score, strict=True)
    links = body.links
    found = list(zip(links.cell_id, links.peak, links.rank, links.logit, links.score, strict=True))
    assert [row[:3] for row in found] == [row[:3] for row in rows]
    for at in (3, 4):
        assert [row[at] for row in found] == pytest.approx([row[at] for row in rows], rel=1e-6)
    assert body.n_links == len(rows)
    assert (body.n_cells, body.n_cells_expressing) == (len(reader.cells_of(TYPE)), expressing)
    assert body.n_cells_linked == len({row[0] for row in rows})
    assert body.truncated == truncated


def test_some_rows_are_cut_short_and_some_are_not(service: Service, tmp_path: Path) -> None:
    path = f"/celltypes/{TYPE}/genes/GENE7/links"
    assert service.json(path)["truncated"]
    assert not service.json(path, top_k=8)["truncated"]
    with StoreReader.open(tiny_store(tmp_path / "whole.h5", n_cells=12, k_max=300)) as whole:
        assert not Service(create_app(Settings(), whole)).json(path)["truncated"]


def test_where_there_are_factors_nothing_is_cut_off(tmp_path: Path) -> None:
    answers = []
    for k_max in (4, 300):
        store = tiny_store(tmp_path / f"{k_max}.h5", n_cells=12, k_max=k_max, factors=True)
        with StoreReader.open(store) as reader:
            served = Service(create_app(Settings(), reader))
            answers.append(
                [served.json(f"/celltypes/{TYPE}/genes/GENE{gene}/links", threshold=0.8) for gene in range(9)]
            )
    assert answers[0] == answers[1]
    assert not any(body["truncated"] for body in answers[0])
    assert max(rank for body in answers[0] for rank in body["links"]["rank"]) > 4


@pytest.mark.parametrize("asked", [{}, {"threshold": 0.9, "top_k": 2}, {"limit": 4}, {"threshold": 1}])
def test_the_csv_has_the_rows_of_the_json(service: Service, asked: dict[str, Any]) -> None:
    path = f"/celltypes/{TYPE}/genes/ENSG00007/links"
    body, answer = service.json(path, **asked), service.get(f"{path}.csv", **asked)
    assert answer.status_code == 200
    table = pd.read_csv(io.StringIO(answer.text), comment="#")
    assert list(table.columns) == ["cell_type", *AcrossColumns.model_fields]
    assert {name: table[name].tolist() for name in body["links"]} == body["links"]
    assert body["limited"] == ("limit" in asked)
    assert len(table) == (4 if "limit" in asked else body["n_links"])
    assert ("# the first 4 links only" in answer.text) == body["limited"]


def test_names_that_are_shared_or_strange(strange: Service, strange_reader: StoreReader) -> None:
    kind = segment(strange_reader.cell_types[0])
    genes = strange.json(f"/celltypes/{kind}/genes/hla-dra/links")["links"]["gene_id"]
    assert genes == sorted(genes)
    both = [strange.json(f"/celltypes/{kind}/genes/{name}/links") for name in ("ENSG00002", "ENSG00005")]
    assert len(genes) == sum(body["n_links"] for body in both) > 0
    for name in ("hash#tag", "=SUM(A1)"):
        assert strange.json(f"/celltypes/{kind}/genes/{segment(name)}/links")["gene"] == name
        assert strange.get(f"/celltypes/{kind}/genes/{segment(name)}/links.csv").status_code == 200


@pytest.mark.parametrize(
    ("path", "asked", "status", "said"),
    [
        ("CD4/genes/GENE7", {}, 404, "Nearest: CD4 naive."),
        ("CD4 naive/genes/GENE7x", {}, 404, "GENE7"),
        ("CD4 naive/genes/GENE7", {"head": 2}, 404, "There is no head named '2'"),
        ("CD4 naive/genes/GENE7", {"top_k": 0}, 422, "top_k is 0; it must be a whole number from 1 up"),
        ("CD4 naive/genes/GENE7", {"threshold": 1.7}, 422, "threshold is 1.7; it must be a number from 0.5 to 1."),
        ("CD4 naive/genes/GENE7", {"peak": "chr1:1-2"}, 422, "takes no parameter 'peak'"),
    ],
)
def test_what_cannot_be_answered_is_said(
    service: Service, path: str, asked: dict[str, Any], status: int, said: str
) -> None:
    for ending in ("links", "links.csv"):
        found, _, message, hint = service.error(f"/celltypes/{path}/{ending}", **asked)
        assert found == status
        assert said in f"{message} {hint}"
