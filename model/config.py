"""Configuration of the model and of its training: two small frozen dataclasses, checked when they are made."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Literal, Self, get_args

from bi2scope.data.errors import ConfigurationError
from bi2scope.data.pairs import Mismatches

CountScale = Literal["raw", "log1p"]
AttributeScale = Literal["raw", "standardised"]
EmbeddingInit = Literal["normal", "svd", "joint"]
AttentionInit = Literal["normal", "aligned"]
AttentionKind = Literal["learned", "uniform", "random"]
Split = Literal["cells", "pairs"]
Negatives = Literal["fixed", "fresh"]
Optimiser = Literal["adam", "adamw"]
Schedule = Literal["constant", "cosine"]
Control = Literal["random-weights", "untrained", "shuffled-labels", "uniform-attention", "random-peaks"]


def _known(cls: type, values: dict[str, Any]) -> dict[str, Any]:
    unknown = sorted(set(values) - {field.name for field in fields(cls)})
    if unknown:
        raise ConfigurationError(f"{cls.__name__} has no setting named {', '.join(unknown)}.")
    return values


def _check(name: str, value: float, least: float, below: float | None = None) -> None:
    if not value >= least or (below is not None and not value < below):
        limits = f"at least {least:g}" + (f" and below {below:g}" if below is not None else "")
        raise ConfigurationError(f"{name} is {value:g}; it must be {limits}.")


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ConfigurationError(f"{name} is {value!r}; it must be one of {', '.join(choices)}.")


@dataclass(frozen=True)
class ModelConfig:
    """Sizes of a Bi2Former and what it reads; the defaults are those of the paper's code.

    Parameters
    ----------
    id_dim, hidden
        Width of the ID embeddings and of the layers.
    layers, heads
        Number of cross-attention layers, and of heads in each; the heads divide ``hidden``.
    dropout
        Share dropped after each of the two hidden read-out layers.
    counts
        Whether the count of a node enters as it is or as ``log(1 + count)``.
    gene_attributes
        Whether means, variances_norm, strand and highly_variable enter as they are or standardised over the genes.
    embedding_init
        How the ID embeddings start: standard normal, as published, or from a truncated SVD of the training counts,
        ``svd`` of each modality or ``joint`` of the covariance of the two (:mod:`bi2scope.model.initialise`).
    max_distance
        Bases between a gene's TSS and the middle of a peak that it may attend to, at most
        (:mod:`bi2scope.data.candidates`); ``None``, as published, is every peak of the chromosome.
    attention
        ``learned``, as published, or that of a control: ``uniform`` gives the links that the model chooses equal
        weights, ``random`` chooses peaks at random among the candidates (:mod:`bi2scope.model.attention`).
    attention_init
        How the first layer's queries and keys start: at random, as published, or ``aligned``, as one map of the ID
        embeddings, with logits of standard deviation 1 (:mod:`bi2scope.model.initialise`).

    Raises
    ------
    ConfigurationError
        If a value is out of its range.
    """

    id_dim: int = 256
    hidden: int = 128
    layers: int = 1
    heads: int = 1
    dropout: float = 0.1
    counts: CountScale = "raw"
    gene_attributes: AttributeScale = "raw"
    embedding_init: EmbeddingInit = "normal"
    max_distance: int | None = None
    attention: AttentionKind = "learned"
    attention_init: AttentionInit = "normal"

    def __post_init__(self) -> None:
        for name in ("id_dim", "hidden", "layers", "heads"):
            _check(name, getattr(self, name), 1)
        _check("dropout", self.dropout, 0, below=1)
        if self.max_distance is not None and not (type(self.max_distance) is int and 1 <= self.max_distance < 2**63):
            raise ConfigurationError(
                f"max_distance is {self.max_distance!r}; it must be a whole number of bases, 1 or more."
            )
        if self.hidden % self.heads or self.hidden % 2:
            raise ConfigurationError(
                f"hidden is {self.hidden}, with {self.heads} head(s); the heads must divide it, and so must 2."
            )
        _check_choice("counts", self.counts, get_args(CountScale))
        _check_choice("gene_attributes", self.gene_attributes, get_args(AttributeScale))
        _check_choice("embedding_init", self.embedding_init, get_args(EmbeddingInit))
        _check_choice("attention", self.attention, get_args(AttentionKind))
        _check_choice("attention_init", self.attention_init, get_args(AttentionInit))

    def as_dict(self) -> dict[str, Any]:
        """The configuration as plain values, without the settings of ``_SINCE`` that are at their defaults.

        Left out, so that models made before there were such settings keep their digest.
        """
        return _without_defaults(self, _SINCE)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """A configuration from plain values; ConfigurationError names keys that it does not know."""
        return cls(**_known(cls, values))


_SINCE: dict[str, Any] = {"max_distance": None, "attention": "learned", "attention_init": "normal"}
"""Settings of the model that came later, with the value that stands for models without them."""

_SINCE_IN_TRAINING: dict[str, Any] = {
    "warmup": 0.0,
    "patience": None,
    "clip_norm": None,
    "class_balanced_loss": False,
    "control": None,
    "attention_rate": 1.0,
}
"""The same of its training."""


def _without_defaults(config: ModelConfig | TrainingConfig, defaults: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in asdict(config).items() if (name, value) not in defaults.items()}


@dataclass(frozen=True)
class TrainingConfig:
    """How a Bi2Former is trained; :func:`protocol_defaults` gives the two protocols.

    Parameters
    ----------
    protocol
        Name of the protocol that the settings started from.
    split
        Whether cells or pairs are split into training, validation and test; only a split of cells shows how the model
        does on cells that it never saw.
    negatives
        Whether the mismatched pairs are drawn once or anew in each epoch (with a split of cells only).
    epochs, batch_size
        Passes over the training cells, and graphs per step.
    optimiser
        ``adam`` has L2 in its gradient (as published), ``adamw`` has decoupled weight decay.
    learning_rate, weight_decay
        Of that optimiser.
    schedule
        A constant learning rate, or a cosine down to 0 over all steps.
    warmup
        Share of all steps over which the learning rate rises from 0 to that of the schedule.
    patience
        Epochs without a better validation after which training stops; ``None`` trains them all.
    clip_norm
        Largest norm of the gradient over all parameters, a longer one is scaled down to it; ``None`` leaves it.
    node_dropout
        Share of the genes and of the peaks of a training graph that are left out at random.
    averaging
        Decay of the running mean of the weights that is evaluated and kept; 0 keeps the weights themselves.
    min_cells
        Genes and peaks seen in fewer of the training cells are left out; of few cells, at most 4 % are asked for.
    mismatches_per_cell
        Mismatched pairs of each held-out cell in validation and test, with ``split="cells"``; the two classes weigh
        the same in the metrics.
    hard_share
        Share of hard ones among the mismatched pairs, in training and held out.
    mismatch_ratio
        Mismatched pairs per matched pair in training; with ``split="pairs"`` also held out.
    class_balanced_loss
        Whether matched and mismatched pairs have half of an epoch's loss each; otherwise every pair weighs the same.
    seed
        Of splits, pairs, weights and dropout.
    control
        What is trained in the place of the model, to compare (:mod:`bi2scope.model.controls`); ``None`` is the model.
    attention_rate
        Share of the learning rate that ID embeddings, queries and keys have: what the logits are made of. Below 1 it
        keeps scores near their start, when that start is of the data.

    Raises
    ------
    ConfigurationError
        If a value is out of its range.
    """

    protocol: str
    split: Split
    negatives: Negatives
    epochs: int
    batch_size: int
    optimiser: Optimiser
    learning_rate: float
    weight_decay: float
    schedule: Schedule = "constant"
    node_dropout: float = 0.0
    averaging: float = 0.0
    min_cells: int = 1
    mismatches_per_cell: int = 8
    hard_share: float = 0.0
    mismatch_ratio: float = 1.0
    seed: int = 906
    warmup: float = 0.0
    patience: int | None = None
    clip_norm: float | None = None
    class_balanced_loss: bool = False
    control: Control | None = None
    attention_rate: float = 1.0

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "min_cells", "mismatches_per_cell"):
            _check(name, getattr(self, name), 1)
        for name in ("weight_decay", "seed"):
            _check(name, getattr(self, name), 0)
        for name in ("node_dropout", "averaging", "warmup"):
            _check(name, getattr(self, name), 0, below=1)
        Mismatches(self.mismatch_ratio, self.hard_share)  # checks both
        for name, value in (
            ("learning_rate", self.learning_rate),
            ("clip_norm", self.clip_norm),
            ("attention_rate", self.attention_rate),
        ):
            if value is not None and not 0 < value < float("inf"):
                raise ConfigurationError(f"{name} is {value:g}; it must be above 0.")
        if self.patience is not None:
            _check("patience", self.patience, 1)
        if self.control is not None:
            _check_choice("control", self.control, get_args(Control))
        _check_choice("split", self.split, get_args(Split))
        _check_choice("negatives", self.negatives, get_args(Negatives))
        if self.split == "pairs" and self.negatives == "fresh":
            raise ConfigurationError(
                "Mismatches drawn anew could be pairs held out: negatives='fresh' needs split='cells'."
            )
        _check_choice("optimiser", self.optimiser, get_args(Optimiser))
        _check_choice("schedule", self.schedule, get_args(Schedule))

    def as_dict(self) -> dict[str, Any]:
        """The configuration as plain values, without the settings of ``_SINCE_IN_TRAINING`` at their defaults."""
        return _without_defaults(self, _SINCE_IN_TRAINING)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """A configuration from plain values; ConfigurationError names keys that it does not know."""
        return cls(**_known(cls, values))


_PAPER = (
    ModelConfig(),
    TrainingConfig(
        protocol="paper",
        split="pairs",
        negatives="fixed",
        epochs=50,
        batch_size=1,
        optimiser="adam",
        learning_rate=5e-5,
        weight_decay=1e-6,
    ),
)

_BI2SCOPE = (
    ModelConfig(
        id_dim=32,
        hidden=128,
        dropout=0.2,
        counts="log1p",
        gene_attributes="standardised",
        embedding_init="joint",
        attention_init="aligned",
    ),
    TrainingConfig(
        protocol="bi2scope",
        split="cells",
        negatives="fresh",
        epochs=10,
        batch_size=16,
        optimiser="adamw",
        learning_rate=2e-3,
        weight_decay=0.01,
        schedule="cosine",
        node_dropout=0.5,
        min_cells=10,
        attention_rate=0.1,
    ),
)


def protocol_defaults(
    protocol: str,
    *,
    epochs: int | None = None,
    seed: int | None = None,
    hard_share: float | None = None,
    mismatch_ratio: float | None = None,
) -> tuple[ModelConfig, TrainingConfig]:
    """The configurations of a protocol.

    Parameters
    ----------
    protocol
        ``paper``: the published code's settings. ``bi2scope``: settings that hold up on unseen cells; departures from
        the paper are the split by cell, fresh mismatches, log counts, standardised attributes, rare features left
        out, ID embeddings, queries and keys that start from the covariance of genes and peaks in the training cells
        and learn at a tenth of the rate, AdamW and a cosine schedule; ``docs/recipe.md`` says what each buys.
    epochs, seed, hard_share, mismatch_ratio
        Take the place of the protocol's when given.

    Raises
    ------
    ConfigurationError
        If there is no such protocol or a value is out of its range.
    """
    protocols = {"paper": _PAPER, "bi2scope": _BI2SCOPE}
    _check_choice("protocol", protocol, tuple(protocols))
    model, training = protocols[protocol]
    given = {"epochs": epochs, "seed": seed, "hard_share": hard_share, "mismatch_ratio": mismatch_ratio}
    changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    return model, replace(training, **changes)
