"""Places on the genome as a user writes them, and what of the data set lies there."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bi2scope.data.errors import NotFoundError, RegionError
from bi2scope.data.regions import parse_peak_name
from bi2scope.server.catalogue import Catalogue
from bi2scope.server.wire import ChromosomeSpan

Ints = npt.NDArray[np.int64]

_IGNORED = re.compile(r"[,\s]")


@dataclass(frozen=True)
class Locus:
    """A chromosome of the data set, or the bases ``start`` to ``end`` on it (0-based, half-open)."""

    span: ChromosomeSpan
    start: int = 0
    end: int | None = None

    def overlaps(self, start: Ints, end: Ints) -> npt.NDArray[np.bool_]:
        """Which intervals of the same chromosome share a base with it."""
        inside = end > self.start
        return inside if self.end is None else inside & (start < self.end)

    def genes(self, catalogue: Catalogue) -> Ints:
        """Positions of the genes that overlap it, ascending."""
        genes = catalogue.reader.genes.iloc[self.span.gene_start : self.span.gene_stop]
        there = self.overlaps(genes["start"].to_numpy(np.int64), genes["end"].to_numpy(np.int64))
        return self.span.gene_start + np.flatnonzero(there).astype(np.int64)

    def peaks(self, catalogue: Catalogue) -> Ints:
        """Positions of the peaks that overlap it, ascending."""
        own = slice(self.span.peak_start, self.span.peak_stop)
        there = self.overlaps(catalogue.peak_start[own], catalogue.peak_end[own])
        return self.span.peak_start + np.flatnonzero(there).astype(np.int64)


def parse_place(text: str) -> tuple[str, int, int]:
    """Chromosome, start and end of ``chr1:1,000-2,000``; commas and spaces are ignored.

    Raises
    ------
    RegionError
        If it is no such place, or does not start below its end.
    """
    try:
        return parse_peak_name(_IGNORED.sub("", text))
    except RegionError as error:
        raise RegionError(
            f"{text!r} is not a place; wanted one such as chr1:1,000-2,000, its start below its end."
        ) from error


def locus(catalogue: Catalogue, text: str) -> Locus:
    """The place that a text names; a text without a colon names a chromosome, unless it reads as a peak does.

    Raises
    ------
    RegionError
        If the text is no place.
    NotFoundError
        If the data set has nothing on that chromosome.
    """
    try:
        chromosome, start, end = parse_place(text)
    except RegionError:
        if ":" in text:
            raise
        return Locus(catalogue.chromosome(text))
    return Locus(catalogue.chromosome(chromosome), start, end)


def peak_position(catalogue: Catalogue, name: str) -> int:
    """Position of the peak of that name, in any of the three spellings, with or without ``chr``.

    Raises
    ------
    RegionError
        If it is no name of a peak.
    NotFoundError
        If the data set has nothing on that chromosome, or no such peak; offers those nearest in place.
    """
    chromosome, start, end = parse_place(name)
    span = catalogue.chromosome(chromosome)
    own = slice(span.peak_start, span.peak_stop)
    distance = np.abs(catalogue.peak_start[own] - start) + np.abs(catalogue.peak_end[own] - end)
    order = np.argsort(distance, kind="stable")[:3]
    if not len(order) or distance[order[0]]:
        raise NotFoundError("peak", name, catalogue.peak[own][order])
    return span.peak_start + int(order[0])
