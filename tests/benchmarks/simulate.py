"""Simulate and write ``pbmc10k`` (9,631 x 29,095 x 107,194) in a process of its own: seconds and memory.

The floor is the processor time of the random numbers alone that its cells cannot do without: an exponential for each
peak, a gamma for each gene and a uniform for each molecule. Wall time depends on what else runs; processor time less.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time

import numpy as np

from bi2scope.data.simulation.presets import preset

PRESET = "pbmc10k"

CHILD = """
import json, resource, sys, time
from bi2scope.data.simulator import simulate, write
start = time.perf_counter()
simulated = simulate(sys.argv[1], seed=0)
drawn, drawn_cpu = time.perf_counter(), time.process_time()
write(simulated, sys.argv[2])
unit = 2**30 if sys.platform == "darwin" else 2**20
print(json.dumps({
    "simulate_seconds": drawn - start,
    "write_seconds": time.perf_counter() - drawn,
    "simulate_cpu_seconds": drawn_cpu,
    "write_cpu_seconds": time.process_time() - drawn_cpu,
    "peak_gib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit,
    "counts_gib": sum(c.data.nbytes + c.indices.nbytes for c in (simulated.rna, simulated.atac)) / 2**30,
    "molecules": float(simulated.rna.sum() + simulated.atac.sum() / (1 + simulated.config.both_ends)),
}))
"""


def main() -> tuple[dict[str, float], dict[str, float]]:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", CHILD, PRESET, f"{folder}/data"]
        child = subprocess.run(command, capture_output=True, text=True, check=True)
    figures: dict[str, float] = json.loads(child.stdout)
    floor = floor_seconds(figures.pop("molecules"))
    ratios = {
        "simulate_cpu_over_its_random_numbers": figures["simulate_cpu_seconds"] / floor,
        "peak_memory_over_the_counts": figures["peak_gib"] / figures["counts_gib"],
    }
    return ratios, figures | {"random_numbers_cpu_seconds": floor}


def floor_seconds(molecules: float, sample: int = 100) -> float:
    config, rng = preset(PRESET), np.random.default_rng(0)
    n_molecules = round(molecules / config.n_cells)
    start = time.process_time()
    for _ in range(sample):
        rng.standard_exponential(config.n_peaks, dtype=np.float32)
        rng.standard_gamma(config.dispersion, config.n_genes, dtype=np.float32)
        rng.random(n_molecules)
    return (time.process_time() - start) / sample * config.n_cells
