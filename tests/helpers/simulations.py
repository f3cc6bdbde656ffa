"""Simulated data sets that several tests look at, each made once in a run, and small configurations to vary."""

import functools

from bi2scope.data.simulation.config import CellType, SimulationConfig
from bi2scope.data.simulator import Simulated, simulate


@functools.cache
def simulated(preset: str, n_cells: int | None = None, seed: int = 1) -> Simulated:
    return simulate(preset, n_cells=n_cells, seed=seed)


def few(**changes) -> SimulationConfig:
    """A configuration of two types on two short chromosomes, with some settings changed."""
    types = (CellType("A", 2, 20, 40, "one"), CellType("B", 1, 15, 30, "two"))
    settings = {
        "name": "few",
        "n_cells": 30,
        "n_genes": 80,
        "n_peaks": 240,
        "cell_types": types,
        "chromosomes": ("chr21", "chr22"),
        "n_factors": 4,
        "expression_spread": 1.0,
        "openness": 0.3,
    }
    return SimulationConfig(**(settings | changes))
