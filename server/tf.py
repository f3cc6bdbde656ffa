"""A TF-binding track beside the cumulative scores of a cell type: the paper's four measures.

Each measure is given for the cumulative score and, beside it, for the share of open cells alone: a peak that is open
in many cells is both bound and linked more often, so only what goes beyond accessibility speaks for attention.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bi2scope.data.errors import RegionError
from bi2scope.data.regions import Bed, bare_chromosome, read_bed
from bi2scope.server.catalogue import Catalogue
from bi2scope.server.celltypes import peak_scores
from bi2scope.server.columns import columnar
from bi2scope.data.tracks.overlap import Track, lay_over
from bi2scope.server.params import TrackQuery
from bi2scope.server.wire import TrackColumns, TrackComparison

TOP_N = 10_000
"""Size of the paper's sets of highest peaks, of its 107,194."""

ENOUGH_PEAKS = 10 * TOP_N
"""With fewer peaks than this the sets hold a tenth of them."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Agreement:
    """How alike two tracks over the same peaks are; ``None`` where a measure is not defined."""

    cosine: float | None
    cosine_of_ranks: float | None
    pearson: float | None
    jaccard_top_n: float | None


def compare_track(
    catalogue: Catalogue, cell_type: str, query: TrackQuery, track_name: str, bed: bytes
) -> TrackComparison:
    """Lay the intervals of a BED file over the peaks of the data set and compare with a cell type's scores.

    Parameters
    ----------
    catalogue
        The open store.
    cell_type
        Name of the cell type.
    query
        Cut, layer, head and the definition of the cumulative score.
    track_name
        Name of the BED file, for messages and for its ending.
    bed
        Contents of the file, plain or gzipped.

    Raises
    ------
    NotFoundError
        If there is no such cell type, layer or head.
    RegionError
        If the file is not a BED file, has negative scores, or none of its intervals overlaps a peak.
    """
    scores = peak_scores(catalogue, cell_type, query)
    read = read_bed(io.BytesIO(bed), track_name)
    _require_no_negative(read, track_name)
    track = lay_over(read.intervals, catalogue.reader.peaks)
    if not track.used.any():
        raise _no_overlap(catalogue, read, track_name)
    cumulative = np.asarray(getattr(scores, query.definition), dtype=np.float64)
    top_n = top_n_of(len(cumulative))
    attended = agreement(track.score, cumulative, top_n)
    opened = agreement(track.score, np.asarray(scores.n_open, dtype=np.float64), top_n)
    return columnar(
        TrackComparison,
        cell_type=scores.cell_type,
        track=track_name,
        definition=query.definition,
        threshold=query.threshold,
        top_k=query.top_k,
        score_column="presence" if read.score_column == "none" else read.score_column,
        n_intervals=len(read.intervals),
        n_intervals_used=int(track.used.sum()),
        n_peaks_bound=int(track.bound.sum()),
        top_n=top_n,
        cosine=attended.cosine,
        cosine_of_ranks=attended.cosine_of_ranks,
        pearson=attended.pearson,
        jaccard_top_n=attended.jaccard_top_n,
        accessibility_cosine=opened.cosine,
        accessibility_cosine_of_ranks=opened.cosine_of_ranks,
        accessibility_pearson=opened.pearson,
        accessibility_jaccard_top_n=opened.jaccard_top_n,
        columns=_columns(track, cumulative),
    )


def _require_no_negative(bed: Bed, name: str) -> None:
    """A peak without an interval has 0, so a signal below 0 would rank bound peaks under unbound ones."""
    negative = int((bed.intervals["score"] < 0).sum())
    if negative:
        raise RegionError(
            f"{name}: {negative:,} of {len(bed.intervals):,} intervals have a negative {bed.score_column}.",
            "Binding is wanted as scores of 0 or more; leave the column out to count presence alone.",
        )


def _columns(track: Track, cumulative: Floats) -> TrackColumns:
    return columnar(TrackColumns, tf=track.score, cumulative=cumulative)


def _no_overlap(catalogue: Catalogue, bed: Bed, name: str) -> RegionError:
    """Why no interval overlaps a peak: other names of the chromosomes, other chromosomes, or other places."""
    here = [span.name for span in catalogue.chromosomes if span.peak_start < span.peak_stop]
    there = sorted(set(bed.intervals["chrom"]))
    if set(here) & set(there):
        return RegionError(
            f"None of the {len(bed.intervals)} intervals of {name} overlaps any of the {len(catalogue.peak)} peaks.",
            "Check that both are of the same genome build.",
        )
    message = f"{name} names its chromosomes {_some(there)}; this data set names them {_some(here)}."
    if {bare_chromosome(chrom) for chrom in here} & {bare_chromosome(chrom) for chrom in there}:
        return RegionError(message, "Add or remove the chr in the BED file.")
    return RegionError(message, "Check that both are of the same species and genome build.")


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def top_n_of(n_peaks: int) -> int:
    """Size of the sets that Jaccard compares: 10,000, or a tenth of fewer than 100,000 peaks (but one at least)."""
    return TOP_N if n_peaks >= ENOUGH_PEAKS else max(1, n_peaks // 10)


def agreement(track: Floats, score: Floats, top_n: int) -> Agreement:
    """The paper's four measures of two tracks over the same peaks.

    Parameters
    ----------
    track, score
        ``(n_peaks,)`` in genome order.
    top_n
        Size of the two sets of highest peaks that Jaccard compares.

    Returns
    -------
    The cosine, the cosine of the average ranks, Pearson's correlation, and the Jaccard index of the highest peaks.
    Ranks and correlation are not defined when a track has one value throughout, the cosine not when it is all 0.
    """
    from scipy.stats import rankdata  # half a second to load, and only wanted here

    varied = bool(len(track)) and np.ptp(track) > 0 and np.ptp(score) > 0
    return Agreement(
        cosine=cosine(track, score),
        cosine_of_ranks=cosine(rankdata(track), rankdata(score)) if varied else None,
        pearson=cosine(track - track.mean(), score - score.mean()) if varied else None,
        jaccard_top_n=jaccard(highest(track, top_n), highest(score, top_n)),
    )


def cosine(first: Floats, second: Floats) -> float | None:
    """Cosine of the angle between two vectors, scaled first so that no square overflows; ``None`` if one is 0."""
    sizes = [np.abs(vector).max(initial=0.0) for vector in (first, second)]
    if min(sizes) == 0:
        return None
    one, other = first / sizes[0], second / sizes[1]
    return float(np.clip(one @ other / (np.linalg.norm(one) * np.linalg.norm(other)), -1, 1))


def highest(values: Floats, top_n: int) -> npt.NDArray[np.int64]:
    """Positions of the ``top_n`` highest values above 0; among equal ones those first in genome order."""
    order = np.argsort(-values, kind="stable")[:top_n]
    return order[values[order] > 0]


def jaccard(first: npt.NDArray[np.int64], second: npt.NDArray[np.int64]) -> float | None:
    """Shared members over all members of two sets of positions; ``None`` if either is empty."""
    if len(first) == 0 or len(second) == 0:
        return None
    shared = len(np.intersect1d(first, second, assume_unique=True))
    return shared / (len(first) + len(second) - shared)
