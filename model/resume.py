"""The state of a training in one ``.safetensors`` file, so that it can go on after a kill; nothing is pickled.

The tensors are the parameters, the running mean of them, those of the best epoch, what the optimiser remembers, the
pairs of the epoch and torch's stream of random numbers. The metadata hold JSON: ``identity`` (what must be the same for
the training to be the same: data set, configuration, device, precision) and ``values`` (where the training stands).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from bi2scope.data.errors import CheckpointError
from bi2scope.data.files import replacing
from bi2scope.model.config import ModelConfig, TrainingConfig

FORMAT = "bi2scope-training-state"
FORMAT_VERSION = 1

_ABSENT = "at its default"


def state_path(checkpoint: Path) -> Path:
    """Where the state of the training of a checkpoint is kept."""
    return checkpoint.with_name(f"{checkpoint.name}.resume.safetensors")


def identity_of(
    dataset_digest: str, model_config: ModelConfig, training_config: TrainingConfig, **others: str
) -> dict[str, Any]:
    """What must be the same for a training to be the same, flat: ``data``, ``model.hidden``, ``training.seed``, ..."""
    parts = {"model": model_config.as_dict(), "training": training_config.as_dict()}
    settings = {f"{part}.{name}": value for part, values in parts.items() for name, value in values.items()}
    return {"data": dataset_digest, **settings, **others}


@dataclass(frozen=True)
class StateFile:
    """The state of one training on disk.

    Attributes
    ----------
    path
        The file.
    identity
        Of the training (:func:`identity_of`).
    """

    path: Path
    identity: Mapping[str, Any]

    def write(self, values: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        """Replace the state; a kill leaves the old one or the new one."""
        metadata = {
            "format": FORMAT,
            "format_version": str(FORMAT_VERSION),
            "identity": json.dumps(dict(self.identity)),
            "values": json.dumps(dict(values)),
        }
        # of their own memory: the optimiser's and the network's are not to be shared between two names
        whole = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
        with replacing(self.path) as temporary:
            save_file(whole, temporary, metadata)

    def read(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Values and tensors of a training of the same identity.

        Raises
        ------
        CheckpointError
            If the file is no state, is damaged, or is of another training; the first setting that differs is named.
        """
        metadata, tensors = _read(self.path)
        self._check(json.loads(metadata["identity"]))
        return json.loads(metadata["values"]), tensors

    def remove(self) -> None:
        """Remove the file, if it is there."""
        self.path.unlink(missing_ok=True)

    def _check(self, found: Mapping[str, Any]) -> None:
        wanted = json.loads(json.dumps(dict(self.identity)))
        for key in sorted({*found, *wanted}):
            there, here = (each.get(key, _ABSENT) for each in (found, wanted))
            if there != here:
                raise CheckpointError(
                    f"{self.path} is the state of another training: its {key} is {there}, that of this one {here}.",
                    "Ask for the same training again, or leave out --resume and pass --overwrite to begin anew.",
                )


def standing(path: Path) -> str:
    """Where a training stands, in a few words: ``epoch 3 of 6``.

    Raises
    ------
    CheckpointError
        If the file is no state or is damaged.
    """
    metadata, _ = _read(path, tensors=False)
    values, identity = json.loads(metadata["values"]), json.loads(metadata["identity"])
    epochs = identity["training.epochs"]
    return (
        f"after epoch {epochs} of {epochs}" if values["epoch"] > epochs else f"in epoch {values['epoch']} of {epochs}"
    )


def _read(path: Path, *, tensors: bool = True) -> tuple[dict[str, str], dict[str, Tensor]]:
    hint = "Remove it and train from the beginning."
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            names = list(file.keys()) if tensors else []
            found = {name: file.get_tensor(name) for name in names}
    except (SafetensorError, OSError, ValueError, RuntimeError) as error:  # torch maps the file with the last
        raise CheckpointError(f"{path} cannot be read as the state of a training: {error}.", hint) from error
    if (metadata.get("format"), metadata.get("format_version")) != (FORMAT, str(FORMAT_VERSION)):
        raise CheckpointError(
            f"{path} is not the state of a training by this version of bi2scope: its metadata lack "
            f"format={FORMAT} of version {FORMAT_VERSION}.",
            hint,
        )
    return metadata, found
