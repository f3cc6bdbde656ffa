"""The gene / locus view: arcs and windows by hand, the tree, and the callback as the browser asks it."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import FastAPI
from screen import ask_callback, by_id, run, text_of
from wires import dataset

from bi2scope.dashboard import arcs, ids, locus
from bi2scope.dashboard.address import LocusShown, Shown
from bi2scope.dashboard.arcs import Arc, Arcs, Place
from bi2scope.dashboard.callbacks.locus import Asked, first_gene, found
from bi2scope.dashboard.client import Client, Cut
from bi2scope.data.store.reader import StoreReader
from bi2scope.server.wire_genes import GeneColumns, GeneNames, RivalColumns, Why

TYPE = "CD4 naive"
CUT = {"threshold": 0.6, "top_k": 5, "layer": 0, "head": 0}


def arc(start: int, *, tss: int = 50_000, n_cells: int = 3, gene: str = "G1") -> Arc:
    return Arc(
        gene, gene, tss, "+", f"chr1:{start}-{start + 500}", start, start + 500, start - tss, n_cells, 6, 0.9, 0.1
    )


def why() -> Why:
    rivals = RivalColumns(
        peak=["chr1:1-2"], peak_chrom=["chr1"], peak_start=[1], peak_end=[2], distance_to_tss=[-9], peak_count=[1],
        static=[0.5], gene_count_term=[0.25], peak_count_term=[0.25], interaction=[0.0], logit=[1.0], score=[0.73],
        rank=[2],
    )  # fmt: skip
    return Why(
        cell_id="AAAC-1", cell_type="B", layer=0, head=0, gene_id="G1", gene_name="G1", peak="chr1:5-9",
        distance_to_tss=120, gene_count=3, peak_count=1, counts="log1p", static=1.5, gene_count_term=-0.25,
        peak_count_term=0.5, interaction=0.25, logit=2.0, score=0.88, rank=1, n_candidates=40, n_above=7, rivals=rivals,
    )  # fmt: skip


# --- arcs and windows -----------------------------------------------------------------------------------------------


def test_a_window_shows_arcs_by_their_ends() -> None:
    window = Place("chr1", 40_000, 60_000)
    rows = [arc(41_000), arc(100_000), arc(100_000, tss=90_000), arc(59_900)]
    seen = arcs.sight_of(rows, window)
    assert (seen.inside, seen.leaving) == ([0, 3], [1])
    assert (seen.n_inside, seen.n_leaving) == (2, 1)


def test_only_so_many_arcs_are_drawn_the_first_ones() -> None:
    rows = [arc(41_000 + i) for i in range(arcs.MOST_INSIDE + 5)] + [arc(90_000 + i) for i in range(60)]
    seen = arcs.sight_of(rows, Place("chr1", 40_000, 60_000))
    assert seen.inside == list(range(arcs.MOST_INSIDE))
    assert len(seen.leaving) == arcs.MOST_LEAVING
    assert (seen.n_inside, seen.n_leaving) == (arcs.MOST_INSIDE + 5, 60)


def test_the_first_window_holds_the_gene_and_its_nearest_links() -> None:
    gene, rows = Place("chr1", 48_000, 52_000), [arc(500_000 + 1_000_000 * i) for i in range(9)]
    window = arcs.first_window(gene, rows, 10_000_000)
    assert window.start < gene.start
    assert rows[4].end <= window.end < rows[5].start
    assert arcs.first_window(gene, [], 10_000_000).size >= arcs.LEAST_WINDOW
    assert arcs.first_window(gene, [], 60_000) == Place("chr1", 0, 60_000)


def test_a_wider_window_stays_on_the_chromosome() -> None:
    assert Place("chr1", 100, 200).wider(2, 250) == Place("chr1", 0, 250)


# --- the tree -------------------------------------------------------------------------------------------------------


def test_the_address_sets_the_controls() -> None:
    shown = Shown.of_query(
        "?view=locus&gene=SPI1&region=chr1:5-9&cell_type=T&cell_type=B&cell=AAAC-1&quantity=links&height=score&track=0a"
    )
    assert shown.locus == LocusShown("SPI1", "chr1:5-9", "links", "score", ("0a",))
    tree = [*locus.side(dataset().cell_types, shown, []), *locus.panel(shown)]
    values = {
        ids.LOCUS_FIND: "gene:SPI1", ids.LOCUS_TYPE: "T", ids.LOCUS_BESIDE: ["B"], ids.LOCUS_MODE: "cell",
        ids.LOCUS_CELL: "AAAC-1", ids.LOCUS_QUANTITY: "links", ids.LOCUS_HEIGHT: "score", ids.LOCUS_TFS: ["0a"],
    }  # fmt: skip
    assert {name: by_id(tree, name).value for name in values} == values
    assert by_id(tree, ids.LOCUS_ASKED).data == {"gene": "SPI1", "region": "chr1:5-9"}


def test_what_is_wrong_in_the_address_is_left_out() -> None:
    assert Shown.of_query("?view=locus&quantity=%00&height=x").locus == LocusShown()
    tree = locus.side(dataset().cell_types, Shown(view="locus", cell_types=("nobody",)), [])
    assert by_id(tree, ids.LOCUS_TYPE).value == "B"


def test_places_genes_and_peaks_are_offered() -> None:
    genes = GeneNames(
        query="s", n_found=1, limited=False,
        genes=GeneColumns(gene_id=["E1"], gene_name=["SPI1"], gene_chrom=["chr1"], gene_start=[1], gene_end=[2],
                          gene_tss=[1], gene_strand=["+"]),
    )  # fmt: skip
    assert locus.found_options("spi", genes, None) == [{"value": "gene:E1", "label": "SPI1 (E1)"}]
    typed = "chr1:1,000-2,000"
    assert locus.found_options(typed, None, None) == [{"value": f"place:{typed}", "label": f"{typed} (go there)"}]
    for unfinished in ("chr1:1,000-", "chr1:9-8", "chr1", ":1-2"):
        assert not locus.place_like(unfinished)


def test_the_note_counts_what_is_seen_and_what_leaves() -> None:
    rows = [arc(41_000), arc(100_000), arc(900_000, tss=800_000)]
    all_of = Arcs("gene", rows, 3, limited=False, truncated=True, n_cells=20, n_expressing=6)
    seen = arcs.sight_of(rows, Place("chr1", 40_000, 60_000))
    said = text_of(locus.note(all_of, seen, "G1", elsewhere=False, k_max=50))
    assert "3 linked peaks, over 6 expressing of 20 cells." in said
    assert "In this window 1; 1 leave it, 1 lie wholly outside; “All links” zooms out to them." in said
    assert "Cut at k_max: only the 50" in said
    assert "another chromosome" in text_of(locus.note(all_of, seen, "G1", elsewhere=True, k_max=50))


def test_the_map_says_that_the_sliders_do_not_cut_it() -> None:
    all_of = Arcs("map", [arc(41_000)], 900, limited=True, truncated=False, n_cells=20, least_cells=2)
    said = locus.counted(all_of, None)
    assert "900 linked pairs with an end here, the strongest 1 listed" in said
    assert "whatever threshold and k" in said


def test_downloads_are_of_what_is_listed() -> None:
    window, cut = Place("chr1", 5, 9), Cut(0.9, 3)
    hrefs = [link.href for link in locus.files(("B/T", None), "G1", window, cut, "")]
    assert hrefs == [
        f"/api/v1/celltypes/B%2FT/genes/G1/peaks.{form}?threshold=0.9&top_k=3&layer=0&head=0"
        for form in ("csv", "bedpe")
    ]
    one, _ = locus.files(("B", "a/b"), "G1", window, cut, "")
    assert one.href == "/api/v1/cells/a%2Fb/links.csv?threshold=0.9&top_k=3&layer=0&head=0&gene=G1"
    around = [link.href for link in locus.files(("B", None), None, window, cut, "")]
    assert around[0] == "/api/v1/celltypes/B/strongest.csv?region=chr1%3A5-9&limit=2000&layer=0&head=0"
    assert "threshold=0.9" in locus.files(("B", "c"), None, window, cut, "")[1].href


def test_why_says_the_terms_and_their_sum() -> None:
    from bi2scope.dashboard.figures.why import candidates, why_figure

    panel = locus.why_panel(why(), why_figure(why()), True, 4)
    said = text_of(panel)
    assert "Why G1 – chr1:5-9" in said
    assert "In AAAC-1 (B), where its logit is highest of 4 cells." in said
    assert "1 of 40" in said
    assert "Logit 2.00 = gene and peak alone +1.50, the gene's count -0.25, the peak's count +0.50" in said
    for one in candidates(why()):
        assert sum(one.terms) == pytest.approx(one.logit)
    assert [one.rank for one in candidates(why())] == [1, 2]


# --- against the service --------------------------------------------------------------------------------------------


def a_gene(client: Client, reader: StoreReader) -> str:
    gene = run(first_gene(client, TYPE, Cut()))
    assert gene in reader.genes.index
    return gene


def test_links_of_a_gene_over_a_type_and_in_a_cell(client: Client, reader: StoreReader) -> None:
    gene = a_gene(client, reader)
    whole = run(found(client, Asked(gene, None, TYPE, None, Cut(0.6, 5))))
    served = run(client.gene_peaks(TYPE, gene, Cut(0.6, 5), limit=999))
    assert [row.peak for row in whole.arcs.rows] == served.pairs.peak
    assert whole.arcs.over == "gene"
    cell = whole.arcs.rows[0].cell_id
    assert cell is not None
    one = run(found(client, Asked(gene, whole.window.text, TYPE, cell, Cut(0.6, 5))))
    links = run(client.links(cell, Cut(0.6, 5), gene=gene))
    assert sorted(row.peak for row in one.arcs.rows) == sorted(links.links.peak)
    assert whole.arcs.rows[0].peak in links.links.peak
    assert one.window == whole.window


def test_links_of_a_place(client: Client, reader: StoreReader) -> None:
    chrom = str(reader.peaks["chrom"].iloc[0])
    around = run(found(client, Asked(None, chrom, TYPE, None, Cut())))
    assert around.arcs.over == "map"
    assert (around.window.start, around.window.end) == (0, around.chrom_end)
    assert around.sight.n_inside == around.arcs.n_pairs
    cell = str(reader.cells.index[0])
    assert run(found(client, Asked(None, chrom, TYPE, cell, Cut()))).arcs.over == "cell"


OUTPUTS = [f"{name}.{prop}" for name, prop in (
    (ids.LOCUS_PAYLOAD, "data"), (ids.LOCUS_SHOWN, "data"), (ids.LOCUS_TITLE, "children"), (ids.LOCUS_PLACE, "value"),
    (ids.LOCUS_NOTE, "children"), (ids.LOCUS_CAPTION, "children"), (ids.LOCUS_TABLE, "rowData"),
    (ids.LOCUS_TABLE_TITLE, "children"), (ids.LOCUS_FILES, "children"), (ids.LOCUS_NOTICE, "children"),
)]  # fmt: skip


def draw(screen: FastAPI, asked: dict[str, Any], view: str = "locus", before: Any = None) -> Any:
    inputs = {
        f"{ids.LOCUS_ASKED}.data": asked, f"{ids.LOCUS_TYPE}.value": TYPE, f"{ids.LOCUS_MODE}.value": "type",
        f"{ids.LOCUS_CELL}.value": None, f"{ids.LOCUS_BESIDE}.value": ["B cell"], f"{ids.LOCUS_TFS}.value": [],
        f"{ids.LOCUS_QUANTITY}.value": "lift", f"{ids.LOCUS_HEIGHT}.value": "share", f"{ids.CUT_OF_LOCUS}.data": CUT,
        f"{ids.SCHEME}.data": "light", f"{ids.VIEW}.value": view,
    }  # fmt: skip
    return ask_callback(screen, OUTPUTS, inputs, {f"{ids.LOCUS_SHOWN}.data": before})


def test_the_view_is_drawn_and_its_table_stays_while_the_window_moves(screen: FastAPI, client: Client) -> None:
    gene = run(first_gene(client, TYPE, Cut()))
    answer = draw(screen, {"gene": gene, "region": None}).json()["response"]
    shown, rows = answer[ids.LOCUS_SHOWN]["data"], answer[ids.LOCUS_TABLE]["rowData"]
    figure = answer[ids.LOCUS_PAYLOAD]["data"]["figure"]
    assert rows
    assert shown["cell_type"] == [TYPE, "B cell"]
    assert shown["region"].replace(",", "") == answer[ids.LOCUS_PLACE]["value"].replace(",", "")
    start, end = (float(at) for at in figure["layout"]["xaxis"]["range"])
    assert f"{round(start * 1e6)}-{round(end * 1e6)}" == shown["region"].partition(":")[2]
    drawn = {at for trace in figure["data"] for at in trace.get("customdata") or [] if isinstance(at, int)}
    assert drawn
    assert drawn <= set(range(len(rows)))
    again = draw(screen, {"gene": gene, "region": shown["region"]}, before=shown).json()["response"]
    assert "rowData" not in again.get(ids.LOCUS_TABLE, {})


def test_a_gene_that_is_not_there_is_refused_on_the_screen(screen: FastAPI) -> None:
    answer = draw(screen, {"gene": "NOSUCHGENE", "region": None}).json()["response"]
    assert "NOSUCHGENE" in answer[ids.LOCUS_NOTICE]["children"]["props"]["title"]
    assert ids.LOCUS_PAYLOAD not in answer


def test_out_of_sight_it_costs_nothing(screen: FastAPI) -> None:
    assert draw(screen, {"gene": "x", "region": None}, view="cell").status_code == 204
