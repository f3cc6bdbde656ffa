"""How well pairs that were held out are told apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy.stats import rankdata

from bi2scope.data.errors import TrainingError
from bi2scope.data.multiome import Multiome
from bi2scope.data.pairs import Pairs
from bi2scope.model.calibration import calibration
from bi2scope.model.device import moved
from bi2scope.model.distributed import ALONE, Ranks
from bi2scope.model.loader import PairLoader
from bi2scope.model.network import Bi2Former

_GRAPHS_AT_ONCE = 64

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


def evaluate(
    network: Bi2Former,
    multiome: Multiome,
    pairs: Pairs,
    *,
    balanced: bool,
    hard: Bools | None = None,
    workers: int = 0,
) -> dict[str, Any]:
    """Metrics of a network on pairs; see :func:`measure`, :func:`pair_weights` for ``balanced``, :func:`predict`."""
    weight = pair_weights(pairs.label, balanced=balanced)
    return measure(predict(network, multiome, pairs, workers), pairs.label, weight, hard)


def predict(network: Bi2Former, multiome: Multiome, pairs: Pairs, workers: int = 0, ranks: Ranks = ALONE) -> Floats:
    """``(n_pairs, 2)`` log-probabilities of mismatched and matched; the network is left in evaluation mode.

    ``workers`` and ``ranks`` as in :class:`bi2scope.model.loader.PairLoader`; every process gets all rows.
    """
    network.eval()
    tables = network.tables()
    device = network.fc3.weight.device
    loader = PairLoader(multiome, network.layout, _GRAPHS_AT_ONCE, workers, ranks)
    found = torch.zeros((len(pairs), 2), dtype=torch.float64, device=device)
    for (start, stop), (batch, _) in zip(loader.bounds(pairs), loader.batches(pairs), strict=True):
        with torch.inference_mode():
            logits, _ = network(moved(batch, device), tables)
            own = ranks.own(start, stop)
            found[own.start : own.stop] = torch.log_softmax(logits.double(), dim=1)[: len(own)]
    return ranks.total(found).cpu().numpy()


def pair_weights(label: npt.NDArray[np.int64], *, balanced: bool) -> Floats:
    """``(n_pairs,)`` weights that sum to 1; with ``balanced`` each of the two classes has half of it."""
    if not balanced:
        return np.full(len(label), 1 / len(label))
    return 0.5 / np.bincount(label, minlength=2)[label]


def measure(
    log_probability: Floats, label: npt.NDArray[np.int64], weight: Floats, hard: Bools | None = None
) -> dict[str, Any]:
    """Metrics of predictions, with the keys of ``Metrics`` (``server/wire.py``).

    Parameters
    ----------
    log_probability
        ``(n_pairs, 2)`` of mismatched and matched.
    label, weight
        ``(n_pairs,)``; the weights sum to 1 (:func:`pair_weights`).
    hard
        ``(n_pairs,)`` which pairs are hard mismatches. With it the metrics hold ``accuracy_easy`` and
        ``accuracy_hard`` too: of the matched pairs against the easy, or the hard, mismatches alone, both sides
        weighing the same, so that chance is 0.5; ``None`` where there are no such mismatches.

    Raises
    ------
    TrainingError
        If predictions are not finite.
    """
    if not np.isfinite(log_probability).all():
        bad = int((~np.isfinite(log_probability)).any(axis=1).sum())
        raise TrainingError(f"The network's logits are not finite for {bad:,} of {len(label):,} held-out pairs.")
    called = log_probability[:, 1] > log_probability[:, 0]
    log_odds = log_probability[:, 1] - log_probability[:, 0]
    matched = label == 1
    metrics: dict[str, Any] = {
        "n_pairs": len(label),
        "loss": float(-(weight * log_probability[np.arange(len(label)), label]).sum()),
        "accuracy": float(weight[called == matched].sum()),
        "auroc": auroc(log_odds, matched),
        "auprc": auprc(log_odds, matched, weight),
        "base_rate": float(weight[matched].sum()),
        "precision_matched": _share(weight, called & matched, called),
        "recall_matched": _share(weight, called & matched, matched),
        "precision_mismatched": _share(weight, ~called & ~matched, ~called),
        "recall_mismatched": _share(weight, ~called & ~matched, ~matched),
        **calibration(log_odds, matched, weight),
    }
    if hard is not None:
        metrics["accuracy_easy"] = _against(called, matched, ~matched & ~hard)
        metrics["accuracy_hard"] = _against(called, matched, hard)
    return metrics


def _against(called: Bools, matched: Bools, mismatched: Bools) -> float | None:
    """Mean of the shares of the matched and of some mismatched pairs that are called right."""
    if not (matched.any() and mismatched.any()):
        return None
    return float((called[matched].mean() + (~called[mismatched]).mean()) / 2)


def auroc(value: Floats, positive: Bools) -> float | None:
    """Chance that a positive has a higher value than a negative, ties counting half; ``None`` without both.

    By the ranks of the positives (Mann and Whitney 1947).
    """
    n_positive, n_negative = int(positive.sum()), int((~positive).sum())
    if n_positive == 0 or n_negative == 0:
        return None
    rank_sum = rankdata(value)[positive].sum()
    return float((rank_sum - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative))


def auprc(value: Floats, positive: Bools, weight: Floats) -> float | None:
    """Mean precision over the recall, without interpolation; ``None`` without positives.

    Values in no order have on average the base rate, the weight of the positives.
    """
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(positive, value, sample_weight=weight)) if positive.any() else None


def _share(weight: Floats, part: Bools, whole: Bools) -> float:
    total = weight[whole].sum()
    return float(weight[part].sum() / total) if total > 0 else 0.0
