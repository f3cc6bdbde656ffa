"""The demo: the bundled cells, a model trained on them, their attention store; made once, reused after."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from bi2scope.data.errors import CheckpointError, InputError, StoreError
from bi2scope.data.examples.pair import NAME, example_pair
from bi2scope.data.multiome import Multiome
from bi2scope.data.readers import read_h5ad_pair
from bi2scope.data.store.reader import StoreReader
from bi2scope.model.checkpoint import Trained, load, save
from bi2scope.model.config import protocol_defaults
from bi2scope.model.training import train
from bi2scope.precompute.build import BuildOptions, precompute

T = TypeVar("T")


@dataclass(frozen=True)
class Demo:
    """What the demo made or found.

    Attributes
    ----------
    checkpoint, store
        The two files of its folder.
    report
        The training report of the model.
    seconds
        Each step and its duration in seconds; ``None`` where an earlier run's result was reused.
    """

    checkpoint: Path
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
    checkpoint, store = folder / "model.safetensors", folder / "store.h5"
    seconds: list[tuple[str, float | None]] = []

    multiome = _timed(seconds, "read cells", lambda: read_h5ad_pair(*example_pair()))
    trained = _found_model(checkpoint, multiome, epochs)
    if trained is None:
        trained = _timed(seconds, "train", lambda: _train(multiome, checkpoint, epochs))
    else:
        seconds.append(("train", None))
    if _store_is_of(store, trained, multiome):
        seconds.append(("precompute", None))
    else:
        model = trained
        _timed(
            seconds, "precompute", lambda: precompute(model, multiome, store, BuildOptions(name=NAME, overwrite=True))
        )
    return Demo(checkpoint, store, trained.report, tuple(seconds))


def _timed(seconds: list[tuple[str, float | None]], step: str, work: Callable[[], T]) -> T:
    start = time.perf_counter()
    result = work()
    seconds.append((step, time.perf_counter() - start))
    return result


def _train(multiome: Multiome, checkpoint: Path, epochs: int | None) -> Trained:
    model_config, training_config = protocol_defaults("bi2scope", epochs=epochs)
    trained = train(multiome, model_config, training_config)
    save(trained, checkpoint)
    return trained


def _found_model(checkpoint: Path, multiome: Multiome, epochs: int | None) -> Trained | None:
    """The model of an earlier run, if it is the one that a new run would train."""
    if not checkpoint.exists():
        return None
    try:
        trained = load(checkpoint)
    except CheckpointError:
        return None
    wanted = protocol_defaults("bi2scope", epochs=epochs)
    same = (trained.model_config, trained.training_config) == wanted
    return trained if same and trained.dataset_digest == multiome.digest else None


def _store_is_of(store: Path, trained: Trained, multiome: Multiome) -> bool:
    """Whether an earlier run's store holds the attention of this model over these cells."""
    if not store.exists():
        return False
    try:
        with StoreReader.open(store) as reader:
            return (
                reader.attributes.model_digest == trained.digest and reader.attributes.dataset_digest == multiome.digest
            )
    except StoreError:
        return False
