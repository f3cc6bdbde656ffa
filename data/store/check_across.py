"""What a store keeps for questions across cells, against its counts and links."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
from scipy import sparse

from bi2scope.data.attention import Ints
from bi2scope.data.store import schema
from bi2scope.data.store.opening import intact
from bi2scope.data.store.reader import StoreReader
from bi2scope.data.store.regulatory import TypeCells
from bi2scope.data.store.sums import SumSources, group_of, write_sums

_CELLS_AT_ONCE = 512
_COMPARED = 1 << 20


def violations_of_counts(reader: StoreReader, cells: Ints) -> Iterator[str]:
    """Where the counts turned round are not those of some cells, each sentence with an HDF5 path."""
    for name in reader.cell_types:
        of_type = reader.cells_of(name)
        chosen = np.flatnonzero(np.isin(of_type, cells))
        for first in range(0, len(chosen), _CELLS_AT_ONCE):
            positions = chosen[first : first + _CELLS_AT_ONCE]
            stored = _stored_rows(reader, of_type[positions])
            with intact(reader.path, schema.ACROSS):
                turned = (_rna_rows(reader, name, positions), _atac_rows(reader, name, positions))
            for key, one, other in zip((schema.ACROSS_RNA, schema.ACROSS_ATAC), stored, turned, strict=True):
                if not _same(one, other):
                    yield f"{key}: not the counts of the cells of {name}"


def _stored_rows(reader: StoreReader, cells: Ints) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
    graphs = [reader.graph(int(cell)) for cell in cells]
    sides = [(g.gene_index, g.gene_count) for g in graphs], [(g.peak_index, g.peak_count) for g in graphs]
    n_features = len(reader.genes), len(reader.peaks)
    rna, atac = (_stacked(rows, n) for rows, n in zip(sides, n_features, strict=True))
    return rna, atac


def _stacked(rows: list[tuple[npt.NDArray[np.int64], npt.NDArray[Any]]], n_features: int) -> sparse.csr_matrix:
    start = np.concatenate([[0], np.cumsum([len(index) for index, _ in rows])]).astype(np.int64)
    index, count = (np.concatenate([row[i] for row in rows]) for i in (0, 1))
    return sparse.csr_matrix((count, index, start), shape=(len(rows), n_features))


def _rna_rows(reader: StoreReader, name: str, positions: Ints) -> sparse.csr_matrix:
    code, n_genes = reader.cell_types.index(name), len(reader.genes)
    row = np.full(len(reader.cells_of(name)), -1)
    row[positions] = np.arange(len(positions))
    parts = []
    for low, high in reader.across.counts.gene_runs(code, (0, n_genes), _COMPARED):
        read = reader.across.counts.genes(code, low, high)
        gene = low + np.repeat(np.arange(high - low), np.diff(read.start))
        known = row[read.position] >= 0
        parts.append(np.stack([row[read.position[known]], gene[known], read.count[known]]))
    rows, genes, counts = np.concatenate([np.zeros((3, 0)), *parts], axis=1)
    return sparse.csr_matrix((counts, (rows.astype(np.int64), genes.astype(np.int64))), (len(positions), n_genes))


def _atac_rows(reader: StoreReader, name: str, positions: Ints) -> sparse.csr_matrix:
    code, starts = reader.cell_types.index(name), reader.across.counts.peak_bounds
    runs = np.split(positions, np.flatnonzero(np.diff(positions) > 1) + 1)
    blocks = []
    for chromosome, (low, high) in enumerate(pairwise(starts)):
        bounds, rows = reader.across.counts.open_bounds(chromosome, code), []
        for run in runs:
            read = reader.across.counts.open_peaks(bounds[run[0] : run[-1] + 2], int(high - low))
            rows += [(read.position[a:b].astype(np.int64), read.count[a:b]) for a, b in pairwise(read.start)]
        blocks.append(_stacked(rows, int(high - low)))
    return sparse.csr_matrix(sparse.hstack(blocks, format="csr"))


def _same(one: sparse.csr_matrix, other: sparse.csr_matrix) -> bool:
    """Whether two matrices hold the same entries in the same order, nothing twice and no zeros."""
    return (
        np.array_equal(one.indptr, other.indptr)
        and np.array_equal(one.indices, other.indices)
        and np.array_equal(one.data, other.data)
    )


def violations_of_index(reader: StoreReader, name: str) -> Iterator[str]:
    """Where what is kept of a cell type by gene is not that of its links: it is made anew, in a temporary file."""
    code, counts = reader.cell_types.index(name), reader.counts
    cells = reader.cells_of(name)
    rna, atac = _stored_rows(reader, cells) if len(cells) else _nothing(reader)
    of_type = TypeCells(cells, rna, atac, reader.places.gene_chromosome)
    sources = SumSources(counts, reader.places, reader.has_factors and reader.attributes.attention != "random")
    for layer, head in reader.layers_and_heads():
        where = f"{schema.across_path(layer, head)}/{schema.of_type(code)}"
        with (
            tempfile.TemporaryDirectory() as folder,
            h5py.File(Path(folder) / "anew.h5", "w") as anew,
            h5py.File(reader.path, "r", locking=False) as file,
            intact(reader.path, where),
        ):
            made = group_of(anew, "across", layer, head, code)
            write_sums(made, "across", reader.stored_links(layer, head), of_type, sources, layer)
            if set(made) != set(file[where]):
                yield f"{where}: holds {', '.join(sorted(file[where]))}, wanted {', '.join(sorted(made))}"
                continue
            for key in made:
                if not _same_array(made[key], file[where][key]):
                    yield f"{where}/{key}: not that of the links of the cells of {name}"


def _nothing(reader: StoreReader) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
    return sparse.csr_matrix((0, len(reader.genes))), sparse.csr_matrix((0, len(reader.peaks)))


def _same_array(one: h5py.Dataset, other: h5py.Dataset) -> bool:
    return (one.shape, one.dtype) == (other.shape, other.dtype) and all(
        np.array_equal(one[at : at + _COMPARED], other[at : at + _COMPARED]) for at in range(0, len(one), _COMPARED)
    )
