"""Controls: what the model is compared with, made by the same code from the same data, split and seed.

- ``random-weights``: a network whose parameters are all at random, not trained.
- ``untrained``: the network before the first step, with its ID embeddings, queries and keys as they start: from the
  data, if the configuration says so (:mod:`bi2scope.model.initialise`).
- ``shuffled-labels``: trained with the labels permuted among the training pairs; validation and test are honest.
- ``uniform-attention``: trained with equal weights in the place of the softmax over scores.
- ``random-peaks``: trained with links to peaks chosen at random among the candidates.

The last two are kinds of attention (:mod:`bi2scope.model.attention`).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bi2scope.data.errors import ConfigurationError
from bi2scope.data.pairs import Pairs
from bi2scope.model.config import AttentionKind, Control, ModelConfig, TrainingConfig
from bi2scope.model.plan import Plan

ATTENTION: dict[Control, AttentionKind] = {"uniform-attention": "uniform", "random-peaks": "random"}
"""Controls that are made by a kind of attention."""

NOT_TRAINED: tuple[Control, ...] = ("random-weights", "untrained")
"""Controls that are the network before its first step."""


def named_control(model_config: ModelConfig, training_config: TrainingConfig) -> tuple[ModelConfig, TrainingConfig]:
    """The configurations of a control with both its names: that of the training and that of the attention.

    Raises
    ------
    ConfigurationError
        If they name two controls.
    """
    control, attention = training_config.control, model_config.attention
    if control == "random-weights":
        model_config = replace(model_config, embedding_init="normal", attention_init="normal")
    if attention == "learned":
        kind = "learned" if control is None else ATTENTION.get(control, "learned")
        return replace(model_config, attention=kind), training_config
    own = next(name for name, kind in ATTENTION.items() if kind == attention)
    if control not in (None, own):
        raise ConfigurationError(
            f"The attention is {attention!r}, which is the control {own}, and the control {control} was asked for.",
            "One control at a time.",
        )
    return model_config, replace(training_config, control=own)


def with_shuffled_labels(pairs: Pairs, rng: np.random.Generator) -> Pairs:
    """The pairs with their labels permuted among them."""
    return replace(pairs, label=rng.permutation(pairs.label))


def shuffled_once(plan: Plan, rng: np.random.Generator) -> Plan:
    """The plan with the labels of its training pairs permuted."""
    return replace(plan, train=with_shuffled_labels(plan.train, rng))
