"""The demo: the bundled cells, a model trained on them and its control, their store; made once, reused after."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from bi2scope.data.errors import CheckpointError, InputError, StoreError
from bi2scope.data.examples.pair import NAME, example_pair
from bi2scope.data.multiome import Multiome
from bi2scope.data.readers import read_h5ad_pair
from bi2scope.data.store.reader import StoreReader
from bi2scope.model.checkpoint import Trained, load, save
from bi2scope.model.config import Control, ModelConfig, TrainingConfig, protocol_defaults
from bi2scope.model.controls import named_control
from bi2scope.model.training import train
from bi2scope.precompute.build import BuildOptions, precompute

T = TypeVar("T")
Configuration = tuple[ModelConfig, TrainingConfig]

CONTROL: Control = "random-weights"
"""What the sliders compare the model with: how many of its links a network that learned nothing shows, too."""


@dataclass(frozen=True)
class Demo:
    """What the demo made or found.

    Attributes
    ----------
    checkpoint, control, store
        The three files of its folder: the model, the network with random weights to compare it with, the store.
    report
        The training report of the model.
    seconds
        Each step and its duration in seconds; ``None`` where an earlier run's result was reused.
    """

    checkpoint: Path
    control: Path
    store: Path
    report: dict[str, Any]
    seconds: tuple[tuple[str, float | None], ...]


def build_demo(folder: Path, epochs: int | None = None) -> Demo:
    """Make, or find, the demo's model and store in a folder.

    Parameters
    ----------
    folder
        Made if it is missing. Files of an earlier run are reused when they are of the same cells, configuration and
        model, and made again when not.
    epochs
        Epochs to train; the protocol's when left out.

    Raises
    ------
    InputError
        If the folder cannot be made or is a file.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{folder} cannot be made: {error.strerror}.", "Choose another --folder.") from error
    checkpoint, control, store = (folder / name for name in ("model.safetensors", f"{CONTROL}.safetensors", "store.h5"))
    seconds: list[tuple[str, float | None]] = []

    multiome = _timed(seconds, "read cells", lambda: read_h5ad_pair(*example_pair()))
    model_config, training_config = protocol_defaults("bi2scope", epochs=epochs)
    trained = _model(seconds, "train", multiome, checkpoint, (model_config, training_config))
    wanted = named_control(model_config, replace(training_config, control=CONTROL))
    beside: dict[str, Trained] = {CONTROL: _model(seconds, "control", multiome, control, wanted)}
    if _store_is_of(store, trained, beside, multiome):
        seconds.append(("precompute", None))
    else:
        options = BuildOptions(name=NAME, overwrite=True, controls=beside)
        _timed(seconds, "precompute", lambda: precompute(trained, multiome, store, options))
    return Demo(checkpoint, control, store, trained.report, tuple(seconds))


def _timed(seconds: list[tuple[str, float | None]], step: str, work: Callable[[], T]) -> T:
    start = time.perf_counter()
    result = work()
    seconds.append((step, time.perf_counter() - start))
    return result


def _model(
    seconds: list[tuple[str, float | None]], step: str, multiome: Multiome, checkpoint: Path, wanted: Configuration
) -> Trained:
    """The model of an earlier run, if it is the one that is wanted; else a new one."""
    found = _found(checkpoint, multiome, wanted)
    if found is not None:
        seconds.append((step, None))
        return found
    return _timed(seconds, step, lambda: _train(multiome, checkpoint, wanted))


def _train(multiome: Multiome, checkpoint: Path, wanted: Configuration) -> Trained:
    trained = train(multiome, *wanted)
    save(trained, checkpoint)
    return trained


def _found(checkpoint: Path, multiome: Multiome, wanted: Configuration) -> Trained | None:
    if not checkpoint.exists():
        return None
    try:
        trained = load(checkpoint)
    except CheckpointError:
        return None
    same = (trained.model_config, trained.training_config) == wanted
    return trained if same and trained.dataset_digest == multiome.digest else None


def _store_is_of(store: Path, trained: Trained, controls: dict[str, Trained], multiome: Multiome) -> bool:
    """Whether an earlier run's store holds the attention of this model, and of its controls, over these cells."""
    if not store.exists():
        return False
    try:
        with StoreReader.open(store) as reader:
            attributes, made = reader.attributes, reader.attributes.configuration.get("precompute", {})
            return (
                attributes.model_digest == trained.digest
                and attributes.dataset_digest == multiome.digest
                and made.get("controls") == {name: control.digest for name, control in controls.items()}
            )
    except StoreError:
        return False
