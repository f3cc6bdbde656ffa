"""The epochs of one training: network, optimiser, schedule and running mean, stepping together."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from bi2scope.data.errors import TrainingError
from bi2scope.data.pairs import Pairs
from bi2scope.data.progress import progress_bar
from bi2scope.model.batch import GraphBatch
from bi2scope.model.calibration import fitted_temperature
from bi2scope.model.config import TrainingConfig
from bi2scope.model.controls import with_shuffled_labels
from bi2scope.model.device import Precision, autocast, moved
from bi2scope.model.distributed import shared, tell_dropout
from bi2scope.model.divergence import NotFiniteError, named_pairs, norm_sentence, step_sentence
from bi2scope.model.evaluation import measure, pair_weights, predict
from bi2scope.model.history import epoch_record
from bi2scope.model.loader import PairLoader
from bi2scope.model.network import Bi2Former
from bi2scope.model.optimiser import make_optimiser, rate_share, set_rate
from bi2scope.model.plan import Plan
from bi2scope.model.resume import StateFile
from bi2scope.model.standing import Best, History, Parts, Standing, restored, stored


@dataclass(frozen=True)
class Conduct:
    """How a run is carried out; none of it changes the result but the precision.

    Attributes
    ----------
    progress
        Whether to show a progress bar on standard error.
    precision
        Of the forward pass.
    state
        Where the state is kept, after every epoch; ``None`` keeps none.
    save_every
        Steps after which the state is kept within an epoch too.
    on_epoch
        Called with the history after every epoch, by the first process alone.
    """

    progress: bool = True
    precision: Precision = "float32"
    state: StateFile | None = None
    save_every: int | None = None
    on_epoch: Callable[[History], None] | None = None


class Run:
    """A training, from where it stands to its end.

    Parameters
    ----------
    network
        On its device.
    loader
        Batches of the training pairs.
    plan, config
        Pairs and settings.
    rng
        Source of pairs and node dropout.
    conduct
        How to go about it.
    """

    def __init__(
        self,
        network: Bi2Former,
        loader: PairLoader,
        plan: Plan,
        config: TrainingConfig,
        rng: np.random.Generator,
        conduct: Conduct,
    ) -> None:
        self.network, self.loader, self.plan, self.config, self.rng = network, loader, plan, config, rng
        self.conduct, self.ranks, self.device = conduct, loader.ranks, network.fc3.weight.device
        self.epoch_steps = math.ceil(plan.n_train / config.batch_size)
        self.n_steps = self.epoch_steps * config.epochs
        self.optimiser = make_optimiser(network, config)
        self.average: AveragedModel | None = None
        if config.averaging:
            mean = get_ema_multi_avg_fn(config.averaging)  # type: ignore[no-untyped-call]
            self.average = AveragedModel(network, multi_avg_fn=mean)
        self.parts = Parts(network, self.average, self.optimiser, self.device)
        self.logits = shared(network, self.ranks, unused=network.config.attention != "learned")
        self.at = Standing()
        self.clock = time.perf_counter()

    def to_the_end(self) -> Standing:
        """Train what is left of the epochs; the kept epoch is ``best`` of where the run then stands.

        Raises
        ------
        TrainingError
            If the loss is not finite before an epoch is through.
        """
        done = (self.at.epoch - 1) * self.epoch_steps + self.at.step
        shown = self.conduct.progress and self.ranks.first
        with progress_bar(total=self.n_steps, what="Train", unit="step", shown=shown) as self.bar:
            self.bar.update(done)
            self.clock = time.perf_counter()
            while self.at.epoch <= self.config.epochs and not self._patience_is_out():
                try:
                    self._epoch()
                    self._close_epoch()
                except NotFiniteError as error:
                    self._keep_the_best(str(error))
                    break
        return self.at

    def restore(self, values: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        """Stand where another run stood when it wrote its state."""
        self.at = restored(values, tensors, self.parts)
        self.rng.bit_generator.state = self.at.rng

    def untrained(self) -> Standing:
        """Stand at the end with the network as it is.

        Raises
        ------
        TrainingError
            If its logits are not finite.
        """
        self.at.epoch = 0
        try:
            self.at.best = self.validated()
        except NotFiniteError as error:
            raise TrainingError(str(error)) from error
        return self.at

    def validated(self) -> Best:
        """The network as it stands, on the validation pairs.

        Raises
        ------
        NotFiniteError
            If its logits are not finite.
        """
        network, pairs = self._evaluated(), self.plan.validation
        found = predict(network, self.loader.multiome, pairs, self.loader.workers, self.ranks)
        if not np.isfinite(found).all():
            raise NotFiniteError(
                f"The validation loss is not finite after epoch {self.at.epoch}. {norm_sentence(network)}."
            )
        weight = pair_weights(pairs.label, balanced=self.plan.balanced)
        metrics = measure(found, pairs.label, weight, self.plan.hard(pairs))
        temperature = fitted_temperature(found[:, 1] - found[:, 0], pairs.label == 1, weight)
        return Best(self.at.epoch, metrics, temperature, copy.deepcopy(network.state_dict()))

    def kept(self) -> Bi2Former:
        """The network with the parameters of the best epoch."""
        assert self.at.best is not None  # at the end there is one
        self.network.load_state_dict(self.at.best.state)
        return self.network

    def _epoch(self) -> None:
        """What is left of one pass over the training pairs."""
        at = self.at
        if at.step == 0 or at.pairs is None:
            at.pairs = self._drawn()
            at.rng = self.rng.bit_generator.state
        else:
            self.rng.bit_generator.state = at.rng
        pairs = at.pairs
        self.class_weight = self._class_weight(pairs)
        self.network.train()
        batches = self.loader.batches(pairs, node_dropout=self.config.node_dropout, rng=self.rng, first=at.step)
        for bounds, (batch, label) in zip(self.loader.bounds(pairs)[at.step :], batches, strict=True):
            loss, right = self._step(moved(batch, self.device), label.to(self.device), bounds)
            at.step += 1
            at.loss += loss * (bounds[1] - bounds[0])
            at.right += right
            self.bar.update()
            if self.conduct.save_every and at.step % self.conduct.save_every == 0 and at.step < self.epoch_steps:
                self._save()

    def _drawn(self) -> Pairs:
        """Pairs of the epoch to begin, after those of the one before."""
        before = self.at.pairs
        pairs = next(self.plan.epochs(self.rng, before))
        anew = self.plan.split == "cells" and (before is None or self.plan.negatives == "fresh")
        if self.config.control == "shuffled-labels" and anew:
            seed = np.random.SeedSequence(self.config.seed, spawn_key=(4, self.at.epoch))
            pairs = with_shuffled_labels(pairs, np.random.default_rng(seed))
        return pairs

    def _class_weight(self, pairs: Pairs) -> Tensor | None:
        """Weights in the loss of mismatched and matched pairs that give each half of the epoch's."""
        if not self.config.class_balanced_loss:
            return None
        number = np.bincount(pairs.label, minlength=2)
        return torch.tensor(len(pairs) / (2 * number), dtype=torch.float32, device=self.device)

    def _step(self, batch: GraphBatch, label: Tensor, bounds: tuple[int, int]) -> tuple[float, int]:
        """One step; the loss per pair and the number called right, over the whole batch."""
        own, taken = self.ranks.own(*bounds), self.ranks.taken(*bounds)
        start, n_pairs = bounds[0], bounds[1] - bounds[0]
        at_step = (self.at.epoch - 1) * self.epoch_steps + self.at.step
        set_rate(self.optimiser, self.config.learning_rate * rate_share(self.config, at_step, self.n_steps))
        self.optimiser.zero_grad()
        tell_dropout(self.network, slice(taken.start - start, taken.stop - start), n_pairs)
        with autocast(self.conduct.precision):
            logits = self.logits(batch).float()
        loss = cross_entropy(logits, label, weight=self.class_weight, reduction="sum") / n_pairs
        if not own:
            loss = loss * 0  # another's pair, taken so that no process sits the step out
        right = (logits.argmax(dim=1) == label).sum() * bool(own)
        value, n_right = self.ranks.total(torch.stack([loss.detach().double(), right.double()])).tolist()
        if not math.isfinite(value):
            raise NotFiniteError(self._where(value, logits, bounds))
        (loss * self.ranks.size).backward()  # type: ignore[no-untyped-call]  # gradients are averaged over the processes
        if self.config.clip_norm is not None:
            torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.config.clip_norm)
        self.optimiser.step()
        if self.average is not None:
            self.average.update_parameters(self.network)
        return value, int(n_right)

    def _where(self, loss: float, logits: Tensor, bounds: tuple[int, int]) -> str:
        assert self.at.pairs is not None  # those of the step
        place = f"epoch {self.at.epoch}, step {self.at.step + 1} of {self.epoch_steps}"
        pairs = named_pairs(self.loader.multiome, self.at.pairs.take(range(*bounds)))
        return step_sentence(place, loss, pairs, logits, self.network)

    def _close_epoch(self) -> None:
        """Validate, write down, keep the best, and step on to the next epoch."""
        at, n_pairs = self.at, len(self.at.pairs or ())
        found = self.validated()
        train = (at.loss / n_pairs, at.right / n_pairs)
        rate = float(self.optimiser.param_groups[0]["lr"])
        at.history.append(epoch_record(at.epoch, self._seconds(), train, rate, found.validation))
        if at.best is None or _merit(found.validation) > _merit(at.best.validation):
            at.best = found
        self.bar.set_postfix(loss=f"{train[0]:.3f}", validation=f"{found.validation['accuracy']:.3f}", refresh=False)
        at.epoch, at.step, at.rng = at.epoch + 1, 0, self.rng.bit_generator.state
        at.loss, at.right, at.seconds = 0.0, 0, 0.0
        self._save()
        if self.conduct.on_epoch is not None and self.ranks.first:
            self.conduct.on_epoch(at.history)

    def _seconds(self) -> float:
        """Seconds of this epoch so far, those before a kill among them."""
        now = time.perf_counter()
        self.at.seconds, self.clock = self.at.seconds + now - self.clock, now
        return self.at.seconds

    def _patience_is_out(self) -> bool:
        best, patience = self.at.best, self.config.patience
        if best is None or patience is None or len(self.at.history) - best.epoch < patience:
            return False
        self.at.stopped = f"No better validation in {patience} epochs after epoch {best.epoch}."
        return True

    def _keep_the_best(self, why: str) -> None:
        if self.at.best is None:
            if self.conduct.state is not None and self.ranks.first:
                self.conduct.state.remove()  # it leads to the same end
            raise TrainingError(f"{why} No epoch was through, so nothing is kept.", "Lower the learning rate.")
        self.at.stopped = f"{why} Epoch {self.at.best.epoch} is kept."

    def _evaluated(self) -> Bi2Former:
        """The network that is evaluated and kept."""
        if self.average is None:
            return self.network
        averaged = self.average.module
        assert isinstance(averaged, Bi2Former)
        return averaged

    def _save(self) -> None:
        if self.conduct.state is None or not self.ranks.first:
            return
        self._seconds()
        self.conduct.state.write(*stored(self.at, self.parts))


def _merit(metrics: Mapping[str, Any]) -> tuple[float, float]:
    return metrics["accuracy"], -metrics["loss"]
