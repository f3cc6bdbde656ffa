"""What an exported table says of itself, line by line: program, data set, model, layer, head and cut."""

from __future__ import annotations

import functools
from importlib.metadata import version

from bi2scope.data.attention import FLOOR, WEIGHTED_PER_ROW, Cut
from bi2scope.data.candidates import candidates_text
from bi2scope.data.store.schema import StoreAttributes

SUMS = "links, score, weight: sums over the type's cells and their genes, over surviving links, of 1, score, weight"
LIFT = "lift: score over what n_open predicts, the chromosome's sum of score shared out in proportion to n_open"
RANK = "rank: by score, 1 is the highest, equal scores share a rank"

MEANING = (
    "n_cells: cells with the link; n_both: cells in which gene and peak both have a count",
    "mean_score, mean_weight: over the cells with the link",
)
"""What the counts and means of a regulatory map are."""


@functools.cache
def _version() -> str:
    return version("bi2scope")  # parses a file of the installation, which takes as long as a small table


def origin_lines(attributes: StoreAttributes) -> list[str]:
    """Program, data set and model."""
    return [
        f"bi2scope {_version()}",
        f"data set: {attributes.name}, SHA-256 {attributes.dataset_digest}",
        f"model: SHA-256 {attributes.model_digest}",
    ]


def cut_lines(
    attributes: StoreAttributes, cut: Cut, *, layer: int = 0, head: int = 0, truncated: bool = False
) -> list[str]:
    """Layer, head, candidates, threshold and k, what a weight is, and whether links are missing."""
    or_low = f" or of a score up to {attributes.floor:g}" if attributes.floor > FLOOR else ""
    cut_short = f"links beyond rank {attributes.k_max}{or_low} were not stored and are missing here"
    return [
        f"layer: {layer}, head: {head}",
        f"candidates: {candidates_text(attributes.max_distance)}",
        f"threshold: {cut.threshold}, on the score, sigmoid of the logit: links with score > {cut.threshold}",
        "k: off" if cut.top_k is None else f"k: {cut.top_k}, on the rank of the logit in the gene's row",
        f"weight: the model's pruned attention, 0 from rank {WEIGHTED_PER_ROW + 1} on and for scores up to {FLOOR}",
        *([f"truncated: {cut_short}"] if truncated else []),
    ]
