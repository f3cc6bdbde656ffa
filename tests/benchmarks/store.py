"""Size and speed of the store on cells as large as those of a 10x PBMC data set.

Floor of a read: the same links of the same cell, as raw bytes in an uncompressed file, read by numpy.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
from scipy import sparse

from bi2scope.data.attention import WEIGHTED_PER_ROW, CellAttention, Cut, score_of, softmax_denominator
from bi2scope.data.graph import CellGraph, cell_graph
from bi2scope.data.multiome import Multiome
from bi2scope.data.store.reader import StoreReader
from bi2scope.data.store.schema import StoreAttributes
from bi2scope.data.store.writer import Embedding, StoreWriter

N_CELLS, N_GENES, N_PEAKS = 150, 20_000, 100_000
GENES_PER_CELL, PEAKS_PER_CELL, K_MAX = 1_800, 7_500, 50
CHROMOSOMES = [f"chr{i}" for i in range(1, 23)]
DIM = 32
ARRAYS = ("peak", "logit", "gene", "n_above", "denominator")


def main() -> tuple[dict[str, float], dict[str, float]]:
    rng = np.random.default_rng(20)
    multiome = cells_of_pbmc_size(rng)
    query = rng.normal(size=(N_GENES, DIM)).astype(np.float32) * rng.gamma(2, 0.2, (N_GENES, 1)).astype(np.float32)
    key = rng.normal(size=(N_PEAKS, DIM)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        path, raw = Path(folder) / "store.h5", Path(folder) / "raw"
        write_seconds, n_links = write(path, raw, multiome, query, key)
        return measure(path, raw, write_seconds, n_links)


def cells_of_pbmc_size(rng: np.random.Generator) -> Multiome:
    types = np.arange(N_CELLS) % 3
    cells = pd.DataFrame(
        {"cell_type": pd.Categorical.from_codes(types, ["a", "b", "c"])},
        index=pd.Index([f"cell{i}" for i in range(N_CELLS)], dtype=object),
    )
    genes, peaks = places(N_GENES), places(N_PEAKS)
    genes = genes.assign(name=genes.index, strand="+", means=0.0, variances_norm=0.0, highly_variable=False)
    rna = counts(rng, types, N_GENES, GENES_PER_CELL)
    return Multiome(cells, genes, peaks, rna, counts(rng, types, N_PEAKS, PEAKS_PER_CELL))


def places(n: int) -> pd.DataFrame:
    code = np.sort(np.arange(n) % len(CHROMOSOMES))
    start = np.arange(n) * 1_000
    table = pd.DataFrame({"chrom": np.asarray(CHROMOSOMES, dtype=object)[code], "start": start, "end": start + 500})
    table.index = pd.Index([f"{chrom}:{s}-{s + 500}" for chrom, s in zip(table["chrom"], start, strict=True)])
    return table


def counts(rng: np.random.Generator, types: np.ndarray, n: int, per_cell: int) -> sparse.csr_matrix:
    """Non-zero counts with some features open in most cells of a type and most in few, and cells of many sizes."""
    rate = rng.gamma(0.5, size=(types.max() + 1, n))
    size = per_cell * rng.lognormal(0, 0.35, len(types)) / rate.mean(axis=1)[types] / n
    seen = rng.random((len(types), n)) < 1 - np.exp(-rate[types] * size[:, None])
    return sparse.csr_matrix((seen * rng.geometric(0.7, seen.shape)).astype(np.float32))


def attend(multiome: Multiome, graph: CellGraph, query: np.ndarray, key: np.ndarray) -> CellAttention:
    """Every link of a cell, chromosome by chromosome."""
    gene_chromosome = multiome.gene_chromosome[graph.gene_index]
    peak_chromosome = multiome.peak_chromosome[graph.peak_index]
    peaks, logits, per_row, above, denominators = [], [], [], [], []
    for code in range(len(CHROMOSOMES)):
        own = graph.peak_index[peak_chromosome == code]
        logit = query[graph.gene_index[gene_chromosome == code]] @ key[own].T
        order = np.argsort(-logit, axis=1, kind="stable")[:, :K_MAX]
        top = np.take_along_axis(logit, order, axis=1)
        kept = score_of(top) > np.float32(0.5)
        peaks.append(own[order[kept]])
        logits.append(top[kept])
        per_row.append(kept.sum(axis=1))
        above.append((score_of(logit) > np.float32(0.5)).sum(axis=1))
        n_here = np.full(len(logit), len(own))
        denominators.append(
            softmax_denominator(score_of(top[:, :WEIGHTED_PER_ROW]), n_here, len(graph.peak_index) - n_here)
        )
    return CellAttention(
        gene=graph.gene_index.astype(np.int32),
        row_start=np.concatenate([[0], np.cumsum(np.concatenate(per_row))]),
        peak=np.concatenate(peaks).astype(np.int32),
        logit=np.concatenate(logits).astype(np.float32),
        n_above=np.concatenate(above).astype(np.int32),
        denominator=np.concatenate(denominators),
    )


def write(path: Path, raw: Path, multiome: Multiome, query: np.ndarray, key: np.ndarray) -> tuple[float, int]:
    """Write the store and, beside it, each cell's links as raw bytes; seconds in the writer, number of links."""
    attributes = StoreAttributes("benchmark", "0" * 64, n_layers=1, n_heads=1, n_parameters=0, k_max=K_MAX)
    raw.mkdir()
    cells = [attend(multiome, cell_graph(multiome, i, i), query, key) for i in range(multiome.n_cells)]
    for i, cell in enumerate(cells):
        for name in ARRAYS:
            np.save(raw / f"{i}-{name}.npy", getattr(cell, name))
    start = time.perf_counter()
    with StoreWriter(path, multiome, attributes) as writer:
        writer.write_embedding(Embedding(np.zeros((multiome.n_cells, 2)), "none"))
        for cell in cells:
            writer.write_cell([[cell]])
    return time.perf_counter() - start, sum(len(cell.peak) for cell in cells)


def measure(path: Path, raw: Path, write_seconds: float, n_links: int) -> tuple[dict[str, float], dict[str, float]]:
    open_ms = statistics.median(timed(lambda: StoreReader.open(path).close()) for _ in range(5))
    with StoreReader.open(path) as reader:
        order = np.tile(np.random.default_rng(3).permutation(reader.n_cells), 2)
        read = warm([timed(lambda cell=cell: reader.attention(int(cell))) for cell in order])
        floor = warm(
            [timed(lambda cell=cell: [np.load(raw / f"{cell}-{name}.npy") for name in ARRAYS]) for cell in order]
        )
        off_grid = timed(lambda: reader.cumulative("a", Cut(0.85, 7)))
        on_grid = statistics.median(timed(lambda k=k: reader.cumulative("a", Cut(0.8, k))) for k in (1, 5, 10, 20, 50))
    stored, grid = sizes(path, "links/layer0/head0"), sizes(path, "cumulative/layer0/head0")
    raw_bytes = sum(file.stat().st_size for file in raw.iterdir())
    links_bytes = sum(stored.values())
    ratios = {
        "links_on_disk_over_raw": links_bytes / raw_bytes,
        "cell_read_over_raw_read": read / floor,
        "sum_on_grid_over_direct": on_grid / off_grid,
    }
    figures = {
        "links_per_cell": n_links / N_CELLS,
        "bytes_per_link": links_bytes / n_links,
        **{f"bytes_per_link_{name}": size / n_links for name, size in stored.items()},
        "grid_bytes_per_peak_and_type": sum(grid.values()) / 3 / N_PEAKS,
        "file_mb": path.stat().st_size / 1e6,
        "write_cells_per_s": N_CELLS / write_seconds,
        "open_ms": open_ms,
        "cell_read_ms": read,
        "cell_read_raw_ms": floor,
        "sum_direct_ms_per_million_links": off_grid / (n_links / 3) * 1e6,
    }
    return ratios, figures


def read_raw(raw: Path, cell: int) -> list[np.ndarray]:
    return [np.load(raw / f"{cell}-{name}.npy") for name in ARRAYS]


def warm(milliseconds: list[float]) -> float:
    """Median of the second of two rounds over the same cells."""
    return statistics.median(milliseconds[len(milliseconds) // 2 :])


def sizes(path: Path, group: str) -> dict[str, int]:
    """Bytes on disk of every array of a group."""
    with h5py.File(path) as file:
        return {name: array.id.get_storage_size() for name, array in file[group].items()}


def timed(work: Callable[[], object]) -> float:
    """Milliseconds that a call takes."""
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1e3
