"""What the protocol ``bi2scope`` learns: held-out accuracy, the spread of scores, and planted links.

SNARE-seq cells and simulated ``small`` cells, split by cell, easy mismatches. Planted links are ordered against other
pairs of their chromosome and distance by what the model says of them; beside it stand the network before its first step
(``untrained``), one whose parameters all start at random, as the paper's do (``random_weights``), and the accessibility
of the peak alone, and the correlation of the pair over all cells, without any model. About ten minutes on two cores.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from bi2scope.data.examples.pair import example_pair
from bi2scope.data.multiome import Multiome
from bi2scope.data.readers import read_h5ad_pair
from bi2scope.data.simulator import simulate
from bi2scope.model.baseline import log_normalised
from bi2scope.model.checkpoint import Trained
from bi2scope.model.config import protocol_defaults
from bi2scope.model.evaluation import auprc
from bi2scope.model.planted import Candidates, candidates, pair_attention
from bi2scope.model.training import train

SEEDS = (1, 2, 3)
EVERY = 3
"""Planted links are looked for in every third cell."""
LEAST_CELLS = 5
"""Cells in which gene and peak of a pair must both be seen."""

Figures = dict[str, float]


def main() -> tuple[Figures, Figures]:
    """AUPRC over its base rate and over that of the controls; accuracies, seconds and the AUPRC themselves."""
    figures = _snare()
    simulated = simulate("small", seed=1)
    began = time.perf_counter()
    model = _trained(simulated.multiome, 1)
    figures["small_training_s"] = time.perf_counter() - began
    figures["small_test_accuracy"] = model.report["test"]["accuracy"]
    figures["small_baseline_accuracy"] = model.report["baseline_accuracy"]
    pairs = candidates(simulated.links, model.genes, model.peaks, np.random.default_rng(0))
    figures |= _areas("trained", model, simulated.multiome, pairs)
    untrained = _trained(simulated.multiome, 1, control="untrained")
    figures |= _areas("untrained", untrained, simulated.multiome, pairs)
    random = _trained(simulated.multiome, 1, control="random-weights")
    figures |= _areas("random_weights", random, simulated.multiome, pairs)
    figures |= _areas_without_model(model, simulated.multiome, pairs)
    of_model = figures["auprc_score_trained"]
    others = ("base_rate", "score_untrained", "score_random_weights", "accessibility", "correlation")
    return {f"auprc_over_{name}": of_model / figures[f"auprc_{name}"] for name in others}, figures


def _snare() -> Figures:
    """Means over the seeds."""
    multiome = read_h5ad_pair(*example_pair())
    began = time.perf_counter()
    reports = [_trained(multiome, seed).report for seed in SEEDS]
    test = [report["test"]["accuracy"] for report in reports]
    return {
        "snare_training_s": (time.perf_counter() - began) / len(SEEDS),
        "snare_validation_accuracy": statistics.mean(report["validation"]["accuracy"] for report in reports),
        "snare_test_accuracy": statistics.mean(test),
        "snare_test_accuracy_least": min(test),
        "snare_baseline_accuracy": statistics.mean(report["baseline_accuracy"] for report in reports),
    }


def _trained(multiome: Multiome, seed: int, **changes: str) -> Trained:
    model, training = protocol_defaults("bi2scope", seed=seed)
    return train(multiome, model, replace(training, **changes), progress=False)


def _areas(name: str, trained: Trained, multiome: Multiome, pairs: Candidates) -> Figures:
    """AUPRC of the pairs by what attention says of them."""
    found = pair_attention(trained, multiome, pairs, np.arange(0, multiome.n_cells, EVERY))
    seen = (found["n_cells"] >= LEAST_CELLS).to_numpy()
    return {
        f"auprc_{column}_{name}": _area(pairs.planted[seen], found[column].to_numpy()[seen])
        for column in ("score", "weight", "lift")
    }


def _areas_without_model(trained: Trained, multiome: Multiome, pairs: Candidates) -> Figures:
    """Base rate, and AUPRC of the same pairs by the peak's accessibility and by their correlation over all cells."""
    found = pair_attention(trained, multiome, pairs, np.arange(0, multiome.n_cells, EVERY))
    seen = (found["n_cells"] >= LEAST_CELLS).to_numpy()
    known = trained.align(multiome)
    rna, atac = log_normalised(known.rna).toarray(), (known.atac > 0).toarray().astype(np.float32)
    for values in (rna, atac):
        values -= values.mean(axis=0)
        values /= np.maximum(np.linalg.norm(values, axis=0), 1e-9)
    correlation = np.einsum("cp,cp->p", rna[:, pairs.gene[seen]], atac[:, pairs.peak[seen]])
    return {
        "auprc_accessibility": _area(pairs.planted[seen], found["accessibility"].to_numpy()[seen]),
        "auprc_correlation": _area(pairs.planted[seen], correlation),
        "auprc_base_rate": float(pairs.planted[seen].mean()),
        "n_pairs": float(seen.sum()),
    }


def _area(planted: npt.NDArray[np.bool_], value: npt.NDArray[np.floating]) -> float:
    """AUPRC, every pair weighing the same."""
    return float(auprc(value, planted, np.ones(len(value))) or 0)
