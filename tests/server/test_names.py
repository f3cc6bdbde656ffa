from __future__ import annotations

import pytest
from service import Service

from bi2scope.data.store.reader import StoreReader
from bi2scope.server.wire_genes import GeneNames, PeakNames


def genes_of(service: Service, query: str, limit: int = 1_000) -> list[str]:
    names: list[str] = service.json("/genes", query=query, limit=limit)["genes"]["gene_name"]
    return names


def test_genes_by_symbol_exact_first_then_in_natural_order(service: Service) -> None:
    body = service.json("/genes", query=" gene7 ", limit=50)
    assert GeneNames.model_validate(body).genes.gene_name == ["GENE7", *(f"GENE7{i}" for i in range(10))]
    assert (body["n_found"], body["limited"]) == (11, False)
    assert genes_of(service, "GENE")[:12] == [f"GENE{i}" for i in range(12)]


def test_genes_by_id_and_what_is_both(service: Service, strange: Service) -> None:
    assert genes_of(service, "ensg0007") == [f"GENE{i}" for i in range(70, 80)]
    found = strange.json("/genes", query="ENSG00010")["genes"]  # the id of one gene, the symbol of another
    assert set(zip(found["gene_id"], found["gene_name"], strict=True)) == {
        ("ENSG00010", "GENE10"), ("ENSG00006", "ENSG00010"),
    }  # fmt: skip
    assert strange.json("/genes", query="hla")["n_found"] == 2


def test_a_limit_says_that_there_is_more(service: Service, reader: StoreReader) -> None:
    body = service.json("/genes", query="GENE", limit=3)
    assert (len(body["genes"]["gene_id"]), body["n_found"], body["limited"]) == (3, 80, True)
    assert service.json("/genes")["genes"]["gene_id"] == list(reader.genes.index[:20])
    assert service.json("/peaks", limit=0)["n_found"] == 300
    assert service.json("/genes", query="zzz")["n_found"] == 0


@pytest.mark.parametrize(
    "place", ["chr2:20,000-90,000", "2:20000-90000", "chr2:41,000-41,001", "CHRX:0-1000", "chr2:0-1"]
)
def test_what_overlaps_a_place(service: Service, reader: StoreReader, place: str) -> None:
    chrom, _, bounds = place.replace(",", "").partition(":")
    start, end = map(int, bounds.split("-"))
    wanted = {"2": "chr2", "CHRX": "chrX"}.get(chrom, chrom)
    for kind, column, table in (("genes", "gene_id", reader.genes), ("peaks", "peak", reader.peaks)):
        there = (table["chrom"] == wanted) & (table["start"] < end) & (table["end"] > start)
        assert service.json(f"/{kind}", query=place, limit=1_000)[kind][column] == list(table.index[there])


def test_peaks_by_the_beginning_of_their_name(service: Service, reader: StoreReader) -> None:
    name = str(reader.peaks.index[3])
    for spelling in (name, name.upper(), name.replace(":", "-"), name.replace(":", "_").replace("-", "_")):
        body = service.json("/peaks", query=spelling)
        assert PeakNames.model_validate(body).peaks.peak == [name]
    for begun in ("chr1:3", "chr1:31,0", "chr1:31,000-", "chr1:31,000-3"):
        wanted = [each for each in reader.peaks.index if each.startswith(begun.replace(",", ""))]
        assert wanted
        assert service.json("/peaks", query=begun, limit=1_000)["peaks"]["peak"] == wanted
    assert service.json("/peaks", query="chr1", limit=1_000)["n_found"] == 150  # those of chr10 begin so too


def test_places_that_cannot_be(service: Service) -> None:
    status, kind, message, _ = service.error("/genes", query="chr1:2,000-1,000")
    assert (status, kind) == (422, "RegionError")
    assert message == "'chr1:2,000-1,000' is not a place; wanted one such as chr1:1,000-2,000, its start below its end."
    assert service.error("/peaks", query="chr1:20-10000000000000")[0] == 422
    assert service.error("/peaks", query="chr11:5-10")[::3] == (404, "Nearest: chr1, chr10, chrX.")
    assert service.error("/genes", query="x" * 201)[2].startswith("query is xxx")
    assert service.error("/genes", prefix="x")[0] == 422
