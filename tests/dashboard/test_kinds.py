"""The parts of the cell-type view: lift and nearest genes, the difference of two types, the regulatory map."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from screen import ask_callback, text_of
from service import Service
from wires import dataset, peak_scores

from bi2scope.dashboard import celltype, contrast, ids, regulatory
from bi2scope.dashboard.address import Shown, TypeShown
from bi2scope.dashboard.client import Cut
from bi2scope.dashboard.links import least_open, peak_rows, values_of
from bi2scope.dashboard.nearest import Near, Tss
from bi2scope.data.store.reader import StoreReader
from bi2scope.server.wire_differences import GeneDifference, PeakDifference
from bi2scope.server.wire_genes import GeneColumns, RegionPairs

CUT = {"threshold": 0.5, "top_k": 5, "layer": 0, "head": 0}


def genes(tss: list[int], strands: str) -> Tss:
    names = [f"G{i}" for i in range(len(tss))]
    return Tss(
        GeneColumns(
            gene_id=names, gene_name=names, gene_chrom=["chr1"] * len(tss), gene_start=tss, gene_end=tss, gene_tss=tss,
            gene_strand=list(strands),
        )
    )  # fmt: skip


@given(st.lists(st.integers(0, 500), min_size=1, max_size=8), st.integers(0, 500), st.data())
def test_the_nearest_gene_is_the_one_that_a_plain_loop_finds(
    places: list[int], start: int, data: st.DataObject
) -> None:
    strands = data.draw(st.text("+-", min_size=len(places), max_size=len(places)))
    near = genes(places, strands).nearest("chr1", start, start + 10)
    assert near is not None
    assert abs(near.distance) == min(abs(start + 5 - place) for place in places)
    place, strand = places[int(near.name[1:])], strands[int(near.name[1:])]
    assert near.distance == (start + 5 - place) * (-1 if strand == "-" else 1)


def test_a_chromosome_without_genes_has_no_nearest_one() -> None:
    assert genes([10], "+").nearest("chr2", 0, 10) is None
    assert genes([10, 100], "+-").nearest("chr1", 118, 122) == Near("G1", -20)


def test_the_lift_of_peaks_open_in_few_cells_is_not_ranked() -> None:
    scores = peak_scores(n_cells=60, lift=[None, 30.0, 1.5, 2.5, 0.5, 0.0, 1.0])
    assert least_open(60) == 3
    assert values_of(scores, "lift").tolist() == [0, 0, 1.5, 2.5, 0.5, 0, 1]
    rows = peak_rows(scores, "lift", 10, genes([3000], "+"))
    assert [row["lift"] for row in rows] == [2.5, 1.5, 1.0, 0.5]
    assert (rows[0]["nearest"], rows[0]["distance"]) == ("G0", 1250)
    assert rows[2]["nearest"] is None  # on another chromosome
    assert "B 3" in text_of(celltype.caption([scores], TypeShown(), 8))


def test_a_track_of_lift_has_a_line_at_one_and_names_over_its_peaks() -> None:
    scores = peak_scores(lift=[1.0] * 7)
    track = celltype.track_of(scores, "lift", dataset(), genes([3000], "+"))
    assert track.level == 1
    assert track.name_of is not None
    assert (track.name_of(1), track.name_of(5)) == ("G0", "")


def test_a_cut_that_leaves_nothing_is_said_with_a_way_back() -> None:
    empty = peak_scores(links=[0.0] * 7, score=[0.0] * 7)
    assert "Lower the threshold" in text_of(celltype.nothing_left([empty], "score"))
    assert celltype.nothing_left([empty, peak_scores()], "score") is None


def test_the_address_names_the_part_and_what_it_shows() -> None:
    shown = Shown.of_query("?view=celltype&part=difference&cell_type=B&against=T&feature=genes")
    assert (shown.kinds.part, shown.kinds.against, shown.kinds.feature) == ("difference", "T", "genes")
    assert Shown.of_query("?view=celltype").kinds.quantity == "lift"
    assert Shown.of_query("?view=celltype&definition=links").kinds.quantity == "links"  # as older addresses say
    assert "Nearest: map" in " ".join(Shown.of_query("?view=celltype&part=mapp").problems)


# --- difference -----------------------------------------------------------------------------------------------------


def difference(screen: FastAPI, kind: str, feature: str, **query: Any) -> PeakDifference | GeneDifference:
    body: type[PeakDifference | GeneDifference] = PeakDifference if feature == "peaks" else GeneDifference
    return body(**Service(screen).json(f"/celltypes/{kind}/difference/{feature}", threshold=0.5, top_k=5, **query))


@pytest.mark.parametrize("feature", ["peaks", "genes"])
def test_a_difference_is_drawn_and_listed_as_the_service_gives_it(
    screen: FastAPI, reader: StoreReader, feature: str
) -> None:
    kind, other = reader.cell_types[:2]
    outputs = [
        "volcano.figure", "beside-open.figure", "difference-title.children", "difference-caption.children",
        "difference-table.rowData", "difference-table.columnDefs", "difference-file.children",
        "difference-notice.children",
    ]  # fmt: skip
    inputs = {
        "kind.value": kind, "against.value": other, "feature.value": feature, "cut-settled-celltype.data": CUT,
        "scheme.data": "light", "view.value": "celltype", "part.value": "difference",
    }  # fmt: skip
    answer = ask_callback(screen, outputs, inputs, {}).json()["response"]
    body = difference(screen, kind, feature, against=other)
    listed = answer[ids.DIFFERENCE_TABLE]["rowData"]
    assert [row["q"] for row in listed] == body.rows.q[: contrast.MOST_LISTED]
    assert [row["effect"] for row in listed] == body.rows.effect[: contrast.MOST_LISTED]
    assert {column["field"] for column in answer[ids.DIFFERENCE_TABLE]["columnDefs"]} <= set(listed[0])
    link = answer[ids.DIFFERENCE_FILE]["children"]["props"]["href"]
    assert f"/difference/{feature}.csv?" in link
    assert "against=" in link
    title = answer[ids.DIFFERENCE_TITLE]["children"]
    assert title == f"{kind} ({body.n_cells} cells) against {other} ({body.n_cells_against} cells)"
    drawn = answer[ids.VOLCANO]["figure"]["data"][0]["customdata"]
    assert {point[0] for point in drawn} <= {row["key"] for row in listed}
    inputs["part.value"] = "peaks"
    assert ask_callback(screen, outputs, inputs, {}).status_code == 204


def test_a_type_held_against_itself_is_refused_in_words(screen: FastAPI, reader: StoreReader) -> None:
    kind = reader.cell_types[0]
    body = difference(screen, kind, "peaks")
    assert body.against is None
    assert contrast.OTHERS in contrast.title(body)
    assert Service(screen).get(f"/celltypes/{kind}/difference/peaks", against=kind).status_code == 422


def test_the_caption_says_that_a_difference_may_be_one_of_accessibility(screen: FastAPI, reader: StoreReader) -> None:
    body = difference(screen, reader.cell_types[0], "peaks")
    said = text_of(contrast.caption(body, 8))
    assert "may be one of accessibility alone" in said
    assert f"{contrast.count(body)} of {body.n_tested} peaks tested" in said


# --- regulatory map -------------------------------------------------------------------------------------------------


def test_the_map_of_a_chromosome_is_drawn_and_listed_as_the_service_gives_it(
    screen: FastAPI, reader: StoreReader
) -> None:
    kind, chromosome = reader.cell_types[0], reader.peaks["chrom"].iloc[0]
    outputs = [
        "pairs-map.figure", "pairs-drawn.data", "pairs-title.children", "pairs-caption.children",
        "pairs-table.rowData", "pairs-file.children", "pairs-notice.children",
    ]  # fmt: skip
    inputs = {
        "kind.value": kind, "map-chromosome.value": chromosome, "pairs-window.data": None, "layer.value": "0",
        "head.value": "0", "scheme.data": "light", "view.value": "celltype", "part.value": "map",
    }  # fmt: skip
    answer = ask_callback(screen, outputs, inputs, {"cut.data": CUT}).json()["response"]
    given = Service(screen).json(f"/celltypes/{kind}/strongest", region=chromosome, limit=20_000)
    listed = answer[ids.PAIRS_TABLE]["rowData"]
    assert [row["n_cells"] for row in listed] == given["pairs"]["n_cells"]
    assert listed[0]["share"] == listed[0]["n_cells"] / listed[0]["n_both"]
    assert sum(answer[ids.PAIRS_DRAWN]["data"]["n_pairs"]) == given["n_pairs"]
    links = [one["props"]["href"] for one in answer[ids.PAIRS_FILE]["children"]]
    service = Service(screen)
    rows = [line for line in service.ask("GET", links[0]).text.splitlines() if not line.startswith("#")]
    assert len(rows) - 1 == len(listed)
    assert service.ask("GET", links[1]).status_code == 200


def test_an_empty_map_is_said_with_a_way_on() -> None:
    empty: dict[str, Any] = {name: [] for name in ("gene_id", "gene_name", "gene_chrom", "gene_tss", "gene_strand")}
    empty |= {name: [] for name in ("peak", "peak_chrom", "peak_start", "peak_end", "distance_to_tss")}
    empty |= {name: [] for name in ("n_cells", "n_both", "mean_score", "mean_weight")}
    body = RegionPairs(
        cell_type="B", n_cells=10, least_cells=2, layer=0, head=0, region="chr9", n_pairs=0, n_inside=0,
        truncated=False, limited=False, pairs=empty,
    )  # fmt: skip
    assert "Choose another chromosome" in text_of(regulatory.nothing_there(body))
    assert regulatory.rows(body) == []


def test_the_whole_chromosome_and_the_listed_pairs_can_be_had() -> None:
    listed, whole = (part.href for part in regulatory.files("CD4/T", "chr1", Cut(), ""))
    assert listed == "/api/v1/celltypes/CD4%2FT/strongest.csv?region=chr1&limit=1000&layer=0&head=0"
    assert whole == "/api/v1/celltypes/CD4%2FT/map.csv?region=chr1&layer=0&head=0"
