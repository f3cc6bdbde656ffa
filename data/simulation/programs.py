"""What drives the simulated cells: transcription factors, the peaks they open and the genes those raise.

Notation of ``docs/simulator.md``: type t, factor f, peak j, gene g. ``a_tf`` activity of a factor in a type, ``e_jf``
rate at which a factor opens a peak, ``b_tj`` rate at which it opens without any, ``w_gj`` effect of a link.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import sparse

from bi2scope.data.regions import distance_to_tss, tss
from bi2scope.data.simulation.config import CellType, SimulationConfig
from bi2scope.data.simulation.genome import Genome

ONE_TYPE, LINEAGE, ALL_TYPES = "one type", "lineage", "all types"
SCOPES, SCOPE_SHARES = (ONE_TYPE, LINEAGE, ALL_TYPES), (0.4, 0.35, 0.25)
"""Where factors are active, and how many are of each kind, beyond the first one of each type."""

ACTIVITY_BETWEEN_TYPES = 0.3
TARGETS_SPREAD = 0.6
SECOND_FACTOR = 0.3
PROMOTER_OPENNESS = 8.0
REGULATED_OPENNESS = 0.3
REGULATED_PROMOTERS = 0.3
HIGHEST_EXPRESSION = 3.0
JITTER_BETWEEN_TYPES = 0.25
SIGNAL_SPREAD = 0.5
LINKS_BETWEEN_GENES = 0.8

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Programs:
    """The parameters from which cells are drawn; the truth of the simulation.

    Attributes
    ----------
    factors
        ``(n_factors,)`` rows; index the names (``TF01``), column ``scope``.
    activity
        ``(n_types, n_factors)`` mean activity of each factor, 0 where it is not active.
    opening
        ``(n_peaks, n_factors)`` CSR float32, rate at which an active factor opens a peak.
    background
        ``(n_types, n_peaks)`` float32, rate at which peaks open without a factor.
    signal
        ``(n_peaks,)`` float32, relative number of fragments of a peak when it is open.
    links
        Planted links, by gene and peak; columns ``gene``, ``peak`` (positions), ``distance`` (signed, bases; negative
        is upstream), ``effect``.
    effects
        ``(n_genes, n_peaks)`` CSR float32 of the links' effects.
    expression
        ``(n_types, n_genes)`` float32, rate of each gene when none of its enhancers is open.
    """

    factors: pd.DataFrame
    activity: Floats
    opening: sparse.csr_matrix
    background: npt.NDArray[np.float32]
    signal: npt.NDArray[np.float32]
    links: pd.DataFrame
    effects: sparse.csr_matrix
    expression: npt.NDArray[np.float32]

    def mean_openness(self) -> Floats:
        """``(n_types, n_peaks)`` chance that a peak is open in a cell whose factors are at their type's activity."""
        openness: Floats = 1 - np.exp(-(self.background + (self.opening @ self.activity.T).T))
        return openness


def simulate_programs(config: SimulationConfig, genome: Genome, rng: np.random.Generator) -> Programs:
    """Draw factors, their peaks, links and expression."""
    factors, activity = _factors(config, rng)
    # Log expression of each gene, cut above so that no single gene takes a tenth of all transcripts.
    level = config.expression_spread * np.minimum(rng.standard_normal(config.n_genes), HIGHEST_EXPRESSION)
    opening = _opening(config, genome, rng)
    background = _background(config, genome, level, np.diff(opening.indptr) > 0, rng)
    width = (genome.peaks["end"] - genome.peaks["start"]).to_numpy() / config.peak_width
    signal = width * np.exp(SIGNAL_SPREAD * rng.standard_normal(config.n_peaks))
    links = _links(config, genome, np.flatnonzero(np.diff(opening.indptr)), rng)
    effects = sparse.csr_matrix(
        (links["effect"].to_numpy(np.float32), (links["gene"], links["peak"])), (config.n_genes, config.n_peaks)
    )
    unlinked = np.flatnonzero(np.diff(effects.indptr) == 0)
    drawn = Programs(
        factors, activity, opening, background, signal.astype(np.float32), links, effects, np.empty((0, 0), np.float32)
    )
    fold = _fold_changes(config, config.n_genes, unlinked, rng)
    # Divided by its mean boost, so that links shift expression between cells and types and not its overall level.
    boost = 1 + effects @ (shares(config) @ drawn.mean_openness())
    expression = np.exp(level + fold) / boost
    return Programs(factors, activity, opening, background, drawn.signal, links, effects, expression.astype(np.float32))


def shares(config: SimulationConfig) -> Floats:
    """``(n_types,)`` shares of the cell types, summing to 1."""
    values = np.array([each.share for each in config.cell_types], dtype=np.float64)
    normalised: Floats = values / values.sum()
    return normalised


def _factors(config: SimulationConfig, rng: np.random.Generator) -> tuple[pd.DataFrame, Floats]:
    """Names and scopes of the factors, and their activity in each type; each type has one of its own."""
    n_types = len(config.cell_types)
    home = np.concatenate((np.arange(n_types), rng.integers(0, n_types, config.n_factors - n_types)))
    scope = [ONE_TYPE] * n_types + [
        SCOPES[i] for i in rng.choice(len(SCOPES), config.n_factors - n_types, p=SCOPE_SHARES)
    ]
    active = np.array(
        [_active_types(config.cell_types, int(h), s) for h, s in zip(home, scope, strict=True)], dtype=bool
    ).T
    level = np.exp(ACTIVITY_BETWEEN_TYPES * rng.standard_normal(active.shape))
    digits = len(str(config.n_factors))
    names = pd.Index([f"TF{number:0{digits}d}" for number in range(1, config.n_factors + 1)], dtype="object")
    return pd.DataFrame({"scope": scope}, index=names), np.where(active, level, 0.0)


def _active_types(cell_types: tuple[CellType, ...], home: int, scope: str) -> list[bool]:
    if scope == ALL_TYPES:
        return [True] * len(cell_types)
    if scope == LINEAGE:
        return [each.lineage == cell_types[home].lineage for each in cell_types]
    return [position == home for position in range(len(cell_types))]


def _opening(config: SimulationConfig, genome: Genome, rng: np.random.Generator) -> sparse.csr_matrix:
    """Choose the regulated peaks, mostly distal ones, and one or two factors for each."""
    n_regulated = round(config.regulated_share * config.n_peaks)
    weight = np.where(genome.promoter_of >= 0, REGULATED_PROMOTERS, 1.0)
    chosen = np.sort(_weighted_choice(weight, n_regulated, rng))
    popularity = np.exp(TARGETS_SPREAD * rng.standard_normal(config.n_factors))
    twice = chosen[rng.random(n_regulated) < SECOND_FACTOR]
    peaks = np.concatenate((chosen, twice))
    factors = rng.choice(config.n_factors, len(peaks), p=popularity / popularity.sum())
    rate = (config.opening * rng.standard_gamma(4.0, len(peaks)) / 4.0).astype(np.float32)
    opening = sparse.csr_matrix((rate, (peaks, factors)), (config.n_peaks, config.n_factors))
    opening.sort_indices()
    return opening


def _weighted_choice(weight: Floats, n: int, rng: np.random.Generator) -> Ints:
    """``n`` positions without replacement, by weight (exponential keys of Efraimidis & Spirakis 2006)."""
    keys = rng.standard_exponential(len(weight)) / weight
    return np.argpartition(keys, n)[:n].astype(np.int64) if n < len(weight) else np.arange(len(weight))


def _background(
    config: SimulationConfig, genome: Genome, level: Floats, regulated: npt.NDArray[np.bool_], rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Opening without factors: promoters wide open, the more the higher their gene; regulated peaks nearly shut."""
    promoter = genome.promoter_of >= 0
    log_rate = np.log(config.openness) + config.openness_spread * rng.standard_normal(config.n_peaks)
    own = level[genome.promoter_of[promoter]] / max(config.expression_spread, 1e-9)
    log_rate[promoter] = np.log(PROMOTER_OPENNESS * config.openness) + 0.5 * own + 0.5 * rng.standard_normal(len(own))
    log_rate[regulated & ~promoter] += np.log(REGULATED_OPENNESS)
    fold = _fold_changes(config, config.n_peaks, np.flatnonzero(~regulated), rng)
    rate: npt.NDArray[np.float32] = np.exp(log_rate + fold).astype(np.float32)
    return rate


def _fold_changes(config: SimulationConfig, n: int, markers_among: Ints, rng: np.random.Generator) -> Floats:
    """``(n_types, n)`` log fold changes: little ones everywhere, great ones for markers, which no link explains."""
    fold = JITTER_BETWEEN_TYPES * rng.standard_normal((len(config.cell_types), n))
    n_markers = min(round(config.marker_share * n), len(markers_among))
    for row in fold:
        chosen = rng.choice(markers_among, n_markers, replace=False)
        row[chosen] += np.log(config.marker_fold) + 0.4 * rng.standard_normal(n_markers)
    return fold


def _links(config: SimulationConfig, genome: Genome, regulated: Ints, rng: np.random.Generator) -> pd.DataFrame:
    """Link regulated peaks to genes around them, near ones above all, and some genes more readily than others."""
    gene, peak, distance = _pairs_within(config.max_distance, genome, regulated)
    liking = np.exp(LINKS_BETWEEN_GENES * rng.standard_normal(config.n_genes) - LINKS_BETWEEN_GENES**2 / 2)[gene]
    contact = (1 + np.abs(distance) / config.contact_distance) ** -config.contact_exponent
    chosen = np.flatnonzero(rng.random(len(gene)) < config.link_chance * liking * contact)
    chosen = chosen[np.lexsort((peak[chosen], gene[chosen]))]
    effect = config.link_effect * rng.standard_gamma(2.0, len(chosen)) / 2.0
    return pd.DataFrame({"gene": gene[chosen], "peak": peak[chosen], "distance": distance[chosen], "effect": effect})


def _pairs_within(max_distance: int, genome: Genome, peaks: Ints) -> tuple[Ints, Ints, Ints]:
    """All pairs of a gene and one of the peaks on one chromosome within a distance: gene, peak, signed distance."""
    table = genome.peaks.iloc[peaks]
    sites, middles = tss(genome.genes), ((table["start"] + table["end"]) // 2).to_numpy(np.int64)
    genes_of, peaks_of = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for chrom in pd.unique(table["chrom"]):
        here = np.flatnonzero((genome.genes["chrom"] == chrom).to_numpy())
        here = here[np.argsort(sites[here], kind="stable")]
        rows = np.flatnonzero((table["chrom"] == chrom).to_numpy())
        low = np.searchsorted(sites[here], middles[rows] - max_distance, side="left")
        high = np.searchsorted(sites[here], middles[rows] + max_distance, side="right")
        count = high - low
        within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
        genes_of.append(here[np.repeat(low, count) + within])
        peaks_of.append(peaks[np.repeat(rows, count)])
    gene, peak = np.concatenate(genes_of).astype(np.int64), np.concatenate(peaks_of).astype(np.int64)
    strand = genome.genes["strand"].to_numpy()[gene]
    start, end = genome.peaks["start"].to_numpy()[peak], genome.peaks["end"].to_numpy()[peak]
    return gene, peak, distance_to_tss(sites[gene], strand, start, end)
