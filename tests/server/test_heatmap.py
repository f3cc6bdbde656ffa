from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from service import Service

from bi2scope.data.attention import Cut
from bi2scope.data.store.reader import StoreReader
from bi2scope.server.catalogue import Catalogue
from bi2scope.server.heatmap import Axis, best_per_bin, heatmap
from bi2scope.server.params import HeatmapQuery
from bi2scope.server.tabular import TableBody
from bi2scope.server.wire import Heatmap


def naive_bins(reader: StoreReader, cell: int, body: Heatmap) -> dict[tuple[int, int], dict[str, Any]]:
    """Number of links and the best link of each bin, one link at a time."""
    graph = reader.graph(cell)
    own_gene = {gene: at for at, gene in enumerate(graph.gene_index.tolist())}
    own_peak = {peak: at for at, peak in enumerate(graph.peak_index.tolist())}
    links = reader.attention(cell, body.layer, body.head).links(Cut(body.threshold, body.top_k))
    bins: dict[tuple[int, int], dict[str, Any]] = {}
    for at in range(len(links)):
        gene, peak = own_gene[int(links.gene[at])], own_peak[int(links.peak[at])]
        if not (body.gene_start <= gene < body.gene_stop and body.peak_start <= peak < body.peak_stop):
            continue
        place = ((gene - body.gene_start) // body.gene_step, (peak - body.peak_start) // body.peak_step)
        found = bins.setdefault(place, {"n_links": 0, "logit": -np.inf})
        found["n_links"] += 1
        if links.logit[at] > found["logit"]:
            found.update(gene=gene, peak=peak, logit=links.logit[at], score=links.score[at])
            found.update(rank=int(links.rank[at]), weight=links.weight[at])
    return bins


def assert_bins(reader: StoreReader, cell: int, body: Heatmap) -> None:
    wanted = naive_bins(reader, cell, body)
    places = list(zip(body.bins.row, body.bins.column, strict=True))
    assert places == sorted(wanted)
    for at, place in enumerate(places):
        for name in ("n_links", "gene", "peak", "rank"):
            assert getattr(body.bins, name)[at] == wanted[place][name], name
        for name in ("logit", "score", "weight"):
            assert np.float32(getattr(body.bins, name)[at]) == wanted[place][name], name
    assert body.n_links == sum(found["n_links"] for found in wanted.values())


@settings(max_examples=80)
@given(data=st.data())
def test_bins_agree_with_a_recount(catalogue: Catalogue, data: st.DataObject) -> None:
    cell = data.draw(st.integers(0, 59))
    graph = catalogue.reader.graph(cell)
    n_genes, n_peaks = len(graph.gene_index), len(graph.peak_index)
    gene_start, peak_start = data.draw(st.integers(0, n_genes - 1)), data.draw(st.integers(0, n_peaks - 1))
    query = HeatmapQuery(
        threshold=data.draw(st.sampled_from([0.5, 0.8, 0.95])),
        top_k=data.draw(st.sampled_from([None, 1, 4])),
        layer=data.draw(st.integers(0, 1)),
        width=data.draw(st.integers(1, 120)),
        height=data.draw(st.integers(1, 50)),
        gene_start=gene_start,
        gene_stop=data.draw(st.none() | st.integers(gene_start + 1, n_genes + 5)),
        peak_start=peak_start,
        peak_stop=data.draw(st.none() | st.integers(peak_start + 1, n_peaks + 5)),
    )
    raw = heatmap(catalogue, str(catalogue.reader.cells.index[cell]), query).body()
    assert isinstance(raw, TableBody)
    body = Heatmap.model_validate_json(raw.json(None))
    assert_bins(catalogue.reader, cell, body)
    assert (body.gene_start, body.gene_stop) == (gene_start, min(query.gene_stop or n_genes, n_genes))
    assert (body.peak_start, body.peak_stop) == (peak_start, min(query.peak_stop or n_peaks, n_peaks))
    assert -(-(body.gene_stop - body.gene_start) // body.gene_step) <= query.height
    assert -(-(body.peak_stop - body.peak_start) // body.peak_step) <= query.width
    assert body.gene_step == 1 or body.gene_stop - body.gene_start > query.height
    assert body.peak_step == 1 or body.peak_stop - body.peak_start > query.width
    assert len(body.gene_names) == body.gene_stop - body.gene_start
    assert len(body.peak_names) == body.peak_stop - body.peak_start


def test_a_map_that_fits_is_exact_and_names_what_it_shows(service: Service, reader: StoreReader) -> None:
    cell = 9
    body = Heatmap.model_validate(service.json(f"/cells/{reader.cells.index[cell]}/heatmap"))
    links = service.json(f"/cells/{reader.cells.index[cell]}/links")["links"]
    assert (body.gene_step, body.peak_step) == (1, 1)
    assert set(body.bins.n_links) == {1}
    shown = {
        (body.gene_names[row], body.peak_names[column]): (rank, logit, score, weight, distance)
        for row, column, rank, logit, score, weight, distance in zip(
            body.bins.row, body.bins.column, body.bins.rank, body.bins.logit, body.bins.score, body.bins.weight,
            body.bins.distance_to_tss, strict=True,
        )
    }  # fmt: skip
    wanted = {
        (gene, peak): rest
        for gene, peak, *rest in zip(
            links["gene_name"], links["peak"], links["rank"], links["logit"], links["score"], links["weight"],
            links["distance_to_tss"], strict=True,
        )
    }  # fmt: skip
    assert {place: list(values) for place, values in shown.items()} == wanted
    graph = reader.graph(cell)
    assert body.gene_names == reader.genes["name"].iloc[graph.gene_index].tolist()
    assert body.peak_names == reader.peaks.index[graph.peak_index].tolist()


def test_two_cells_beside_each_other_share_their_axes(service: Service, reader: StoreReader) -> None:
    one, other = (str(reader.cells.index[at]) for at in (9, 31))
    graphs = [reader.graph(at) for at in (9, 31)]
    genes, peaks = (
        sorted(set(a) | set(b)) for a, b in zip(*[(g.gene_index, g.peak_index) for g in graphs], strict=True)
    )
    bodies = [
        Heatmap.model_validate(service.json(f"/cells/{cell}/heatmap", beside=beside, width=4_000, height=4_000))
        for cell, beside in ((one, other), (other, one))
    ]
    for cell, body in zip((one, other), bodies, strict=True):
        assert body.gene_names == reader.genes["name"].iloc[genes].tolist()
        assert body.peak_names == reader.peaks.index[peaks].tolist()
        assert (body.n_genes, body.n_peaks) == (len(genes), len(peaks))
        links, bins = service.json(f"/cells/{cell}/links")["links"], body.bins
        shown = {
            (body.gene_names[gene], body.peak_names[peak]): logit
            for gene, peak, logit in zip(bins.gene, bins.peak, bins.logit, strict=True)
        }
        assert shown == {
            (gene, peak): logit
            for gene, peak, logit in zip(links["gene_name"], links["peak"], links["logit"], strict=True)
        }
    assert bodies[0].chromosomes == bodies[1].chromosomes


def test_a_window_beside_another_cell_keeps_to_its_genes(service: Service, reader: StoreReader) -> None:
    one, other = (str(reader.cells.index[at]) for at in (9, 31))
    whole = service.json(f"/cells/{one}/heatmap", beside=other, width=4_000, height=4_000)
    asked = {"gene_start": 3, "gene_stop": 9, "peak_start": 5, "peak_stop": 40}
    part = service.json(f"/cells/{one}/heatmap", beside=other, width=4_000, height=4_000, **asked)
    wanted = [
        (gene, peak)
        for gene, peak in zip(whole["bins"]["gene"], whole["bins"]["peak"], strict=True)
        if 3 <= gene < 9 and 5 <= peak < 40
    ]
    assert list(zip(part["bins"]["gene"], part["bins"]["peak"], strict=True)) == wanted
    assert service.error(f"/cells/{one}/heatmap", beside="nobody")[:2] == (404, "NotFoundError")


def test_chromosomes_are_those_of_the_whole_cell(service: Service, reader: StoreReader) -> None:
    cell = 9
    graph = reader.graph(cell)
    body = Heatmap.model_validate(
        service.json(f"/cells/{reader.cells.index[cell]}/heatmap", gene_start=5, gene_stop=7, peak_start=3, peak_stop=8)
    )
    gene_chrom = reader.genes["chrom"].to_numpy()[graph.gene_index]
    peak_chrom = reader.peaks["chrom"].to_numpy()[graph.peak_index]
    assert [span.name for span in body.chromosomes] == ["chr1", "chr2", "chr10", "chrX"]
    for span in body.chromosomes:
        assert np.flatnonzero(gene_chrom == span.name).tolist() == list(range(span.gene_start, span.gene_stop))
        assert np.flatnonzero(peak_chrom == span.name).tolist() == list(range(span.peak_start, span.peak_stop))
    assert (body.n_genes, body.n_peaks) == (len(graph.gene_index), len(graph.peak_index))


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"gene_start": 5, "gene_stop": 5}, "gene_stop is 5; it must be above gene_start, 5."),
        ({"peak_start": 9, "peak_stop": 2}, "peak_stop is 2; it must be above peak_start, 9."),
        ({"gene_start": 100_000}, "gene_start is 100000; this cell has"),
        ({"peak_start": 10**9}, "peak_start is 1000000000; this cell has"),
    ],
)
def test_a_window_outside_the_cell_is_refused(
    service: Service, reader: StoreReader, asked: dict[str, int], said: str
) -> None:
    status, kind, message, _ = service.error(f"/cells/{reader.cells.index[0]}/heatmap", **asked)
    assert (status, kind) == (422, "ConfigurationError")
    assert message.startswith(said)


def test_truncated_speaks_of_the_genes_in_the_window(service: Service, reader: StoreReader) -> None:
    attention = reader.attention(2)
    cut_short = attention.n_above > np.diff(attention.row_start)
    for row in (int(np.flatnonzero(cut_short)[0]), int(np.flatnonzero(~cut_short)[0])):
        path = f"/cells/{reader.cells.index[2]}/heatmap"
        assert service.json(path, gene_start=row, gene_stop=row + 1)["truncated"] == bool(cut_short[row])


def test_the_first_of_equal_logits_stands_for_its_bin() -> None:
    bins, best, count = best_per_bin(np.array([4, 0, 4, 4, 0]), np.array([1.0, 2.0, 3.0, 3.0, 2.0]))
    assert (bins.tolist(), best.tolist(), count.tolist()) == ([0, 4], [1, 2], [2, 3])


def test_no_links_make_no_bins() -> None:
    bins, best, count = best_per_bin(np.array([], dtype=np.int64), np.array([]))
    assert (len(bins), len(best), len(count)) == (0, 0, 0)


@given(start=st.integers(0, 50), length=st.integers(0, 400), most=st.integers(1, 90))
def test_an_axis_takes_the_finest_bins_that_fit(start: int, length: int, most: int) -> None:
    axis = Axis.fit(start, start + length, most)
    assert axis.n_bins <= most
    assert axis.step == 1 or -(-length // (axis.step - 1)) > most
    assert axis.bins(np.arange(start, start + length)).tolist() == [at // axis.step for at in range(length)]


def test_bin_numbers_do_not_overflow_32_bits() -> None:
    axis = Axis.fit(0, 2**31 - 1, 4000)
    assert axis.bins(np.array([2**31 - 2], dtype=np.int32)).tolist() == [(2**31 - 2) // axis.step]
    assert axis.bins(np.array([0], dtype=np.int32)).dtype == np.int64
