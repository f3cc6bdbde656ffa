"""Candidate links: which peaks a gene may attend to.

A pair of a gene and a peak is a candidate when both lie on one chromosome and, with a ``max_distance`` of D bp, the
middle of the peak is at most D bp from the gene's transcription start site, on either side
(``|distance_to_tss| <= D``, :func:`bi2scope.data.regions.distance_to_tss`). Every other pair counts as one on two
chromosomes does: logit 0, score 0.5, a pad in the softmax of the gene's row.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import numpy.typing as npt
import pandas as pd

from bi2scope.data.errors import ConfigurationError
from bi2scope.data.regions import distance_to_tss, tss

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

_DISTANCE = re.compile(r"(?P<number>[0-9]{1,12}(\.[0-9]{1,9})?) ?(?P<unit>|bp|kb|mb)", re.IGNORECASE)
_UNITS = {"": 1, "bp": 1, "kb": 1_000, "mb": 1_000_000}


@dataclass(frozen=True, eq=False)
class Window:
    """Where genes start and peaks lie, and how far apart a candidate pair may be.

    Attributes
    ----------
    gene_tss
        ``(n_genes,)`` transcription start sites.
    peak_middle
        ``(n_peaks,)`` middles of the peaks, ``(start + end) // 2``.
    max_distance
        Bases between the two at most, 1 or more.
    """

    gene_tss: Ints
    peak_middle: Ints
    max_distance: int

    @classmethod
    def of(cls, genes: pd.DataFrame, peaks: pd.DataFrame, max_distance: int | None) -> Window | None:
        """The window over tables as in :class:`bi2scope.data.multiome.Multiome`; ``None`` when there is no limit."""
        if max_distance is None:
            return None
        middle = distance_to_tss(0, "+", peaks["start"], peaks["end"])
        return cls(tss(genes), middle, max_distance)

    def near(self, gene: npt.ArrayLike, peak: npt.ArrayLike) -> Mask:
        """Whether pairs, given as positions that broadcast, lie within the distance; on one chromosome or not."""
        distance = self.peak_middle[np.asarray(peak)] - self.gene_tss[np.asarray(gene)]
        near: Mask = np.abs(distance) <= self.max_distance
        return near


def parse_distance(text: str) -> int:
    """Bases from a text such as ``500kb``, ``500000``, ``1Mb`` or ``2.5Mb``.

    Raises
    ------
    ConfigurationError
        If the text is no distance, or not a whole number of bases above 0.
    """
    found = _DISTANCE.fullmatch(text.strip())
    bases = Decimal(found["number"]) * _UNITS[found["unit"].lower()] if found else Decimal(0)
    if bases < 1 or bases != int(bases):
        raise ConfigurationError(
            f"The distance is {text[:40]!r}; wanted a whole number of bases, 1 or more.",
            "Write it as 500kb, 500000, 1Mb or 2.5Mb.",
        )
    return int(bases)


def candidates_text(max_distance: int | None) -> str:
    """Which peaks a gene may attend to, in words."""
    if max_distance is None:
        return "all peaks of the chromosome"
    return f"peaks within {max_distance:,} bp of the TSS"
