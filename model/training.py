"""Training: pairs in, the best epoch's network and an honest report out."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from bi2scope.data.features import frequent_features
from bi2scope.data.multiome import Multiome
from bi2scope.model.checkpoint import Trained
from bi2scope.model.config import ModelConfig, TrainingConfig
from bi2scope.model.controls import NOT_TRAINED, named_control, shuffled_once
from bi2scope.model.device import Device, Precision, check_precision, chosen_device
from bi2scope.model.distributed import joined, plain_dropout
from bi2scope.model.features import GENE_COLUMNS, PEAK_COLUMNS, Normalisation, feature_layout
from bi2scope.model.initialise import start_from_counts
from bi2scope.model.loader import PairLoader
from bi2scope.model.memory import keep_freed_memory
from bi2scope.model.network import Bi2Former
from bi2scope.model.plan import Plan, make_plan
from bi2scope.model.report import held_out_report, validation_report
from bi2scope.model.resume import StateFile, identity_of
from bi2scope.model.run import Conduct, Run
from bi2scope.model.standing import History

_FEW = 0.04
"""Share of the training cells that ``min_cells`` asks for at most, so that few cells keep their features."""


@dataclass(frozen=True)
class Execution:
    """Where and how a training is carried out, which is no part of its configuration.

    Parameters
    ----------
    device
        ``auto`` is CUDA where there is some.
    precision
        ``bf16`` runs the forward pass under autocast, on CUDA only.
    state
        File that the training's state is written to after every epoch (:mod:`bi2scope.model.resume`); whoever called
        removes it when the checkpoint is written.
    resume
        Whether to go on from that file, if it is there.
    save_every
        Steps after which the state is written within an epoch too.
    on_epoch
        Called with the history so far after every epoch, by the first process alone; what it raises ends the training.
    test
        Whether to look at the test pairs at the end; a search over configurations does not.
    """

    device: Device = "auto"
    precision: Precision = "float32"
    state: Path | None = None
    resume: bool = False
    save_every: int | None = None
    on_epoch: Callable[[History], None] | None = None
    test: bool = True


def train(
    multiome: Multiome,
    model_config: ModelConfig,
    training_config: TrainingConfig,
    progress: bool = True,
    workers: int = 0,
    execution: Execution | None = None,
) -> Trained:
    """Train a Bi2Former to tell matched pairs from mismatched ones.

    Under ``torchrun`` all its processes train one model together; each returns it.

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
    execution
        Device, precision and state; on the device there is, without a state, when left out.

    Returns
    -------
    The network of the epoch with the highest validation accuracy (the lower loss, if two are equal).

    Raises
    ------
    DatasetError
        If the cells are of one type, or no gene or peak is seen often enough.
    TrainingError
        If there are too few cells to learn from, or the loss is not finite before an epoch is through.
    CheckpointError
        If the state to go on from is of another training.
    ConfigurationError
        If there is no such device, or two controls are asked for at once.
    """
    keep_freed_memory()
    execution = execution or Execution()
    model_config, training_config = named_control(model_config, training_config)
    seeds = Seeds.of(training_config.seed)
    device = chosen_device(execution.device)
    check_precision(execution.precision, device)
    state = _state_file(execution, device, multiome, model_config, training_config)
    stored = state.read() if state is not None and execution.resume and state.path.exists() else None
    known, plan = _prepared(multiome, training_config, seeds)
    normalisation = Normalisation()
    if model_config.gene_attributes == "standardised":
        normalisation = Normalisation.standard(known.genes)
    layout = feature_layout(known.genes, known.peaks, normalisation, model_config.max_distance)
    conduct = Conduct(progress, execution.precision, state, execution.save_every, execution.on_epoch)
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices), joined(device) as ranks:
        torch.manual_seed(int(seeds.torch.generate_state(1)[0]))
        network = Bi2Former(model_config, layout)
        if stored is None:
            cells = plan.train_cells
            start_from_counts(network, known.rna[cells], known.atac[cells], np.random.default_rng(seeds.start))
        loader = PairLoader(known, layout, training_config.batch_size, workers, ranks)
        rng = np.random.default_rng(seeds.epochs)
        run = Run(network.to(device), loader, plan, training_config, rng, conduct)
        if stored is not None:
            run.restore(*stored)
        end = run.untrained() if training_config.control in NOT_TRAINED else run.to_the_end()
        report = validation_report(plan, training_config, end)
        if execution.test:
            report |= held_out_report(run.kept(), multiome, loader, plan, end)
    plain_dropout(network)
    return Trained(
        network=network.cpu().eval(),
        model_config=model_config,
        training_config=training_config,
        genes=known.genes[list(GENE_COLUMNS)],
        peaks=known.peaks[list(PEAK_COLUMNS)],
        normalisation=normalisation,
        report=report,
        dataset_digest=multiome.digest,
    )


@dataclass(frozen=True)
class Seeds:
    """Streams of one seed; a control has those of the model, and one more for its labels."""

    plan: np.random.SeedSequence
    start: np.random.SeedSequence
    epochs: np.random.SeedSequence
    torch: np.random.SeedSequence
    labels: np.random.SeedSequence

    @classmethod
    def of(cls, seed: int) -> Seeds:
        """The streams of a training's seed."""
        return cls(*np.random.SeedSequence(seed).spawn(5))


def _state_file(
    execution: Execution, device: torch.device, multiome: Multiome, model: ModelConfig, training: TrainingConfig
) -> StateFile | None:
    if execution.state is None:
        return None
    others = {"precision": execution.precision, "device": device.type}
    return StateFile(execution.state, identity_of(multiome.digest, model, training, **others))


def _prepared(multiome: Multiome, config: TrainingConfig, seeds: Seeds) -> tuple[Multiome, Plan]:
    """The data set over the model's features, and the pairs."""
    plan = make_plan(multiome, config, np.random.default_rng(seeds.plan))
    known, plan = _restricted(multiome, plan, config)
    if config.control == "shuffled-labels" and plan.split == "pairs":
        plan = shuffled_once(plan, np.random.default_rng(seeds.labels))
    return known, plan


def _restricted(multiome: Multiome, plan: Plan, config: TrainingConfig) -> tuple[Multiome, Plan]:
    """The data set over the features seen often enough in the training cells, and the plan without empty cells."""
    least = min(config.min_cells, max(1, math.ceil(_FEW * len(plan.train_cells))))
    genes, peaks = frequent_features(multiome.take_cells(plan.train_cells), least)
    known = multiome.take_features(genes, peaks)
    usable = (np.diff(known.rna.indptr) > 0) & (np.diff(known.atac.indptr) > 0)
    return known, plan.without_cells(np.flatnonzero(~usable))
