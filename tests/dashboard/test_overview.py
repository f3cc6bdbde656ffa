"""The overview: colours of the cells, and cells that a lasso went round."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from fastapi import FastAPI
from screen import ask_callback, by_id, text_of
from service import Service
from wires import dataset, embedding, metrics, report

from bi2scope.dashboard import chosen, ids, overview
from bi2scope.dashboard.figures.embedding import coloured_figure, to_choose
from bi2scope.data.store.reader import StoreReader
from bi2scope.server.wire import ControlReport, OwnPairs

CUT = {"threshold": 0.6, "top_k": 5, "layer": 0, "head": 0}
DRAWN = [
    "overview-embedding.figure", "training-curves.figure", "embedding-method.children", "overview-notice.children",
]  # fmt: skip


def draw(screen: FastAPI, by: str) -> Any:
    inputs = {"scheme.data": "light", "view.value": "overview", "colour-cells.value": by}
    return ask_callback(screen, DRAWN, inputs, {}).json()["response"]


def describe(screen: FastAPI, cells: list[str] | None) -> Any:
    outputs = ["chosen.children", "chosen-table.rowData", "chosen-box.style", "chosen-notice.children"]
    return ask_callback(screen, outputs, {"chosen-cells.data": cells}, {"cut-settled.data": CUT}).json()["response"]


def test_cells_are_coloured_by_a_genes_counts(screen: FastAPI, reader: StoreReader) -> None:
    gene = str(reader.genes.index[0])
    answer = draw(screen, f"gene:{gene}")
    counts = Service(screen).json(f"/genes/{gene}/counts")
    grey, coloured = answer[ids.OVERVIEW_EMBEDDING]["figure"]["data"]
    assert len(coloured["customdata"]) == counts["n_cells_expressing"]
    assert len(grey["customdata"]) + len(coloured["customdata"]) == len(reader.cells)
    assert grey["name"] == "no count"
    said = f"{counts['n_cells_expressing']} of {len(reader.cells)} cells have a count"
    assert said in answer[ids.EMBEDDING_METHOD]["children"]


def test_cells_are_coloured_by_a_number_of_the_store(screen: FastAPI, reader: StoreReader) -> None:
    figure = draw(screen, "quality:n_peaks")[ids.OVERVIEW_EMBEDDING]["figure"]
    assert len(figure["data"][1]["customdata"]) == len(reader.cells)
    assert figure["data"][1]["marker"]["colorbar"]["title"]["text"] == "Open peaks in the model"
    assert figure["layout"]["dragmode"] == "lasso"


@pytest.mark.parametrize("by", ["quality:nothing", "gene:nothing"])
def test_a_colour_that_is_not_there_is_refused_in_words(screen: FastAPI, by: str) -> None:
    answer = draw(screen, by)
    assert "nothing" in answer[ids.OVERVIEW_NOTICE]["children"]["props"]["title"]
    assert ids.OVERVIEW_EMBEDDING not in answer


def test_the_highest_lie_on_top_and_one_cell_does_not_hold_the_scale() -> None:
    given = embedding()
    values: list[float | None] = [float(i) for i in range(len(given.cell_id))]
    values[0] = None
    grey, coloured = coloured_figure(given, values, "RNA counts").data
    assert list(grey.customdata) == [given.cell_id[0]]
    assert list(coloured.marker.color) == sorted(value for value in values if value is not None)
    assert coloured.marker.cmax <= np.nanmax(np.array(values, dtype=float))
    assert to_choose(coloured_figure(given, [None] * len(values), "none")).layout.dragmode == "lasso"


def test_what_is_chosen_stays_among_the_colours() -> None:
    options = overview.colour_options(["n_genes", "umap_1", "own"], [("g1", "G1")], "gene:other")
    values = [item["value"] for group in options for item in group["items"]]
    assert values == ["type", "quality:n_genes", "quality:own", "gene:g1", "gene:other"]
    assert by_id(overview.panel(dataset(), "gene:G7"), ids.COLOUR_CELLS).value == "gene:G7"


def test_chosen_cells_are_compared_with_all_others(screen: FastAPI, reader: StoreReader) -> None:
    cells = [str(name) for name in reader.cells.index[:12]]
    answer = describe(screen, cells)
    asked = Service(screen).ask("POST", "/api/v1/cells/difference/peaks", json={"cells": cells, **CUT}).json()
    listed = answer[ids.CHOSEN_TABLE]["rowData"]
    assert [row["key"] for row in listed] == asked["rows"]["peak"][: chosen.MOST_ROWS]
    assert [row["q"] for row in listed] == asked["rows"]["q"][: chosen.MOST_ROWS]
    said = str(answer[ids.CHOSEN]["children"])
    assert f"12 of {len(reader.cells)} cells chosen" in said
    kinds = reader.cells["cell_type"].iloc[:12].value_counts()
    assert all(f"{kind} {n}" in said for kind, n in kinds.items() if n)
    assert answer[ids.CHOSEN_BOX]["style"] == {"display": "block"}


def test_too_few_cells_are_said_with_a_way_on(screen: FastAPI, reader: StoreReader) -> None:
    answer = describe(screen, [str(reader.cells.index[0])])
    assert "draw another line" in str(answer[ids.CHOSEN]["children"])
    assert answer[ids.CHOSEN_TABLE]["rowData"] == []
    assert describe(screen, None)[ids.CHOSEN]["children"] == chosen.HINT
    assert text_of(chosen.few(1, 2))


def test_barcodes_are_safe_for_spreadsheets_and_say_of_what_data_set() -> None:
    given = embedding().model_copy(update={"cell_id": ["=A1", "b"], "cell_type": ["B", "T"]})
    lines = chosen.barcodes_csv(["b", "=A1"], given, dataset()).splitlines()
    assert lines[1] == f"# data set: by hand, {'a' * 64}"
    assert lines[-3:] == ["cell_id,cell_type", "b,T", "'=A1,B"]
    assert chosen.types_of(["b", "=A1", "b"], given) == {"T": 2, "B": 1}


def test_controls_stand_under_the_model_on_the_same_task() -> None:
    controls = [
        ControlReport(name="shuffled", control="shuffled-labels", test=metrics(0.51)),
        ControlReport(name="older", control=None, test=None),
    ]
    table = overview.control_parts(controls, report(0.81))[-1]
    assert table.data["body"] == [
        ["This model", "", "0.810", "0.880", "200"],
        ["shuffled", "trained on labels without meaning", "0.510", "0.880", "200"],
        ["older", "trained as a model is", "–", "–", "–"],
    ]
    assert overview.control_parts([], report()) == []


def test_cells_called_matched_are_told_by_type() -> None:
    own = [
        OwnPairs(cell_type="B", n_cells=1_200, mean_probability=0.75, called_matched=0.9),
        OwnPairs(cell_type="none", n_cells=0, mean_probability=None, called_matched=None),
    ]
    table = overview.own_parts(own)[-1]
    assert table.data["body"] == [["B", "1,200", "0.900", "0.750"], ["none", "0", "–", "–"]]
    assert overview.own_parts([]) == []
