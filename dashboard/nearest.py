"""The gene nearest to each of some peaks, by the distance from its TSS to the middle of the peak."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bi2scope.dashboard.client import Client
from bi2scope.server.wire_genes import GeneColumns

ALL = 200_000
"""More genes than any data set has."""


@dataclass(frozen=True, slots=True)
class Near:
    """A gene, and how far the middle of a peak lies from its TSS in base pairs; negative is upstream."""

    name: str
    distance: int


class Tss:
    """Where the genes of a data set start.

    Parameters
    ----------
    genes
        All of them.
    """

    def __init__(self, genes: GeneColumns) -> None:
        place = np.asarray(genes.gene_tss, dtype=np.int64)
        chrom = np.asarray(genes.gene_chrom, dtype=object)
        self._name, self._strand = genes.gene_name, genes.gene_strand
        self._of: dict[str, tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]] = {}
        for name in dict.fromkeys(genes.gene_chrom):
            own = np.flatnonzero(chrom == name)
            own = own[np.argsort(place[own], kind="stable")]
            self._of[name] = (place[own], own)

    def nearest(self, chrom: str, start: int, end: int) -> Near | None:
        """The gene nearest to a peak, the first of two that are as near; ``None`` on a chromosome without genes."""
        if chrom not in self._of:
            return None
        place, own = self._of[chrom]
        middle = (start + end) // 2
        right = int(np.searchsorted(place, middle))
        best = min(range(max(right - 1, 0), min(right + 1, len(place))), key=lambda i: abs(int(place[i]) - middle))
        gene, ahead = int(own[best]), middle - int(place[best])
        return Near(self._name[gene], -ahead if self._strand[gene] == "-" else ahead)


class TssShelf:
    """The genes of each data set that was shown, asked for once."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._kept: dict[str, Tss] = {}

    async def of(self, digest: str) -> Tss:
        """The genes of the data set of the page, whose digest this is."""
        if digest not in self._kept:
            self._kept[digest] = Tss((await self._client.genes("", limit=ALL)).genes)
        return self._kept[digest]
