"""What each departure from the paper buys: ``python scripts/ablation.py [--seeds 1 2] [--rows NAME ...]``.

Starts from the protocol ``bi2scope`` and takes one departure back at a time, on the bundled SNARE-seq cells. Every
training is added to ``build/ablation.jsonl`` when it is through; those that are there are not run again. The table of
all of them is printed at the end, as ``docs/recipe.md`` has it.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from bi2scope.data.attention import score_of
from bi2scope.data.examples.pair import example_pair
from bi2scope.data.graph import cell_graph
from bi2scope.data.multiome import Multiome
from bi2scope.data.readers import read_h5ad_pair
from bi2scope.model.checkpoint import Trained
from bi2scope.model.config import ModelConfig, TrainingConfig, protocol_defaults
from bi2scope.model.plan import make_plan
from bi2scope.model.training import Seeds, train
from bi2scope.precompute.attend import attend

RESULTS = Path(__file__).parents[1] / "build" / "ablation.jsonl"
CELLS, K_MAX = 12, 32
"""Test cells whose links are looked at, and links of a gene that a store keeps."""
THRESHOLDS = (0.8, 0.9, 0.95)


@dataclass(frozen=True)
class Row:
    """One row: the settings that differ from the protocol's."""

    name: str
    model: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)
    protocol: str = "bi2scope"

    def configurations(self, seed: int) -> tuple[ModelConfig, TrainingConfig]:
        """The configurations of a seed."""
        model, training = protocol_defaults(self.protocol, seed=seed)
        return replace(model, **self.model), replace(training, **self.training)


_AT_RANDOM: dict[str, Any] = {"embedding_init": "normal", "attention_init": "normal"}
_EACH_ALONE: dict[str, Any] = {"embedding_init": "svd", "attention_init": "normal"}
_AS_PUBLISHED: dict[str, Any] = {"optimiser": "adam", "learning_rate": 5e-5, "weight_decay": 1e-6}

ROWS = (
    Row("the recipe"),
    Row("all starts at random, full rate", _AT_RANDOM, {"attention_rate": 1.0}),
    Row("SVD of each modality alone, full rate", _EACH_ALONE, {"attention_rate": 1.0}),
    Row("queries and keys start at random", {"attention_init": "normal"}),
    Row("all at the full rate", {}, {"attention_rate": 1.0}),
    Row("no node dropout", {}, {"node_dropout": 0.0}),
    Row("mismatched pairs drawn once", {}, {"negatives": "fixed"}),
    Row("Adam, 5e-5, weight decay 1e-6", {}, _AS_PUBLISHED),
    Row("constant learning rate", {}, {"schedule": "constant"}),
    Row("raw counts", {"counts": "raw"}),
    Row("raw gene attributes", {"gene_attributes": "raw"}),
    Row("all features (min_cells 1)", {}, {"min_cells": 1}),
    Row("ID embeddings of 256", {"id_dim": 256}),
    Row("the paper's protocol, cells split, 1 epoch", {}, {"split": "cells", "epochs": 1}, "paper"),
)


def main(arguments: list[str]) -> int:
    """Run what is missing and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--rows", nargs="+", choices=[row.name for row in ROWS], default=[row.name for row in ROWS])
    asked = parser.parse_args(arguments)
    multiome = read_h5ad_pair(*example_pair())
    for seed in asked.seeds:
        for row in (row for row in ROWS if row.name in asked.rows):
            if not any((each["row"], each["seed"]) == (row.name, seed) for each in results()):
                add(measured(row, seed, multiome))
    print(table(results()))
    return 0


def measured(row: Row, seed: int, multiome: Multiome) -> dict[str, Any]:
    """One training: accuracies, seconds, and the share of a held-out cell's links above each threshold."""
    began = time.perf_counter()
    trained = train(multiome, *row.configurations(seed), progress=False)
    seconds = time.perf_counter() - began
    score = held_out_scores(trained, multiome)
    return {
        "row": row.name,
        "seed": seed,
        "validation": trained.report["validation"]["accuracy"],
        "test": trained.report["test"]["accuracy"],
        "best_epoch": trained.report["best_epoch"],
        "seconds": seconds,
        "above": {str(threshold): float((score > threshold).mean()) for threshold in THRESHOLDS},
    }


def held_out_scores(trained: Trained, multiome: Multiome) -> np.ndarray:
    """Scores of the links that a store would keep of some test cells."""
    seeds = Seeds.of(trained.training_config.seed)
    plan = make_plan(multiome, trained.training_config, np.random.default_rng(seeds.plan))
    cells, known = np.unique(plan.test.rna_cell)[:CELLS], trained.align(multiome)
    logit = [attend(trained, cell_graph(known, int(cell), int(cell)), K_MAX)[0][0].logit for cell in cells]
    return score_of(np.concatenate(logit))


def results() -> list[dict[str, Any]]:
    """Trainings that are through."""
    return [json.loads(line) for line in RESULTS.read_text().splitlines()] if RESULTS.exists() else []


def add(result: dict[str, Any]) -> None:
    """Keep one training."""
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    with RESULTS.open("a") as file:
        file.write(json.dumps(result) + "\n")
    print(json.dumps(result), file=sys.stderr, flush=True)


def table(found: list[dict[str, Any]]) -> str:
    """Means over the seeds as Markdown."""
    lines = [
        "| with | validation | test | links above 0.8 / 0.9 / 0.95 | seeds |",
        "|---|---|---|---|---|",
    ]
    for row in ROWS:
        of_row = [each for each in found if each["row"] == row.name]
        if of_row:
            validation, test = (np.mean([each[part] for each in of_row]) for part in ("validation", "test"))
            above = " / ".join(f"{np.mean([each['above'][str(cut)] for each in of_row]):.2f}" for cut in THRESHOLDS)
            seeds = ", ".join(str(each["seed"]) for each in of_row)
            lines.append(f"| {row.name} | {validation:.3f} | {test:.3f} | {above} | {seeds} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
