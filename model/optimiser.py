"""The optimiser of a training and its learning rate, step by step."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from bi2scope.model.config import TrainingConfig


def make_optimiser(network: nn.Module, config: TrainingConfig) -> torch.optim.Optimizer:
    """Adam (L2 in the gradient) or AdamW (decoupled) over all parameters."""
    kind = torch.optim.AdamW if config.optimiser == "adamw" else torch.optim.Adam
    return kind(network.parameters(), lr=config.learning_rate, weight_decay=config.weight_decay, fused=True)


def rate_share(config: TrainingConfig, step: int, n_steps: int) -> float:
    """Share of the learning rate at a step, from 0: ``min(1, (step + 1) / (warmup n_steps))`` times the schedule's.

    That is 1, or ``(1 + cos(pi step / n_steps)) / 2`` with ``schedule="cosine"``.
    """
    share = (1 + math.cos(math.pi * step / n_steps)) / 2 if config.schedule == "cosine" else 1.0
    if config.warmup:
        share *= min(1.0, (step + 1) / (config.warmup * n_steps))
    return share


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Give every group of parameters a learning rate."""
    for group in optimiser.param_groups:
        group["lr"] = rate


def optimiser_tensors(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """What the optimiser remembers of each parameter, under ``place/name``."""
    state: dict[int, dict[str, Tensor]] = optimiser.state_dict()["state"]
    return {f"{place}/{name}": value for place, values in state.items() for name, value in values.items()}


def restore_optimiser(optimiser: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """Give the optimiser back what :func:`optimiser_tensors` took from it."""
    state: dict[int, dict[str, Any]] = {}
    for key, value in tensors.items():
        place, name = key.split("/")
        state.setdefault(int(place), {})[name] = value
    optimiser.load_state_dict({**optimiser.state_dict(), "state": state})
