"""Answers about one region of the genome: its genes and peaks, and what cell types, a cell and tracks have there."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bi2scope.data.exchange.peaks import lift
from bi2scope.data.regions import Bed
from bi2scope.server.catalogue import Catalogue, Ints
from bi2scope.server.columns import columnar
from bi2scope.server.loci import Locus, locus
from bi2scope.server.names import gene_columns
from bi2scope.server.params import RegionQuery
from bi2scope.server.tracks import HeldTrack, TrackShelf, named_column
from bi2scope.server.wire_genes import PlaceColumns, Region, RegionCounts, RegionScores, RegionTrack

PARSED_TRACKS = 8
"""Tracks whose intervals stay parsed."""


@dataclass(frozen=True, eq=False)
class Places:
    """Intervals of a region in bins of bases, or each alone.

    Attributes
    ----------
    start, end
        ``(n_places,)`` first and last base.
    first
        ``(n_places,)`` where each place's intervals begin, among the intervals that were given.
    n_each
        ``(n_places,)`` intervals of each.
    bin
        Bases a bin; ``None`` where intervals stand alone.
    """

    start: Ints
    end: Ints
    first: Ints
    n_each: Ints
    bin: int | None

    @classmethod
    def of(cls, start: Ints, end: Ints, window: tuple[int, int], most: int) -> Places:
        """Intervals, in order of their start, at most ``most`` places; an interval falls into the bin of its middle."""
        if len(start) <= most:
            return cls(start, end, np.arange(len(start)), np.ones(len(start), dtype=np.int64), None)
        width = max(1, -(-(window[1] - window[0]) // most))
        middle = np.clip((start + end) // 2, window[0], window[1] - 1)
        number = np.maximum.accumulate((middle - window[0]) // width)  # nested intervals may have middles out of order
        first = np.flatnonzero(np.diff(number, prepend=-1))
        return cls(
            start[first],
            np.maximum.reduceat(end, first),
            first,
            np.diff(first, append=len(start)).astype(np.int64),
            width,
        )

    def highest(self, values: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """``(n_places,)`` highest of each place; NaN where all are."""
        given = np.asarray(values, dtype=np.float64)
        return np.fmax.reduceat(given, self.first) if len(self.first) else given[:0]


def region(catalogue: Catalogue, shelf: TrackShelf, query: RegionQuery) -> Region:
    """What of the data set lies in a region, and what is laid over it.

    Raises
    ------
    NotFoundError
        If there is no such chromosome, cell type, cell, track, layer or head.
    RegionError
        If the region is no place.
    """
    place = locus(catalogue, query.region)
    catalogue.require_head(query.layer, query.head)
    own = slice(place.span.peak_start, place.span.peak_stop)
    chrom_end = _chromosome_end(catalogue, place)
    window = place.start, chrom_end if place.end is None else place.end
    peaks = place.peaks(catalogue)
    places = Places.of(catalogue.peak_start[peaks], catalogue.peak_end[peaks], window, query.bins)
    inside = peaks - own.start
    return columnar(
        Region,
        chrom=place.span.name,
        start=window[0],
        end=window[1],
        chrom_end=chrom_end,
        threshold=query.threshold,
        top_k=query.top_k,
        layer=query.layer,
        head=query.head,
        n_peaks=len(peaks),
        bin=places.bin,
        genes=dict(gene_columns(catalogue, place.genes(catalogue))),
        places=columnar(PlaceColumns, start=places.start, end=places.end, n_peaks=places.n_each),
        cell_types=[_scores(catalogue, name, query, own, (inside, places)) for name in dict.fromkeys(query.cell_type)],
        cell=None if query.cell is None else _counts(catalogue, query.cell, peaks, places),
        tracks=[
            _track(held, place, window, query.bins) for held, _ in (shelf.chosen(query.track) if query.track else [])
        ],
    )


def _chromosome_end(catalogue: Catalogue, place: Locus) -> int:
    span = place.span
    genes = catalogue.reader.genes["end"].to_numpy(np.int64)[span.gene_start : span.gene_stop]
    return int(max(genes.max(initial=1), catalogue.peak_end[span.peak_start : span.peak_stop].max(initial=1)))


def _scores(
    catalogue: Catalogue, cell_type: str, query: RegionQuery, own: slice, shown: tuple[Ints, Places]
) -> RegionScores:
    """A cell type's columns; ``own`` are the peaks of the chromosome, ``shown`` those of the region among them."""
    name, (inside, places) = catalogue.require_cell_type(cell_type), shown
    sums = catalogue.reader.cumulative(name, query.cut, query.layer, query.head)
    score, n_open = np.asarray(sums.score)[own], np.asarray(sums.n_open)[own]
    return columnar(
        RegionScores,
        cell_type=name,
        n_cells=sums.n_cells,
        truncated=sums.truncated,
        n_open=places.highest(n_open[inside]).astype(np.int64),
        links=places.highest(np.asarray(sums.links)[own][inside]),
        score=places.highest(score[inside]),
        weight=places.highest(np.asarray(sums.weight)[own][inside]),
        lift=places.highest(lift(score, n_open, catalogue.every_peak.chromosome[own])[inside]),
    )


def _counts(catalogue: Catalogue, cell_id: str, peaks: Ints, places: Places) -> RegionCounts:
    position, cell_type = catalogue.cell(cell_id)
    graph = catalogue.reader.graph(position)
    counts = np.zeros(len(catalogue.peak), dtype=np.float64)
    counts[graph.peak_index] = graph.peak_count
    return columnar(RegionCounts, cell_id=cell_id, cell_type=cell_type, count=places.highest(counts[peaks]))


def _track(held: HeldTrack, place: Locus, window: tuple[int, int], most: int) -> RegionTrack:
    bed = _parsed(held)
    there = bed.intervals[(bed.intervals["chrom"] == place.span.name).to_numpy()]
    start, end = there["start"].to_numpy(np.int64), there["end"].to_numpy(np.int64)
    inside = np.flatnonzero(place.overlaps(start, end))
    inside = inside[np.argsort(start[inside], kind="stable")]
    score = np.ones(len(inside)) if bed.score_column == "none" else there["score"].to_numpy(np.float64)[inside]
    places = Places.of(start[inside], end[inside], window, most)
    return columnar(
        RegionTrack,
        track_id=held.track_id,
        name=held.name,
        score_column=named_column(bed),
        n_intervals=len(inside),
        start=places.start,
        end=places.end,
        score=places.highest(score),
    )


@functools.lru_cache(maxsize=PARSED_TRACKS)
def _parsed(held: HeldTrack) -> Bed:
    return held.bed()
