"""Where a training ended in numbers that are not finite, in words."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from bi2scope.data.multiome import Multiome
from bi2scope.data.pairs import Pairs

_NAMED = 3


class NotFiniteError(Exception):
    """A loss is not a finite number; the text says which, where, and how large the network's numbers are."""


def step_sentence(place: str, loss: float, pairs: str, logits: Tensor, network: nn.Module) -> str:
    """Of a training step; ``place`` names epoch and step, ``pairs`` the batch."""
    return f"The loss became {loss} in {place}, on {pairs}. {norm_sentence(network)}; {logit_text(logits)}."


def named_pairs(multiome: Multiome, pairs: Pairs) -> str:
    """The first pairs by the names of their cells, and how many there are."""
    cells = multiome.cells.index
    named = [
        f"{cells[rna]} with {'itself' if rna == atac else cells[atac]}"
        for rna, atac in zip(pairs.rna_cell[:_NAMED], pairs.atac_cell[:_NAMED], strict=True)
    ]
    more = ", ..." if len(pairs) > _NAMED else ""
    return f"{len(pairs)} pair{'s' if len(pairs) > 1 else ''} of cells ({', '.join(named)}{more})"


def norm_sentence(network: nn.Module) -> str:
    """The parameter with the largest norm; one that is not a number counts as the largest."""
    norms = {name: float(torch.linalg.vector_norm(p.detach().double())) for name, p in network.named_parameters()}
    name = max(norms, key=lambda each: math.inf if math.isnan(norms[each]) else norms[each])
    return f"The largest norm of a parameter is {norms[name]:.3g} ({name})"


def logit_text(logits: Tensor) -> str:
    """The largest logit that is a number."""
    sizes = logits.detach().double().abs()
    numbers = sizes[~sizes.isnan()]
    return f"the largest logit is {float(numbers.max()):.3g}" if len(numbers) else "no logit is a number"
