"""Simulations that go by a name: ``tiny``, ``small``, ``pbmc10k`` and ``cell_lines``."""

from __future__ import annotations

from dataclasses import replace

from bi2scope.data.errors import ConfigurationError
from bi2scope.data.simulation.config import CellType, SimulationConfig

# Numbers of cells of the 19 types in the 10x PBMC 10k multiome are about those of its public annotation. Median genes
# of a cell are measured on 10,291 of its cells for the types marked m; the others take those of their nearest type.
# Peaks per cell are known for all types together only: median 7,500.
PBMC_TYPES = (
    CellType("CD14 Mono", 2451, 2130, 7500, "myeloid"),  # m
    CellType("CD16 Mono", 442, 2773, 7500, "myeloid"),  # m
    CellType("CD4 Naive", 1382, 1384, 7500, "T"),  # m
    CellType("CD4 TCM", 1113, 1814, 7500, "T"),  # m: CD4 memory
    CellType("CD4 TEM", 286, 1814, 7500, "T"),  # of CD4 memory
    CellType("CD8 Naive", 1353, 1658, 7500, "T"),  # m
    CellType("CD8 TEM_1", 322, 1682, 7500, "T"),  # m: CD8 activated
    CellType("CD8 TEM_2", 315, 1682, 7500, "T"),  # of CD8 activated
    CellType("HSPC", 25, 3166, 7500, "progenitor"),  # of cDC
    CellType("Intermediate B", 300, 1600, 7500, "B"),  # between naive and memory B
    CellType("MAIT", 130, 1520, 7500, "T"),  # m
    CellType("Memory B", 298, 1780, 7500, "B"),  # m
    CellType("NK", 468, 1724, 7500, "NK"),  # m
    CellType("Naive B", 125, 1420, 7500, "B"),  # m
    CellType("Plasma", 20, 3540, 7500, "B"),  # m
    CellType("Treg", 157, 1814, 7500, "T"),  # of CD4 memory
    CellType("cDC", 198, 3166, 7500, "dendritic"),  # m
    CellType("gdT", 143, 1724, 7500, "T"),  # of NK
    CellType("pDC", 103, 2568, 7500, "dendritic"),  # m
)

# Measured on 1,047 SNARE-seq cells of four human cell lines (GEO GSE126074): cells, and median genes and peaks, over
# the 15,404 genes that have a place on hg38.
CELL_LINES = (
    CellType("H1", 385, 420, 977, "embryonic"),
    CellType("BJ", 326, 439, 956, "fibroblast"),
    CellType("K562", 198, 370, 477, "myeloid"),
    CellType("GM12878", 138, 273, 479, "B"),
)

_SMALL_TYPES = ("CD14 Mono", "CD16 Mono", "CD4 Naive", "CD8 Naive", "CD8 TEM_1", "NK", "Naive B", "Memory B")
_TINY_TYPES = ("CD14 Mono", "CD4 Naive", "NK", "Naive B")


def _scaled(names: tuple[str, ...], genes: float, peaks: float, share: float = 0) -> tuple[CellType, ...]:
    """Some of the PBMC types with their medians scaled; ``share`` is the least share of a type."""
    chosen = [each for each in PBMC_TYPES if each.name in names]
    total = sum(each.share for each in chosen)
    return tuple(
        replace(
            each,
            share=max(each.share / total, share),
            genes=float(round(each.genes * genes)),
            peaks=float(round(each.peaks * peaks)),
        )
        for each in chosen
    )


PRESETS: dict[str, SimulationConfig] = {
    # Cells of tiny and small see a larger share of the features than real ones, so that few features suffice.
    "tiny": SimulationConfig(
        name="tiny",
        n_cells=200,
        n_genes=500,
        n_peaks=2_000,
        cell_types=_scaled(_TINY_TYPES, genes=0.08, peaks=0.04, share=0.15),
        chromosomes=("chr19", "chr21", "chr22"),
        n_factors=12,
        regulated_share=0.5,
        openness=0.2,
        opening=1.4,
        expression_spread=1.5,
        peaks_spread=(0.5, 0.3),
    ),
    "small": SimulationConfig(
        name="small",
        n_cells=1_500,
        n_genes=3_000,
        n_peaks=10_000,
        cell_types=_scaled(_SMALL_TYPES, genes=0.25, peaks=0.14, share=0.05),
        chromosomes=("chr11", "chr17", "chr19", "chr21", "chr22"),
        n_factors=32,
        openness=0.14,
        opening=1.2,
        expression_spread=1.7,
        peaks_spread=(0.5, 0.3),
    ),
    "pbmc10k": SimulationConfig(
        name="pbmc10k", n_cells=9_631, n_genes=29_095, n_peaks=107_194, cell_types=PBMC_TYPES, n_factors=100
    ),
    "cell_lines": SimulationConfig(
        name="cell_lines",
        n_cells=1_047,
        n_genes=15_404,
        n_peaks=136_771,
        cell_types=CELL_LINES,
        n_factors=60,
        expression_spread=1.7,
        genes_spread=0.43,
        peaks_spread=(0.6, 0.6),
        both_ends=0.0,
    ),
}
"""The configurations of ``bi2scope simulate --preset``."""


def preset(name: str) -> SimulationConfig:
    """The configuration of a name.

    Raises
    ------
    ConfigurationError
        If there is no preset of that name.
    """
    if name not in PRESETS:
        raise ConfigurationError(f"preset is {name!r}; it must be one of {', '.join(PRESETS)}.")
    return PRESETS[name]
