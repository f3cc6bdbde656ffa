from __future__ import annotations

import io
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from service import Service

from bi2scope.data.attention import Cut
from bi2scope.data.store.reader import StoreReader
from bi2scope.server.region import Places
from bi2scope.server.wire_genes import Region, RegionLinks, RegionPairs

TYPE = "CD4 naive"


def window(reader: StoreReader) -> tuple[str, int, int]:
    """A place that holds some of the first chromosome's peaks."""
    peaks = reader.peaks[reader.peaks["chrom"] == reader.peaks["chrom"].iloc[0]]
    return str(peaks["chrom"].iloc[0]), int(peaks["start"].iloc[3]), int(peaks["end"].iloc[len(peaks) // 2])


def test_a_region_holds_what_overlaps_it(service: Service, reader: StoreReader) -> None:
    chrom, start, end = window(reader)
    cell, asked = str(reader.cells.index[0]), {"threshold": 0.6, "top_k": 5}
    body = Region.model_validate(
        service.json("/region", region=f"{chrom}:{start}-{end}", cell_type=[TYPE, "B cell"], cell=cell, **asked)
    )
    for table, found in ((reader.genes, body.genes.gene_start), (reader.peaks, body.places.start)):
        there = table[(table["chrom"] == chrom) & (table["end"] > start) & (table["start"] < end)]
        assert found == there["start"].tolist()
    assert body.bin is None
    assert body.places.n_peaks == [1] * body.n_peaks
    served = service.json(f"/celltypes/{TYPE}/scores", **asked)
    csv = pd.read_csv(
        io.StringIO(service.get(f"/celltypes/{TYPE}/scores.csv", **asked).text),
        comment="#",
        float_precision="round_trip",
    )
    inside = [i for i, name in enumerate(served["peak"]) if served["chrom"][i] == chrom
              and served["end"][i] > start and served["start"][i] < end]  # fmt: skip
    kind = body.cell_types[0]
    for name in ("n_open", "links", "score", "weight"):
        assert getattr(kind, name) == [served[name][i] for i in inside]
    assert np.array(kind.lift, dtype=float) == pytest.approx(csv["lift"].to_numpy()[inside], nan_ok=True)
    assert body.cell is not None
    graph = reader.graph(0)
    counts = dict(zip(graph.peak_index.tolist(), graph.peak_count.tolist(), strict=True))
    assert body.cell.count == [counts.get(i, 0) for i in inside]


def test_a_chromosome_is_put_into_bins_of_which_the_highest_counts(service: Service, reader: StoreReader) -> None:
    chrom, _, _ = window(reader)
    exact = Region.model_validate(service.json("/region", region=chrom, cell_type=TYPE))
    body = Region.model_validate(service.json("/region", region=chrom, cell_type=TYPE, bins=4))
    assert body.bin is not None
    assert len(body.places.start) <= 4
    assert sum(body.places.n_peaks) == body.n_peaks == exact.n_peaks
    assert max(body.cell_types[0].score) == max(exact.cell_types[0].score)
    assert (body.start, body.end) == (0, body.chrom_end)


@given(
    st.lists(st.tuples(st.integers(0, 900), st.integers(1, 300)), max_size=40), st.integers(1, 12), st.integers(0, 500)
)
def test_places_keep_every_interval_and_the_highest_value(
    given: list[tuple[int, int]], most: int, window_start: int
) -> None:
    start = np.array(sorted(start for start, _ in given), dtype=np.int64)
    end = start + np.array([length for _, length in given], dtype=np.int64)
    places = Places.of(start, end, (window_start, window_start + 700), most)
    values = np.arange(len(start), dtype=float)
    assert len(places.start) <= max(most, 0)
    assert places.n_each.sum() == len(start)
    at = 0
    for place, (n, high) in enumerate(zip(places.n_each, places.highest(values), strict=True)):
        own = slice(at, at + n)
        assert (places.start[place], places.end[place], high) == (start[own].min(), end[own].max(), values[own].max())
        at += n


def test_tracks_show_their_intervals(service: Service, reader: StoreReader) -> None:
    chrom, start, end = window(reader)
    bed = f"{chrom}\t{start}\t{start + 50}\ta\t7\n{chrom}\t{end + 10}\t{end + 20}\tb\t9\nchrX\t1\t2\tc\t1\n"
    track = service.ask("POST", "/api/v1/tracks", files={"file": ("here.bed", bed.encode())}).json()["track_id"]
    body = Region.model_validate(service.json("/region", region=f"{chrom}:{start}-{end}", track=track))
    service.ask("DELETE", f"/api/v1/tracks/{track}")
    assert [(one.name, one.n_intervals, one.start, one.score) for one in body.tracks] == [("here.bed", 1, [start], [7])]


def test_pairs_around_a_region_are_those_of_the_map(service: Service, reader: StoreReader) -> None:
    chrom, start, end = window(reader)
    place = f"{chrom}:{start}-{end}"
    whole = service.json(f"/celltypes/{TYPE}/map", region=chrom)["pairs"]
    wanted = {}
    for i in range(len(whole["peak"])):
        ends = start <= whole["gene_tss"][i] < end, whole["peak_end"][i] > start and whole["peak_start"][i] < end
        if any(ends):
            wanted[whole["gene_id"][i], whole["peak"][i]] = whole["n_cells"][i], all(ends)
    body = RegionPairs.model_validate(service.json(f"/celltypes/{TYPE}/strongest", region=place, limit=100_000))
    found = dict(zip(zip(body.pairs.gene_id, body.pairs.peak, strict=True), body.pairs.n_cells, strict=True))
    assert found == {pair: n for pair, (n, _) in wanted.items()}
    assert (body.n_pairs, body.n_inside) == (len(wanted), sum(both for _, both in wanted.values()))
    assert body.pairs.n_cells == sorted(body.pairs.n_cells, reverse=True)
    first = service.json(f"/celltypes/{TYPE}/strongest", region=place, limit=3)
    assert first["limited"]
    assert first["pairs"]["peak"] == body.pairs.peak[:3]
    table = pd.read_csv(
        io.StringIO(service.get(f"/celltypes/{TYPE}/strongest.csv", region=place, limit=3).text),
        comment="#",
        float_precision="round_trip",
    )
    assert {name: table[name].tolist() for name in first["pairs"]} == first["pairs"]


def test_links_around_a_region_are_those_of_the_cell(service: Service, reader: StoreReader) -> None:
    chrom, start, end = window(reader)
    cell, asked = str(reader.cells.index[2]), {"region": f"{chrom}:{start}-{end}", "threshold": 0.6, "top_k": 4}
    body = RegionLinks.model_validate(service.json(f"/cells/{cell}/strongest", **asked))
    links = reader.attention(2).links(Cut(0.6, 4))
    tss, peaks = {name: at for at, name in enumerate(reader.genes.index)}, reader.peaks
    near = [
        i for i in range(len(links))
        if peaks["chrom"].iloc[links.peak[i]] == chrom and (
            (peaks["end"].iloc[links.peak[i]] > start and peaks["start"].iloc[links.peak[i]] < end)
            or start <= service_tss(service, str(reader.genes.index[links.gene[i]])) < end
        )
    ]  # fmt: skip
    assert body.n_links == len(near) > 0
    assert body.links.logit == pytest.approx(sorted(links.logit[near].tolist(), reverse=True))
    assert set(body.links.gene_id) <= set(tss)
    lines = service.get(f"/cells/{cell}/strongest.bedpe", **asked).text.splitlines()
    assert len([line for line in lines if not line.startswith("#")]) == len(near)


def service_tss(service: Service, gene: str) -> int:
    return int(service.json("/genes", query=gene, limit=1)["genes"]["gene_tss"][0])


@pytest.mark.parametrize(
    ("path", "asked", "status"),
    [
        ("/region", {}, 422),
        ("/region", {"region": "chr99:1-2"}, 404),
        ("/region", {"region": "chr1:5-2"}, 422),
        ("/region", {"region": "chr1", "cell_type": "nobody"}, 404),
        ("/region", {"region": "chr1", "track": "0" * 16}, 404),
        ("/region", {"region": "chr1", "bins": 0}, 422),
        (f"/celltypes/{TYPE}/strongest", {"region": "chr99"}, 404),
        (f"/celltypes/{TYPE}/strongest", {"region": "chr1", "threshold": 0.9}, 422),
        ("/cells/nobody/strongest", {"region": "chr1"}, 404),
    ],
)
def test_what_cannot_be_answered_is_said(service: Service, path: str, asked: dict[str, Any], status: int) -> None:
    assert service.error(path, **asked)[0] == status
