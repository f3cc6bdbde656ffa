from __future__ import annotations

import io
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from service import Service
from stores import tiny_store

from bi2scope.data.attention import Cut
from bi2scope.data.store.reader import StoreReader
from bi2scope.server.app import create_app
from bi2scope.server.settings import Settings
from bi2scope.server.wire_genes import GenePeakColumns, GenePeaks

TYPE = "CD4 naive"
CUTS: list[dict[str, Any]] = [{}, {"threshold": 0.9}, {"top_k": 3}, {"threshold": 0.77, "top_k": 8}, {"threshold": 1}]


def by_cell(reader: StoreReader, gene: int, cut: Cut, layer: int = 0, head: int = 0) -> dict[str, list[Any]]:
    """Peak to the links to it, one cell after the other: name of the cell, logit, score, rank, weight."""
    found = defaultdict(list)
    for cell in map(int, reader.cells_of(TYPE)):
        links = reader.attention(cell, layer, head).links(cut)
        own = links.where(links.gene == gene)
        name = str(reader.cells.index[cell])
        for at in range(len(own)):
            row = name, own.logit[at], own.score[at], own.rank[at], own.weight[at]
            found[str(reader.peaks.index[own.peak[at]])].append(row)
    return found


def check(body: GenePeaks, wanted: dict[str, list[Any]]) -> None:
    pairs = body.pairs
    assert sorted(pairs.peak) == sorted(wanted)
    assert body.n_pairs == len(wanted)
    assert body.n_links == sum(map(len, wanted.values()))
    for i, peak in enumerate(pairs.peak):
        cells, logit, score, rank, weight = (np.array(column) for column in zip(*wanted[peak], strict=True))
        assert pairs.n_cells[i] == len(cells)
        assert pairs.share[i] == len(cells) / body.n_cells_expressing
        means = (pairs.mean_logit[i], pairs.mean_score[i], pairs.mean_rank[i])
        assert means == pytest.approx([column.mean() for column in (logit, score, rank)], rel=1e-5)
        assert pairs.mean_weight[i] == pytest.approx(weight.mean(), rel=1e-4)  # of logits that the store has rounded
        assert logit[list(cells).index(pairs.best_cell[i])] == logit.max()
    order = list(zip([-n for n in pairs.n_cells], [-mean for mean in pairs.mean_score], strict=True))
    assert order == sorted(order)


@pytest.mark.parametrize("asked", CUTS)
@pytest.mark.parametrize("gene", [7, 79])
def test_peaks_agree_with_the_links_of_each_cell(
    service: Service, reader: StoreReader, gene: int, asked: dict[str, Any]
) -> None:
    """Rows are cut at 8 links here, and there are no factors, so denominators of the weights are read."""
    body = GenePeaks.model_validate(service.json(f"/celltypes/{TYPE}/genes/gene{gene}/peaks", **asked))
    check(body, by_cell(reader, gene, Cut(asked.get("threshold", 0.5), asked.get("top_k"))))


def test_weights_of_whole_rows_and_other_heads(tmp_path: Path) -> None:
    path = tiny_store(tmp_path / "whole.h5", n_cells=14, k_max=300, layers=2, heads=2)
    with StoreReader.open(path) as reader:
        service = Service(create_app(Settings(), reader))
        for gene, layer, head in ((7, 0, 0), (30, 1, 1)):
            asked = {"layer": layer, "head": head}
            body = GenePeaks.model_validate(service.json(f"/celltypes/{TYPE}/genes/gene{gene}/peaks", **asked))
            check(body, by_cell(reader, gene, Cut(), layer, head))
            assert not body.truncated


def test_csv_and_bedpe_have_the_rows_of_the_json(service: Service) -> None:
    path, asked = f"/celltypes/{TYPE}/genes/GENE7/peaks", {"threshold": 0.6, "limit": 5}
    body, csv = service.json(path, **asked), service.get(f"{path}.csv", **asked).text
    table = pd.read_csv(io.StringIO(csv), comment="#", float_precision="round_trip")
    assert list(table.columns) == ["cell_type", *GenePeakColumns.model_fields]
    assert {name: table[name].tolist() for name in body["pairs"]} == body["pairs"]
    assert body["limited"]
    assert "# the first 5 only, the strongest first" in csv
    (view,) = re.findall(r"^# view: /(\S+)", csv, flags=re.MULTILINE)
    assert view == "?view=locus&gene=GENE7&cell_type=CD4%20naive&threshold=0.6&layer=0&head=0"
    answer = service.get(f"{path}.bedpe", **asked)
    assert answer.headers["content-disposition"] == 'attachment; filename="bi2scope_peaks_CD4-naive_GENE7.bedpe"'
    lines = [line.split("\t") for line in answer.text.splitlines() if not line.startswith("#")]
    assert [f"{line[3]}:{line[4]}-{line[5]}" for line in lines] == body["pairs"]["peak"]
    assert [float(line[7]) for line in lines] == body["pairs"]["mean_score"]


@pytest.mark.parametrize(
    ("path", "asked", "status"),
    [("CD4/genes/GENE7", {}, 404), (f"{TYPE}/genes/GENE7x", {}, 404), (f"{TYPE}/genes/GENE7", {"top_k": 0}, 422)],
)
def test_what_cannot_be_answered_is_said(service: Service, path: str, asked: dict[str, Any], status: int) -> None:
    for ending in ("peaks", "peaks.csv", "peaks.bedpe"):
        assert service.error(f"/celltypes/{path}/{ending}", **asked)[0] == status
