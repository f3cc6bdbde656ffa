"""One gene, or one peak, across cells: what of each cell's links concerns it.

Where a layer's attention is that of the store's factors it is worked out from them and the counts
(:mod:`bi2scope.data.store.across_factors`); of other layers the links lie in the store once more, by gene
(:mod:`bi2scope.data.store.gene_index`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bi2scope.data.attention import FLOOR, Cut, Floats, Ints
from bi2scope.data.store import halves, schema


@dataclass(frozen=True, slots=True)
class PairLinks:
    """Links of one gene, or to one peak, in several cells; columns of one length.

    Attributes
    ----------
    cells
        ``(n_present,)`` cells in which the gene or the peak has a count, ascending.
    cell
        ``(n_links,)`` position of the cell.
    feature
        ``(n_links,)`` the other side of the link: the peak for a gene, the gene for a peak.
    rank, logit
        ``(n_links,)``; logits are rounded as the store rounds them.
    truncated
        Whether links that were asked for were cut off when the store was made, and cannot be worked out.
    """

    cells: Ints
    cell: Ints
    feature: Ints
    rank: Ints
    logit: Floats
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """Which links are asked for.

    Attributes
    ----------
    top
        Their last rank.
    lowest
        Their lowest half-precision bits (:mod:`bi2scope.data.store.halves`).
    """

    top: int
    lowest: int

    @classmethod
    def of(cls, cut: Cut | None, attributes: schema.StoreAttributes) -> Asked:
        """Those that survive a cut; without one, those that the store keeps."""
        if cut is not None:
            return cls(cut.top_k or np.iinfo(np.int32).max, halves.lowest_above(cut.threshold))
        floor = attributes.floor
        return cls(attributes.k_max, halves.lowest_above(floor) if floor > FLOOR else 1)

    @property
    def logit(self) -> np.float32:
        """What their logits exceed, before they are rounded."""
        return np.float32(logits_below(np.asarray([self.lowest]))[0])


def logits_below(bits: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """What every logit exceeds that is rounded to these bits or higher ones; 0 where they are 0."""
    near_zero = bits <= halves.lowest_above(FLOOR)  # where rounding keeps a score above 0.5 or at it
    return np.where(near_zero, np.float32(0), halves.logits()[np.maximum(bits, 1) - 1])


@dataclass(frozen=True, slots=True)
class Found:
    """Links in some cells of one type, as they are found.

    Attributes
    ----------
    present
        Positions in the type of the cells in which the gene or the peak has a count.
    cell
        ``(n_links,)`` position in the type.
    feature, rank, bits
        ``(n_links,)`` the other side, rank, and half-precision bits of the logit.
    truncated
        As in :class:`PairLinks`.
    """

    present: Ints
    cell: Ints
    feature: Ints
    rank: Ints
    bits: Ints
    truncated: bool = False

    @classmethod
    def of(cls, present: Ints, columns: tuple[npt.NDArray[Any], ...], asked: Asked, truncated: bool = False) -> Found:
        """Of the columns cell, feature, rank and bits those links that are asked for."""
        cell, feature, rank, bits = columns
        kept = (rank <= asked.top) & (bits >= asked.lowest)
        return cls(present, cell[kept], feature[kept], rank[kept], bits[kept], truncated)


def joined(parts: Sequence[Found], cells: Sequence[Ints]) -> PairLinks:
    """The links of cells of several types, by cell.

    Parameters
    ----------
    parts
        Of each type, in whatever order of the cells; within a cell in the order that is wanted.
    cells
        Of each type, its cells.
    """
    none = [np.zeros(0, dtype=np.int64)]
    present = np.concatenate([*none, *(own[part.present] for part, own in zip(parts, cells, strict=True))])
    cell = np.concatenate([*none, *(own[part.cell] for part, own in zip(parts, cells, strict=True))])
    feature, rank, bits = (
        np.concatenate([*none, *(getattr(part, key) for part in parts)]) for key in ("feature", "rank", "bits")
    )
    if (np.diff(cell) < 0).any():
        order = np.argsort(cell, kind="stable")
        cell, feature, rank, bits = (column[order] for column in (cell, feature, rank, bits))
    logit = halves.logits()[bits]
    return PairLinks(np.sort(present), cell, feature, rank, logit, any(part.truncated for part in parts))
