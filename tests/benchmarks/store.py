"""Size and speed of the store on cells as large as those of a 10x PBMC data set, 100 of them of one type.

Then of a type of 500, which has a histogram, and of a lasso: any cells of any types. Times named ``cpu`` are of the
processor, all threads together: on a machine that others use they say more than the clock.

Floor of a read: the same links of the same cell, as raw bytes in an uncompressed file, read by numpy. Floor of a sum:
summing the links themselves.
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
from bi2scope.data.factors import Factors
from bi2scope.data.graph import CellGraph, cell_graph
from bi2scope.data.multiome import Multiome
from bi2scope.data.store.cells_table import Embedding
from bi2scope.data.store.check import CheckOptions, check_store
from bi2scope.data.store.reader import StoreReader
from bi2scope.data.store.schema import StoreAttributes
from bi2scope.data.store.writer import StoreWriter

N_CELLS, N_GENES, N_PEAKS = 150, 20_000, 100_000
LARGE = (500, 100)
CUTS = [Cut(t, k) for t in (0.5, 0.55, 0.63, 0.75, 0.87, 0.93, 0.995) for k in (1, 3, 5, 10, 18, 30, 45, None)]
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
        seconds, n_links = write(path, raw, multiome, query, key)
        ratios, figures = measure(path, raw, seconds, n_links)
        return ratios, figures | larger_type(Path(folder) / "large.h5", cells_of_pbmc_size(rng, LARGE), query, key)


def cells_of_pbmc_size(rng: np.random.Generator, sizes: tuple[int, ...] = (100, 49, 1)) -> Multiome:
    types = np.repeat(np.arange(len(sizes)), sizes)
    cells = pd.DataFrame(
        {"cell_type": pd.Categorical.from_codes(types, ["a", "b", "c"][: len(sizes)])},
        index=pd.Index([f"cell{i}" for i in range(len(types))], dtype=object),
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


def write(
    path: Path, raw: Path, multiome: Multiome, query: np.ndarray, key: np.ndarray
) -> tuple[dict[str, float], tuple[int, int]]:
    """Write the store and, beside it, each cell's links as raw bytes; seconds, and links in all and of type a."""
    attributes = StoreAttributes("benchmark", "0" * 64, n_layers=1, n_heads=1, n_parameters=0, k_max=K_MAX)
    raw.mkdir()
    cells = [attend(multiome, cell_graph(multiome, i, i), query, key) for i in range(multiome.n_cells)]
    for i, cell in enumerate(cells):
        for name in ARRAYS:
            np.save(raw / f"{i}-{name}.npy", getattr(cell, name))
    nothing = np.zeros(DIM, dtype=np.float32)
    seconds = {}
    with StoreWriter(path, multiome, attributes) as writer:
        writer.write_embedding(Embedding(np.zeros((multiome.n_cells, 2)), "none"))
        writer.write_factors(Factors(query, nothing, key, nothing, 1, "raw"))
        seconds["write"] = timed(lambda: [writer.write_cell([[cell]]) for cell in cells]) / 1e3
        seconds["summarise"] = timed(lambda: writer.write_cumulative(0)) / 1e3
    links = [len(cell.peak) for cell in cells]
    return seconds, (sum(links), sum(links[:100]))


def measure(
    path: Path, raw: Path, seconds: dict[str, float], n_links: tuple[int, int]
) -> tuple[dict[str, float], dict[str, float]]:
    open_ms = statistics.median(timed(lambda: StoreReader.open(path).close()) for _ in range(5))
    with StoreReader.open(path) as reader:
        order = np.tile(np.random.default_rng(3).permutation(reader.n_cells), 2)
        read = warm([timed(lambda cell=cell: reader.attention(int(cell))) for cell in order])
        floor = warm([timed(lambda cell=cell: read_raw(raw, cell)) for cell in order])
        times = {
            "tables_ms": timed(lambda: (reader.cells, reader.genes, reader.peaks)),
            "recompute_cell_ms": warm([timed(lambda cell=cell: exact(reader, int(cell))) for cell in order[:6]]),
            **sums(reader),
            **across(reader),
        }
    check_s = timed(lambda: check_store(path, CheckOptions(cells=10))) / 1e3
    stored = {key: sizes(path, f"{key}/layer0/head0") for key in ("links", "cumulative", "map")}
    of_type = {key: sum(size for name, size in stored[key].items() if name.startswith("type0")) for key in stored}
    links_bytes = sum(stored["links"].values())
    ratios = {
        "links_on_disk_over_raw": links_bytes / sum(file.stat().st_size for file in raw.iterdir()),
        "cell_read_over_raw_read": read / floor,
        "sum_any_cut_over_direct": times["sum_any_cut_ms"] / times["sum_direct_ms"],
        "histogram_on_disk_over_links": of_type["cumulative"] / n_links[1] / (links_bytes / n_links[0]),
        "map_on_disk_over_links": of_type["map"] / n_links[1] / (links_bytes / n_links[0]),
    }
    figures = {
        "links_per_cell": n_links[0] / N_CELLS,
        "bytes_per_link": links_bytes / n_links[0],
        **{f"bytes_per_link_{name}": size / n_links[0] for name, size in stored["links"].items()},
        "histogram_bytes_per_link": of_type["cumulative"] / n_links[1],
        "map_bytes_per_link": of_type["map"] / n_links[1],
        "factors_mb": sum(sizes(path, "factors").values()) / 1e6,
        "file_mb": path.stat().st_size / 1e6,
        "write_cells_per_s": N_CELLS / seconds["write"],
        "summarise_cells_per_s": 100 / seconds["summarise"],
        "open_ms": open_ms,
        "cell_read_ms": read,
        "cell_read_raw_ms": floor,
        "check_s": check_s,
        **times,
    }
    return ratios, figures


def exact(reader: StoreReader, cell: int) -> CellAttention:
    """A cell's attention from the factors, for more than was kept."""
    assert reader.recompute is not None
    return reader.recompute.attention(reader.graph(cell), 2 * K_MAX)


def sums(reader: StoreReader) -> dict[str, float]:
    """Cumulative scores of 100 cells: any cut of the sliders, and directly."""
    taken = [timed(lambda cut=cut: reader.cumulative("a", cut)) for cut in CUTS]
    cells = reader.cells_of("a")
    return {
        "sum_any_cut_ms": statistics.median(taken),
        "sum_slowest_cut_ms": max(taken),
        "sum_direct_ms": timed(lambda: reader.cumulative_of_cells(cells, Cut(), from_links=True)),
        "expected_of_a_cut_ms_per_cell": timed(lambda: reader.null("a", Cut(0.8, 10))) / len(cells),
    }


def larger_type(path: Path, multiome: Multiome, query: np.ndarray, key: np.ndarray) -> dict[str, float]:
    """A type with a histogram: what its sums take to make and to keep, any cut of it, and any cells."""
    attributes = StoreAttributes("benchmark", "0" * 64, n_layers=1, n_heads=1, n_parameters=0, k_max=K_MAX)
    with StoreWriter(path, multiome, attributes) as writer:
        writer.write_embedding(Embedding(np.zeros((multiome.n_cells, 2)), "none"))
        for cell in range(multiome.n_cells):
            writer.write_cell([[attend(multiome, cell_graph(multiome, cell, cell), query, key)]])
    with StoreReader.open(path) as reader:
        links = reader.stored_links(0, 0)
        n_links = int(links.n_links[: LARGE[0]].sum())
        stored = {key: sizes(path, f"{key}/layer0/head0/type0") for key in ("cumulative", "map")}
        return {
            "large_histogram_bytes_per_link": sum(stored["cumulative"].values()) / n_links,
            "large_map_bytes_per_link": sum(stored["map"].values()) / n_links,
            **made(reader, path.with_name("sums.h5")),
            **any_cut(reader),
            **lasso(reader),
        }


def made(reader: StoreReader, path: Path) -> dict[str, float]:
    """Making the sums of the larger type anew, by kind."""
    from bi2scope.data.store.sums import SumSources, write_sums
    from bi2scope.data.store.writer import TypeCells

    sources = SumSources(reader.counts, reader.places, False)
    cells = reader.cells_of("a")
    nothing = sparse.csr_matrix((len(cells), N_PEAKS), dtype=np.float32)
    of_type = TypeCells(cells, nothing, nothing, reader.places.gene_chromosome)
    figures = {}
    with h5py.File(path, "w") as file:
        for kind in ("histogram", "null", "map"):
            group = file.create_group(kind)
            group.attrs["last_cut"] = 0
            work = lambda kind=kind, group=group: write_sums(  # noqa: E731
                group, kind, reader.stored_links(0, 0), of_type, sources, 0
            )
            figures[f"large_{kind}_made_cpu_ms_per_cell"] = processor(work) / len(cells)
    return figures


def any_cut(reader: StoreReader) -> dict[str, float]:
    """The least of three, for every cut of a list; nothing is kept of it in between."""
    histogram = reader.histogram(0, 0, 0)
    assert histogram is not None
    clock = [min(timed(lambda cut=cut: histogram.sums(cut)) for _ in range(3)) for cut in CUTS]
    cpu = [min(processor(lambda cut=cut: histogram.sums(cut)) for _ in range(3)) for cut in CUTS]
    return {
        "large_entries_per_link": histogram.n_entries / float(reader.cumulative("a", Cut()).links.sum()),
        "large_any_cut_ms": statistics.median(clock),
        "large_slowest_cut_ms": max(clock),
        "large_any_cut_cpu_ms": statistics.median(cpu),
        "large_slowest_cut_cpu_ms": max(cpu),
    }


def lasso(reader: StoreReader) -> dict[str, float]:
    """Half of the cells at random, all of which are read, and nine in ten of the larger type, of which few are."""
    rng = np.random.default_rng(8)
    half = np.sort(rng.choice(reader.n_cells, reader.n_cells // 2, replace=False))
    most = reader.cells_of("a")[rng.random(LARGE[0]) < 0.9]
    figures = {}
    for name, cut in (("", Cut()), ("_k_10", Cut(0.5, 10))):
        each = [timed(lambda cut=cut: reader.cumulative_of_cells(half, cut, from_links=True)) for _ in range(3)]
        cpu = [processor(lambda cut=cut: reader.cumulative_of_cells(half, cut, from_links=True)) for _ in range(3)]
        figures |= {
            f"lasso{name}_ms_per_cell_read": min(each) / len(half),
            f"lasso{name}_cpu_ms_per_cell_read": min(cpu) / len(half),
            f"lasso{name}_of_most_ms": min(timed(lambda cut=cut: reader.cumulative_of_cells(most, cut)) for _ in "ab"),
        }
    return figures


def across(reader: StoreReader) -> dict[str, float]:
    """A common gene and a common peak in a type of 100 cells, and the map of one gene and of one peak."""
    cells = reader.cells_of("a")
    pairs = reader.regulatory_map("a")
    everything = pairs.pairs((0, N_GENES))
    gene, peak = (
        int(everything.groupby("gene")["n_cells"].sum().idxmax()),
        int(reader.cumulative("a", Cut()).links.argmax()),
    )
    return {
        "gene_across_type_ms": statistics.median(timed(lambda: reader.links_of_gene(gene, cells)) for _ in range(3)),
        "gene_across_type_cells": float(len(reader.links_of_gene(gene, cells).cells)),
        "peak_across_type_ms": statistics.median(timed(lambda: reader.links_of_peak(peak, cells)) for _ in range(3)),
        "peak_across_type_cells": float(len(reader.links_of_peak(peak, cells).cells)),
        "map_of_a_gene_ms": timed(lambda: pairs.pairs((gene, gene + 1))),
        "map_of_a_chromosome_ms": timed(lambda: pairs.pairs((0, N_GENES // 22))),
        "map_pairs_per_link": len(pairs) / float(reader.cumulative("a", Cut()).links.sum()),
    }


def read_raw(raw: Path, cell: int) -> list[np.ndarray]:
    return [np.load(raw / f"{cell}-{name}.npy") for name in ARRAYS]


def warm(milliseconds: list[float]) -> float:
    """Median of the second of two rounds over the same cells."""
    return statistics.median(milliseconds[len(milliseconds) // 2 :])


def sizes(path: Path, group: str) -> dict[str, int]:
    """Bytes on disk of every array below a group."""
    found: dict[str, int] = {}

    def visit(name: str, item: h5py.Group | h5py.Dataset) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = item.id.get_storage_size()

    with h5py.File(path, "r", locking=False) as file:
        file[group].visititems(visit)
    return found


def processor(work: Callable[[], object]) -> float:
    """Milliseconds of the processor that a call takes, all threads together."""
    start = time.process_time()
    work()
    return (time.process_time() - start) * 1e3


def timed(work: Callable[[], object]) -> float:
    """Milliseconds that a call takes."""
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1e3
