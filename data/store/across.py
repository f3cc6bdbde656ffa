"""One gene, or one peak, across cells: what of each cell's links concerns it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bi2scope.data.attention import Floats, Ints
from bi2scope.data.store.links import StoredCounts, StoredLinks, concatenated


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
        ``(n_links,)``.
    """

    cells: Ints
    cell: Ints
    feature: Ints
    rank: Ints
    logit: Floats


def links_of_gene(links: StoredLinks, rna: StoredCounts, gene: int, cells: Ints) -> PairLinks:
    """The kept links of one gene in each of some cells, by cell and then by rank."""
    present, parts = [], []
    for cell, row in rna.holders(gene, cells):
        present.append(cell)
        peak, logit = links.of_row(cell, row)
        parts.append((np.full(len(peak), cell), peak, np.arange(1, len(peak) + 1), logit))
    return _joined(present, parts)


def links_of_peak(links: StoredLinks, counts: tuple[StoredCounts, StoredCounts], peak: int, cells: Ints) -> PairLinks:
    """The kept links to one peak in each of some cells, by cell and then by gene."""
    present, parts = [], []
    rna, atac = counts
    for cell, place in atac.holders(peak, cells):
        present.append(cell)
        row, rank, logit = links.of_peak(cell, place)
        parts.append((np.full(len(row), cell), rna.indices(cell, cell + 1)[row], rank, logit))
    return _joined(present, parts)


def _joined(present: list[int], parts: Sequence[tuple[npt.NDArray[Any], ...]]) -> PairLinks:
    columns = [concatenated([part[i] for part in parts]) for i in range(4)]
    return PairLinks(np.asarray(present, dtype=np.int64), *columns)
