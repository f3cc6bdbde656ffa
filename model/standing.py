"""Where a training stands: what it has done, and all that the rest of it depends on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from bi2scope.data.pairs import Pairs
from bi2scope.model.optimiser import optimiser_tensors, restore_optimiser

History = list[dict[str, Any]]

_VALUES = ("epoch", "step", "rng", "loss", "right", "seconds", "history")
_OF_BEST = ("epoch", "validation", "temperature")


@dataclass(frozen=True)
class Best:
    """The best epoch so far: its metrics on the validation pairs, the temperature fitted there, its parameters."""

    epoch: int
    validation: dict[str, Any]
    temperature: float
    state: dict[str, Tensor]


@dataclass
class Standing:
    """Where a run stands: an epoch, the steps done of it, and what these summed to.

    ``pairs`` are those of the epoch, or before its first step of the one before; ``rng`` is the state of the generator
    after these were drawn.
    """

    epoch: int = 1
    step: int = 0
    pairs: Pairs | None = None
    rng: Any = None
    loss: float = 0.0
    right: int = 0
    seconds: float = 0.0
    history: History = field(default_factory=list)
    best: Best | None = None
    stopped: str | None = None


@dataclass(frozen=True)
class Parts:
    """What moves in a training: the network, the running mean of its parameters if there is one, the optimiser."""

    network: nn.Module
    average: nn.Module | None
    optimiser: Optimizer
    device: torch.device

    def modules(self) -> dict[str, nn.Module]:
        """Those with parameters, by name."""
        return {"network": self.network} | ({} if self.average is None else {"average": self.average})


def stored(at: Standing, parts: Parts) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Plain values and tensors that :func:`restored` makes the same standing of; after a first step at least."""
    values = {name: getattr(at, name) for name in _VALUES}
    tensors = _under("optimiser", optimiser_tensors(parts.optimiser)) | _under("stream", _streams(parts.device))
    for name, module in parts.modules().items():
        tensors |= _under(name, module.state_dict())
    if at.pairs is not None:
        columns = {name: torch.from_numpy(getattr(at.pairs, name)) for name in ("rna_cell", "atac_cell", "label")}
        tensors |= _under("pairs", columns)
    if at.best is not None:
        values["best"] = {name: getattr(at.best, name) for name in _OF_BEST}
        tensors |= _under("best", at.best.state)
    return values, tensors


def restored(values: Mapping[str, Any], tensors: Mapping[str, Tensor], parts: Parts) -> Standing:
    """The standing of :func:`stored`, with network, running mean, optimiser and torch's streams as they were."""
    at = Standing(**{name: values[name] for name in _VALUES})
    at.pairs = Pairs(**{name: column.numpy() for name, column in _part("pairs", tensors).items()})
    if "best" in values:
        at.best = Best(**values["best"], state=_part("best", tensors))
    for name, module in parts.modules().items():
        module.load_state_dict(_part(name, tensors))
    restore_optimiser(parts.optimiser, _part("optimiser", tensors))
    torch.set_rng_state(tensors["stream/cpu"])
    if parts.device.type == "cuda":
        torch.cuda.set_rng_state(tensors["stream/cuda"], parts.device)
    return at


def _streams(device: torch.device) -> dict[str, Tensor]:
    """States of torch's random numbers."""
    streams = {"cpu": torch.get_rng_state()}
    return streams | ({"cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else {})


def _under(part: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {f"{part}/{name}": tensor for name, tensor in tensors.items()}


def _part(part: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(f"{part}/"): each for name, each in tensors.items() if name.startswith(f"{part}/")}
