"""What a cut leaves, recounted link by link."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from service import Service
from stores import RandomModel, tiny_attributes, tiny_multiome, tiny_store, write_store

from bi2scope.data.attention import Cut
from bi2scope.data.graph import cell_graph
from bi2scope.data.regions import distance_to_tss, tss
from bi2scope.data.store.cells_table import Embedding
from bi2scope.data.store.profile import DISTANCE_BINS, DISTANCE_EDGES, rows_with_at_least
from bi2scope.data.store.reader import StoreReader
from bi2scope.data.store.writer import StoreWriter
from bi2scope.server.app import create_app
from bi2scope.server.catalogue import Catalogue
from bi2scope.server.settings import Settings
from bi2scope.server.wire_profile import LinkProfile

CUTS = [(0.5, None), (0.9, 3), (0.613, 5), (0.7, 40), (1, None)]


def binned(distances: Any) -> list[int]:
    bins = np.searchsorted(DISTANCE_EDGES, np.abs(np.asarray(distances, dtype=np.int64)), side="right")
    return np.bincount(bins, minlength=DISTANCE_BINS).tolist()


def recount(reader: StoreReader, cells: Any, cut: Cut, place: tuple[int, int]) -> dict[str, Any]:
    """Links, genes without one, links per gene and distances of some cells, from their kept links."""
    per_gene, distances, truncated = [], [], False
    genes, peaks = reader.genes, reader.peaks
    for cell in cells:
        links = reader.attention(int(cell), *place).links(cut)
        truncated |= links.truncated
        per_gene += [int((links.gene == gene).sum()) for gene in reader.graph(int(cell)).gene_index]
        start, end = (peaks[name].to_numpy()[links.peak] for name in ("start", "end"))
        distances += distance_to_tss(tss(genes)[links.gene], "+", start, end).tolist()
    return {
        "n_cells": len(cells), "n_genes": len(per_gene), "n_links": sum(per_gene), "n_without": per_gene.count(0),
        "links_per_gene": np.bincount(per_gene).tolist(), "distances": binned(distances), "truncated": truncated,
    }  # fmt: skip


@pytest.mark.parametrize(("threshold", "top_k"), CUTS)
@pytest.mark.parametrize("place", [(0, 0), (1, 1)])
def test_the_profile_of_a_type_is_that_of_its_links(
    service: Service, reader: StoreReader, threshold: float, top_k: int | None, place: tuple[int, int]
) -> None:
    asked = {"threshold": threshold, "layer": place[0], "head": place[1]} | ({"top_k": top_k} if top_k else {})
    body = service.json("/celltypes/CD4 naive/profile", **asked)
    LinkProfile.model_validate(body)
    wanted = recount(reader, reader.cells_of("CD4 naive"), Cut(threshold, top_k), place)
    assert body == body | wanted
    assert body["n_cells_measured"] == body["n_cells"]
    scores = service.json("/celltypes/CD4 naive/scores", **asked)
    assert body["n_links"] == sum(scores["links"])
    assert body["truncated"] == scores["truncated"]


@pytest.mark.parametrize(("threshold", "top_k"), CUTS)
def test_the_profile_of_a_cell_is_that_of_its_links(
    service: Service, reader: StoreReader, threshold: float, top_k: int | None
) -> None:
    name = str(reader.cells.index[3])
    body = service.json(f"/cells/{name}/profile", threshold=threshold, **({"top_k": top_k} if top_k else {}))
    assert body == body | recount(reader, [3], Cut(threshold, top_k), (0, 0))
    assert (body["cell_id"], body["cell_type"]) == (name, reader.cells["cell_type"].iloc[3])


@pytest.mark.parametrize("max_distance", [None, 40_000])
def test_possible_pairs_are_the_candidates(tmp_path: Path, max_distance: int | None) -> None:
    with StoreReader.open(tiny_store(tmp_path / "s.h5", n_cells=6, max_distance=max_distance)) as reader:
        body = Service(create_app(Settings(), reader)).json(f"/cells/{reader.cells.index[0]}/profile")
        graph, genes, peaks = reader.graph(0), reader.genes, reader.peaks
        gene, peak = np.meshgrid(graph.gene_index, graph.peak_index, indexing="ij")
        start, end = (peaks[name].to_numpy()[peak] for name in ("start", "end"))
        distance = np.abs(distance_to_tss(tss(genes)[gene], "+", start, end))
        possible = genes["chrom"].to_numpy()[gene] == peaks["chrom"].to_numpy()[peak]
        if max_distance is not None:
            possible &= distance <= max_distance
        assert body["distances_possible"] == binned(distance[possible])
        assert sum(body["distances_possible"]) > 0


def test_distances_of_a_large_type_are_those_of_a_sample(reader: StoreReader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bi2scope.server.profile.MEASURED", 3)
    name = reader.cell_types[0]
    catalogue, cells = Catalogue(reader), reader.cells_of(name)
    body = Service(create_app(Settings(), reader)).json(f"/celltypes/{name}/profile", threshold=0.8, top_k=4)
    sample = catalogue.profiles.sample(name)
    assert (sample[0], sample[-1], len(sample)) == (cells[0], cells[-1], 3)
    assert body["n_cells_measured"] == 3 < body["n_cells"]
    assert body["distances"] == recount(reader, sample, Cut(0.8, 4), (0, 0))["distances"]
    assert body["n_links"] == recount(reader, cells, Cut(0.8, 4), (0, 0))["n_links"]


def test_controls_are_counted_beside_the_model(tmp_path: Path) -> None:
    multiome = tiny_multiome(20)
    models = [RandomModel.of(multiome, np.random.default_rng(seed)) for seed in (0, 1)]
    control = write_store(tmp_path / "control.h5", multiome, models[1], tiny_attributes())
    with StoreWriter(tmp_path / "s.h5", multiome, tiny_attributes()) as writer:
        writer.write_embedding(Embedding(np.zeros((20, 2)), "none"))
        writer.write_control("random-weights", control)
        for cell in range(20):
            writer.write_cell(models[0].attend(multiome, cell_graph(multiome, cell, cell), 50))
    with StoreReader.open(tmp_path / "s.h5") as reader, StoreReader.open(control) as alone:
        service, own = (Service(create_app(Settings(), one)) for one in (reader, alone))
        asked = {"threshold": 0.8, "top_k": 5}
        type_, name = str(reader.cells["cell_type"].iloc[0]), str(reader.cells.index[0])
        model = service.json(f"/celltypes/{type_}/profile", **asked)
        there = own.json(f"/celltypes/{type_}/profile", **asked)
        wanted = [
            {
                "name": "random-weights", "n_links": there["n_links"], "n_links_of_model": model["n_links"],
                "share": there["n_links"] / model["n_links"],
            }
        ]  # fmt: skip
        assert model["controls"] == service.json(f"/cells/{name}/profile", **asked)["controls"] == wanted
        assert there["controls"] == []
        assert service.json(f"/celltypes/{type_}/profile", threshold=0.6125)["controls"] is None
        assert service.json(f"/celltypes/{type_}/profile", threshold=1)["controls"][0]["share"] is None


@given(st.lists(st.integers(0, 9)))
def test_rows_with_at_least_so_many(per_row: list[int]) -> None:
    wanted = [sum(links >= n for links in per_row) for n in range(1, max(per_row, default=0) + 1)]
    assert rows_with_at_least(np.array(per_row, dtype=np.int64)).tolist() == wanted


def test_what_is_not_there_is_refused(service: Service, reader: StoreReader) -> None:
    assert service.get("/celltypes/nobody/profile").status_code == 404
    assert service.get("/cells/nobody/profile").status_code == 404
    assert service.get(f"/cells/{reader.cells.index[0]}/profile", head=7).status_code == 404
    assert service.get(f"/cells/{reader.cells.index[0]}/profile", threshold=0.2).status_code == 422
