"""The views as trees: what they say, and that every control can be read aloud."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from screen import by_id, every, text_of
from wires import comparison, dataset, embedding, link_profile, link_table, peak_scores, report

from bi2scope.dashboard import cell, celltype, header, ids, overview, tf
from bi2scope.dashboard.address import VIEWS, Shown, TypeShown, View
from bi2scope.dashboard.client import ClientError, Cut
from bi2scope.dashboard.consequences import consequences
from bi2scope.dashboard.controls import cut_controls, cut_data, cut_of, k_marks
from bi2scope.dashboard.figures.training import training_figure
from bi2scope.dashboard.links import LINK_COLUMNS, LINK_FIELDS, link_columns, peak_rows
from bi2scope.dashboard.page import Offered, page, shell, view_parts
from bi2scope.dashboard.settings import Settings
from bi2scope.server.wire import CellSummary

CELLS = [CellSummary(cell_id=f"cell-{i}", cell_type="B", n_genes=5, n_peaks=7) for i in range(3)]


def whole_page(shown: Shown | None = None, **changes: Any) -> Any:
    """The page as it opens, and the views that it has after each was opened once."""
    asked, given, settings = shown or Shown(), dataset(**changes), Settings()
    others = [view for view in VIEWS if view != asked.view]
    found = [view_parts(view, given, Offered(CELLS), asked, settings) for view in others]
    opened = page(given, Offered(CELLS), asked, settings)
    return [opened, *(one for parts in found for part in parts for one in part)]


# --- header ---------------------------------------------------------------------------------------------------------


def test_the_header_shows_data_set_and_accuracy_beside_baseline_and_chance() -> None:
    said = text_of(header.header(dataset(), "cell"))
    assert "by hand" in said
    assert "30 cells · 5 genes · 7 peaks · k_max 50" in said
    assert "held-out accuracy 0.81 · baseline 0.83 · chance 0.50" in said


def test_a_doubtful_model_is_coloured_and_explained() -> None:
    badge, warning = header.accuracy_badge(report(0.62)), header.reliability_warning(report(0.62))
    assert badge.color == "orange"
    assert "62 % of the time (chance 50 %; the baseline (nearest centroid) is right on 83 %)" in text_of(warning)


def test_a_reliable_model_gets_no_warning() -> None:
    assert header.accuracy_badge(report(0.75)).color == "teal"
    assert header.reliability_warning(report(0.75)) is None


def test_a_store_without_a_record_of_training_says_so() -> None:
    assert "no record" in text_of(header.accuracy_badge(None))
    assert "nothing is known" in text_of(header.reliability_warning(None))


@pytest.mark.parametrize("control", list(header.CONTROLS))
def test_a_control_is_never_passed_off_as_the_model(control: str) -> None:
    given = report(0.9).model_copy(update={"control": control, "best_epoch": 0, "history": [], "stopped": "Why."})
    badge = header.accuracy_badge(given)
    assert badge.color == "orange"
    assert text_of(badge).startswith(f"control {control} · held-out accuracy 0.90")
    assert f"not the model but the control {control}" in text_of(header.reliability_warning(given))
    said = text_of(overview.training_parts(given))
    assert f"Control {control}, not the model." in said
    assert "The network was not trained. Why. Baseline" in said
    assert not training_figure(given).layout.shapes[2:]


# --- page -----------------------------------------------------------------------------------------------------------


def test_names_of_components_are_unique() -> None:
    names = [one.id for tree in (shell(), whole_page()) for one in every(tree) if getattr(one, "id", None)]
    assert len(names) == len(set(names))


def test_every_control_can_be_read_aloud() -> None:
    nameless = []
    for one in every(whole_page()):
        kind, given = type(one).__name__, one.to_plotly_json()["props"]
        if kind == "Slider" and not given.get("thumbLabel"):
            nameless.append(one.id)
        if kind in {"NumberInput", "Select", "MultiSelect", "SegmentedControl", "Switch", "ColorSchemeToggle"}:
            nameless += [] if given.get("label") or given.get("aria-label") else [one.id]
    assert nameless == []


def test_every_figure_can_be_saved_in_three_forms() -> None:
    tree = whole_page(training=report(0.9))
    graphs = sorted([ids.HEATMAP, *(one.id for one in every(tree) if type(one).__name__ == "Graph")])
    buttons = [one.to_plotly_json()["props"] for one in every(tree) if type(one).__name__ == "Button"]
    saving = [one for one in buttons if "data-save" in one]
    assert sorted((one["data-figure"], one["data-save"]) for one in saving) == sorted(
        (name, form) for name in graphs for form in ("csv", "svg", "png")
    )
    assert all(one["aria-label"].startswith("Save the ") for one in saving)


def test_files_made_on_the_page_know_data_set_and_model() -> None:
    given = by_id(whole_page(), ids.ORIGIN).to_plotly_json()["props"]
    lines = json.loads(given["data-lines"])
    assert lines[1] == f"data set: {dataset().name}, SHA-256 {dataset().dataset_digest}"
    assert dataset().model_digest in lines[2]
    assert json.loads(given["data-colours"])["plain"]["#e9ecef"] == "#212529"


def test_only_the_chosen_view_is_in_sight() -> None:
    tree = whole_page(Shown(view="tf"))
    shown = {name: by_id(tree, name).style["display"] for name in ids.PANELS.values()}
    assert shown == {name: "flex" if name == "panel-tf" else "none" for name in ids.PANELS.values()}


@pytest.mark.parametrize("view", VIEWS)
def test_the_page_opens_with_one_view_alone(view: View) -> None:
    """Components that nobody sees would slow down those that are seen."""
    tree = page(dataset(), Offered(CELLS), Shown(view=view), Settings())
    assert {name for name, place in ids.TAB_PANELS.items() if by_id(tree, place).children} == {view}
    assert sum(1 for _ in every(tree)) < 260


def test_the_address_sets_the_controls() -> None:
    tree = whole_page(Shown(view="cell", cell="far-away", cut=Cut(0.9, 5)))
    assert by_id(tree, ids.CELL).value == "far-away"
    assert by_id(tree, ids.CELL).data[0]["value"] == "far-away"
    assert by_id(tree, ids.THRESHOLD).value == by_id(tree, ids.THRESHOLD_TYPED).value == 0.9
    assert by_id(tree, ids.TOP_K).value == 5
    assert cut_of(by_id(tree, ids.CUT).data) == Cut(0.9, 5)


def test_types_of_the_address_that_are_not_there_are_passed_over() -> None:
    tree = whole_page(Shown(view="celltype", cell_types=("T", "nobody")))
    assert by_id(tree, ids.TYPES).value == ["T"]
    assert by_id(tree, ids.TF_TYPE).value == "T"


def test_without_an_address_the_first_cell_and_all_of_few_types_are_shown() -> None:
    tree = whole_page()
    assert by_id(tree, ids.CELL).value == "cell-0"
    assert by_id(tree, ids.TYPES).value == ["B", "T"]


def test_a_data_set_without_cells_still_has_a_page() -> None:
    tree = page(dataset(n_cells=0, cell_types=[]), Offered(), Shown(), Settings())
    assert by_id(tree, ids.CELL).value is None


# --- controls -------------------------------------------------------------------------------------------------------


def test_without_a_limit_the_k_slider_is_off() -> None:
    tree = cut_controls(dataset(), Cut(top_k=None))
    assert by_id(tree, ids.TOP_K).disabled
    assert not by_id(tree, ids.TOP_K_ON).checked


def test_the_k_slider_ends_at_k_max() -> None:
    tree = cut_controls(dataset(k_max=8), Cut(top_k=30))
    assert (by_id(tree, ids.TOP_K).min, by_id(tree, ids.TOP_K).max, by_id(tree, ids.TOP_K).value) == (1, 8, 8)


def test_the_k_slider_stops_at_the_steps_that_are_counted_and_a_typed_k_may_lie_between() -> None:
    tree = cut_controls(dataset(k_max=30), Cut(top_k=23))
    slider, typed = by_id(tree, ids.TOP_K), by_id(tree, ids.TOP_K_TYPED)
    assert slider.restrictToMarks
    assert [mark["value"] for mark in slider.marks] == [*range(1, 21), 25, 30]
    assert [mark["label"] for mark in slider.marks if "label" in mark] == ["1", "10", "20", "30"]
    assert (slider.value, typed.value, typed.step) == (23, 23, 1)


@pytest.mark.parametrize(("k_max", "marks"), [(1, [1]), (8, [1, 8]), (50, [1, 10, 20, 30, 40, 50]), (10, [1, 10])])
def test_marks_of_k(k_max: int, marks: list[int]) -> None:
    assert k_marks(k_max) == marks


def test_layer_and_head_are_shown_only_when_there_is_a_choice() -> None:
    one, several = cut_controls(dataset(), Cut()), cut_controls(dataset(n_layers=2, n_heads=4), Cut(layer=1, head=9))
    assert by_id(one, ids.LAYER).style["display"] == by_id(one, ids.HEAD).style["display"] == "none"
    assert by_id(several, ids.LAYER).value == "1"
    assert by_id(several, ids.HEAD).value == "3"
    assert len(by_id(several, ids.HEAD).data) == 4


def test_a_cut_survives_the_pages_store() -> None:
    assert cut_of(cut_data(Cut(0.7, None, 1, 2))) == Cut(0.7, None, 1, 2)


# --- cell view ------------------------------------------------------------------------------------------------------


def test_numbers_of_a_cell() -> None:
    tree = cell.cell_numbers(link_profile(n_links=1234, n_without=112, n_genes=512))
    assert text_of(by_id(tree, "n-links")) == "1,234"
    assert text_of(by_id(tree, "n-genes-linked")) == "400 / 512"
    assert text_of(by_id(tree, "links-per-gene")) == "3.1"


def test_numbers_of_a_cell_without_links_do_not_divide_by_nothing() -> None:
    tree = cell.cell_numbers(link_profile(n_links=0, n_without=0, n_genes=0))
    assert text_of(by_id(tree, "links-per-gene")) == "0.0"


def test_a_cut_at_k_max_is_never_silent() -> None:
    assert "only the 8 best links" in text_of(consequences(link_profile(truncated=True), 8))
    assert "only the 8 best links" in text_of(
        celltype.caption([peak_scores(truncated=True)], TypeShown(quantity="score"), 8)
    )


def test_a_shortened_table_says_how_much_it_leaves_out() -> None:
    note = text_of(cell.limited_note(link_table(limited=True, n_links=90_000)))
    assert "first 2 of 90,000 links" in note
    assert cell.limited_note(link_table()) is None


@pytest.mark.parametrize(
    ("here", "kind", "step", "there"),
    [
        ("a", "", 1, "c"),
        ("c", "", 1, "a"),
        ("a", "", -1, "c"),
        ("a", "B", 1, "b"),
        ("b", "B", -1, "d"),
        (None, "B", 1, "b"),
    ],
)
def test_next_and_previous_go_round_within_the_type(here: str | None, kind: str, step: int, there: str) -> None:
    assert cell.neighbour(embedding(), here, kind, step) == there


def test_choosing_a_type_keeps_a_cell_of_it_and_leaves_one_of_another() -> None:
    assert cell.within_type(embedding(), "d", "B") == "d"
    assert cell.within_type(embedding(), "a", "B") == "b"
    assert cell.within_type(embedding(), "a", cell.ALL_TYPES) == "a"


def test_the_table_has_the_links_columns_unrounded() -> None:
    columns = json.loads(link_columns(link_table()))
    assert set(columns) == set(LINK_FIELDS)
    assert tuple(column["field"] for column in LINK_COLUMNS) == LINK_FIELDS
    assert columns["score"] == [0.622, 0.731]


# --- cell-type view -------------------------------------------------------------------------------------------------


def test_the_highest_peaks_depend_on_the_definition() -> None:
    by_score, by_links = (peak_rows(peak_scores(), definition, 2) for definition in ("score", "links"))
    assert [row["peak"] for row in by_score] == ["chr1:4000-4500", "chr1:2000-2500"]
    assert [row["peak"] for row in by_links] == ["chr1:2000-2500", "chr1:4000-4500"]
    assert by_score[0] | {"rank": 1, "share_open": 0.4} == by_score[0]


def test_peaks_without_a_link_are_no_highest_peaks() -> None:
    assert len(peak_rows(peak_scores(), "score", 100)) == 5


def test_a_track_has_the_types_own_colour_and_says_how_many_cells() -> None:
    first, second = (celltype.track_of(peak_scores(kind), "score", dataset()) for kind in ("B", "T"))
    assert first.colour != second.colour
    assert first.label == "B (10 cells)"
    assert first.notes[3] == "open in 4 of 10 cells"
    assert first.quantity == "Sum of scores"


def test_there_is_one_download_for_each_type() -> None:
    links = celltype.downloads(["B", "CD4/T"], Cut(0.8, 5), "")
    assert [link.href for link in links] == [
        "/api/v1/celltypes/B/scores.csv?threshold=0.8&top_k=5&layer=0&head=0",
        "/api/v1/celltypes/CD4%2FT/scores.csv?threshold=0.8&top_k=5&layer=0&head=0",
    ]


def test_many_types_open_with_the_three_largest() -> None:
    kinds = [replace_size(i, size) for i, size in enumerate((5, 50, 10, 40, 1))]
    assert celltype.default_types(kinds) == ["type 1", "type 3", "type 2"]


def replace_size(number: int, size: int) -> Any:
    return dataset().cell_types[0].model_copy(update={"name": f"type {number}", "n_cells": size})


# --- TF view --------------------------------------------------------------------------------------------------------


def test_binding_stands_above_the_cumulative_score() -> None:
    above, below = tf.tracks_of(comparison(), "light")
    assert (above.label, above.quantity, above.values.max()) == ("ctcf.bed", "BED score", 70)
    assert (below.label, below.quantity, below.values.max()) == ("B, cumulative score", "Sum of scores", 7.5)


def test_a_bed_without_scores_is_called_presence() -> None:
    assert tf.tracks_of(comparison(score_column="presence"), "dark")[0].quantity == "Present"
    assert "counts as 1" in tf.summary(comparison(score_column="presence"))
    assert "5 of 12 intervals overlap" in tf.summary(comparison())


def test_an_upload_is_decoded_or_refused() -> None:
    assert tf.uploaded("data:text/plain;base64,Y2hyMQ==") == b"chr1"
    with pytest.raises(ClientError, match="whole"):
        tf.uploaded("data:text/plain;base64,???")


# --- overview -------------------------------------------------------------------------------------------------------


def test_the_overview_says_what_attention_is_not() -> None:
    said = text_of(overview.panel(dataset(notes=["3 genes without a place were dropped."])))
    assert "association" in said
    assert "not evidence that the peak acts on the gene" in said
    assert "regulat" not in said.lower()
    assert "3 genes without a place" in said


def test_held_out_metrics_stand_beside_baseline_and_chance() -> None:
    rows = overview.metrics_table(report()).data["body"]
    assert rows[0] == ["Accuracy", "0.810", "0.700", "0.830", "0.500"]
    assert rows[1][:3] == ["AUROC", "0.880", "0.880"]
    assert not any("hard" in row[0] for row in rows)


def test_accuracy_against_easy_and_hard_mismatches_is_shown_where_there_is_one() -> None:
    given = report()
    parts = {
        name: getattr(given, name).model_copy(update={"accuracy_easy": 0.9, "accuracy_hard": 0.52})
        for name in ("test", "validation")
    }
    rows = overview.metrics_table(given.model_copy(update=parts)).data["body"]
    assert rows[-2:] == [
        ["Accuracy, easy mismatches", "0.900", "0.900", "", "0.500"],
        ["Accuracy, hard mismatches", "0.520", "0.520", "", "0.500"],
    ]


def test_precision_stands_beside_its_base_rate_where_it_was_measured() -> None:
    given = report()
    test = given.test.model_copy(update={"auprc": 0.9, "base_rate": 0.25, "ece": 0.03})
    validation = given.validation.model_copy(update={"auprc": 0.8, "base_rate": 0.25, "ece": 0.04})
    rows = overview.metrics_table(given.model_copy(update={"test": test, "validation": validation})).data["body"]
    assert rows[2:4] == [["AUPRC", "0.900", "0.800", "", "0.250"], ["Calibration error", "0.030", "0.040", "", ""]]
    assert not {"AUPRC", "Calibration error"} & {row[0] for row in overview.metrics_table(given).data["body"]}


def test_a_split_over_pairs_is_not_passed_off_as_one_over_cells() -> None:
    pairs = report().model_copy(update={"split": "pairs"})
    assert "its cells may occur in training" in text_of(overview.training_parts(pairs))


def test_cuts_are_values() -> None:
    assert replace(Cut(0.9, 3), top_k=None).parameters() == {"threshold": 0.9, "layer": 0, "head": 0}


@pytest.mark.parametrize(
    ("limit", "said"), [(None, "all peaks of the chromosome"), (500_000, "peaks within 500,000 bp of the TSS")]
)
def test_the_overview_names_the_candidate_links(limit: int | None, said: str) -> None:
    assert f"Candidate links {said}" in text_of(overview.facts(dataset(max_distance=limit)))
