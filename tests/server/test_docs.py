"""The page on the API: every line on it runs, and every address, parameter and column is on it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from service import Service
from stores import tiny_store

from bi2scope.data.store.reader import StoreReader
from bi2scope.server import wire, wire_cells, wire_differences, wire_genes, wire_maps, wire_profile, wire_tf
from bi2scope.server.app import create_app
from bi2scope.server.params import WANTED
from bi2scope.server.settings import Settings

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text()
LINES = re.findall(r"^    (curl .*)$", PAGE, flags=re.MULTILINE)
HOST = "http://127.0.0.1:8050"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A store with factors, as the demo's has."""
    with StoreReader.open(tiny_store(tmp_path_factory.mktemp("store") / "s.h5", n_cells=12, factors=True)) as reader:
        yield Service(create_app(Settings(), reader))


@pytest.fixture(scope="module")
def pair(service: Service) -> tuple[str, str, str]:
    """A cell, and a gene and a peak of it on one chromosome."""
    cell = service.json("/cells", limit=1)["cells"][0]["cell_id"]
    links = service.json(f"/cells/{cell}/links")["links"]
    return cell, links["gene_name"][0], links["peak"][0]


def address(line: str) -> str:
    return next(word for word in shlex.split(line) if word.startswith(HOST)).removeprefix(HOST)


@pytest.mark.parametrize("line", LINES)
def test_every_line_runs(service: Service, pair: tuple[str, str, str], line: str) -> None:
    path = (
        address(line)
        .replace("GAGAGAAAACCT", pair[0])
        .replace("CCTGTTTGCTTG", pair[0])
        .replace("K562", "B cell")
        .replace("GM12878", "CD4 naive")
        .replace("/STORE/", "/tiny/")
    )
    path = path.replace("GAPDH", pair[1]).replace("PEAK", pair[2])
    if "TRACK" in path or "/tracks/" in path:
        kept = service.ask("POST", "/api/v1/tracks", files={"file": ("held.bed", b"chr1\t0\t99999\n")})
        path = path.replace("TRACK", kept.json()["track_id"])
    method = "DELETE" if "-X DELETE" in line else "GET"
    form: dict[str, Any] = (
        {"files": {"file": ("peaks.bed", b"chr1\t0\t99999\n")}} if "-F file=@peaks.bed" in line else {}
    )
    if "-d @chosen.json" in line:
        form = {"json": {"cells": [cell["cell_id"] for cell in service.json("/cells", limit=4)["cells"]]}}
    answer = service.ask("POST" if form else method, path, **form)
    assert answer.status_code == 200, answer.text


def test_every_address_has_a_line(service: Service) -> None:
    paths = [path.removeprefix("/api/v1/stores/{store}") for path in service.json("/openapi.json")["paths"]]
    patterns = {re.sub(r"\{\w+\}", "[^/?]+", path if path.startswith("/api") else "/api/v1" + path) for path in paths}
    assert len(patterns) >= 10
    assert any("/api/v1/stores/STORE/" in line for line in LINES)
    for pattern in patterns:
        assert any(re.fullmatch(pattern, address(line).split("?")[0]) for line in LINES), pattern


def test_every_parameter_and_column_is_named() -> None:
    named = set(re.findall(r"\b\w+\b", PAGE))
    models = (
        wire.LinkColumns,
        wire.HeatmapBins,
        wire_tf.TrackColumns,
        wire.CellSummary,
        wire.Embedding,
        wire.ErrorDetail,
        wire_genes.GeneColumns,
        wire_genes.PeakColumns,
        wire_genes.MapColumns,
        wire_maps.TypeHeatmapBins,
        wire_genes.RegulatoryMap,
        wire_genes.AcrossColumns,
        wire_genes.GeneLinks,
        wire_genes.PeakLinks,
        wire_genes.Why,
        wire_genes.GenePeakColumns,
        wire_genes.GenePeaks,
        wire_genes.RegionPairs,
        wire_genes.RegionLinks,
        wire_genes.PlaceColumns,
        wire_genes.RegionScores,
        wire_genes.RegionCounts,
        wire_genes.RegionTrack,
        wire_genes.RivalColumns,
        wire_cells.Neighbours,
        wire_cells.NeighbourColumns,
        wire_differences.PeakDifference,
        wire_differences.PeakDifferenceColumns,
        wire_profile.ControlLinks,
    )
    wanted = {name for model in models for name in model.model_fields} | set(WANTED)
    assert not wanted - named
