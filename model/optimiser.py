"""The optimiser of a training and its learning rate, step by step."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from bi2scope.model.config import TrainingConfig

_SHARE = "share"
"""Key of a group of parameters that has a share of the learning rate."""

_OF_LOGITS = ("rna_idembedding", "atac_idembedding", "rna_query", "atac_key")
"""Parts of the network that the logits are made of."""


def make_optimiser(network: nn.Module, config: TrainingConfig) -> torch.optim.Optimizer:
    """Adam (L2 in the gradient) or AdamW (decoupled) over all parameters.

    With ``attention_rate`` other than 1 what the logits are made of is a second group of parameters, which carries that
    share of the learning rate under the key ``share``.
    """
    kind = torch.optim.AdamW if config.optimiser == "adamw" else torch.optim.Adam
    settings: dict[str, Any] = {"lr": config.learning_rate, "weight_decay": config.weight_decay, "fused": True}
    if config.attention_rate == 1:
        return kind(network.parameters(), **settings)
    named = list(network.named_parameters())
    slow = [parameter for name, parameter in named if _is_of_logits(name)]
    others = [parameter for name, parameter in named if not _is_of_logits(name)]
    groups: list[dict[str, Any]] = [{"params": others}, {"params": slow, _SHARE: config.attention_rate}]
    return kind(groups, **settings)


def _is_of_logits(name: str) -> bool:
    return any(part in _OF_LOGITS for part in name.split("."))


def rate_share(config: TrainingConfig, step: int, n_steps: int) -> float:
    """Share of the learning rate at a step, from 0: ``min(1, (step + 1) / (warmup n_steps))`` times the schedule's.

    That is 1, or ``(1 + cos(pi step / n_steps)) / 2`` with ``schedule="cosine"``.
    """
    share = (1 + math.cos(math.pi * step / n_steps)) / 2 if config.schedule == "cosine" else 1.0
    if config.warmup:
        share *= min(1.0, (step + 1) / (config.warmup * n_steps))
    return share


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    """Give every group of parameters a learning rate, or its share of it."""
    for group in optimiser.param_groups:
        group["lr"] = rate * group.get(_SHARE, 1.0)


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
