from __future__ import annotations

import re
from dataclasses import replace
from urllib.parse import urlencode

import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st
from service import Service

from bi2scope.dashboard.address import MODEL_K, Shown, links_csv, missing, scores_csv
from bi2scope.dashboard.client import STORE, Cut
from bi2scope.dashboard.figures.colours import SCORES, Colours
from bi2scope.data.store.reader import StoreReader


def test_no_query_opens_a_cell_at_the_models_own_k() -> None:
    assert Shown.of_query("") == Shown(view="cell", cut=Cut(threshold=0.5, top_k=MODEL_K))


def test_a_query_without_k_means_no_limit() -> None:
    shown = Shown.of_query("?view=cell&cell=AAAC-1&threshold=0.9")
    assert (shown.view, shown.cell, shown.cut) == ("cell", "AAAC-1", Cut(threshold=0.9, top_k=None))


def test_types_come_in_number_and_imply_their_view() -> None:
    shown = Shown.of_query("?cell_type=CD4+naive&cell_type=B%2FT&definition=links")
    assert (shown.view, shown.cell_types, shown.definition) == ("celltype", ("CD4 naive", "B/T"), "links")


def test_panels_and_outlines_round_cells_are_part_of_an_address() -> None:
    assert Shown.of_query("?view=celltype&panels=each").kinds.panels == "each"
    assert Shown.of_query("?view=overview&lasso=1.5_2_-3_4_5_6").lasso == "1.5_2_-3_4_5_6"
    other = Shown.of_query("?view=celltype&panels=both")
    assert other.kinds.panels == "one"
    assert any("panels is “both”" in said for said in other.problems)


def test_what_colour_stands_for_and_its_scale_are_part_of_an_address() -> None:
    assert Shown.of_query("?view=cell&colour=rank&scale=log").colours == Colours("rank", "log")
    other = Shown.of_query("?view=cell&scale=ln")
    assert other.colours == SCORES
    assert any("scale is “ln”" in said for said in other.problems)


@pytest.mark.parametrize(
    "query",
    [
        "?threshold=nan",
        "?threshold=x&k=-3&layer=%00",
        "?view=<script>",
        "?k=²&head=1e3",
        "?k=" + "9" * 5000,
        "?layer=9999999999",
    ],
)
def test_what_does_not_parse_is_left_out(query: str) -> None:
    shown = Shown.of_query(query)
    assert replace(shown, problems=()) == Shown(cut=Cut())
    assert len(shown.problems) == query.count("=")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("?threshold=2", "threshold is “2”; it goes from 0.5 to 1. 1 is shown."),
        ("?threshold=0.2", "0.5 is shown."),
        ("?view=cel", "it can be overview, cell"),
        ("?definition=weigth", "Nearest: weight."),
        ("?colour=ranks", "Nearest: rank."),
        ("?k=0", "k is “0”; it is a whole number from 1 up. No limit on k is shown."),
        ("?treshold=0.9", "“treshold” is nothing that an address can say. Nearest: threshold."),
    ],
)
def test_what_is_not_shown_as_asked_is_said(query: str, said: str) -> None:
    assert any(said in problem for problem in Shown.of_query(query).problems)


def test_what_the_data_set_does_not_have_is_said_with_the_nearest_names() -> None:
    shown = Shown.of_query("?view=celltype&cell_type=b+cell&cell_type=nobody&k=80&only=T+cel")
    assert list(missing(shown, ["B cell", "T cell"], 50)) == [
        "There is no cell type “b cell”. Nearest: B cell or T cell. Others are shown.",
        "There is no cell type “nobody”. Others are shown.",
        "There is no cell type “T cel”. Nearest: T cell or B cell. Others are shown.",
        "k is 80; the store keeps the 50 best links of each gene. 50 is shown.",
    ]
    assert shown.problems == ()
    assert list(missing(Shown.of_query("?cell_type=B+cell&k=50"), ["B cell"], 50)) == []


@given(st.text())
def test_any_query_opens_something_in_range(query: str) -> None:
    cut = Shown.of_query(query).cut
    assert 0.5 <= cut.threshold <= 1
    assert cut.top_k is None or cut.top_k >= 1


@given(st.text(min_size=1).filter(lambda name: name.isprintable()), st.floats(0.5, 1), st.integers(1, 50))
def test_what_is_written_is_read_back(cell: str, threshold: float, k: int) -> None:
    query = urlencode({"view": "tf", "cell": cell, "threshold": threshold, "k": k})
    shown = Shown.of_query(f"?{query}")
    assert (shown.view, shown.cell, shown.cut) == ("tf", cell, Cut(threshold, k))


def test_the_address_in_a_csv_reopens_what_it_holds(api: FastAPI, reader: StoreReader) -> None:
    cell, cut = str(reader.cells.index[4]), Cut(threshold=0.85, top_k=3)
    csv = Service(api).ask("GET", links_csv(cell, cut)).text
    written = re.search(r"^# view: (\S+)", csv, re.MULTILINE)
    assert written is not None
    shown = Shown.of_query(written[1].partition("?")[2])
    assert (shown.view, shown.cell, shown.cut) == ("cell", cell, cut)


def test_downloads_go_to_the_public_address() -> None:
    assert links_csv("a/b", Cut(0.9, 3), "https://x.org") == (
        "https://x.org/api/v1/cells/a%2Fb/links.csv?threshold=0.9&top_k=3&layer=0&head=0"
    )
    assert scores_csv("B", Cut()) == "/api/v1/celltypes/B/scores.csv?threshold=0.5&layer=0&head=0"


def test_downloads_come_from_the_store_that_the_page_shows() -> None:
    token = STORE.set("blood 2")
    try:
        assert links_csv("a", Cut()).startswith("/api/v1/stores/blood%202/cells/a/links.csv?")
    finally:
        STORE.reset(token)
