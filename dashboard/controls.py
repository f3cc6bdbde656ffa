"""The controls that every view shares: threshold, k, and (where the model has several) layer and head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import dash_mantine_components as dmc
from dash import dcc, html

from bi2scope.dashboard import ids
from bi2scope.dashboard.address import MODEL_K
from bi2scope.dashboard.client import Cut
from bi2scope.dashboard.components import aria
from bi2scope.server.wire import CellTypeSummary, DatasetInfo, Definition

THRESHOLD_MARKS = (0.5, 0.8, 0.9, 0.95, 0.99)

DEFINITION_LABELS: dict[Definition, str] = {"links": "Links", "score": "Score", "weight": "Weight"}

QUANTITY_LABELS = {"lift": "Lift", "links": "Links", "score": "Score", "weight": "Weight"}

QUANTITIES: dict[Definition, str] = {
    "links": "Sum of links",
    "score": "Sum of scores",
    "weight": "Sum of weights",
}

DEFINITION_SENTENCES: dict[Definition, str] = {
    "links": "Per peak, the number of surviving links over the type's cells and their genes.",
    "score": "Per peak, the sum of the scores of surviving links over the type's cells and their genes.",
    "weight": "Per peak, the sum of the model's pruned attention weights over surviving links.",
}


def labelled(label: str, typed: Any) -> dmc.Group:
    """A control's name with the box for typing its value beside it."""
    return dmc.Group(
        [dmc.Text(label, size="sm", fw=600), typed], justify="space-between", wrap="nowrap", align="center"
    )


def threshold_control(threshold: float) -> html.Div:
    """Slider and typed value of the threshold."""
    slider = dmc.Slider(
        id=ids.THRESHOLD,
        min=0.5,
        max=1,
        step=0.01,
        precision=2,
        value=threshold,
        updatemode="drag",
        thumbLabel="Score threshold",
        label=None,
        marks=[{"value": mark, "label": f"{mark:g}".removeprefix("0")} for mark in THRESHOLD_MARKS],
        className="slider",
    )
    typed = dmc.NumberInput(
        id=ids.THRESHOLD_TYPED,
        value=threshold,
        min=0.5,
        max=1,
        step=0.01,
        decimalScale=3,
        size="xs",
        w=78,
        debounce=300,
        **aria(label="Score threshold, typed"),
    )
    return html.Div([labelled("Score above", typed), slider], className="control")


def top_k_control(top_k: int | None, k_steps: list[int]) -> html.Div:
    """Slider over the steps, typed value, which may lie between them, and off switch of k."""
    k_max = max(k_steps)
    value = min(top_k if top_k is not None else MODEL_K, k_max)
    labelled_marks = k_marks(k_max)
    slider = dmc.Slider(
        id=ids.TOP_K,
        min=1,
        max=k_max,
        step=1,
        restrictToMarks=True,
        value=value,
        disabled=top_k is None,
        updatemode="drag",
        thumbLabel="Peaks per gene, k",
        label=None,
        marks=[{"value": k, "label": str(k)} if k in labelled_marks else {"value": k} for k in k_steps],
        className="slider k-slider",
    )
    typed = dmc.NumberInput(
        id=ids.TOP_K_TYPED,
        value=value,
        min=1,
        max=k_max,
        step=1,
        allowDecimal=False,
        size="xs",
        w=78,
        debounce=300,
        disabled=top_k is None,
        **aria(label="Peaks per gene, k, typed"),
    )
    switch = dmc.Switch(
        id=ids.TOP_K_ON,
        label="Best k per gene",
        checked=top_k is not None,
        size="xs",
        styles={"label": {"fontWeight": 600, "fontSize": "var(--mantine-font-size-sm)"}},
    )
    return html.Div([dmc.Group([switch, typed], justify="space-between", wrap="nowrap"), slider], className="control")


def k_marks(k_max: int) -> list[int]:
    """Marks of the k slider: 1, the model's own ten, and the end, with steps between where there is room."""
    return sorted({1, k_max, *(mark for mark in (10, 20, 30, 40) if mark < k_max - k_max // 12)})


def head_control(dataset: DatasetInfo, cut: Cut) -> html.Div:
    """Choice of layer and head; not shown where there is only one of each."""
    return html.Div(
        [
            dmc.Select(
                id=name,
                label=label,
                data=[{"value": str(i), "label": str(i + 1)} for i in range(count)],
                value=str(min(chosen, count - 1)),
                allowDeselect=False,
                size="xs",
                style={"display": "block" if count > 1 else "none"},
            )
            for name, label, count, chosen in (
                (ids.LAYER, "Layer", dataset.n_layers, cut.layer),
                (ids.HEAD, "Head", dataset.n_heads, cut.head),
            )
        ],
        className="heads",
    )


def cut_controls(dataset: DatasetInfo, cut: Cut) -> html.Div:
    """Threshold, k, layer and head, with the stores that the views listen to."""
    data = cut_data(cut)
    return html.Div(
        [
            threshold_control(cut.threshold),
            top_k_control(cut.top_k, dataset.k_steps),
            head_control(dataset, cut),
            dcc.Store(id=ids.CUT, data=data),
            dcc.Store(id=ids.CUT_SETTLED, data=data),
            *[dcc.Store(id=each, data=data) for each in (ids.CUT_OF_LOCUS, *ids.SETTLED_OF.values())],
            html.Section(id=ids.LEFT_OF_CELL, className="left", **aria(label="What this cut leaves in the cell")),
            html.Section(id=ids.LEFT_OF_TYPE, className="left", **aria(label="What this cut leaves in the cell type")),
        ],
        id=ids.CUT_CONTROLS,
    )


def cut_data(cut: Cut) -> dict[str, Any]:
    """A cut as it lies in the page's store."""
    return {"threshold": cut.threshold, "top_k": cut.top_k, "layer": cut.layer, "head": cut.head}


def cut_of(data: dict[str, Any]) -> Cut:
    """The cut that lies in the page's store."""
    return Cut(**data)


def segments(name: str, label: str, labels: Mapping[str, str], value: str) -> html.Div:
    """A choice among a few."""
    control = dmc.SegmentedControl(
        id=name,
        data=[{"value": key, "label": shown} for key, shown in labels.items()],
        value=value,
        fullWidth=True,
        size="xs",
        **aria(label=label),
    )
    return html.Div([dmc.Text(label, size="sm", fw=600, mb=4), control], className="control")


def type_options(types: Sequence[CellTypeSummary]) -> list[dict[str, str]]:
    """Cell types to choose from, with their sizes."""
    return [{"value": kind.name, "label": f"{kind.name} ({kind.n_cells:,})"} for kind in types]


def definition_control(name: str, label: str, definition: Definition) -> html.Div:
    """Choice among the three definitions of the cumulative score."""
    return segments(name, label, {str(key): text for key, text in DEFINITION_LABELS.items()}, definition)


def csv_link(text: str, name: str | None = None, href: str = "") -> html.A:
    """A link that downloads a CSV from the API, drawn as a button."""
    given: dict[str, Any] = {} if name is None else {"id": name}
    return html.A(text, href=href, download="", className="csv-link", **given)


def truncated_note(k_max: int) -> html.P:
    """What is missing when rows were cut at k_max and the question asks beyond."""
    return html.P(
        f"Cut at k_max: only the {k_max} best links of each gene were stored; some that would survive are missing.",
        className="truncated",
    )
