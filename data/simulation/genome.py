"""Where simulated genes and peaks lie: real hg38 chromosomes, clustered as real ones are.

The density of genes along the genome is a log-Gaussian Cox process: the exponential of a sum of Gaussian processes
with exponential covariance (Ornstein-Uhlenbeck) at four scales. Its variances are fitted to the counts of Ensembl 93's
protein-coding genes in bins of 10 kb to 10 Mb (variance over mean 1.2, 2.3, 10.4 and 47). Distal peaks are a
Neyman-Scott process around the starts of genes, and a background that follows a root of the density, because peaks are
spread more evenly than genes.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from bi2scope.data.errors import ConfigurationError
from bi2scope.data.regions import natural_chromosome_order, tss
from bi2scope.data.simulation.config import SimulationConfig

BIN = 10_000
SCALES = ((20_000_000, 0.45), (2_000_000, 0.28), (200_000, 0.18), (20_000, 0.20))
"""Correlation length in bases and variance of each of the summed processes of the log density."""

EMPTY_BANDS = ("acen", "gvar", "stalk")
"""Cytogenetic bands (centromeres, variable heterochromatin, stalks) without genes and peaks."""

DIVERGENT_SHARE = 0.10
DIVERGENT_DISTANCE = 1_000
GENE_LENGTH, GENE_LENGTH_SPREAD, LONGEST_GENE = 25_000, 1.48, 2_400_000
AROUND_GENES = 0.35
ENHANCER_DISTANCE, ENHANCER_DISTANCE_SPREAD = 30_000, 1.3
PEAK_EVENNESS = 0.45
PROMOTER_OFFSET = 150
NARROWEST_PEAK, WIDEST_PEAK = 100, 3_000

_ROUNDS = 60

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Genome:
    """Places of the simulated genes and peaks.

    Attributes
    ----------
    genes
        ``(n_genes,)`` rows in genome order; index the gene ids; ``name``, ``chrom``, ``start``, ``end``, ``strand``.
    peaks
        ``(n_peaks,)`` rows in genome order, none overlapping; index ``chrom:start-end``; ``chrom``, ``start``, ``end``.
    promoter_of
        ``(n_peaks,)`` position of the gene at whose start the peak was put, or -1.
    """

    genes: pd.DataFrame
    peaks: pd.DataFrame
    promoter_of: Ints


@dataclass(frozen=True)
class Landscape:
    """Chromosomes end to end on one axis, and the density of genes along it.

    Attributes
    ----------
    names
        Chromosomes, in natural order.
    offsets
        ``(n_chromosomes + 1,)`` first position of each chromosome on the axis, in bases; the last is the axis' length.
    bin_start, bin_end
        ``(n_bins,)`` ends of the bins on the axis.
    density
        ``(n_bins,)`` expected number of genes per base, up to a factor.
    """

    names: tuple[str, ...]
    offsets: Ints
    bin_start: Ints
    bin_end: Ints
    density: Floats

    def draw(self, n: int, rng: np.random.Generator, power: float = 1.0) -> Ints:
        """``(n,)`` positions on the axis, by a power of the density."""
        width = self.bin_end - self.bin_start
        cumulative = np.cumsum(np.where(self.density > 0, self.density**power, 0) * width)
        chosen = np.searchsorted(cumulative, rng.random(n) * cumulative[-1], side="right")
        positions: Ints = self.bin_start[chosen] + np.floor(rng.random(n) * width[chosen]).astype(np.int64)
        return positions

    def chromosome(self, positions: Ints) -> Ints:
        """``(n,)`` code of the chromosome of each position on the axis."""
        return (np.searchsorted(self.offsets, positions, side="right") - 1).astype(np.int64)


def simulate_genome(config: SimulationConfig, rng: np.random.Generator) -> Genome:
    """Place genes and peaks.

    Raises
    ------
    ConfigurationError
        If so many peaks do not fit without overlaps.
    """
    landscape = simulate_landscape(config.chromosomes, rng)
    genes = _place_genes(config.n_genes, landscape, rng)
    peaks, promoter_of = _place_peaks(config, genes, landscape, rng)
    return Genome(genes, peaks, promoter_of)


def simulate_landscape(chromosomes: tuple[str, ...], rng: np.random.Generator) -> Landscape:
    """Draw the density of genes along chromosomes of hg38."""
    names = tuple(natural_chromosome_order(chromosomes))
    lengths, empty = _assembly()
    offsets = np.concatenate(([0], np.cumsum([lengths[name] for name in names]))).astype(np.int64)
    starts, ends, densities = [], [], []
    for name, offset in zip(names, offsets[:-1], strict=True):
        start = np.arange(0, lengths[name], BIN, dtype=np.int64)
        end = np.minimum(start + BIN, lengths[name])
        density = np.exp(_gaussian_process(len(start), rng))
        for first, last in empty.loc[empty["chrom"] == name, ["start", "end"]].to_numpy(np.int64):
            density[(end > first) & (start < last)] = 0
        starts.append(start + offset)
        ends.append(end + offset)
        densities.append(density)
    return Landscape(names, offsets, np.concatenate(starts), np.concatenate(ends), np.concatenate(densities))


@functools.cache
def _assembly() -> tuple[dict[str, int], pd.DataFrame]:
    """Lengths of hg38's chromosomes and its bands without genes; bioframe ships both."""
    import bioframe

    assembly = bioframe.assembly_info("hg38")
    lengths = {str(name): int(length) for name, length in assembly.chromsizes.items()}
    return lengths, assembly.cytobands[assembly.cytobands["stain"].isin(EMPTY_BANDS)]


def _gaussian_process(n_bins: int, rng: np.random.Generator) -> Floats:
    """Sum of stationary Ornstein-Uhlenbeck processes sampled at the bins: each x' = r x + sqrt(1 - r^2) e."""
    from scipy.signal import lfilter

    total = np.zeros(n_bins)
    for length, variance in SCALES:
        keep = np.exp(-BIN / length)
        noise = rng.standard_normal(n_bins) * np.sqrt(1 - keep**2)
        noise[0] = rng.standard_normal()
        total += np.sqrt(variance) * lfilter([1.0], [1.0, -keep], noise)
    return total


def _place_genes(n: int, landscape: Landscape, rng: np.random.Generator) -> pd.DataFrame:
    """Genes in genome order; a share of them starts just upstream of another, on the other strand."""
    n_divergent = int(DIVERGENT_SHARE * n)
    alone = landscape.draw(n - n_divergent, rng)
    forward = rng.random(len(alone)) < 0.5
    partner = rng.choice(len(alone), n_divergent, replace=False)
    gap = rng.integers(50, DIVERGENT_DISTANCE, n_divergent)
    beside = np.where(forward[partner], alone[partner] - gap, alone[partner] + gap)
    code = landscape.chromosome(np.concatenate((alone, alone[partner])))
    first, last = landscape.offsets[code], landscape.offsets[code + 1] - 1
    start_site = np.clip(np.concatenate((alone, beside)), first, last)
    forward = np.concatenate((forward, ~forward[partner]))
    length = np.exp(np.log(GENE_LENGTH) + GENE_LENGTH_SPREAD * rng.standard_normal(n))
    length = np.clip(length, 200, LONGEST_GENE).astype(np.int64)
    start = np.where(forward, start_site, np.maximum(start_site + 1 - length, first))
    end = np.where(forward, np.minimum(start_site + length, last + 1), start_site + 1)
    order = np.lexsort((start_site, end, start))
    ids = pd.Index([f"SIMG{number:05d}" for number in range(1, n + 1)], dtype="object")
    return pd.DataFrame(
        {
            "name": ids.to_numpy(),
            "chrom": np.array(landscape.names, dtype=object)[code[order]],
            "start": (start - first)[order],
            "end": (end - first)[order],
            "strand": np.where(forward, "+", "-").astype(object)[order],
        },
        index=ids,
    )


def _place_peaks(
    config: SimulationConfig, genes: pd.DataFrame, landscape: Landscape, rng: np.random.Generator
) -> tuple[pd.DataFrame, Ints]:
    """Peaks in genome order, and the gene at whose start each was put (-1 for the others)."""
    sites = tss(genes) + landscape.offsets[pd.Index(landscape.names).get_indexer(pd.Index(genes["chrom"]))]
    n_promoters = min(round(config.promoter_share * config.n_peaks), config.n_genes)
    chosen = rng.choice(config.n_genes, n_promoters, replace=False).astype(np.int64)
    middles = sites[chosen] + rng.normal(0, PROMOTER_OFFSET, n_promoters).astype(np.int64)
    placed = _add(np.empty((3, 0), np.int64), middles, chosen, config, landscape, rng)
    for _ in range(_ROUNDS):
        missing = config.n_peaks - placed.shape[1]
        if missing == 0:
            break
        middles = _distal_middles(int(missing * 1.1) + 10, sites, landscape, rng)
        placed = _add(placed, middles, np.full(len(middles), -1), config, landscape, rng)
    else:
        raise ConfigurationError(
            f"n_peaks is {config.n_peaks}, but only {placed.shape[1]} peaks without overlaps were placed on the "
            f"chromosomes. Lower n_peaks or peak_width, or add chromosomes."
        )
    start, end, promoter_of = placed
    code = landscape.chromosome(start)
    chrom = np.array(landscape.names, dtype=object)[code]
    start, end = start - landscape.offsets[code], end - landscape.offsets[code]
    names = [f"{chrom[i]}:{start[i]}-{end[i]}" for i in range(len(start))]
    peaks = pd.DataFrame({"chrom": chrom, "start": start, "end": end}, index=pd.Index(names, dtype="object"))
    return peaks, promoter_of


def _distal_middles(n: int, sites: Ints, landscape: Landscape, rng: np.random.Generator) -> Ints:
    """Middles of peaks: a share at log-normal distances around starts of genes, the rest by the density."""
    n_around = rng.binomial(n, AROUND_GENES)
    distance = np.exp(np.log(ENHANCER_DISTANCE) + ENHANCER_DISTANCE_SPREAD * rng.standard_normal(n_around))
    side = rng.choice([-1, 1], n_around)
    around = sites[rng.integers(0, len(sites), n_around)] + (side * distance).astype(np.int64)
    return np.concatenate((around, landscape.draw(n - n_around, rng, PEAK_EVENNESS)))


def _add(
    placed: Ints, middles: Ints, promoter_of: Ints, config: SimulationConfig, landscape: Landscape,
    rng: np.random.Generator,
) -> Ints:  # fmt: skip
    """Add peaks that overlap none, up to the number wanted; ``placed`` is ``(3, n)``: start, end, promoter of."""
    width = np.exp(np.log(config.peak_width) + config.peak_width_spread * rng.standard_normal(len(middles)))
    width = np.clip(width, NARROWEST_PEAK, WIDEST_PEAK).astype(np.int64)
    start = middles - width // 2
    new = np.stack((start, start + width, promoter_of))
    inside = (new[0] >= 0) & (new[1] <= landscape.offsets[-1])
    new = new[:, inside]
    new = new[:, landscape.chromosome(new[0]) == landscape.chromosome(new[1] - 1)]
    new = new[:, np.argsort(new[0], kind="stable")]
    reach = np.maximum.accumulate(np.concatenate(([-1], new[1][:-1])))
    new = new[:, new[0] > reach]  # no two of the new ones overlap or touch
    if placed.shape[1]:
        before = np.searchsorted(placed[0], new[1], side="right") - 1  # last old peak that starts by the new one's end
        new = new[:, (before < 0) | (placed[1][np.maximum(before, 0)] < new[0])]
    keep = np.sort(rng.permutation(new.shape[1])[: config.n_peaks - placed.shape[1]])
    together = np.concatenate((placed, new[:, keep]), axis=1)
    return together[:, np.argsort(together[0], kind="stable")]
