"""The header: data set, model, how far the model can be trusted, the views."""

from __future__ import annotations

from collections.abc import Sequence

import dash_mantine_components as dmc
from dash import html

from bi2scope.dashboard import ids
from bi2scope.dashboard.address import View
from bi2scope.dashboard.client import STORE
from bi2scope.dashboard.components import aria
from bi2scope.server.wire import DatasetInfo, TrainingReport
from bi2scope.server.wire_service import StoreSummary

RELIABLE = 0.75
"""Held-out accuracy below which the page warns."""

VIEW_LABELS: dict[View, str] = {
    "overview": "Overview",
    "cell": "Cell",
    "locus": "Gene / locus",
    "celltype": "Cell type",
    "tf": "TF binding",
}


CONTROLS = {
    "random-weights": "Its parameters are all at random; it was not trained.",
    "untrained": "It was not trained at all.",
    "shuffled-labels": "It was trained on pairs whose labels were shuffled.",
    "uniform-attention": "It weighs all links of a gene the same.",
    "random-peaks": "Its links go to peaks chosen at random.",
}
"""What sets each control apart from the model."""


def counts_text(dataset: DatasetInfo) -> str:
    """Size of the data set and of the store."""
    return f"{dataset.n_cells:,} cells · {dataset.n_genes:,} genes · {dataset.n_peaks:,} peaks · k_max {dataset.k_max}"


def percent(share: float) -> str:
    """A share of pairs as a percentage."""
    return f"{100 * share:.0f} %"


def accuracy_text(report: TrainingReport) -> str:
    """Held-out accuracy beside the baseline and chance; a control is named first."""
    control = "" if report.control is None else f"control {report.control} · "
    baseline = "" if report.baseline_accuracy is None else f" · baseline {report.baseline_accuracy:.2f}"
    return f"{control}held-out accuracy {report.test.accuracy:.2f}{baseline} · chance {report.chance:.2f}"


def accuracy_badge(report: TrainingReport | None) -> dmc.Badge:
    """The badge that is always in sight."""
    if report is None:
        return dmc.Badge("no record of the training", color="gray", variant="light", tt="none", size="lg")
    good = report.test.accuracy >= RELIABLE and report.control is None
    return dmc.Badge(
        accuracy_text(report),
        color="teal" if good else "orange",
        variant="light",
        tt="none",
        size="lg",
        className="accuracy" if good else "accuracy doubtful",
    )


def reliability_text(report: TrainingReport | None) -> str | None:
    """An honest sentence when the model does not tell pairs apart well; nothing when it does."""
    if report is None:
        return "The store has no record of how its model was trained, so nothing is known of how far to trust it."
    if report.control is not None:
        return (
            f"This is not the model but the control {report.control}, made to compare the model with. "
            f"{CONTROLS[report.control]} What its attention shows, the model's must surpass."
        )
    if report.test.accuracy < RELIABLE:
        beaten = (
            f"; the baseline ({report.baseline_name}) is right on {percent(report.baseline_accuracy)}"
            if report.baseline_accuracy is not None
            else ""
        )
        return (
            f"On {report.test.n_pairs:,} pairs that it never saw, this model tells matched from mismatched cells right "
            f"{percent(report.test.accuracy)} of the time (chance {percent(report.chance)}{beaten}). "
            "Read its attention with that much doubt."
        )
    return None


def reliability_warning(report: TrainingReport | None) -> dmc.Alert | None:
    """That sentence above the views."""
    text = reliability_text(report)
    if text is None:
        return None
    return dmc.Alert(text, color="orange", variant="light", className="reliability", p="xs", mb="sm")


def header(dataset: DatasetInfo, view: View, stores: Sequence[StoreSummary] = ()) -> list[dmc.Group | dmc.Tabs]:
    """The two rows of the header."""
    identity = dmc.Group(
        [html.Span("bi2scope", className="brand"), data_set(dataset, stores)],
        gap="md",
        wrap="nowrap",
        className="identity",
    )
    trust = dmc.Group([accuracy_badge(dataset.training), *tools()], gap=6, wrap="nowrap", className="trust")
    tabs = dmc.Tabs(
        [
            dmc.TabsList(
                [dmc.TabsTab(label, value=value) for value, label in VIEW_LABELS.items()], **aria(label="Views")
            ),
            dmc.Text(counts_text(dataset), size="sm", c="dimmed", className="counts"),
        ],
        id=ids.VIEW,
        value=view,
        className="views",
    )
    return [dmc.Group([identity, trust], justify="space-between", wrap="nowrap", className="header-row"), tabs]


def data_set(dataset: DatasetInfo, stores: Sequence[StoreSummary]) -> html.H1 | html.Div:
    """Name of the data set; a choice where the service holds several."""
    shown = STORE.get() or next((store.slug for store in stores if store.default), "")
    choice = dmc.Select(
        id=ids.STORE,
        data=[{"value": store.slug, "label": store.name, "disabled": not store.readable} for store in stores],
        value=shown,
        allowDeselect=False,
        size="xs",
        w=260,
        style={"display": "block" if len(stores) > 1 else "none"},
        **aria(label="Data set"),
    )
    hidden = "dataset-name" if len(stores) < 2 else "dataset-name unseen"
    return html.Div([html.H1(dataset.name, className=hidden, title=dataset.name), choice], className="data-set")


def tools() -> list[dmc.ActionIcon | dmc.ColorSchemeToggle | html.Span]:
    """Undo, copy link, keys, light or dark."""
    named = (
        (ids.UNDO, "↶", "Undo (Ctrl+Z)"),
        (ids.COPY_LINK, "", "Copy link to this view (c)"),
        (ids.HELP_BUTTON, "?", "Keys (?)"),
    )
    buttons = [
        dmc.ActionIcon(
            html.Span(sign, className="" if sign else "icon-copy", **aria(hidden="true")),
            id=name,
            variant="default",
            size="md",
            disabled=name == ids.UNDO,
            attributes={"root": {"title": label, "aria-label": label}},
        )
        for name, sign, label in named
    ]
    return [html.Span(id=ids.SAID, className="said", role="status"), *buttons, scheme_toggle()]


def scheme_toggle() -> dmc.ColorSchemeToggle:
    """The button between the light and the dark page."""
    return dmc.ColorSchemeToggle(
        id=ids.SCHEME_TOGGLE,
        lightIcon=html.Span("☀", **aria(hidden="true")),
        darkIcon=html.Span("☾", **aria(hidden="true")),
        variant="default",
        size="md",
        **aria(label="Light or dark"),
    )
