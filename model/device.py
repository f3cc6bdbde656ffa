"""Where a network computes, and in which precision."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch

from bi2scope.data.errors import ConfigurationError
from bi2scope.model.batch import GraphBatch

Device = Literal["auto", "cpu", "cuda"]
Precision = Literal["float32", "bf16"]


def chosen_device(device: Device) -> torch.device:
    """The device asked for; ``auto`` is CUDA where there is some. Of several, that of the ``torchrun`` process.

    Raises
    ------
    ConfigurationError
        If CUDA was asked for and there is none, or too little of it.
    """
    if device == "cpu" or (device == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    place, found = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
    if place >= found:
        raise ConfigurationError(
            f"CUDA device {place} was asked for, and torch {torch.__version__} finds {found} here.",
            "Start as many processes as there are GPUs, or pass --device cpu.",
        )
    chosen = torch.device("cuda", place)
    torch.cuda.set_device(chosen)
    return chosen


def check_precision(precision: Precision, device: torch.device) -> None:
    """Refuse what is meant for GPUs on a CPU.

    Raises
    ------
    ConfigurationError
        If bf16 is asked for on a CPU.
    """
    if precision == "bf16" and device.type != "cuda":
        raise ConfigurationError("The precision bf16 is for CUDA, and training is on the CPU.", "Leave out bf16.")


def autocast(precision: Precision) -> AbstractContextManager[object]:
    """What a forward pass runs in."""
    return torch.autocast("cuda", dtype=torch.bfloat16) if precision == "bf16" else nullcontext()


def moved(batch: GraphBatch, device: torch.device) -> GraphBatch:
    """A batch of the loader on a device."""
    return batch if device.type == "cpu" else batch.to(device, torch.float32)
