"""TF-binding tracks beside the cumulative scores of cell types: what is measured of the store, and kept for a while.

The statistics are those of :mod:`bi2scope.data.tracks`; this module fetches what they need from the store, checks
that a track can be of these peaks at all, and keeps what was asked for last.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt

from bi2scope.data.attention import Cut
from bi2scope.data.errors import NotFoundError, RegionError
from bi2scope.data.regions import Bed, bare_chromosome
from bi2scope.data.store import schema
from bi2scope.data.tracks.comparison import Comparison, Design, TypeScores, Universe, compare
from bi2scope.data.tracks.overlap import Track, lay_over
from bi2scope.data.tracks.profiles import Attended, Binding, Profile
from bi2scope.server.catalogue import Catalogue
from bi2scope.server.params import TrackQuery
from bi2scope.server.tracks import HeldTrack, named_column

Kept = TypeVar("Kept")

MOST_LAID, MOST_DESIGNS, MOST_RESULTS = 64, 12, 4_000
"""How many are kept: tracks laid over the peaks, what is drawn or made of the peaks, a track beside a type."""

TRACKS_AT_A_TIME = 16
"""Tracks that are compared in one go; other requests may come between two."""


@dataclass(frozen=True)
class Laid:
    """A track over all peaks of the store."""

    track: Track
    n_intervals: int
    score_column: str


@dataclass(frozen=True)
class Compared:
    """Peaks that are compared: all but those in a blacklist.

    Attributes
    ----------
    kept
        ``(n_peaks,)`` whether the peak is compared.
    blacklist
        Name of the blacklist, ``None`` without one.
    digest
        Of the blacklist; empty without one.
    """

    kept: npt.NDArray[np.bool_]
    blacklist: str | None
    digest: str


class Comparisons:
    """Comparisons of tracks with the cell types of one store; safe to share between threads.

    Parameters
    ----------
    catalogue
        The open store.
    blacklist
        Regions whose peaks are left out unless asked otherwise; ``None`` for none.
    """

    def __init__(self, catalogue: Catalogue, blacklist: HeldTrack | None = None) -> None:
        self.catalogue = catalogue
        self.blacklist = blacklist
        self._laid = Recent(MOST_LAID)
        self._designs = Recent(MOST_DESIGNS)
        self._results = Recent(MOST_RESULTS)
        self._working = threading.Lock()  # one at a time: each takes all processors

    def peaks_compared(self, query: TrackQuery, own: HeldTrack | None = None) -> Compared:
        """Peaks without those in the blacklist that came with the request, or else in the service's own.

        Raises
        ------
        RegionError
            If the blacklist cannot be read, names its chromosomes otherwise, or leaves no peak.
        """
        held = own or (self.blacklist if query.blacklist else None)
        n_peaks = len(self.catalogue.peak)
        if held is None:
            return Compared(np.ones(n_peaks, dtype=bool), None, "")
        removed = self._laid(("blacklist", held.digest), lambda: self._overlapping(held))
        if removed.all():
            raise RegionError(f"Every one of the {n_peaks:,} peaks overlaps the blacklist {held.name}.")
        return Compared(~removed, held.name, held.digest)

    def _overlapping(self, held: HeldTrack) -> npt.NDArray[np.bool_]:
        bed = held.bed(0)
        self._require_naming(bed, held.name)
        return lay_over(bed.intervals, self.catalogue.reader.peaks).bound

    def laid(self, held: HeldTrack, query: TrackQuery) -> Laid:
        """A track over the peaks of the store.

        Raises
        ------
        RegionError
            If the file is not a BED file, is plainly of another assembly, names its chromosomes otherwise, or none of
            its intervals counts for a peak.
        """

        def lay() -> Laid:
            bed = held.bed(query.score_column)
            self._require_naming(bed, held.name)
            self._require_assembly(bed, held.name)
            track = lay_over(bed.intervals, self.catalogue.reader.peaks, query.rule)
            if not track.used.any():
                raise RegionError(
                    f"None of the {len(bed.intervals)} intervals of {held.name} overlaps any of the "
                    f"{len(self.catalogue.peak)} peaks.",
                    "Check that both are of the same genome build.",
                )
            return Laid(track, len(bed.intervals), named_column(bed))

        return self._laid((held.digest, held.name, query.score_column, query.rule), lay)

    def _require_naming(self, bed: Bed, name: str) -> None:
        """Check that a file and the store name a chromosome alike."""
        here = [span.name for span in self.catalogue.chromosomes if span.peak_start < span.peak_stop]
        there = sorted(set(bed.intervals["chrom"]))
        if set(here) & set(there):
            return
        message = f"{name} names its chromosomes {_some(there)}; this data set names them {_some(here)}."
        if {bare_chromosome(chrom) for chrom in here} & {bare_chromosome(chrom) for chrom in there}:
            raise RegionError(message, "Add or remove the chr in the BED file.")
        raise RegionError(message, "Check that both are of the same species and genome build.")

    def _require_assembly(self, bed: Bed, name: str) -> None:
        """Check that a file is not plainly of another assembly than the peaks."""
        from bi2scope.data.assembly import overhangs, plainly_apart

        of_peaks = self._designs("assembly", lambda: overhangs(self.catalogue.reader.peaks))
        apart = plainly_apart(overhangs(bed.intervals), of_peaks)
        if apart:
            raise RegionError(
                f"The intervals of {name} lie on {' or '.join(apart[0])}, the peaks of this data set on "
                f"{' or '.join(apart[1])}, judged by how far they reach on each chromosome.",
                "Lift one of the two over.",
            )

    def results(
        self, cell_types: Sequence[str], tracks: Sequence[HeldTrack], query: TrackQuery, compared: Compared
    ) -> list[list[Comparison]]:
        """Comparisons ``[type][track]``; those that were made before are not made again.

        Raises
        ------
        NotFoundError
            If there is no such cell type, layer or head.
        RegionError
            As :meth:`laid`.
        """
        names = [self.catalogue.require_cell_type(name) for name in cell_types]
        self.catalogue.require_head(query.layer, query.head)
        options = query.cut, query.layer, query.head, query.definition, query.draws, query.seed, compared.digest

        def key(name: str, held: HeldTrack) -> Hashable:
            return name, held.digest, held.name, query.score_column, query.rule, options

        columns: list[list[Comparison]] = []
        for first in range(0, len(tracks), TRACKS_AT_A_TIME):
            some = tracks[first : first + TRACKS_AT_A_TIME]
            laid = [self.laid(held, query) for held in some]
            with self._working:
                found = {(name, i): self._results.get(key(name, held)) for name in names for i, held in enumerate(some)}
                rows = [name for name in names if any(found[name, i] is None for i in range(len(some)))]
                lacking = [i for i in range(len(some)) if any(found[name, i] is None for name in rows)]
                made = self._compare(rows, [laid[i].track for i in lacking], query, compared) if rows else []
                for name, row in zip(rows, made, strict=True):
                    for i, comparison in zip(lacking, row, strict=True):
                        found[name, i] = comparison
                        self._results.put(key(name, some[i]), comparison)
            columns += [[found[name, i] for name in names] for i in range(len(some))]
        return [list(row) for row in zip(*columns, strict=True)] if columns else [[] for _ in names]

    def _compare(
        self, names: Sequence[str], tracks: Sequence[Track], query: TrackQuery, compared: Compared
    ) -> list[list[Comparison]]:
        kept = compared.kept
        bindings = [Binding(Profile.of(track.score[kept]), track.bound[kept]) for track in tracks]
        types = [self.type_scores(name, query, compared) for name in names]
        return compare(self.design(query, compared), bindings, types)

    def design(self, query: TrackQuery, compared: Compared) -> Design:
        """What is drawn at random for the compared peaks."""

        def draw() -> Design:
            kept, chromosome = compared.kept, self.catalogue.every_peak.chromosome
            universe = Universe(chromosome[kept], self._width()[kept], self._gc(compared))
            return Design.of(universe, query.draws, query.seed)

        return self._designs(("design", query.draws, query.seed, compared.digest), draw)

    def _width(self) -> npt.NDArray[np.int64]:
        width: npt.NDArray[np.int64] = self.catalogue.peak_end - self.catalogue.peak_start
        return width

    def _gc(self, compared: Compared) -> npt.NDArray[np.float64] | None:
        """Share of G and C of the compared peaks, when the store has it of all of them."""
        peaks = self.catalogue.reader.peaks
        if schema.GC_COLUMN not in peaks:
            return None
        share = peaks[schema.GC_COLUMN].to_numpy(np.float64)[compared.kept]
        return share if np.isfinite(share).all() else None

    def type_scores(self, name: str, query: TrackQuery, compared: Compared) -> TypeScores:
        """What tracks are held against in one cell type, over the compared peaks."""
        reader, kept = self.catalogue.reader, compared.kept
        scores = reader.cumulative(name, query.cut, query.layer, query.head)
        opened = Profile.of(scores.n_open[kept])
        whole = Cut()
        beside = {
            "accessibility": opened,
            "accessibility_all": self._designs(("open", compared.digest), lambda: Profile.of(self._n_open()[kept])),
            "degree": Profile.of(reader.cumulative(name, whole, query.layer, query.head).links[kept]),
            "width": self._designs(("width", compared.digest), lambda: Profile.of(self._width()[kept])),
        }
        for control in reader.controls:
            sums = self._of_control(name, query, control)
            if sums is not None:
                beside[f"control {control}"] = Profile.of(sums[kept])
        score = Profile.of(np.asarray(getattr(scores, query.definition), dtype=np.float64)[kept])
        return TypeScores(Attended(score, opened), beside)

    def _of_control(self, name: str, query: TrackQuery, control: str) -> npt.NDArray[np.float64] | None:
        """Cumulative scores of a control; ``None`` for a threshold that its store cannot answer."""
        try:
            found = self.catalogue.reader.cumulative(name, query.cut, query.layer, query.head, control)
        except NotFoundError:
            return None
        return np.asarray(getattr(found, query.definition), dtype=np.float64)

    def _n_open(self) -> npt.NDArray[np.int64]:
        reader, total = self.catalogue.reader, np.zeros(len(self.catalogue.peak), dtype=np.int64)
        for name in reader.cell_types:
            total += reader.cumulative(name, Cut()).n_open
        return total

    def notes(self, query: TrackQuery) -> list[str]:
        """What cannot be compared for this cut, in sentences."""
        reader = self.catalogue.reader
        names = [
            control
            for control in reader.controls
            if reader.cell_types and self._of_control(reader.cell_types[0], query, control) is None
        ]
        return [
            f"The control {name} has no cumulative scores for a threshold of {query.threshold:g}." for name in names
        ]


class Recent:
    """The last few things that were made, by key; safe to share between threads.

    Two threads that ask for one thing at a time may both make it.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[Hashable, Any] = OrderedDict()
        self._lock = threading.Lock()

    def __call__(self, key: Hashable, make: Callable[[], Kept]) -> Kept:
        """What is kept under the key, or else what ``make`` makes, which is then kept."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return cast(Kept, self._kept[key])
        made = make()
        self.put(key, made)
        return made

    def put(self, key: Hashable, made: Any) -> None:
        """Keep something; the one asked for longest ago goes when there are too many."""
        with self._lock:
            self._kept[key] = made
            self._kept.move_to_end(key)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)

    def get(self, key: Hashable) -> Any:
        """What is kept under a key; ``None`` if nothing is."""
        with self._lock:
            return self._kept.get(key)


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
