"""What the shapes of a published state dict say of its model, and what in them does not fit together."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from bi2scope.data.errors import CheckpointError
from bi2scope.model.config import ModelConfig
from bi2scope.model.network import Bi2Former, FeatureLayout

FIRST_LAYER = "cross_attention_layers.0."
"""Beginning of the names of the first layer's parameters."""

_N_ATTRIBUTES = 4
_OUT_PROJECTION = re.compile(r"cross_attention_layers\.\d+\.(rna|atac)_out_proj\.")


@dataclass(frozen=True)
class PublishedSizes:
    """Sizes of a published model.

    Attributes
    ----------
    genes, peaks
        Rows of the ID embeddings.
    id_dim, hidden, layers
        As in :class:`bi2scope.model.config.ModelConfig`.
    gene_chromosomes, peak_chromosomes
        One-hot columns that the width of each side's inputs leaves room for.
    has_projections
        Whether there are output projections, as there are with more than one head.
    """

    genes: int
    peaks: int
    id_dim: int
    hidden: int
    layers: int
    gene_chromosomes: int
    peak_chromosomes: int
    has_projections: bool


def sizes_of(state: dict[str, Tensor], name: str) -> PublishedSizes:
    """The sizes of a state dict; ``name`` is the file, for messages.

    Raises
    ------
    CheckpointError
        If it lacks the matrices that say them.
    """
    wanted = (
        "rna_idembedding.weight",
        "atac_idembedding.weight",
        f"{FIRST_LAYER}rna_query.weight",
        f"{FIRST_LAYER}atac_key.weight",
    )
    missing = [each for each in wanted if each not in state or state[each].ndim != 2]
    if missing:
        raise CheckpointError(
            f"{name} is not the state dict of a Bi2Former: it has no matrix {', '.join(missing)}; it has "
            f"{', '.join(sorted(state)[:4])}{', ...' if len(state) > 4 else ''}."
        )
    genes, peaks, query, key = (tuple(state[each].shape) for each in wanted)
    numbers = {int(found[1]) for each in state if (found := re.match(r"cross_attention_layers\.(\d+)\.", each))}
    return PublishedSizes(
        genes=genes[0],
        peaks=peaks[0],
        id_dim=genes[1],
        hidden=query[0],
        layers=len(numbers),
        gene_chromosomes=query[1] - genes[1] - 1 - _N_ATTRIBUTES,
        peak_chromosomes=key[1] - genes[1] - 1,
        has_projections=any(map(_OUT_PROJECTION.match, state)),
    )


def head_faults(sizes: PublishedSizes, heads: int | None) -> list[str]:
    """A sentence if the heads asked for are not those of the shapes, or do not divide the hidden size."""
    asked = heads or 1
    if sizes.has_projections and asked == 1:
        return ["It has output projections, so more than one head, and how many its shapes do not say: give --heads."]
    if not sizes.has_projections and asked > 1:
        return [f"It has no output projections, so one head; {asked} were asked for."]
    if not _divides(sizes, asked):
        return [f"Its hidden size is {sizes.hidden}; the {asked} head(s) must divide it, and so must 2."]
    return []


def shape_faults(state: dict[str, Tensor], sizes: PublishedSizes) -> list[str]:
    """A sentence for each parameter that is absent, unknown, or of a shape that the others contradict."""
    wanted = _shapes(sizes)
    faults = []
    for name in sorted(wanted.keys() | state.keys()) if wanted else ():
        found = tuple(state[name].shape) if name in state else None
        if found is None:
            faults.append(f"{name} is absent.{_WITHOUT_VALUES if '.rna_value.' in name else ''}")
        elif name not in wanted:
            faults.append(f"{name} ({_shape(found)}) is no parameter of a Bi2Former with {sizes.layers} layer(s).")
        elif found != wanted[name]:
            faults.append(f"{name} is {_shape(found)}; the other sizes want {_shape(wanted[name])}.")
    return faults


_WITHOUT_VALUES = (
    " It is the value projection of the genes, which published code has lacked: without it peaks receive no messages."
)


def _divides(sizes: PublishedSizes, heads: int) -> bool:
    return sizes.hidden > 0 and sizes.hidden % heads == 0 and sizes.hidden % 2 == 0


def _shapes(sizes: PublishedSizes) -> dict[str, tuple[int, ...]]:
    """Shapes of the parameters by name: those of a network of one gene and one peak, but for the embeddings.

    Empty for sizes that no network has.
    """
    if not _divides(sizes, 1) or sizes.id_dim < 1 or sizes.gene_chromosomes < 1:
        return {}
    heads = 2 if sizes.has_projections else 1  # how many there are changes no shape
    config = ModelConfig(id_dim=sizes.id_dim, hidden=sizes.hidden, layers=sizes.layers, heads=heads)
    one, attributes = np.zeros(1, dtype=np.int64), np.zeros((1, _N_ATTRIBUTES), dtype=np.float32)
    network = Bi2Former(config, FeatureLayout(one, one, sizes.gene_chromosomes, attributes))
    shapes = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    shapes["rna_idembedding.weight"] = (sizes.genes, sizes.id_dim)
    shapes["atac_idembedding.weight"] = (sizes.peaks, sizes.id_dim)
    return shapes


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "a single number"
