"""Filters, orders and heads of a cell's links, against a recount of the whole table."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from service import Service

from bi2scope.data.attention import Cut
from bi2scope.data.store.reader import StoreReader
from bi2scope.server.decoded import DecodedCells

Row = dict[str, Any]


def rows(service: Service, path: str, **asked: Any) -> list[Row]:
    links = service.json(path, **asked)["links"]
    return [dict(zip(links, values, strict=True)) for values in zip(*links.values(), strict=True)]


@pytest.fixture(scope="module")
def path(reader: StoreReader) -> str:
    return f"/cells/{reader.cells.index[3]}/links"


@pytest.mark.parametrize(
    ("asked", "keeps"),
    [
        ({"region": "chr2"}, lambda row: row["peak_chrom"] == "chr2"),
        (
            {"region": "2:20,000-300,000"},
            lambda row: row["peak_chrom"] == "chr2" and row["peak_start"] < 300_000 and row["peak_end"] > 20_000,
        ),
        ({"gene_region": "chr10"}, lambda row: row["gene_chrom"] == "chr10"),
        ({"gene_region": "chr1:41,500-41,600"}, lambda row: row["gene_id"] == "ENSG00001"),
        ({"gene_region": "chr2", "region": "chr1"}, lambda row: False),
        ({"chromosome": "chr1", "region": "chr1:1-400,000", "top_k": 2},
         lambda row: row["gene_chrom"] == "chr1" and row["peak_start"] < 400_000 and row["rank"] <= 2),
    ],
)  # fmt: skip
def test_places_keep_what_overlaps_them(
    service: Service, path: str, asked: dict[str, Any], keeps: Callable[[Row], bool]
) -> None:
    kept = [row for row in rows(service, path) if keeps(row)]
    assert rows(service, path, **asked) == kept
    body = service.json(path, **asked)
    assert (body["n_links"], body["n_genes_linked"]) == (len(kept), len({row["gene_id"] for row in kept}))


def test_links_to_a_peak_in_any_spelling(service: Service, path: str) -> None:
    whole = rows(service, path)
    peak = whole[-1]["peak"]
    kept = [row for row in whole if row["peak"] == peak]
    for spelling in (peak, peak.replace(":", "-"), peak.replace(":", "_").replace("-", "_"), peak.removeprefix("chr")):
        assert rows(service, path, peak=spelling) == kept
    assert service.error(path, peak="chr1:1-2")[0] == 404
    assert service.error(path, region="chr1:9-2")[:2] == (422, "RegionError")


@pytest.mark.parametrize("limit", [None, 7])
def test_orders(service: Service, path: str, limit: int | None) -> None:
    whole = rows(service, path)
    keys: dict[str, Callable[[Row], Any]] = {
        "gene": lambda row: 0,
        "score": lambda row: (-row["score"], -row["logit"]),
        "distance": lambda row: abs(row["distance_to_tss"]),
    }
    for order, key in keys.items():
        assert rows(service, path, order=order, limit=limit or "") == sorted(whole, key=key)[:limit]
    assert service.error(path, order="rank")[2] == "order is rank; it must be one of gene, score and distance."


@pytest.mark.parametrize("over", ["mean", "max"])
@pytest.mark.parametrize("cut", [{}, {"threshold": 0.8}, {"top_k": 2}, {"threshold": 0.7, "top_k": 4}])
def test_heads_taken_together(service: Service, path: str, over: str, cut: dict[str, float]) -> None:
    """A recount, pair by pair, from the links that the heads keep (eight a row)."""
    heads = [{(row["gene_id"], row["peak"]): row for row in rows(service, path, head=head)} for head in (0, 1)]
    pairs: dict[str, list[tuple[Any, ...]]] = {}
    for gene, peak in {**heads[0], **heads[1]}:
        found = [head.get((gene, peak), {"score": 0.5, "logit": 0.0, "weight": 0.0}) for head in heads]
        numbers = [[row[name] for row in found] for name in ("score", "logit", "weight")]
        score, logit, weight = ((max(each) if over == "max" else sum(each) / 2) for each in numbers)
        pairs.setdefault(gene, []).append((-score, -logit, peak, weight))
    wanted = []
    order = {row["peak"]: at for at, row in enumerate(service_peaks(service))}
    for gene in sorted(pairs):
        ranked = sorted(pairs[gene], key=lambda pair: (round(pair[0], 6), round(pair[1], 5), order[pair[2]]))
        for rank, (score, _, peak, weight) in enumerate(ranked, start=1):
            if -score > cut.get("threshold", 0.5) and rank <= cut.get("top_k", 1000):
                wanted.append((gene, peak, rank, -score, weight))
    found = rows(service, path, head=over, **cut)
    assert [(row["gene_id"], row["peak"], row["rank"]) for row in found] == [each[:3] for each in wanted]
    for place, name in ((3, "score"), (4, "weight")):
        assert [row[name] for row in found] == pytest.approx([each[place] for each in wanted], abs=1e-6)
    body = service.json(path, head=over, **cut)
    assert body["head"] == over
    assert body["truncated"] == (over == "mean" or not cut.get("top_k"))
    assert ("head mean: " in service.get(f"{path}.csv", head=over).text) == (over == "mean")


def service_peaks(service: Service) -> list[Row]:
    peaks = service.json("/peaks", limit=300)["peaks"]
    return [dict(zip(peaks, values, strict=True)) for values in zip(*peaks.values(), strict=True)]


def test_heads_that_there_are_not(service: Service, path: str) -> None:
    assert service.error(path, head=2)[:2] == (404, "NotFoundError")
    assert service.error(path, head="median")[2].startswith("head is median; it must be a whole number from 0 up")


def test_a_cell_is_read_once_while_a_slider_moves(reader: StoreReader, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[tuple[int, Cut]] = []
    original = StoreReader.attention_for

    def counted(self: StoreReader, cell: int, cut: Cut, layer: int = 0, head: int = 0) -> Any:
        read.append((cell, cut))
        return original(self, cell, cut, layer, head)

    monkeypatch.setattr(StoreReader, "attention_for", counted)
    cells = DecodedCells(reader)
    cuts = [Cut(0.5, 5), Cut(0.9, 5), Cut(0.5, 3), Cut(1, 1), Cut(0.5, 8), Cut(0.6, 6), Cut(), Cut(0.5, 30), Cut(0.7)]
    for cut in cuts:
        found = cells.attention_for(4, cut, 1, 1).links(cut)
        wanted = reader.attention(4, 1, 1).links(cut)
        assert found.truncated == wanted.truncated
        for name in ("gene", "peak", "logit", "score", "rank", "weight"):
            assert getattr(found, name).tolist() == getattr(wanted, name).tolist()
    assert [cut.top_k for _, cut in read] == [5, 8, None]
    assert cells.graph(4) is cells.graph(4)


def test_the_cells_that_are_kept_are_bounded(reader: StoreReader) -> None:
    one = DecodedCells(reader)
    one.attention_for(0, Cut())
    cells = DecodedCells(reader, most_bytes=5 * one.n_bytes)
    for cell in range(40):
        cells.attention_for(cell % 13, Cut(0.5, 1 + cell % 7))
        cells.graph(cell)
        assert cells.n_bytes <= 5 * one.n_bytes
    nothing = DecodedCells(reader, most_bytes=0)
    assert len(nothing.attention_for(3, Cut()).peak) == len(reader.attention(3).peak)
    assert nothing.n_bytes == 0
