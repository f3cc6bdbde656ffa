from __future__ import annotations

import io
from typing import Any

import numpy as np
import pandas as pd
import pytest
from service import Service, segment

from bi2scope.data.attention import Cut
from bi2scope.data.store.cell_sums import SumsOf
from bi2scope.data.store.group_difference import Contrast, difference
from bi2scope.data.store.reader import StoreReader
from bi2scope.server import differences
from bi2scope.server.wire_differences import GeneDifference, PeakDifference

PATH = "/celltypes/CD4 naive/difference"
CUT = {"threshold": 0.7, "top_k": 5}


@pytest.mark.parametrize("test", ["mann-whitney", "welch"])
@pytest.mark.parametrize("against", [None, "B cell"])
def test_peaks_are_those_that_were_tested_by_p(
    service: Service, reader: StoreReader, test: str, against: str | None
) -> None:
    asked: dict[str, Any] = {**CUT, "test": test, "definition": "links", "layer": 1, "least_share": 0.4}
    body = PeakDifference.model_validate(service.json(f"{PATH}/peaks", **asked, against=against or ""))
    first = reader.cells_of("CD4 naive")
    second = np.setdiff1d(np.arange(reader.n_cells), first) if against is None else reader.cells_of(against)
    contrast = Contrast(SumsOf("peak", "links", Cut(0.7, 5), True), 1, 0, test, least_share=0.4)  # type: ignore[arg-type]
    wanted = difference(reader, first, second, contrast).tested
    rows = body.rows
    place = reader.peaks.index.get_indexer(rows.peak)
    at = np.searchsorted(wanted.feature, place)
    assert sorted(place) == wanted.feature.tolist()
    assert rows.p == wanted.p[at].tolist() == sorted(wanted.p)
    assert rows.q == wanted.q[at].tolist()
    assert rows.effect == wanted.effect[at].tolist()
    np.testing.assert_equal(np.array(rows.open_p, dtype=float), wanted.nonzero_p[at])
    np.testing.assert_allclose(rows.linked_share, wanted.linked_first[at] / len(first))
    np.testing.assert_allclose(rows.open_share_against, wanted.nonzero_second[at] / len(second))
    for mean, mean_against, ratio in zip(rows.mean, rows.mean_against, rows.log2_ratio, strict=True):
        assert ratio is None if min(mean, mean_against) == 0 else ratio == pytest.approx(np.log2(mean / mean_against))
    assert (body.n_cells, body.n_cells_against, body.against) == (len(first), len(second), against)
    assert (body.n_tested, body.n_features, body.limited, body.truncated) == (len(place), 300, False, False)


def test_genes_are_tested_by_their_rows(service: Service, reader: StoreReader) -> None:
    body = GeneDifference.model_validate(service.json(f"{PATH}/genes", **CUT, definition="links", normalise="none"))
    gene = body.rows.gene_id[3]
    cells = reader.cells_of("CD4 naive")
    linked = [
        (reader.attention(int(cell)).links(Cut(0.7, 5)).gene == reader.genes.index.get_loc(gene)).sum()
        for cell in cells
    ]
    assert body.rows.mean[3] == pytest.approx(np.mean(linked))
    assert body.rows.linked_share[3] == pytest.approx(np.mean(np.array(linked) > 0))
    assert body.rows.gene_name[3] == reader.genes["name"][gene]


@pytest.mark.parametrize("of", ["peaks", "genes"])
@pytest.mark.parametrize("asked", [{}, {"limit": 7, "test": "welch", "among": "nonzero", "against": "B cell"}])
def test_the_csv_has_the_rows_of_the_json(service: Service, of: str, asked: dict[str, Any]) -> None:
    body, answer = service.json(f"{PATH}/{of}", **asked), service.get(f"{PATH}/{of}.csv", **asked)
    assert answer.status_code == 200
    table = pd.read_csv(io.StringIO(answer.text), comment="#", float_precision="round_trip")
    assert sorted(table.columns) == sorted(body["rows"])
    assert table.columns[0] == {"peaks": "peak", "genes": "gene_id"}[of]
    for name, column in body["rows"].items():
        assert [None if isinstance(each, float) and np.isnan(each) else each for each in table[name]] == column
    assert body["limited"] == ("limit" in asked)
    assert ("# the first 7 rows only" in answer.text) == ("limit" in asked)
    assert "# truncated: links beyond rank 8" in answer.text
    assert f"bi2scope_difference_{of}_CD4-naive_" in answer.headers["content-disposition"]


def test_what_was_asked_before_is_kept(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    before = service.json(f"{PATH}/peaks", threshold=0.81)
    monkeypatch.setattr(differences, "difference", None)
    assert service.json(f"{PATH}/peaks", threshold=0.81) == before
    shown = service.json(f"{PATH}/peaks", threshold=0.81, limit=2)
    assert shown["rows"]["p"] == before["rows"]["p"][:2]


@pytest.mark.parametrize(
    ("asked", "status", "said"),
    [
        ({"against": "CD4 naiv"}, 404, "cell type"),
        ({"against": "CD4 naive"}, 422, "against itself"),
        ({"test": "t"}, 422, "test is t; it must be one of mann-whitney and welch"),
        ({"among": "open"}, 422, "one of all and nonzero"),
        ({"normalise": "depth"}, 422, "one of none and cell"),
        ({"least_share": 1.5}, 422, "a number from 0 to 1"),
        ({"layer": 7}, 404, "layer"),
        ({"threshold": 0.3}, 422, "threshold is 0.3"),
    ],
)
def test_refusals(service: Service, asked: dict[str, Any], status: int, said: str) -> None:
    found = service.error(f"{PATH}/peaks", **asked)
    assert found[0] == status
    assert said in found[2]


def test_groups_of_too_few_cells_are_refused(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(differences, "FEWEST_CELLS", 21)
    status, _, message, _ = service.error(f"{PATH}/peaks", against="B cell")
    assert (status, message) == (
        422, "CD4 naive: 20 cells. The cells are the replicates, and 21 at least are wanted."
    )  # fmt: skip


def test_names_with_slashes(strange: Service) -> None:
    assert strange.json(f"/celltypes/{segment('CD4 Naive/Tcm')}/difference/peaks")["against"] is None
    others = strange.get(f"/celltypes/{segment('CD4 Naive/Tcm')}/difference/genes.csv", against="=cmd|'/c calc'!A1")
    assert others.status_code == 200
