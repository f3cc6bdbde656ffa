"""Overview: what is shown, what attention is and is not, how the model was trained and how well it does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dash_mantine_components as dmc
from dash import html

from bi2scope.dashboard import chosen, ids
from bi2scope.dashboard.components import Part, Parts, aria, candidates_text, graph
from bi2scope.dashboard.figures.training import HEIGHT
from bi2scope.server.wire import ControlReport, DatasetInfo, Metrics, OwnPairs, TrainingReport

EMBEDDING_HEIGHT = "clamp(520px, 100vh - 300px, 800px)"
"""Of the figure: what the window has left, and enough to draw a line round cells in a low one."""

QUALITY_LABELS = {
    "n_genes": "Genes in the model",
    "n_peaks": "Open peaks in the model",
    "rna_counts": "RNA counts",
    "atac_counts": "ATAC counts",
    "n_genes_read": "Genes as read",
    "n_peaks_read": "Open peaks as read",
    "rna_counts_read": "RNA counts as read",
    "atac_counts_read": "ATAC counts as read",
    "matched_probability": "Probability of being matched, by the model",
    "n_links": "Links stored",
}
"""Numbers of a cell whose names want words; others are shown under their own."""

PLACES = ("umap_1", "umap_2")
"""Numbers of a cell that are no quality but its place in the embedding."""

WHAT_IS_SHOWN = (
    "Bi2Former reads the genes that a cell expresses and the peaks that are open in it, and is trained on one "
    "question: do this RNA and this ATAC come from the same cell? To answer, each gene attends to open peaks on its "
    "own chromosome. A score is the sigmoid of the agreement between a gene's query and a peak's key; what exceeds "
    "threshold and k is a link.",
    "A link is an association that helped to tell matched from mismatched cells. It is not evidence that the peak "
    "acts on the gene: a peak that merely marks a cell type can score as high. Scores saturate near 1, so ranks come "
    "from the logit. A model that does not do its own task well on unseen pairs has little to say through its "
    "attention; its accuracy stands in the header for that reason.",
)


def panel(dataset: DatasetInfo, by: str = "type") -> Parts:
    """The whole view."""
    return [
        html.Div(id=ids.OVERVIEW_NOTICE),
        html.Div(
            [
                html.Section(
                    [
                        html.Div([html.H2("Cells"), colour_control(by)], className="table-head"),
                        graph(
                            ids.OVERVIEW_EMBEDDING,
                            "cells",
                            wheel=False,
                            choose=True,
                            style={"height": EMBEDDING_HEIGHT},
                        ),
                        html.P(id=ids.EMBEDDING_METHOD, className="caption"),
                        chosen.box(),
                    ]
                ),
                html.Div(
                    [
                        html.Section(
                            [html.H2("What you see"), *[html.P(text) for text in WHAT_IS_SHOWN]], className="prose"
                        ),
                        html.Section(
                            [
                                html.H2("Training"),
                                *training_parts(dataset.training),
                                *control_parts(dataset.control_reports, dataset.training),
                                *own_parts(dataset.own_pairs),
                            ]
                        ),
                        html.Section([html.H2("Data set and model"), facts(dataset), *notes(dataset)]),
                    ],
                    className="overview-words",
                ),
            ],
            className="overview",
        ),
    ]


def colour_control(by: str) -> dmc.Select:
    """What the cells are coloured by; numbers of the cells and genes are offered later."""
    return dmc.Select(
        id=ids.COLOUR_CELLS,
        data=colour_options([], [], by),
        value=by,
        searchable=True,
        allowDeselect=False,
        nothingFoundMessage="No number of the cells and no gene begins so",
        size="xs",
        w=280,
        **aria(label="Colour the cells by; type a gene"),
    )


def colour_options(quality: Sequence[str], genes: Sequence[tuple[str, str]], by: str) -> list[dict[str, Any]]:
    """Choices of colour: the type, numbers of the cells, genes by (id, symbol); what is chosen stays among them."""
    groups: dict[str, list[dict[str, str]]] = {
        "Cells": [
            {"value": "type", "label": "Cell type"},
            *({"value": f"quality:{name}", "label": quality_label(name)} for name in quality if name not in PLACES),
        ],
        "Gene": [{"value": f"gene:{gene_id}", "label": symbol} for gene_id, symbol in genes],
    }
    kind, _, name = by.partition(":")
    if by not in {item["value"] for items in groups.values() for item in items}:
        groups["Gene" if kind == "gene" else "Cells"].append(
            {"value": by, "label": name if kind == "gene" else quality_label(name or by)}
        )
    return [{"group": group, "items": items} for group, items in groups.items() if items]


def quality_label(name: str) -> str:
    """A number of the cells in words."""
    return QUALITY_LABELS.get(name, name)


def training_parts(report: TrainingReport | None) -> Parts:
    """Sentence, metrics and curves; or that there is no record."""
    if report is None:
        return [dmc.Text("The store has no record of the training.", c="dimmed"), html.Div(id=ids.CURVES)]
    control = "" if report.control is None else f"Control {report.control}, not the model. "
    kept = f"Epoch {report.best_epoch} was kept, the best on the validation pairs. "
    if report.best_epoch == 0:
        kept = "The network was not trained. "
    unseen = "cells" if report.split == "cells" else "pairs (its cells may occur in training pairs)"
    return [
        html.P(
            f"{control}Protocol “{report.protocol}”: {report.n_train:,} training, {report.n_validation:,} validation "
            f"and {report.n_test:,} test pairs; the test has {unseen} that the training never saw. "
            f"{kept}{'' if report.stopped is None else report.stopped + ' '}Baseline: {report.baseline_name}.",
            className="caption",
        ),
        metrics_table(report),
        graph(ids.CURVES, "training-curves", wheel=False, style={"height": HEIGHT}),
    ]


def metrics_table(report: TrainingReport) -> dmc.Table:
    """Held-out metrics beside baseline and chance."""
    test, validation = report.test, report.validation
    names = {
        "accuracy": "Accuracy",
        "auroc": "AUROC",
        **({"auprc": "AUPRC", "ece": "Calibration error"} if test.auprc is not None else {}),
        "precision_matched": "Precision, matched",
        "recall_matched": "Recall, matched",
        "precision_mismatched": "Precision, mismatched",
        "recall_mismatched": "Recall, mismatched",
    }
    if test.accuracy_hard is not None:
        names |= {"accuracy_easy": "Accuracy, easy mismatches", "accuracy_hard": "Accuracy, hard mismatches"}
    others = {
        "accuracy": (three(report.baseline_accuracy), three(report.chance)),
        **dict.fromkeys(("auroc", "accuracy_easy", "accuracy_hard"), ("", "0.500")),
        "auprc": ("", three(test.base_rate)),
    }
    rows = [
        [label, three(getattr(test, key)), three(getattr(validation, key)), *others.get(key, ("", ""))]
        for key, label in names.items()
    ]
    head = ["", f"Test ({test.n_pairs:,} pairs)", f"Validation ({validation.n_pairs:,})", "Baseline", "Chance"]
    return dmc.Table(
        data={"head": head, "body": rows}, withTableBorder=True, tabularNums=True, horizontalSpacing="sm", fz="sm"
    )


CONTROL_SENTENCES: dict[str | None, str] = {
    "random-weights": "all parameters at random, not trained",
    "untrained": "the network before its training",
    "shuffled-labels": "trained on labels without meaning",
    "uniform-attention": "all candidates of a gene weigh alike",
    "random-peaks": "each gene attends to peaks drawn at random",
    None: "trained as a model is",
}


def control_parts(controls: Sequence[ControlReport], report: TrainingReport | None) -> Parts:
    """Control models on the same task, under the model's own line; nothing without controls."""
    if not controls:
        return []
    lines = [("This model", "", report.test if report else None)]
    lines += [(each.name, CONTROL_SENTENCES[each.control], each.test) for each in controls]
    rows = [[name, what, *held_out(test)] for name, what, test in lines]
    return [
        html.H3("Controls on the same task", style={"marginTop": 16}),
        html.P(
            "Where a control tells held-out pairs apart as well as the model, the task needs no learned attention.",
            className="caption",
        ),
        dmc.Table(
            data={"head": ["", "What it is", "Accuracy", "AUROC", "Test pairs"], "body": rows},
            withTableBorder=True, tabularNums=True, horizontalSpacing="sm", fz="sm",
        ),
    ]  # fmt: skip


def held_out(test: Metrics | None) -> tuple[str, str, str]:
    """Accuracy, AUROC and number of the test pairs; dashes where they are not known."""
    return ("–", "–", "–") if test is None else (three(test.accuracy), three(test.auroc), f"{test.n_pairs:,}")


def own_parts(own: Sequence[OwnPairs]) -> Parts:
    """How many cells of each type the model calls matched; nothing where the store does not say."""
    if not own:
        return []
    rows = [
        [each.cell_type, f"{each.n_cells:,}", three(each.called_matched), three(each.mean_probability)] for each in own
    ]
    return [
        html.H3("Cells that the model calls matched", style={"marginTop": 16}),
        html.P("Each cell's RNA with its own ATAC, cells of the training among them.", className="caption"),
        dmc.Table(
            data={"head": ["Cell type", "Cells", "Called matched", "Mean probability"], "body": rows},
            withTableBorder=True, tabularNums=True, horizontalSpacing="sm", fz="sm",
        ),
    ]  # fmt: skip


def three(value: float | None) -> str:
    """A metric to three places, a dash where there is none."""
    return "–" if value is None else f"{value:.3f}"


def facts(dataset: DatasetInfo) -> dmc.Table:
    """What the store says of itself."""
    types = ", ".join(f"{kind.name} ({kind.n_cells:,})" for kind in dataset.cell_types)
    rows: list[tuple[str, Part]] = [
        ("Cells", f"{dataset.n_cells:,}: {types}"),
        ("Genes, peaks", f"{dataset.n_genes:,}, {dataset.n_peaks:,} on {len(dataset.chromosomes)} chromosomes"),
        ("Model", f"{dataset.parameters:,} parameters; layers {dataset.n_layers}, heads {dataset.n_heads}"),
        ("Candidate links", candidates_text(dataset.max_distance)),
        ("Controls", ", ".join(dataset.controls) or "none in this store; held-out accuracy stands beside a baseline"),
        ("Stored", f"the best {dataset.k_max} links of each gene, score above {dataset.floor:g}"),
        ("Made", f"{dataset.created} by {dataset.generator}"),
        ("Data set", html.Code(dataset.dataset_digest[:16], title=dataset.dataset_digest)),
        ("Model digest", html.Code(dataset.model_digest[:16], title=dataset.model_digest)),
    ]
    body = dmc.TableTbody([dmc.TableTr([dmc.TableTh(name, w=130), dmc.TableTd(value)]) for name, value in rows])
    return dmc.Table(body, withTableBorder=True, fz="sm", variant="vertical")


def notes(dataset: DatasetInfo) -> Parts:
    """What reading the data changed."""
    if not dataset.notes:
        return []
    return [
        html.H3("Changed while reading", style={"marginTop": 16}),
        dmc.List([dmc.ListItem(n) for n in dataset.notes], size="sm"),
    ]
