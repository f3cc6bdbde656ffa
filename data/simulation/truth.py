"""What is true of a simulated data set, as tables: planted links, targets and activity of the factors, BED tracks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from bi2scope.data.simulation.config import SimulationConfig
from bi2scope.data.simulation.genome import Genome
from bi2scope.data.simulation.programs import Programs

BETWEEN = ";"
"""Stands between several factors or cell types in one field."""

OPEN_DECOY, RANDOM_DECOY = "DECOY-open", "DECOY-random"
"""Decoys by how many fragments a type's peaks show, and by nothing: neither knows of factors or links."""

SCORE_AT_TARGETS, SCORE_ELSEWHERE, SCORE_SPREAD = 12.0, 5.0, 0.6
MISSED_TARGETS = 0.15
OTHER_PEAKS = 0.6
OUTSIDE_PEAKS = 0.15
TRACK_WIDTH, TRACK_WIDTH_SPREAD = 230, 0.35

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Track:
    """Binding sites of one factor in one cell type, as a ChIP-seq experiment might report them.

    Attributes
    ----------
    factor
        Name of a factor, or of a decoy.
    cell_type
        Name of the type.
    intervals
        Columns ``chrom``, ``start``, ``end``, ``name``, ``score``, in genome order.
    """

    factor: str
    cell_type: str
    intervals: pd.DataFrame


def link_table(config: SimulationConfig, genome: Genome, programs: Programs) -> pd.DataFrame:
    """Planted links, one a row.

    Returns
    -------
    DataFrame
        ``gene_id``, ``peak``, ``chrom``, ``distance_to_tss`` (signed), ``effect``, ``factors``, ``cell_types`` (in
        which a factor of the peak is active), ``n_cell_types``, ``scope`` (``"one type"``, ``"several types"`` or
        ``"all types"``).
    """
    links, peaks = programs.links, programs.links["peak"].to_numpy()
    active = active_types(programs)
    n_types = active.sum(axis=1)
    scope = np.select([n_types == 1, n_types == active.shape[1]], ["one type", "all types"], "several types")
    names = np.array([each.name for each in config.cell_types], dtype=object)
    factor_names = programs.factors.index.to_numpy()
    rows = {peak: BETWEEN.join(factor_names[programs.opening[peak].indices]) for peak in np.unique(peaks)}
    types = {peak: BETWEEN.join(names[active[peak]]) for peak in rows}
    return pd.DataFrame(
        {
            "gene_id": genome.genes.index.to_numpy()[links["gene"]],
            "peak": genome.peaks.index.to_numpy()[peaks],
            "chrom": genome.peaks["chrom"].to_numpy()[peaks],
            "distance_to_tss": links["distance"].to_numpy(),
            "effect": links["effect"].to_numpy(),
            "factors": [rows[peak] for peak in peaks],
            "cell_types": [types[peak] for peak in peaks],
            "n_cell_types": n_types[peaks],
            "scope": scope[peaks],
        }
    )


def active_types(programs: Programs) -> npt.NDArray[np.bool_]:
    """``(n_peaks, n_types)`` whether a factor that opens the peak is active in the type."""
    active: npt.NDArray[np.bool_] = (programs.opening @ programs.activity.T) > 0
    return active


def target_table(genome: Genome, programs: Programs) -> pd.DataFrame:
    """Peaks that each factor opens: ``tf``, ``peak``, ``opening`` (rate), ``n_linked_genes``."""
    entries = programs.opening.tocoo()
    linked = np.bincount(programs.links["peak"], minlength=len(genome.peaks))
    order = np.lexsort((entries.row, entries.col))
    row, column = entries.row[order], entries.col[order]
    return pd.DataFrame(
        {
            "tf": programs.factors.index.to_numpy()[column],
            "peak": genome.peaks.index.to_numpy()[row],
            "opening": entries.data[order],
            "n_linked_genes": linked[row],
        }
    )


def activity_table(config: SimulationConfig, programs: Programs) -> pd.DataFrame:
    """Mean activity of each factor (rows, with its ``scope``) in each cell type (columns)."""
    names = [each.name for each in config.cell_types]
    table = pd.DataFrame(programs.activity.T, index=programs.factors.index.rename("tf"), columns=names)
    table.insert(0, "scope", programs.factors["scope"])
    return table


def simulate_tracks(
    config: SimulationConfig, genome: Genome, programs: Programs, rng: np.random.Generator
) -> tuple[Track, ...]:
    """Binding tracks of each type: its most specific active factors, and decoys.

    A factor's sites are its targets but for a missed share, scored ``12 e_jf a_tf`` times log-normal noise; peaks that
    it does not open, by how open they are, and places outside of peaks, both with low exponential scores. Decoys have
    as many sites, scored alike: by the openness of peaks alone, or anywhere among the peaks.
    """
    openness = programs.mean_openness() * programs.signal
    tracks = []
    for number, each in enumerate(config.cell_types):
        of_type = []
        for factor in _most_specific(programs, number, config.tracks_per_type):
            sites, scores = _bound_peaks(programs, number, int(factor), openness[number], rng)
            name = str(programs.factors.index[factor])
            of_type.append(Track(name, each.name, _intervals(genome, sites, scores, name, rng)))
        usual = int(np.median([len(track.intervals) for track in of_type])) if of_type else len(genome.peaks) // 20
        for decoy in range(config.decoys_per_type):
            name, sites, scores = _decoy(decoy, usual, openness[number], rng)
            of_type.append(Track(name, each.name, _intervals(genome, sites, scores, name, rng)))
        tracks += of_type
    return tuple(tracks)


def _most_specific(programs: Programs, cell_type: int, n: int) -> Ints:
    """Factors active in a type, those of the fewest types first, then those with the most targets."""
    active = np.flatnonzero(programs.activity[cell_type] > 0)
    n_types = (programs.activity[:, active] > 0).sum(axis=0)
    n_targets = np.bincount(programs.opening.indices, minlength=programs.activity.shape[1])[active]
    chosen: Ints = active[np.lexsort((active, -n_targets, n_types))[:n]]
    return chosen


def _bound_peaks(
    programs: Programs, cell_type: int, factor: int, openness: Floats, rng: np.random.Generator
) -> tuple[Ints, Floats]:
    """Peaks under the sites of a factor, -1 for places outside of peaks, and the sites' scores."""
    column = programs.opening[:, [factor]].tocoo()
    found = rng.random(column.nnz) >= MISSED_TARGETS
    targets, rate = column.row[found].astype(np.int64), column.data[found].astype(np.float64)
    noise = np.exp(SCORE_SPREAD * rng.standard_normal(len(targets)))
    at_targets = SCORE_AT_TARGETS * rate * programs.activity[cell_type, factor] * noise
    weight = openness.copy()
    weight[column.row] = 0
    n_others = min(round(OTHER_PEAKS * len(targets)), int((weight > 0).sum()))
    others = rng.choice(len(weight), n_others, replace=False, p=weight / weight.sum())
    outside = np.full(round(OUTSIDE_PEAKS * len(targets)), -1)
    low = SCORE_ELSEWHERE * rng.standard_exponential(len(others) + len(outside))
    return np.concatenate((targets, others, outside)), 2 + np.concatenate((at_targets, low))


def _decoy(number: int, n: int, openness: Floats, rng: np.random.Generator) -> tuple[str, Ints, Floats]:
    """Name, peaks and scores of a decoy: the even ones follow openness, the odd ones nothing."""
    kind = (OPEN_DECOY, RANDOM_DECOY)[number % 2]
    weight = openness if kind == OPEN_DECOY else np.ones(len(openness))
    sites = rng.choice(len(weight), min(n, int((weight > 0).sum())), replace=False, p=weight / weight.sum())
    scores = SCORE_AT_TARGETS * np.exp(SCORE_SPREAD * rng.standard_normal(len(sites)))
    if kind == OPEN_DECOY:
        scores *= openness[sites] / openness[sites].mean()
    return f"{kind}{number // 2 + 1}", sites.astype(np.int64), 2 + scores


def _intervals(genome: Genome, sites: Ints, scores: Floats, name: str, rng: np.random.Generator) -> pd.DataFrame:
    """Intervals about the middles of peaks, or up to 20 kb away from one for sites outside of peaks (-1)."""
    start, end = genome.peaks["start"].to_numpy(), genome.peaks["end"].to_numpy()
    outside = sites < 0
    peak = np.where(outside, rng.integers(0, len(start), len(sites)), sites)
    width = np.exp(np.log(TRACK_WIDTH) + TRACK_WIDTH_SPREAD * rng.standard_normal(len(sites))).astype(np.int64)
    shift = np.where(outside, rng.integers(2_000, 20_000, len(sites)), rng.normal(0, 40, len(sites))).astype(np.int64)
    first = np.maximum((start[peak] + end[peak]) // 2 + shift - width // 2, 0)
    # A site moved off the end of its chromosome is put back on the peak; peaks lie on it.
    last = genome.peaks.groupby("chrom", sort=False)["end"].transform("max").to_numpy()[peak]
    first = np.where(first + width > last, start[peak], first)
    order = np.lexsort((first, peak))
    return pd.DataFrame(
        {
            "chrom": genome.peaks["chrom"].to_numpy()[peak][order],
            "start": first[order],
            "end": np.minimum(first + width, np.maximum(last, first + 1))[order],
            "name": [f"{name}_{number}" for number in range(1, len(order) + 1)],
            "score": scores[order].round(4),
        }
    )
