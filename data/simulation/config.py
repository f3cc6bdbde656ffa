"""What can be set of a simulation: one frozen dataclass, checked when it is made."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from bi2scope.data.errors import ConfigurationError

HUMAN_CHROMOSOMES = tuple(f"chr{name}" for name in (*range(1, 23), "X", "Y"))


@dataclass(frozen=True)
class CellType:
    """One cell type to simulate.

    Parameters
    ----------
    name
        As it stands in ``obs["cell_type"]``.
    share
        Of the cells; the shares of all types are divided by their sum.
    genes, peaks
        Median number of genes and of peaks with a count in a cell of the type.
    lineage
        Types of one lineage share the transcription factors of that lineage.
    """

    name: str
    share: float
    genes: float
    peaks: float
    lineage: str


@dataclass(frozen=True)
class SimulationConfig:
    """Everything that a simulation depends on, beside its seed; ``docs/simulator.md`` gives the formulas.

    Parameters
    ----------
    name
        Name of the preset, or one of your own.
    n_cells, n_genes, n_peaks
        Sizes of the data set.
    cell_types
        The types, two or more.
    chromosomes
        Chromosomes of hg38 that genes and peaks lie on.
    promoter_share
        Share of the peaks at the start of a gene; the others lie around genes and between them.
    peak_width, peak_width_spread
        Median width of a peak in bases, and the standard deviation of its logarithm.
    n_factors
        Transcription factors; at least one for each cell type.
    regulated_share
        Share of the peaks that transcription factors open.
    opening
        Mean rate at which an active factor opens a peak of its: at 1.0 the peak is open in 1 - exp(-1) = 63 % of cells.
    activity_spread
        Standard deviation, between cells of one type, of the logarithm of a factor's activity.
    max_distance
        Greatest distance, in bases, from the middle of a peak to the start of a gene that it is linked to.
    link_chance, contact_distance, contact_exponent
        Chance that a regulated peak is linked to a gene: ``link_chance * (1 + distance / contact_distance) **
        -contact_exponent``; the defaults follow the CRISPR screens in K562 that ENCODE collected.
    link_effect
        Mean of what an open enhancer adds to its gene's expression, in multiples of the expression without it.
    marker_share, marker_fold
        Share of genes and of peaks that are markers of a type without any link, and their median fold change.
    expression_spread
        Standard deviation of the natural logarithm of the genes' expression.
    dispersion
        Shape of the gamma noise of a gene in a cell; smaller is noisier.
    openness, openness_spread
        Median opening rate of peaks without a factor, and the standard deviation of its logarithm.
    genes_spread
        Standard deviation, within a type, of the logarithm of the number of genes seen in a cell.
    peaks_spread
        The same for peaks, for cells below and above the median.
    depth_correlation
        Correlation of the two, within a type.
    ambient
        Share of the counts that come from the average of all cells and not from the cell.
    both_ends
        Chance that both ends of a fragment count in its peak (10x counts ends); 0 counts fragments.
    tracks_per_type, decoys_per_type
        BED tracks written for each cell type: of active factors, and of factors without any link.

    Raises
    ------
    ConfigurationError
        If a value is out of its range; the message names it.
    """

    name: str
    n_cells: int
    n_genes: int
    n_peaks: int
    cell_types: tuple[CellType, ...]
    chromosomes: tuple[str, ...] = HUMAN_CHROMOSOMES
    promoter_share: float = 0.16
    peak_width: float = 331.0
    peak_width_spread: float = 0.45
    n_factors: int = 100
    regulated_share: float = 0.35
    opening: float = 1.0
    activity_spread: float = 0.6
    max_distance: int = 500_000
    link_chance: float = 0.9
    contact_distance: float = 20_000.0
    contact_exponent: float = 1.6
    link_effect: float = 3.0
    marker_share: float = 0.01
    marker_fold: float = 4.0
    expression_spread: float = 2.2
    dispersion: float = 1.5
    openness: float = 0.1
    openness_spread: float = 1.2
    genes_spread: float = 0.21
    peaks_spread: tuple[float, float] = (0.80, 0.42)
    depth_correlation: float = 0.2
    ambient: float = 0.03
    both_ends: float = 0.75
    tracks_per_type: int = 3
    decoys_per_type: int = 2

    def __post_init__(self) -> None:
        for field, least in (("n_cells", 1), ("n_genes", 1), ("n_peaks", 1), ("n_factors", 1), ("max_distance", 1)):
            _check_whole(field, getattr(self, field), least)
        for field in ("tracks_per_type", "decoys_per_type"):
            _check_whole(field, getattr(self, field), 0)
        for field in ("promoter_share", "regulated_share", "marker_share", "ambient"):
            _check(field, getattr(self, field), 0, 1)
        _check("both_ends", self.both_ends, 0, 1, ends=True)
        _check("depth_correlation", self.depth_correlation, -1, 1, ends=True)
        for field in ("peak_width", "opening", "contact_distance", "marker_fold", "dispersion", "openness"):
            _check(field, getattr(self, field), 0, above=True)
        for field in ("peak_width_spread", "activity_spread", "contact_exponent", "link_effect", "expression_spread"):
            _check(field, getattr(self, field), 0)
        for field in ("openness_spread", "genes_spread"):
            _check(field, getattr(self, field), 0)
        _check("link_chance", self.link_chance, 0, 1, above=True, ends=True)
        self._check_peaks_spread()
        self._check_cell_types()
        self._check_chromosomes()
        if self.n_factors < len(self.cell_types):
            raise ConfigurationError(
                f"n_factors is {self.n_factors}; wanted one for each of the {len(self.cell_types)} cell_types or more."
            )

    def _check_peaks_spread(self) -> None:
        if not isinstance(self.peaks_spread, tuple) or len(self.peaks_spread) != 2:
            raise ConfigurationError(f"peaks_spread is {self.peaks_spread!r}; wanted two numbers, below and above.")
        for each in self.peaks_spread:
            _check("peaks_spread", each, 0)

    def _check_cell_types(self) -> None:
        names = [each.name for each in self.cell_types]
        if len(names) < 2 or len(set(names)) < len(names):
            raise ConfigurationError(f"cell_types are {names}; wanted two or more, each name once.")
        for each in self.cell_types:
            if not each.name.strip():
                raise ConfigurationError("cell_types holds one without a name.")
            _check(f"cell_types[{each.name!r}].share", each.share, 0, above=True)
            for field, value, most in (("genes", each.genes, self.n_genes), ("peaks", each.peaks, self.n_peaks)):
                _check(f"cell_types[{each.name!r}].{field}", value, 1, most)
        if self.n_cells < len(names):
            raise ConfigurationError(f"n_cells is {self.n_cells}; wanted one of each of the {len(names)} cell types.")

    def _check_chromosomes(self) -> None:
        unknown = [name for name in self.chromosomes if name not in HUMAN_CHROMOSOMES]
        if unknown or not self.chromosomes or len(set(self.chromosomes)) < len(self.chromosomes):
            raise ConfigurationError(
                f"chromosomes are {', '.join(map(repr, self.chromosomes)) or 'none'}; "
                f"wanted some of {HUMAN_CHROMOSOMES[0]} to {HUMAN_CHROMOSOMES[-1]}, each once."
            )

    def as_dict(self) -> dict[str, Any]:
        """The configuration as plain values, for JSON."""
        return asdict(self)


def _check(
    field: str, value: float, least: float, most: float = math.inf, *, above: bool = False, ends: bool = False
) -> None:
    """Refuse a value out of its range: ``above`` leaves out the least, ``ends`` lets the most in."""
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    low = number and (value > least if above else value >= least)
    high = number and (value <= most if ends or most == math.inf else value < most)
    if not (low and high):
        limits = f"{'above' if above else 'at least'} {least:g}"
        if most < math.inf:
            limits += f" and {'at most' if ends else 'below'} {most:g}"
        raise ConfigurationError(f"{field} is {value!r}; it must be a number {limits}.")


def _check_whole(field: str, value: int, least: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ConfigurationError(f"{field} is {value!r}; it must be a whole number, at least {least}.")
