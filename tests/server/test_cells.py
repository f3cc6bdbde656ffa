from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from service import Service, segment

from bi2scope.data.attention import CellAttention, Cut
from bi2scope.data.store.reader import StoreReader
from bi2scope.server.cells import take_rows
from bi2scope.server.wire import CellPage, DatasetInfo, Embedding, LinkTable


def naive_links(
    reader: StoreReader, cell: int, threshold: float, top_k: int | None, layer: int, head: int
) -> list[Any]:
    """Every column of every surviving link, one link at a time."""
    attention, graph = reader.attention(cell, layer, head), reader.graph(cell)
    gene_count = dict(zip(graph.gene_index.tolist(), graph.gene_count.tolist(), strict=True))
    peak_count = dict(zip(graph.peak_index.tolist(), graph.peak_count.tolist(), strict=True))
    rows = []
    for i, gene in enumerate(attention.gene.tolist()):
        first, stop = attention.row_start[i], attention.row_start[i + 1]
        for rank, at in enumerate(range(first, stop), start=1):
            score = 1 / (1 + math.exp(-float(attention.logit[at])))
            if score <= threshold or (top_k is not None and rank > top_k):
                continue
            g, p = reader.genes.iloc[gene], reader.peaks.iloc[peak := int(attention.peak[at])]
            tss = int(g["start"]) if g["strand"] != "-" else int(g["end"]) - 1
            offset = (int(p["start"]) + int(p["end"])) // 2 - tss
            weight = math.exp(score) / float(attention.denominator[i]) if rank <= 10 else 0.0
            rows.append(
                {
                    "gene_id": g.name, "gene_name": g["name"], "gene_chrom": g["chrom"], "gene_tss": tss,
                    "gene_strand": g["strand"], "peak": p.name, "peak_chrom": p["chrom"], "peak_start": p["start"],
                    "peak_end": p["end"], "distance_to_tss": -offset if g["strand"] == "-" else offset,
                    "logit": float(attention.logit[at]), "score": score, "rank": rank, "weight": weight,
                    "gene_count": gene_count[gene], "peak_count": peak_count[peak],
                }
            )  # fmt: skip
    return rows


def assert_same_rows(columns: dict[str, list[Any]], rows: list[dict[str, Any]]) -> None:
    for name, column in columns.items():
        wanted = [row[name] for row in rows]
        if name in {"logit", "score", "weight"}:
            np.testing.assert_allclose(column, wanted, rtol=1e-5)
        else:
            assert column == wanted, name


@pytest.mark.parametrize(("threshold", "top_k"), [(0.5, None), (0.5, 3), (0.9, None), (0.95, 2), (1, 1)])
@pytest.mark.parametrize(("cell", "layer", "head"), [(0, 0, 0), (7, 1, 0), (31, 0, 1)])
def test_links_agree_with_a_recount(
    service: Service, reader: StoreReader, cell: int, layer: int, head: int, threshold: float, top_k: int | None
) -> None:
    name = str(reader.cells.index[cell])
    asked = {"threshold": threshold, "layer": layer, "head": head} | ({"top_k": top_k} if top_k else {})
    body = service.json(f"/cells/{name}/links", **asked)
    rows = naive_links(reader, cell, threshold, top_k, layer, head)
    table = LinkTable.model_validate(body)
    assert_same_rows(body["links"], rows)
    assert table.n_links == len(rows)
    assert table.n_genes_linked == len({row["gene_id"] for row in rows})
    assert table.n_genes == reader.cells["n_genes"].iloc[cell]
    assert (table.cell_id, table.cell_type) == (name, reader.cells["cell_type"].iloc[cell])
    assert (table.threshold, table.top_k, table.layer, table.head) == (threshold, top_k, layer, head)
    assert table.truncated == reader.attention(cell, layer, head).links(Cut(threshold, top_k)).truncated
    assert not table.limited


def test_the_stores_of_these_tests_hold_what_the_tests_need(reader: StoreReader) -> None:
    found = [reader.attention(cell).links(Cut()) for cell in range(5)]
    assert all(len(links) > 20 for links in found)
    assert any(links.truncated for links in found)
    assert any((links.score == 1).any() for links in found) or any((links.score > 0.99).any() for links in found)


@pytest.mark.parametrize("limit", [0, 1, 17, 5000])
def test_a_limit_cuts_the_rows_but_not_the_counts(service: Service, reader: StoreReader, limit: int) -> None:
    path = f"/cells/{reader.cells.index[2]}/links"
    whole, part = service.json(path), service.json(path, limit=limit)
    assert part["links"] == {name: column[:limit] for name, column in whole["links"].items()}
    assert part["limited"] == (limit < whole["n_links"])
    assert (part["n_links"], part["n_genes_linked"]) == (whole["n_links"], whole["n_genes_linked"])


@pytest.mark.parametrize("spelling", ["chr10", "CHR10", "10"])
def test_links_of_a_chromosome(service: Service, reader: StoreReader, spelling: str) -> None:
    path = f"/cells/{reader.cells.index[2]}/links"
    whole, part = service.json(path), service.json(path, chromosome=spelling)
    kept = [at for at, chrom in enumerate(whole["links"]["gene_chrom"]) if chrom == "chr10"]
    assert kept
    assert part["links"] == {name: [column[at] for at in kept] for name, column in whole["links"].items()}
    assert part["chromosome"] == "chr10"
    on_it = reader.genes["chrom"].to_numpy()[reader.graph(2).gene_index] == "chr10"
    assert part["n_genes"] == int(on_it.sum())


@pytest.mark.parametrize("spell", [str.lower, str.upper, lambda name: f" {name} "])
@pytest.mark.parametrize("by", ["gene_id", "gene_name"])
def test_links_of_a_gene_by_id_or_symbol(service: Service, reader: StoreReader, by: str, spell: Any) -> None:
    path = f"/cells/{reader.cells.index[2]}/links"
    whole = service.json(path)
    gene = whole["links"][by][-1]
    part = service.json(path, gene=spell(gene))
    kept = [at for at, name in enumerate(whole["links"][by]) if name == gene]
    assert part["links"] == {name: [column[at] for at in kept] for name, column in whole["links"].items()}
    assert part["n_genes"] == part["n_genes_linked"] == 1
    assert part["gene"] == whole["links"]["gene_name"][-1]


def test_a_gene_that_the_cell_does_not_express_has_no_links(service: Service, reader: StoreReader) -> None:
    absent = min(set(range(len(reader.genes))) - set(reader.graph(2).gene_index.tolist()))
    body = service.json(f"/cells/{reader.cells.index[2]}/links", gene=reader.genes["name"].iloc[absent])
    assert (body["n_links"], body["n_genes"], body["n_genes_linked"], body["truncated"]) == (0, 0, 0, False)
    assert all(column == [] for column in body["links"].values())


def test_a_gene_on_another_chromosome_than_the_one_chosen_has_no_links(service: Service, reader: StoreReader) -> None:
    body = service.json(f"/cells/{reader.cells.index[2]}/links", chromosome="chrX", gene="GENE0")
    assert (body["chromosome"], body["gene"], body["n_links"]) == ("chrX", "GENE0", 0)


def test_truncated_speaks_of_the_rows_asked_for(service: Service, reader: StoreReader) -> None:
    attention = reader.attention(2)
    cut_short = attention.n_above > np.diff(attention.row_start)
    assert cut_short.any()
    assert not cut_short.all()
    for row in (int(np.flatnonzero(cut_short)[0]), int(np.flatnonzero(~cut_short)[0])):
        gene = reader.genes.index[attention.gene[row]]
        body = service.json(f"/cells/{reader.cells.index[2]}/links", gene=gene)
        assert body["truncated"] == bool(cut_short[row])
        assert not service.json(f"/cells/{reader.cells.index[2]}/links", gene=gene, top_k=8)["truncated"]


def test_a_symbol_of_two_genes_finds_both_and_an_id_goes_before_a_symbol(
    strange: Service, strange_reader: StoreReader
) -> None:
    twins = {"ENSG00002", "ENSG00005"}
    found: set[str] = set()
    for cell in strange_reader.cells.index:
        path = f"/cells/{segment(cell)}/links"
        body = strange.json(path, gene="hla-dra")
        assert set(body["links"]["gene_id"]) <= twins
        found |= set(body["links"]["gene_id"])
        assert set(strange.json(path, gene="ENSG00010")["links"]["gene_id"]) <= {"ENSG00010"}
    assert found == twins


def test_taking_rows_takes_their_links(reader: StoreReader) -> None:
    attention = reader.attention(4)
    kept = np.arange(len(attention.gene)) % 3 == 1
    taken = take_rows(attention, kept)
    rows = [
        (int(attention.gene[i]), attention.peak[a:b].tolist(), attention.logit[a:b].tolist())
        for i, (a, b) in enumerate(zip(attention.row_start[:-1], attention.row_start[1:], strict=True))
        if kept[i]
    ]
    assert rows == [
        (int(taken.gene[i]), taken.peak[a:b].tolist(), taken.logit[a:b].tolist())
        for i, (a, b) in enumerate(zip(taken.row_start[:-1], taken.row_start[1:], strict=True))
    ]
    assert isinstance(take_rows(attention, np.zeros(len(attention.gene), dtype=bool)), CellAttention)


def test_pages_of_cells_make_up_all_cells(service: Service, reader: StoreReader) -> None:
    pages = [CellPage.model_validate(service.json("/cells", offset=offset, limit=25)) for offset in (0, 25, 50, 75)]
    assert {page.total for page in pages} == {60}
    assert [len(page.cells) for page in pages] == [25, 25, 10, 0]
    cells = [cell for page in pages for cell in page.cells]
    table = reader.cells
    assert [cell.cell_id for cell in cells] == list(table.index)
    assert [cell.cell_type for cell in cells] == list(table["cell_type"])
    assert [(cell.n_genes, cell.n_peaks) for cell in cells] == list(
        zip(table["n_genes"], table["n_peaks"], strict=True)
    )


def test_cells_of_a_type_with_a_prefix(service: Service, reader: StoreReader) -> None:
    of_type = service.json("/cells", cell_type="CD4 naive")
    wanted = [
        name for name, kind in zip(reader.cells.index, reader.cells["cell_type"], strict=True) if kind == "CD4 naive"
    ]
    assert [cell["cell_id"] for cell in of_type["cells"]] == wanted
    prefix = wanted[0][:2]
    both = service.json("/cells", cell_type="CD4 naive", prefix=prefix.lower())
    assert [cell["cell_id"] for cell in both["cells"]] == [name for name in wanted if name.startswith(prefix)]
    assert both["total"] == len(both["cells"]) > 0
    assert service.json("/cells", prefix="no such beginning") == {"total": 0, "offset": 0, "cells": []}


def test_the_embedding_has_every_cell(service: Service, reader: StoreReader) -> None:
    body = Embedding.model_validate(service.json("/embedding"))
    assert body.method == "two random numbers per cell"
    assert body.cell_id == list(reader.cells.index)
    assert body.cell_type == list(reader.cells["cell_type"])
    for found, column in ((body.x, "umap_1"), (body.y, "umap_2")):
        assert np.array(found, dtype=np.float32).tolist() == reader.cells[column].tolist()


def test_the_data_set(service: Service, reader: StoreReader) -> None:
    body = DatasetInfo.model_validate(service.json("/dataset"))
    assert (body.n_cells, body.n_genes, body.n_peaks) == (60, 80, 300)
    assert {kind.name: kind.n_cells for kind in body.cell_types} == reader.cells["cell_type"].value_counts().to_dict()
    assert [span.name for span in body.chromosomes] == ["chr1", "chr2", "chr10", "chrX"]
    for span in body.chromosomes:
        assert set(reader.genes["chrom"].iloc[span.gene_start : span.gene_stop]) == {span.name}
        assert set(reader.peaks["chrom"].iloc[span.peak_start : span.peak_stop]) == {span.name}
    assert sum(span.peak_stop - span.peak_start for span in body.chromosomes) == 300
    assert sum(span.gene_stop - span.gene_start for span in body.chromosomes) == 80
    assert (body.k_max, body.n_layers, body.n_heads) == (8, 2, 2)
    assert body.k_steps == [1, 2, 3, 4, 5, 6, 7, 8]
    assert body.dataset_digest == reader.attributes.dataset_digest
    assert body.training is not None
    assert body.training.model_dump(exclude_none=True) == reader.attributes.training
    assert body.notes == list(reader.attributes.notes)
