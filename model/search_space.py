"""What a search tries: settings and their values, the paper's grids or those of a JSON file."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from bi2scope.data.errors import ConfigurationError
from bi2scope.model.config import ModelConfig, TrainingConfig

Value = str | int | float | bool | None
Point = dict[str, Value]

PAPER_GRIDS: dict[str, tuple[Value, ...]] = {
    "learning_rate": (1e-3, 5e-4, 1e-4, 5e-5, 1e-5),
    "weight_decay": (1e-4, 5e-5, 1e-5, 5e-6, 1e-6),
    "dropout": (0.0, 0.1, 0.3, 0.5, 0.8),
    "id_dim": (64, 128, 256, 512),
    "hidden": (64, 128, 256, 512),
    "layers": (1, 2),
}
"""The values that the paper's authors searched over."""

MAX_POINTS = 100_000
"""Combinations that a space has at most."""

_NOT_SEARCHED = {"protocol", "seed", "control"}
_MODEL, _TRAINING = ({field.name for field in fields(cls)} for cls in (ModelConfig, TrainingConfig))


@dataclass(frozen=True)
class SearchSpace:
    """Settings to vary, their values, and the configurations that all else comes from.

    Parameters
    ----------
    values
        Values by setting of :class:`ModelConfig` or :class:`TrainingConfig`.
    model, training
        What is the same in every trial.

    Raises
    ------
    ConfigurationError
        If a setting is unknown or no part of a search, has no value or one twice, or a value is out of its range.
    """

    values: Mapping[str, tuple[Value, ...]]
    model: ModelConfig
    training: TrainingConfig

    def __post_init__(self) -> None:
        searched = (_MODEL | _TRAINING) - _NOT_SEARCHED
        unknown = sorted(set(self.values) - searched)
        if unknown or not self.values:
            raise ConfigurationError(
                f"The search space has {', '.join(unknown) or 'no settings'}.",
                f"Settings that can be searched over: {', '.join(sorted(searched))}.",
            )
        for name, values in self.values.items():
            _check_values(name, values)
            for value in values:
                self.configurations({name: value})
        if self.size > MAX_POINTS:
            raise ConfigurationError(
                f"The search space has {self.size:,} combinations; at most {MAX_POINTS:,} are searched.",
                "Leave out values.",
            )

    @property
    def size(self) -> int:
        """Number of combinations."""
        return math.prod(len(values) for values in self.values.values())

    def configurations(self, point: Mapping[str, Value]) -> tuple[ModelConfig, TrainingConfig]:
        """The configurations of a combination of values.

        Raises
        ------
        ConfigurationError
            If a value is out of its range, or the values do not go together.
        """
        parts: list[dict[str, Any]] = [
            {name: value for name, value in point.items() if name in known} for known in (_MODEL, _TRAINING)
        ]
        try:
            return replace(self.model, **parts[0]), replace(self.training, **parts[1])
        except TypeError as error:  # a text where a number belongs
            raise ConfigurationError(f"The search space has {point}: {error}.") from error

    def points(self, seed: int) -> list[Point]:
        """Every combination once, in an order drawn at random."""
        names = sorted(self.values)
        every = [dict(zip(names, each, strict=True)) for each in itertools.product(*(self.values[n] for n in names))]
        return [every[position] for position in np.random.default_rng(seed).permutation(len(every))]

    def identity(self) -> dict[str, Any]:
        """What makes two searches one: plain values, as JSON gives them back."""
        plain = {
            "space": {name: list(values) for name, values in sorted(self.values.items())},
            "model": {name: value for name, value in self.model.as_dict().items() if name not in self.values},
            "training": {name: value for name, value in self.training.as_dict().items() if name not in self.values},
        }
        return dict(json.loads(json.dumps(plain)))


def _check_values(name: str, values: Sequence[Value]) -> None:
    if not values:
        raise ConfigurationError(f"The search space has no value for {name}.")
    for number, value in enumerate(values):
        if value is not None and not isinstance(value, str | int | float):
            raise ConfigurationError(f"The search space has {value!r} for {name}; wanted a number or a text.")
        if value in values[:number]:
            raise ConfigurationError(f"The search space has {value!r} for {name} twice.")


def read_space(path: str | Path) -> dict[str, tuple[Value, ...]]:
    """Values by setting out of a JSON file: ``{"learning_rate": [0.001, 0.0005], "layers": [1, 2]}``.

    Raises
    ------
    ConfigurationError
        If the file cannot be read or is no such object.
    """
    target = Path(path)
    wanted = 'Wanted JSON such as {"learning_rate": [0.001, 0.0005], "layers": [1, 2]}.'
    try:
        found = json.loads(target.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{target} cannot be read: {error.strerror or error}.", wanted) from error
    except ValueError as error:
        raise ConfigurationError(f"{target} is not a JSON file: {error}.", wanted) from error
    if not isinstance(found, dict) or not all(isinstance(values, list) for values in found.values()):
        raise ConfigurationError(f"{target} is no object of lists.", wanted)
    return {name: tuple(values) for name, values in found.items()}
