from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from service import Service, segment
from stores import RandomModel, tiny_attributes, tiny_multiome, write_store

from bi2scope.data.attention import Cut
from bi2scope.data.exchange.peaks import dense_rank, lift
from bi2scope.data.expectation import expected_score
from bi2scope.data.graph import cell_graph
from bi2scope.data.store.cells_table import Embedding
from bi2scope.data.store.reader import StoreReader
from bi2scope.data.store.schema import SCORE_UNIT, WEIGHT_UNIT
from bi2scope.data.store.writer import StoreWriter
from bi2scope.server.app import create_app
from bi2scope.server.settings import Settings
from bi2scope.server.wire import PeakScores


@pytest.mark.parametrize(("threshold", "top_k"), [(0.5, None), (0.9, 3), (0.77, None), (0.613, 5), (1, None)])
@pytest.mark.parametrize(("layer", "head"), [(0, 0), (1, 1)])
def test_scores_agree_with_a_recount(
    service: Service, reader: StoreReader, threshold: float, top_k: int | None, layer: int, head: int
) -> None:
    asked = {"threshold": threshold, "layer": layer, "head": head} | ({"top_k": top_k} if top_k else {})
    body = PeakScores.model_validate(service.json("/celltypes/CD4 naive/scores", **asked))
    links, score, weight, n_open = np.zeros((4, 300))
    cells = np.flatnonzero(reader.cells["cell_type"].to_numpy() == "CD4 naive")
    truncated = False
    for cell in cells:
        n_open[reader.graph(cell).peak_index] += 1
        found = reader.attention(int(cell), layer, head).links(Cut(threshold, top_k))
        truncated |= found.truncated
        for at in range(len(found)):
            links[found.peak[at]] += 1
            score[found.peak[at]] += found.score[at]
            weight[found.peak[at]] += found.weight[at]
    assert body.n_cells == len(cells)
    assert body.n_open == n_open.astype(int).tolist()
    assert body.links == links.tolist()
    assert (np.abs(body.score - score) <= (links + 1e-6) / (2 * SCORE_UNIT)).all()  # each link is rounded to the unit
    assert (np.abs(body.weight - weight) <= (links + 1e-6) / (2 * WEIGHT_UNIT)).all()
    assert [value is None for value in body.lift] == (expected_score(score, n_open, body.chrom) == 0).tolist()
    found_lift = np.array([np.nan if value is None else value for value in body.lift])
    np.testing.assert_allclose(found_lift, lift(body.score, body.n_open, body.chrom))
    assert body.truncated == truncated
    assert body.peak == list(reader.peaks.index)
    assert body.chrom == list(reader.peaks["chrom"])
    assert (body.start, body.end) == (reader.peaks["start"].tolist(), reader.peaks["end"].tolist())
    assert (body.threshold, body.top_k, body.layer, body.head) == (threshold, top_k, layer, head)


def test_types_with_strange_names_are_found(strange: Service, strange_reader: StoreReader) -> None:
    for name in strange_reader.cell_types:
        assert strange.json(f"/celltypes/{segment(name)}/scores")["cell_type"] == name


def test_lift_by_hand() -> None:
    chrom = np.array(["chr1", "chr1", "chr2", "chr2", "chr3"])
    n_open = np.array([3, 1, 2, 0, 0])
    score = np.array([6.0, 2.0, 5.0, 0.0, 0.0])
    assert expected_score(score, n_open, chrom).tolist() == [6, 2, 5, 0, 0]
    score = np.array([2.0, 6.0, 5.0, 0.0, 0.0])
    np.testing.assert_allclose(lift(score, n_open, chrom), [1 / 3, 3, 1, np.nan, np.nan])


@given(
    rows=st.lists(
        st.tuples(st.sampled_from(["chr1", "chr2", "chrX"]), st.integers(0, 9), st.floats(0, 1e6)),
        min_size=1,
        max_size=30,
    )
)
def test_lift_agrees_with_a_recount(rows: list[tuple[str, int, float]]) -> None:
    chrom, n_open, score = (list(column) for column in zip(*rows, strict=True))
    found = lift(np.array(score), np.array(n_open), np.array(chrom, dtype=object))
    for at, (name, opened, own) in enumerate(rows):
        total = math.fsum(s for c, _, s in rows if c == name)
        open_sum = sum(n for c, n, _ in rows if c == name)
        expected = total * opened / open_sum if open_sum else 0.0
        if expected > 1e-300:
            assert found[at] == pytest.approx(own / expected)
        elif expected == 0:
            assert math.isnan(found[at])


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0, 2.0, 7.25]), max_size=20))
def test_ranks_are_dense_and_descending(score: list[float]) -> None:
    order = sorted(set(score), reverse=True)
    assert dense_rank(score).tolist() == [order.index(value) + 1 for value in score]


def test_scores_of_a_control_are_those_of_its_own_store(tmp_path: Path) -> None:
    multiome = tiny_multiome(20)
    models = [RandomModel.of(multiome, np.random.default_rng(seed)) for seed in (1, 2)]
    control = write_store(tmp_path / "control.h5", multiome, models[1], tiny_attributes(attention="uniform"))
    with StoreWriter(tmp_path / "s.h5", multiome, tiny_attributes()) as writer:
        writer.write_embedding(Embedding(np.zeros((20, 2)), "none"))
        writer.write_control("uniform attention", control)
        for cell in range(20):
            writer.write_cell(models[0].attend(multiome, cell_graph(multiome, cell, cell), 50))
    with StoreReader.open(tmp_path / "s.h5") as reader, StoreReader.open(control) as alone:
        service, own = (Service(create_app(Settings(), one)) for one in (reader, alone))
        assert service.json("/dataset")["controls"] == ["uniform attention"]
        assert own.json("/dataset")["controls"] == []
        wanted = own.json("/celltypes/B cell/scores", threshold=0.8, top_k=5)
        found = service.json("/celltypes/B cell/scores", threshold=0.8, top_k=5, control="uniform attention")
        assert found == wanted | {"control": "uniform attention"}
        assert service.json("/celltypes/B cell/scores", threshold=0.8, top_k=5)["control"] is None
        assert service.get("/celltypes/B cell/scores", control="none").status_code == 404
        parted = service.get("/celltypes/B cell/scores", control="uniform attention", threshold=0.613)
        assert parted.status_code == 404
        assert "threshold of a control" in parted.json()["error"]["message"]
