"""Counts of simulated cells, one cell at a time: open peaks, expression, then fragments and transcripts.

Nothing of the size cells x features is ever held: a cell's rates are two vectors, and what is kept of it are its
counts that are not zero. Each cell has a stream of random numbers of its own, so its counts depend neither on the
other cells nor on their order.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse
from tqdm import tqdm

from bi2scope.data.errors import ConfigurationError
from bi2scope.data.simulation.config import SimulationConfig
from bi2scope.data.simulation.programs import Programs, shares
from bi2scope.data.simulation.streams import stream

PILOTS = 4
"""Cells of each type on which the relation of depth and features seen is measured."""

DEPTHS = np.geomspace(10, 1e6, 40)
REACHABLE = 0.9
"""A type's median may be this share of the features its cells show at the greatest depth; above, it is refused."""

DEEPEST = 6.0
"""No cell has more molecules than this many times what the median of its type takes."""

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Rates = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Counts:
    """Counts of all cells.

    Attributes
    ----------
    rna, atac
        ``(n_cells, n_genes)`` and ``(n_cells, n_peaks)`` CSR float32, indices sorted, no stored zeros.
    activity
        ``(n_cells, n_factors)`` float32, activity of each factor in each cell.
    """

    rna: sparse.csr_matrix
    atac: sparse.csr_matrix
    activity: Rates


@dataclass(frozen=True)
class State:
    """What a cell is before it is sequenced.

    Attributes
    ----------
    activity
        ``(n_factors,)`` activity of each factor.
    open_peaks
        Positions of the open peaks, ascending.
    expression
        ``(n_genes,)`` rate of each gene, noise included.
    """

    activity: Rates
    open_peaks: Ints
    expression: Rates


@dataclass(frozen=True)
class Depth:
    """How many molecules show how many features, for each type, and what all cells look like on average.

    Attributes
    ----------
    seen
        ``(n_types, len(DEPTHS))`` expected number of features with a count at each depth.
    ambient
        ``(n_features,)`` running sum of the average profile.
    """

    seen: Floats
    ambient: Floats

    def for_features(self, cell_type: int, wanted: float, median: float) -> int:
        """Number of molecules at which as many features as wanted are expected, within limits set by the median."""
        depth, usual = np.interp((wanted, median), self.seen[cell_type], DEPTHS)
        return max(1, round(float(min(depth, DEEPEST * usual))))


def sample_counts(
    config: SimulationConfig, programs: Programs, cell_types: Ints, seed: int, progress: bool = False
) -> Counts:
    """Draw the counts of cells.

    Parameters
    ----------
    config, programs
        What to draw from.
    cell_types
        ``(n_cells,)`` position of each cell's type in ``config.cell_types``.
    seed
        Seed of the simulation; cell ``i`` has the stream ``("cells", i)``.
    progress
        Whether to show a bar.

    Raises
    ------
    ConfigurationError
        If cells of a type cannot show as many genes or peaks as they should.
    """
    depths = pilot_depths(config, programs, seed)
    check_reachable(config, *depths)
    rna, atac, activity = _Rows(config.n_genes), _Rows(config.n_peaks), []
    cells = cells_one_by_one(config, programs, cell_types, seed, depths)
    for cell in tqdm(cells, total=len(cell_types), desc="cells", disable=not progress):
        activity.append(cell[0])
        rna.append(*cell[1])
        atac.append(*cell[2])
    return Counts(rna.matrix(), atac.matrix(), np.stack(activity))


Drawn = tuple[Ints, Ints]


def cells_one_by_one(
    config: SimulationConfig,
    programs: Programs,
    cell_types: Ints,
    seed: int,
    depths: tuple[Depth, Depth],
) -> Iterator[tuple[Rates, Drawn, Drawn]]:
    """Activity of the factors, then (positions, counts) of genes and of peaks, of one cell after another."""
    rna_depth, atac_depth = depths
    every_gene = np.arange(config.n_genes)
    for number, cell_type in enumerate(cell_types):
        rng = stream(seed, "cells", number)
        genes_wanted, peaks_wanted = _features_wanted(config, int(cell_type), rng)
        state = draw_state(config, programs, int(cell_type), rng)
        of_type = config.cell_types[cell_type]
        n_transcripts = rna_depth.for_features(int(cell_type), genes_wanted, of_type.genes)
        n_fragments = atac_depth.for_features(int(cell_type), peaks_wanted, of_type.peaks)
        transcripts = _draw(every_gene, state.expression, n_transcripts, rna_depth.ambient, config.ambient, rng)
        signal = programs.signal[state.open_peaks]
        peaks, fragments = _draw(state.open_peaks, signal, n_fragments, atac_depth.ambient, config.ambient, rng)
        ends = fragments + rng.binomial(fragments, config.both_ends)
        yield state.activity, transcripts, (peaks, ends)


def draw_state(config: SimulationConfig, programs: Programs, cell_type: int, rng: np.random.Generator) -> State:
    """Draw one cell of a type.

    ``u_f = a_tf exp(s e_f - s^2 / 2)``; peak j is open with chance ``1 - exp(-(b_tj + sum_f e_jf u_f))``, drawn as a
    standard exponential below that rate; ``m_g = x_tg (1 + sum_j w_gj z_j) G``, with G gamma noise of mean 1.
    """
    spread = config.activity_spread
    noise = rng.standard_normal(programs.activity.shape[1])
    activity = (programs.activity[cell_type] * np.exp(spread * noise - spread**2 / 2)).astype(np.float32)
    rate = programs.background[cell_type] + programs.opening @ activity
    is_open = rng.standard_exponential(len(rate), dtype=np.float32) < rate
    boost = np.float32(1) + programs.effects @ is_open.astype(np.float32)
    burst = rng.standard_gamma(config.dispersion, len(boost), dtype=np.float32) / np.float32(config.dispersion)
    return State(activity, np.flatnonzero(is_open), programs.expression[cell_type] * boost * burst)


def pilot_depths(config: SimulationConfig, programs: Programs, seed: int) -> tuple[Depth, Depth]:
    """Depth of RNA and of ATAC, measured on pilot cells of each type that are not part of the data set."""
    weights = shares(config) / PILOTS
    seen = [np.zeros((len(weights), len(DEPTHS))) for _ in range(2)]
    average = [np.zeros(config.n_genes), np.zeros(config.n_peaks)]
    for cell_type, weight in enumerate(weights):
        for profiles in _pilots(config, programs, cell_type, seed):
            for mean, profile in zip(average, profiles, strict=True):
                mean += weight * profile
    for cell_type in range(len(weights)):
        for profiles in _pilots(config, programs, cell_type, seed):
            for curve, profile, ambient in zip(seen, profiles, average, strict=True):
                mixed = ((1 - config.ambient) * profile + config.ambient * ambient).astype(np.float32)
                hidden = [np.exp(-depth * mixed).sum(dtype=np.float64) for depth in DEPTHS]
                curve[cell_type] += (len(mixed) - np.array(hidden)) / PILOTS
    return Depth(seen[0], np.cumsum(average[0])), Depth(seen[1], np.cumsum(average[1]))


def _pilots(config: SimulationConfig, programs: Programs, cell_type: int, seed: int) -> Iterator[tuple[Floats, Floats]]:
    """Shares of genes and of peaks in the molecules of pilot cells, the same ones at each call."""
    for number in range(PILOTS):
        state = draw_state(config, programs, cell_type, stream(seed, "pilots", cell_type * PILOTS + number))
        expression = state.expression.astype(np.float64)
        signal = np.zeros(config.n_peaks)
        signal[state.open_peaks] = programs.signal[state.open_peaks]
        yield expression / expression.sum(), signal / max(float(signal.sum()), 1e-9)


def check_reachable(config: SimulationConfig, rna: Depth, atac: Depth) -> None:
    """Refuse medians that cells cannot show, whatever their depth.

    Raises
    ------
    ConfigurationError
        Naming the type and the field.
    """
    for number, each in enumerate(config.cell_types):
        for field, depth, wanted in (("genes", rna, each.genes), ("peaks", atac, each.peaks)):
            most = REACHABLE * depth.seen[number, -1]
            if wanted > most:
                raise ConfigurationError(
                    f"cell_types[{each.name!r}].{field} is {wanted:g}, but its cells show {most:.0f} {field} at most.",
                    "Lower it, or raise openness." if field == "peaks" else "Lower it, or raise n_genes.",
                )


def _features_wanted(config: SimulationConfig, cell_type: int, rng: np.random.Generator) -> tuple[float, float]:
    """Numbers of genes and peaks that a cell should show, about its type's medians; the two depths correlate."""
    each, rho = config.cell_types[cell_type], config.depth_correlation
    first, second = rng.standard_normal(2)
    second = rho * first + np.sqrt(1 - rho**2) * second
    below, above = config.peaks_spread
    peaks = each.peaks * np.exp((below if second < 0 else above) * second)
    return float(each.genes * np.exp(config.genes_spread * first)), float(peaks)


def _draw(
    features: Ints, rates: Rates, n: int, ambient: Floats, ambient_share: float, rng: np.random.Generator
) -> Drawn:
    """Positions (ascending) and counts of ``n`` molecules: multinomial by the rates, a share by the ambient profile."""
    n_ambient = rng.binomial(n, ambient_share) if len(features) else n
    own = features[_places(np.cumsum(rates, dtype=np.float64), n - n_ambient, rng)]
    positions, counts = np.unique(np.concatenate((own, _places(ambient, n_ambient, rng))), return_counts=True)
    return positions, counts


def _places(cumulative: Floats, n: int, rng: np.random.Generator) -> Ints:
    """``n`` draws by a running sum of rates; sorted keys make the search quick."""
    keys = np.sort(rng.random(n)) * (cumulative[-1] if n else 0)
    return np.searchsorted(cumulative, keys, side="right").astype(np.int64)


class _Rows:
    """A CSR matrix that grows by a row at a time."""

    def __init__(self, n_columns: int) -> None:
        self.n_columns = n_columns
        self.indices: list[npt.NDArray[np.int32]] = []
        self.data: list[npt.NDArray[np.float32]] = []

    def append(self, positions: Ints, counts: Ints) -> None:
        self.indices.append(positions.astype(np.int32))
        self.data.append(counts.astype(np.float32))

    def matrix(self) -> sparse.csr_matrix:
        """The rows as one matrix; they are let go as they are copied."""
        indptr = np.concatenate(([0], np.cumsum([len(row) for row in self.indices])))
        data, indices = np.concatenate(self.data), np.concatenate(self.indices)
        self.data, self.indices = [], []
        matrix = sparse.csr_matrix((data, indices, indptr), shape=(len(indptr) - 1, self.n_columns))
        matrix.has_sorted_indices = matrix.has_canonical_format = True
        return matrix
