"""Configuration of the model and of its training: two small frozen dataclasses, checked when they are made."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, Self, get_args

from bi2scope.data.errors import ConfigurationError

CountScale = Literal["raw", "log1p"]
AttributeScale = Literal["raw", "standardised"]
EmbeddingInit = Literal["normal", "svd"]
Split = Literal["cells", "pairs"]
Negatives = Literal["fixed", "fresh"]
Optimiser = Literal["adam", "adamw"]
Schedule = Literal["constant", "cosine"]


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
        How the ID embeddings start: standard normal, as published, or from a truncated SVD of the training counts.

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

    def __post_init__(self) -> None:
        for name in ("id_dim", "hidden", "layers", "heads"):
            _check(name, getattr(self, name), 1)
        _check("dropout", self.dropout, 0, below=1)
        if self.hidden % self.heads or self.hidden % 2:
            raise ConfigurationError(
                f"hidden is {self.hidden}, with {self.heads} head(s); the heads must divide it, and so must 2."
            )
        _check_choice("counts", self.counts, get_args(CountScale))
        _check_choice("gene_attributes", self.gene_attributes, get_args(AttributeScale))
        _check_choice("embedding_init", self.embedding_init, get_args(EmbeddingInit))

    def as_dict(self) -> dict[str, Any]:
        """The configuration as plain values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """A configuration from plain values; ConfigurationError names keys that it does not know."""
        return cls(**_known(cls, values))


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
