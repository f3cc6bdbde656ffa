"""What a data set holds, in a short table."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from bi2scope.data.assembly import guessed_assembly
from bi2scope.data.reading import Reading

_TYPES_NAMED = 12


def overview(reading: Reading) -> list[tuple[str, str]]:
    """Name and value of each line: sizes, cell types, non-zeros per cell, placed genes, assembly, digest.

    Parameters
    ----------
    reading
        A data set and what its files held.
    """
    multiome = reading.multiome
    placed = multiome.n_genes / reading.n_genes
    lines = [
        ("format", reading.format),
        ("cells", _of(multiome.n_cells, reading.n_cells)),
        ("genes", f"{_of(multiome.n_genes, reading.n_genes)}; placed on the genome: {placed:.1%}"),
        ("peaks", _of(multiome.n_peaks, reading.n_peaks)),
        ("cell types", _types(reading)),
        ("genes per cell", _spread(multiome.rna)),
        ("peaks per cell", _spread(multiome.atac)),
        ("chromosomes", f"{len(multiome.chromosomes)}: {', '.join(multiome.chromosomes[:4])}, ..."),
        ("assembly", guessed_assembly(multiome.genes, multiome.peaks)),
        ("sequences", "none" if multiome.peak_dna is None else f"{multiome.peak_dna.shape[1]} bases of each peak"),
        ("digest", multiome.digest),
    ]
    if len(multiome.chromosomes) <= 4:
        lines[7] = ("chromosomes", ", ".join(multiome.chromosomes))
    return lines


def _of(kept: int, found: int) -> str:
    return f"{kept:,}" if kept == found else f"{kept:,} of {found:,}"


def _types(reading: Reading) -> str:
    counts = reading.multiome.cells["cell_type"].value_counts(sort=False)
    named = [f"{name} {number:,}" for name, number in counts.items()]
    more = f", and {len(named) - _TYPES_NAMED} more" if len(named) > _TYPES_NAMED else ""
    return f"{len(named)} ({', '.join(named[:_TYPES_NAMED])}{more})"


def _spread(counts: sparse.csr_matrix) -> str:
    """Non-zeros of a cell: median, and where the middle 90 % lie."""
    low, median, high = np.percentile(np.diff(counts.indptr), [5, 50, 95])
    return f"median {median:,.0f} (5–95 %: {low:,.0f}–{high:,.0f})"
