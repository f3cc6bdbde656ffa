"""Tracks held against the cumulative scores of cell types: measures, chance, intervals, gains over accessibility.

The design, for speed: what depends on the peaks alone (shifts, resampled blocks) is drawn once; what depends on a cell
type (strata, ranks, transforms of its scores) once per type; what depends on a track once per track. What is left for
each pair are products of transforms (:mod:`~bi2scope.data.tracks.rotations`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from bi2scope.data.tracks import measures
from bi2scope.data.tracks.matching import strata
from bi2scope.data.tracks.measures import GAINS, MEASURES, TWO_SIDED, Products
from bi2scope.data.tracks.profiles import Attended, Binding, Floats, Ints, Profile
from bi2scope.data.tracks.resampling import Blocks, Resampled, interval
from bi2scope.data.tracks.rotations import Rotations, Spectra
from bi2scope.data.tracks.significance import Chance, held_against

Draws = dict[str, Floats]
Bounds = tuple[float | None, float | None]


@dataclass(frozen=True)
class Universe:
    """The peaks that are compared over, in genome order.

    Attributes
    ----------
    chromosome
        ``(n_peaks,)`` code of each peak's chromosome, all peaks of one together.
    width
        ``(n_peaks,)`` bases.
    gc
        ``(n_peaks,)`` share of G and C, or ``None`` when it is not known.
    """

    chromosome: Ints
    width: npt.NDArray[np.int64]
    gc: Floats | None = None


@dataclass(frozen=True)
class TypeScores:
    """What a track is held against in one cell type.

    Attributes
    ----------
    attended
        Cumulative score and accessibility of the type.
    beside
        Other scores over the peaks, for which each measure is given alone: accessibility, degree, width, controls.
    """

    attended: Attended
    beside: Mapping[str, Profile] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A measure with its interval and what chance gives of it.

    Attributes
    ----------
    value
        ``None`` where it is not defined.
    low, high
        Bounds of its interval of 95 %; ``None`` where there is none.
    matched, shift
        Against the two null models; ``None`` without draws.
    """

    value: float | None
    low: float | None
    high: float | None
    matched: Chance | None
    shift: Chance | None


@dataclass(frozen=True, slots=True)
class Comparison:
    """A track and a cell type.

    Attributes
    ----------
    measures
        By :data:`~bi2scope.data.tracks.measures.MEASURES`.
    gains
        With accessibility regressed out, by the values of :data:`~bi2scope.data.tracks.measures.GAINS`.
    beside
        The measures of each other score.
    log10_fisher
        Of the table bound x among the highest peaks.
    base_rate
        Share of bound peaks: the average precision of chance.
    n_strata
        Strata of peaks alike, within which tracks were moved; ``None`` without draws.
    """

    measures: dict[str, Estimate]
    gains: dict[str, Estimate]
    beside: dict[str, dict[str, float | None]]
    log10_fisher: float | None
    base_rate: float
    n_strata: int | None = None


@dataclass(frozen=True)
class Design:
    """What is drawn at random for the peaks, the same for every track and type.

    Attributes
    ----------
    universe
        The peaks.
    n_draws, seed
        Draws of each null model and replicates of the bootstrap; 0 for none.
    shift
        Circular shifts along the chromosomes.
    blocks
        Resampled blocks.
    """

    universe: Universe
    n_draws: int
    seed: int
    shift: Rotations
    blocks: Blocks

    @classmethod
    def of(cls, universe: Universe, n_draws: int = 1000, seed: int = 0) -> Design:
        """Draw shifts and blocks; the same seed gives the same."""
        shift = Rotations.of_chromosomes(universe.chromosome, n_draws, np.random.default_rng([seed, 0]))
        blocks = Blocks.of(universe.chromosome, n_draws, np.random.default_rng([seed, 1]))
        return cls(universe, n_draws, seed, shift, blocks)

    def matched(self, accessibility: Profile) -> Rotations:
        """Rotations among peaks alike in accessibility, width and GC content."""
        code = strata(accessibility.value, self.universe.width, self.universe.gc)
        return Rotations.of_strata(code, self.n_draws, np.random.default_rng([self.seed, 2]))


def compare(design: Design, tracks: Sequence[Binding], types: Sequence[TypeScores]) -> list[list[Comparison]]:
    """Hold tracks against cell types.

    Parameters
    ----------
    design
        What is drawn for the peaks.
    tracks, types
        Over the peaks of the design.

    Returns
    -------
    ``[type][track]``.
    """
    if not tracks or not design.n_draws or not len(design.universe.chromosome):
        return [[_compared(track, each, {}, {}, {}) for track in tracks] for each in types]
    shifted = design.shift.spectra(_label_rows(tracks), labels=True)
    with ThreadPoolExecutor(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2) as pool:
        jobs = [
            (
                pool.submit(_matched, design, tracks, each.attended),
                pool.submit(_drawn, design.shift, shifted, tracks, each.attended),
                pool.submit(_intervals, Resampled(each.attended, design.blocks), tracks),
            )
            for each in types
        ]
        return [
            [
                replace(
                    _compared(track, each, matched.result()[1][i], shift.result()[i], intervals.result()[i]),
                    n_strata=matched.result()[0],
                )
                for i, track in enumerate(tracks)
            ]
            for each, (matched, shift, intervals) in zip(types, jobs, strict=True)
        ]


def _matched(design: Design, tracks: Sequence[Binding], attended: Attended) -> tuple[int, list[Draws]]:
    """Number of strata, and the draws within them."""
    rotations = design.matched(attended.accessibility)
    labels = rotations.spectra(_label_rows(tracks), labels=True)
    return len(rotations.start) - 1, _drawn(rotations, labels, tracks, attended)


def _label_rows(tracks: Sequence[Binding]) -> list[Floats]:
    return [
        row
        for track in tracks
        for row in (track.profile.centred, track.profile.rank, track.profile.top, track.presence)
    ]


def _drawn(rotations: Rotations, labels: Spectra, tracks: Sequence[Binding], attended: Attended) -> list[Draws]:
    """``(n_draws,)`` every measure and gain of each track in each draw."""
    score, opened, left = attended.score, attended.accessibility, attended.residual
    rows = [score.centred, score.rank, score.top, opened.centred, opened.rank, left.rank]
    wanted = ((0, 0), (1, 1), (2, 2), (3, 2), (3, 1), (0, 3), (1, 4), (3, 5))
    pairs = [(4 * i + label, row) for i in range(len(tracks)) for label, row in wanted]
    products = rotations.products(labels, rotations.spectra(rows, labels=False), pairs)
    drawn = []
    for track, of_track, auprc in zip(
        tracks, np.split(products, len(tracks)), rotations.precision(tracks, score), strict=True
    ):
        value, rank, top, bound_top, bound_rank, *further = of_track
        found = Products(value, rank, np.rint(top), np.rint(bound_top), bound_rank)
        draws = measures.from_products(track, score, found) | {"auprc": auprc}
        drawn.append(draws | _gains(track, attended, draws, further))
    return drawn


def _gains(track: Binding, attended: Attended, found: Draws, products: Sequence[Floats]) -> Draws:
    """Gains from the measures, and the products of the track with accessibility, its rank, the residual's rank."""
    opened, profile = attended.accessibility, track.profile
    with_opened, rank_with_opened, bound_left = products
    value = measures.cosine(with_opened, profile.centred @ profile.centred, opened.centred @ opened.centred)
    rank = measures.cosine(rank_with_opened, profile.rank @ profile.rank, opened.rank @ opened.rank)
    of_score = [np.array(each) for each in attended.correlations]
    sizes = np.array(float(len(track.places))), np.array(float(opened.n_peaks))
    return {
        "partial_pearson": measures.partial(found["pearson"], value, of_score[0]),
        "partial_spearman": measures.partial(found["spearman"], rank, of_score[1]),
        "residual_auroc": measures.area_under_roc(bound_left, *sizes),
    }


def _intervals(resampled: Resampled, tracks: Sequence[Binding]) -> list[dict[str, Bounds]]:
    return [{name: interval(values) for name, values in resampled.replicates(track).items()} for track in tracks]


def _compared(
    track: Binding,
    scores: TypeScores,
    matched: Draws,
    shift: Draws,
    intervals: Mapping[str, Bounds],
) -> Comparison:
    attended = scores.attended
    score, opened = attended.score, attended.accessibility
    observed = measures.from_products(track, score, Products.of(track, score))
    profile, presence = track.profile, track.presence
    with_opened = (profile.centred @ opened.centred, profile.rank @ opened.rank, presence @ attended.residual.rank)
    observed |= _gains(track, attended, observed, [np.array(float(each)) for each in with_opened])
    observed["auprc"] = np.array(measures.average_precision(track, score))
    in_groups = np.bincount(score.group[track.places], minlength=len(score.group_size)).astype(np.float64)
    # draws are counted in groups, so what is held against them is counted so too
    counted = observed | {"auprc": measures.precision_from_groups(in_groups, score.group_size)}

    def estimate(name: str) -> Estimate:
        value = float(observed[name])
        if not np.isfinite(value):
            return Estimate(None, None, None, None, None)
        chance = [
            held_against(float(counted[name]), draws[name], two_sided=name in TWO_SIDED) if draws else None
            for draws in (matched, shift)
        ]
        return Estimate(value, *intervals.get(name, (None, None)), *chance)

    shared = int(presence @ score.top)
    return Comparison(
        measures={name: estimate(name) for name in MEASURES},
        gains={name: estimate(name) for name in GAINS.values()},
        beside={name: measures.measured(track, other) for name, other in scores.beside.items()},
        log10_fisher=measures.log10_fisher(score.n_peaks, len(track.places), int(score.top.sum()), shared),
        base_rate=len(track.places) / max(score.n_peaks, 1),
    )
