"""Training: pairs in, the best epoch's network and an honest report out."""

from __future__ import annotations

import copy
import math
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from bi2scope.data.errors import TrainingError
from bi2scope.data.features import frequent_features
from bi2scope.data.multiome import Multiome
from bi2scope.data.pairs import Pairs
from bi2scope.data.progress import progress_bar
from bi2scope.model import baseline
from bi2scope.model.batch import GraphBatch
from bi2scope.model.checkpoint import Trained
from bi2scope.model.config import ModelConfig, TrainingConfig
from bi2scope.model.evaluation import evaluate, pair_weights
from bi2scope.model.features import GENE_COLUMNS, PEAK_COLUMNS, Normalisation, feature_layout
from bi2scope.model.initialise import start_from_svd
from bi2scope.model.loader import PairLoader
from bi2scope.model.memory import keep_freed_memory
from bi2scope.model.network import Bi2Former
from bi2scope.model.plan import Plan, make_plan

_FEW = 0.04
"""Share of the training cells that ``min_cells`` asks for at most, so that few cells keep their features."""


def train(
    multiome: Multiome,
    model_config: ModelConfig,
    training_config: TrainingConfig,
    progress: bool = True,
    workers: int = 0,
) -> Trained:
    """Train a Bi2Former to tell matched pairs from mismatched ones.

    Parameters
    ----------
    multiome
        The cells.
    model_config, training_config
        See :func:`bi2scope.model.config.protocol_defaults`.
    progress
        Whether to show a progress bar on standard error.
    workers
        Processes that make batches (:class:`bi2scope.model.loader.PairLoader`); the result does not depend on it.

    Returns
    -------
    The network of the epoch with the highest validation accuracy (the lower loss, if two are equal).

    Raises
    ------
    DatasetError
        If the cells are of one type, or no gene or peak is seen often enough.
    TrainingError
        If there are too few cells to learn from, or the loss is not finite before an epoch is through.
    """
    keep_freed_memory()
    plan_seed, start_seed, epoch_seed, torch_seed = np.random.SeedSequence(training_config.seed).spawn(4)
    plan = make_plan(multiome, training_config, np.random.default_rng(plan_seed))
    known, plan = _restricted(multiome, plan, training_config)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(torch_seed.generate_state(1)[0]))
        normalisation = Normalisation()
        if model_config.gene_attributes == "standardised":
            normalisation = Normalisation.standard(known.genes)
        layout = feature_layout(known.genes, known.peaks, normalisation, model_config.max_distance)
        network = Bi2Former(model_config, layout)
        if model_config.embedding_init == "svd":
            cells = plan.train_cells
            start_from_svd(network, known.rna[cells], known.atac[cells], np.random.default_rng(start_seed))
        loader = PairLoader(known, layout, training_config.batch_size, workers)
        run = _Run(network, loader, plan, training_config, np.random.default_rng(epoch_seed), progress)
        history, best = run.epochs()
    network.load_state_dict(best.state)
    return Trained(
        network=network.eval(),
        model_config=model_config,
        training_config=training_config,
        genes=known.genes[list(GENE_COLUMNS)],
        peaks=known.peaks[list(PEAK_COLUMNS)],
        normalisation=normalisation,
        report=_report(network, multiome, loader, plan, history, best),
        dataset_digest=multiome.digest,
    )


def _restricted(multiome: Multiome, plan: Plan, config: TrainingConfig) -> tuple[Multiome, Plan]:
    """The data set over the features seen often enough in the training cells, and the plan without empty cells."""
    least = min(config.min_cells, max(1, math.ceil(_FEW * len(plan.train_cells))))
    genes, peaks = frequent_features(multiome.take_cells(plan.train_cells), least)
    known = multiome.take_features(genes, peaks)
    usable = (np.diff(known.rna.indptr) > 0) & (np.diff(known.atac.indptr) > 0)
    return known, plan.without_cells(np.flatnonzero(~usable))


@dataclass(frozen=True)
class _Best:
    """The best epoch so far."""

    epoch: int
    validation: dict[str, Any]
    state: dict[str, Tensor]


class _Run:
    """The epochs of one training: network, optimiser, schedule and running mean, stepping together."""

    def __init__(
        self,
        network: Bi2Former,
        loader: PairLoader,
        plan: Plan,
        config: TrainingConfig,
        rng: np.random.Generator,
        progress: bool,
    ) -> None:
        self.network, self.loader, self.plan, self.config, self.rng = network, loader, plan, config, rng
        n_steps = math.ceil(plan.n_train / config.batch_size) * config.epochs
        kind = torch.optim.AdamW if config.optimiser == "adamw" else torch.optim.Adam
        self.optimiser = kind(
            network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay, fused=True
        )
        self.schedule = torch.optim.lr_scheduler.LambdaLR(
            self.optimiser,
            lambda step: (1 + math.cos(math.pi * step / n_steps)) / 2 if config.schedule == "cosine" else 1.0,
        )
        self.average: AveragedModel | None = None
        if config.averaging:
            mean = get_ema_multi_avg_fn(config.averaging)  # type: ignore[no-untyped-call]
            self.average = AveragedModel(network, multi_avg_fn=mean)
        self.bar = progress_bar(total=n_steps, what="Train", unit="step", shown=progress)

    def epochs(self) -> tuple[list[dict[str, Any]], _Best]:
        """Train all epochs; the history, and the epoch to keep."""
        history: list[dict[str, Any]] = []
        best: _Best | None = None
        with self.bar:
            for epoch, pairs in zip(range(1, self.config.epochs + 1), self.plan.epochs(self.rng), strict=False):
                start = time.perf_counter()
                try:
                    loss, accuracy = self._epoch(pairs)
                except _NotFiniteError as error:
                    if best is None:
                        raise TrainingError(
                            f"The loss became {error} in epoch {epoch}.", "Lower the learning rate."
                        ) from error
                    self.bar.write(f"The loss became {error} in epoch {epoch}: stopped, epoch {best.epoch} is kept.")
                    break
                found = self._validate()
                history.append(_record(epoch, time.perf_counter() - start, loss, accuracy, found))
                if best is None or _merit(found) > _merit(best.validation):
                    best = _Best(epoch, found, copy.deepcopy(self._evaluated().state_dict()))
                self.bar.set_postfix(loss=f"{loss:.3f}", validation=f"{found['accuracy']:.3f}", refresh=False)
        assert best is not None  # TrainingConfig has one epoch or more
        return history, best

    def _epoch(self, pairs: Pairs) -> tuple[float, float]:
        """One pass over the training pairs; mean loss and accuracy on the way."""
        self.network.train()
        total, right = 0.0, 0
        for batch, label in self.loader.batches(pairs, node_dropout=self.config.node_dropout, rng=self.rng):
            loss, logits = self._step(batch, label)
            total += loss * len(label)
            right += int((logits.argmax(dim=1) == label).sum())
            self.bar.update()
        return total / len(pairs), right / len(pairs)

    def _step(self, batch: GraphBatch, label: Tensor) -> tuple[float, Tensor]:
        self.optimiser.zero_grad()
        logits, _ = self.network(batch)
        loss = cross_entropy(logits, label)
        if not math.isfinite(loss.item()):
            raise _NotFiniteError(str(loss.item()))
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        self.schedule.step()
        if self.average is not None:
            self.average.update_parameters(self.network)
        return loss.item(), logits.detach()

    def _evaluated(self) -> Bi2Former:
        """The network that is evaluated and kept."""
        if self.average is None:
            return self.network
        averaged = self.average.module
        assert isinstance(averaged, Bi2Former)
        return averaged

    def _validate(self) -> dict[str, Any]:
        return _held_out(self._evaluated(), self.loader, self.plan, self.plan.validation)


def _held_out(network: Bi2Former, loader: PairLoader, plan: Plan, pairs: Pairs) -> dict[str, Any]:
    return evaluate(
        network,
        loader.multiome,
        pairs,
        balanced=plan.balanced,
        hard=plan.hard(pairs),
        workers=loader.workers,
    )


class _NotFiniteError(Exception):
    """The loss of a step is not a finite number."""


def _merit(metrics: dict[str, Any]) -> tuple[float, float]:
    return metrics["accuracy"], -metrics["loss"]


def _record(epoch: int, seconds: float, loss: float, accuracy: float, found: dict[str, Any]) -> dict[str, Any]:
    return {
        "epoch": epoch,
        "seconds": seconds,
        "train_loss": loss,
        "train_accuracy": accuracy,
        "validation_loss": found["loss"],
        "validation_accuracy": found["accuracy"],
        "validation_auroc": found["auroc"],
    }


def _report(
    network: Bi2Former, multiome: Multiome, loader: PairLoader, plan: Plan, history: list[dict[str, Any]], best: _Best
) -> dict[str, Any]:
    """The training report, with the keys of ``TrainingReport`` (``server/wire.py``).

    The baseline has all features of the data set, not only the model's.
    """
    test = plan.test
    weight = pair_weights(test.label, balanced=plan.balanced)
    agree = baseline.predict_matched(
        multiome.rna, multiome.atac, plan.codes, plan.train_cells, (test.rna_cell, test.atac_cell)
    )
    return {
        "protocol": plan.protocol,
        "split": plan.split,
        "n_train": plan.n_train,
        "n_validation": len(plan.validation),
        "n_test": len(test),
        "best_epoch": best.epoch,
        "history": history,
        "validation": best.validation,
        "test": _held_out(network, loader, plan, test),
        "baseline_name": baseline.NAME,
        "baseline_accuracy": float(weight[agree == (test.label == 1)].sum()),
        "chance": float(max(weight[test.label == kind].sum() for kind in (0, 1))),
    }
