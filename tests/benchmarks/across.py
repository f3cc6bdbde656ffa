"""One gene, and one peak, across 3,000 cells of one type, cells as large as those of a 10x PBMC data set.

What is asked needs counts and factors alone, so of the large type no links are written; what the store keeps of them
by gene is put in afterwards, for the chromosome that is asked about. A small type has its links, to be read cell by
cell: that is what the answers are held against. A second store holds those cells alone, without factors, so with the
index by gene. Times of the processor are the least of several calls, all threads together: on a machine that others use
they say more than the clock.
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

from bi2scope.data.attention import CellAttention, Cut
from bi2scope.data.factors import Factors
from bi2scope.data.graph import CellGraph, cell_graph
from bi2scope.data.multiome import Multiome
from bi2scope.data.store import schema
from bi2scope.data.store.cells_table import Embedding
from bi2scope.data.store.halves import to_bits
from bi2scope.data.store.reader import StoreReader
from bi2scope.data.store.schema import StoreAttributes
from bi2scope.data.store.writer import StoreWriter

SIZES = (3_000, 100)
N_GENES, N_PEAKS, GENES_PER_CELL, PEAKS_PER_CELL, K_MAX, DIM = 29_095, 107_194, 1_900, 7_600, 50, 128
MEGABASES = (248, 242, 198, 190, 182, 171, 159, 145, 138, 134, 135, 133, 114, 107, 102, 90, 83, 80, 59, 64, 47, 51, 156)
LARGEST = 0


def main() -> tuple[dict[str, float], dict[str, float]]:
    rng = np.random.default_rng(20)
    types = np.repeat(np.arange(len(SIZES)), SIZES)
    multiome = cells_of_pbmc_size(rng, types)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.h5"
        attended = write(path, multiome, factors(rng))
        ratios, figures = measure(path, multiome, attended)
        return ratios, figures | without_factors(path, Path(folder) / "deep.h5", multiome)


def cells_of_pbmc_size(rng: np.random.Generator, types: np.ndarray) -> Multiome:
    cells = pd.DataFrame(
        {"cell_type": pd.Categorical.from_codes(types, ["large", "small"])},
        index=pd.Index([f"cell{i}" for i in range(len(types))], dtype=object),
    )
    genes, peaks = places(N_GENES), places(N_PEAKS)
    genes = genes.assign(name=genes.index, strand="+", means=0.0, variances_norm=0.0, highly_variable=False)
    rna, atac = counts(rng, types, N_GENES, GENES_PER_CELL), counts(rng, types, N_PEAKS, PEAKS_PER_CELL)
    return Multiome(cells, genes, peaks, rna, atac)


def places(n: int) -> pd.DataFrame:
    """Features spread over chromosomes as long as the human ones."""
    share = np.asarray(MEGABASES) / sum(MEGABASES)
    code = np.searchsorted(np.cumsum(share), (np.arange(n) + 0.5) / n)
    names, start = np.asarray([f"chr{i + 1}" for i in range(len(MEGABASES))], dtype=object), np.arange(n) * 1_000
    table = pd.DataFrame({"chrom": names[code], "start": start, "end": start + 500})
    table.index = pd.Index([f"{chrom}:{s}-{s + 500}" for chrom, s in zip(table["chrom"], start, strict=True)])
    return table


def counts(rng: np.random.Generator, types: np.ndarray, n: int, per_cell: int) -> sparse.csr_matrix:
    """Non-zero counts with some features open in most cells of a type and most in few, and cells of many sizes."""
    rate = rng.gamma(0.5, size=(types.max() + 1, n)).astype(np.float32)
    rows = []
    for code in types:
        share = per_cell * rng.lognormal(0, 0.35) / rate[code].sum()
        seen = np.flatnonzero(rng.random(n, dtype=np.float32) < -np.expm1(-1.3 * share * rate[code]))
        rows.append(sparse.csr_matrix((rng.geometric(0.7, len(seen)).astype(np.float32), seen, [0, len(seen)]), (1, n)))
    return sparse.csr_matrix(sparse.vstack(rows, format="csr"))


def factors(rng: np.random.Generator) -> Factors:
    """Some genes and peaks are attended far more than others, and counts have a small part."""
    query = rng.normal(size=(N_GENES, DIM)) * rng.gamma(2, 0.15, (N_GENES, 1))
    key = rng.normal(size=(N_PEAKS, DIM)) * rng.gamma(4, 0.25, (N_PEAKS, 1))
    per_count = rng.normal(scale=0.02, size=(2, DIM))
    return Factors(*(part.astype(np.float32) for part in (query, per_count[0], key, per_count[1])), 1, "raw")


def write(path: Path, multiome: Multiome, model: Factors) -> float:
    """Write the store; seconds that the counts turned round took are those of a writer without links."""
    attributes = StoreAttributes("benchmark", "0" * 64, n_layers=1, n_heads=1, n_parameters=0, k_max=K_MAX)
    n_large = SIZES[0]
    seconds = time.perf_counter()
    with StoreWriter(path, multiome, attributes) as writer:
        seconds = time.perf_counter() - seconds
        writer.write_embedding(Embedding(np.zeros((multiome.n_cells, 2)), "none"))
        writer.write_factors(model)
        for cell in range(n_large):
            writer.write_cell([[no_links(cell_graph(multiome, cell, cell))]])
        from bi2scope.data.factors import Recompute

        recompute = Recompute(model, multiome.gene_chromosome, multiome.peak_chromosome)
        for cell in range(n_large, multiome.n_cells):
            writer.write_cell([[recompute.attention(cell_graph(multiome, cell, cell), K_MAX)]])
    with StoreReader.open(path) as reader:
        last = last_links(reader, multiome)
    with h5py.File(path, "r+") as file:
        file[f"{schema.across_path(0, 0)}/{schema.of_type(0)}/{schema.LAST}"][: len(last)] = last
    return seconds


def no_links(graph: CellGraph) -> CellAttention:
    n, none = len(graph.gene_index), np.zeros(0, dtype=np.float32)
    zeros = np.zeros(n, dtype=np.int32)
    start = np.zeros(n + 1, dtype=np.int64)
    return CellAttention(graph.gene_index, start, none.astype(np.int32), none, zeros, np.ones(n, dtype=np.float32))


def last_links(reader: StoreReader, multiome: Multiome) -> np.ndarray:
    """What the store would keep by gene of the first chromosome's genes."""
    cells, last = reader.cells_of("large"), []
    rna = multiome.rna[cells].tocsc()
    for gene in np.flatnonzero(multiome.gene_chromosome == LARGEST):
        found = reader.links_of_gene(int(gene), cells)
        bits = np.zeros(multiome.n_cells, dtype=np.uint16)
        ends = found.rank == K_MAX
        bits[found.cell[ends]] = to_bits(found.logit[ends])
        last.append(bits[cells[rna.indices[rna.indptr[gene] : rna.indptr[gene + 1]]]])
    return np.concatenate(last)


def measure(path: Path, multiome: Multiome, seconds: float) -> tuple[dict[str, float], dict[str, float]]:
    cells, here = np.arange(SIZES[0]), np.flatnonzero(multiome.peak_chromosome == LARGEST)
    expressed, opened = (
        np.asarray((counts[cells] > 0).sum(axis=0)).ravel() for counts in (multiome.rna, multiome.atac)
    )
    gene = int(np.argmax(np.where(multiome.gene_chromosome == LARGEST, expressed, 0)))
    peak = int(here[np.argmax(opened[here])])
    figures: dict[str, float] = {"gene_cells": float(expressed[gene]), "peak_cells": float(opened[peak])}
    for name, ask in (("gene", lambda reader: reader.links_of_gene(gene, cells)),
                      ("gene_all_links", lambda reader: reader.links_of_gene(gene, cells, cut=Cut())),
                      ("peak", lambda reader: reader.links_of_peak(peak, cells)),
                      ("peak_k_10", lambda reader: reader.links_of_peak(peak, cells, cut=Cut(0.5, 10))),
                      ("peak_all_links", lambda reader: reader.links_of_peak(peak, cells, cut=Cut()))):  # fmt: skip
        with StoreReader.open(path) as reader:
            figures[f"{name}_first_ms"] = timed(lambda: ask(reader))  # noqa: B023
            figures[f"{name}_ms"] = statistics.median(timed(lambda: ask(reader)) for _ in range(9))  # noqa: B023
            figures[f"{name}_cpu_ms"] = min(timed(lambda: ask(reader), time.process_time) for _ in range(9))  # noqa: B023
            figures[f"{name}_links"] = float(len(ask(reader).cell))
    with StoreReader.open(path) as reader:
        most = most_linked(reader, multiome, cells, here)
        figures["most_linked_peak_ms"] = statistics.median(
            timed(lambda: reader.links_of_peak(most, cells)) for _ in range(5)
        )
        figures["most_linked_peak_cpu_ms"] = min(
            timed(lambda: reader.links_of_peak(most, cells), time.process_time) for _ in range(5)
        )
        figures["most_linked_peak_links"] = float(len(reader.links_of_peak(most, cells).cell))
        own = np.tile(reader.cells_of("small"), 3)
        read = statistics.median(timed(lambda cell=cell: reader.attention(int(cell))) for cell in own)
    with h5py.File(path) as file:
        turned = {key: sum(file[key][name].id.get_storage_size() for name in file[key])
                  for key in (schema.ACROSS_RNA, schema.ACROSS_ATAC)}  # fmt: skip
        last = file[f"{schema.across_path(0, 0)}/{schema.of_type(0)}/{schema.LAST}"]
        kept = last.id.get_storage_size() / SIZES[0] * len(last) / np.count_nonzero(last[:])
    figures |= {f"{key.replace('/', '_')}_bytes_per_cell": size / multiome.n_cells for key, size in turned.items()}
    figures |= {"last_bytes_per_cell": kept, "cell_read_ms": read, "tables_and_counts_written_s": seconds}
    ratios = {f"{name}_over_reading_links": figures[f"{name}_ms"] / (read * figures[f"{name}_cells"])
              for name in ("gene", "peak")}  # fmt: skip
    return ratios, figures


def most_linked(reader: StoreReader, multiome: Multiome, cells: np.ndarray, here: np.ndarray) -> int:
    """A peak that many genes are linked to: that of the strongest key among those open in half of the cells."""
    assert reader.recompute is not None
    opened = np.asarray((multiome.atac[cells][:, here] > 0).mean(axis=0)).ravel()
    strength = np.linalg.norm(reader.recompute.factors.key[here], axis=1)
    return int(here[np.argmax(np.where(opened > 0.5, strength, 0))])


def without_factors(path: Path, deep: Path, multiome: Multiome) -> dict[str, float]:
    """The small type alone, in a store that has its links by gene as well."""
    small = multiome.take_cells(np.arange(SIZES[0], multiome.n_cells))
    attributes = StoreAttributes("benchmark", "0" * 64, n_layers=1, n_heads=1, n_parameters=0, k_max=K_MAX)
    with StoreReader.open(path) as reader, StoreWriter(deep, small, attributes) as writer:
        writer.write_embedding(Embedding(np.zeros((small.n_cells, 2)), "none"))
        for cell in reader.cells_of("small"):
            writer.write_cell([[reader.attention(int(cell))]])
    with StoreReader.open(deep) as reader:
        here = np.flatnonzero(small.peak_chromosome == LARGEST)
        gene = int(np.argmax(np.where(small.gene_chromosome == LARGEST, np.diff(small.rna.tocsc().indptr), 0)))
        peak = int(here[np.argmax(np.diff(small.atac.tocsc().indptr)[here])])
        cells, n_links = np.arange(small.n_cells), int(reader.stored_links(0, 0).n_links.sum())
        took = {
            "index_gene_cpu_ms": min(
                timed(lambda: reader.links_of_gene(gene, cells), time.process_time) for _ in "123"
            ),
            "index_peak_cpu_ms": min(
                timed(lambda: reader.links_of_peak(peak, cells), time.process_time) for _ in "123"
            ),
        }
    with h5py.File(deep) as file:
        group = file[f"{schema.across_path(0, 0)}/{schema.of_type(1)}"]
        took["index_bytes_per_link"] = sum(group[key].id.get_storage_size() for key in group) / n_links
    return took


def timed(work: Callable[[], object], clock: Callable[[], float] = time.perf_counter) -> float:
    """Milliseconds that a call takes."""
    start = clock()
    work()
    return (clock() - start) * 1e3
