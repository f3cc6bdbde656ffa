"""Verify an attention store: every invariant of ``docs/store-format.md`` that can be seen in the file."""

from __future__ import annotations

import os
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from scipy.special import logit

from bi2scope.data.attention import WEIGHTED_PER_ROW, CellAttention, Cut, pruned_weight, score_of
from bi2scope.data.candidates import Window
from bi2scope.data.errors import StoreDamagedError
from bi2scope.data.graph import CellGraph
from bi2scope.data.store import schema
from bi2scope.data.store.reader import StoreReader

MOST_VIOLATIONS = 50
TOLERANCE = 1e-6
"""Relative difference allowed between a stored and a recomputed sum: the grid is float32."""


def check_store(path: str | os.PathLike[str]) -> list[str]:
    """Read a store from end to end and say what is wrong with it.

    Every checksum is verified by reading; every cell's counts and links are held against the invariants; the
    cumulative scores of the smallest cell type are summed anew, for every cut of the grid.

    Returns
    -------
    Sentences, at most fifty and a last one if there are more; empty when the store is sound.

    Raises
    ------
    StoreError
        If the file cannot be opened as a store at all.
    """
    violations: list[str] = []
    with StoreReader.open(path) as reader:
        for violation in _violations(reader):
            if len(violations) == MOST_VIOLATIONS:
                violations.append("There are more; these are the first.")
                break
            violations.append(violation)
    return violations


def _violations(reader: StoreReader) -> Iterator[str]:
    """Each stage stands on the one before it: a later one runs when the earlier found nothing."""
    for stage in (_of_tables, _of_offsets, _of_cells, _of_sums):
        found = False
        try:
            for violation in stage(reader):
                found = True
                yield violation
        except StoreDamagedError as error:
            found = True
            yield error.message
        if found:
            return


def _of_tables(reader: StoreReader) -> Iterator[str]:
    from bi2scope.data.regions import natural_chromosome_order

    for key, table in ((schema.CELLS, reader.cells), (schema.GENES, reader.genes), (schema.PEAKS, reader.peaks)):
        if not table.index.is_unique:
            yield f"{key}: names are given twice, {table.index[table.index.duplicated()][0]} among them"
    order = {name: i for i, name in enumerate(natural_chromosome_order({*reader.genes.chrom, *reader.peaks.chrom}))}
    for key, table in ((schema.GENES, reader.genes), (schema.PEAKS, reader.peaks)):
        code, start = table["chrom"].map(order).to_numpy(), table["start"].to_numpy()
        if (np.diff(code) < 0).any() or ((np.diff(code) == 0) & (np.diff(start) < 0)).any():
            yield f"{key}: not in genome order"
        if (table["end"].to_numpy() <= start).any():
            yield f"{key}: an interval ends where it starts or before"
    if not np.isfinite(reader.cells[["umap_1", "umap_2"]].to_numpy()).all():
        yield "cells: the embedding is not finite"


def _of_offsets(reader: StoreReader) -> Iterator[str]:
    for layer, head in _layers_and_heads(reader):
        where, links = schema.links_path(layer, head), reader.stored_links(layer, head)
        for key, offset in ((schema.ROW_OFFSET, links.row_offset), (schema.LINK_OFFSET, links.link_offset)):
            if offset[0] != 0 or (np.diff(offset) < 0).any():
                yield f"{where}/{key}: does not ascend from 0"
                return
        for cell in range(reader.n_cells):
            if links.n_links(cell) != links.link_offset[cell + 1] - links.link_offset[cell]:
                yield f"cell {reader.cells.index[cell]}: {where}/n_links does not add up to {schema.LINK_OFFSET}"


def _layers_and_heads(reader: StoreReader) -> Iterator[tuple[int, int]]:
    for layer in range(reader.attributes.n_layers):
        for head in range(reader.attributes.n_heads):
            yield layer, head


def _of_cells(reader: StoreReader) -> Iterator[str]:
    window = Window.of(reader.genes, reader.peaks, reader.attributes.max_distance)
    for cell in range(reader.n_cells):
        try:
            yield from (f"cell {reader.cells.index[cell]}: {what}" for what in _of_cell(reader, cell, window))
        except StoreDamagedError as error:
            yield error.message


def _of_cell(reader: StoreReader, cell: int, window: Window | None) -> Iterator[str]:
    graph = reader.graph(cell)
    for key, index, count in (
        ("n_genes", graph.gene_index, graph.gene_count),
        ("n_peaks", graph.peak_index, graph.peak_count),
    ):
        if reader.cells[key].iloc[cell] != len(index):
            yield f"{key} is {reader.cells[key].iloc[cell]}, but {len(index)} counts are stored"
        if not ((count > 0) & np.isfinite(count)).all():
            yield f"{key}: a stored count is not a number above zero"
        if (np.diff(index) <= 0).any():
            yield f"{key}: positions do not ascend"
    for layer, head in _layers_and_heads(reader):
        attention = reader.attention(cell, layer, head)
        for what in (*_of_attention(reader, graph, attention), *_of_distances(attention, window)):
            yield f"layer {layer}, head {head}: {what}"


def _of_attention(reader: StoreReader, graph: CellGraph, attention: CellAttention) -> Iterator[str]:
    n_links, k_max = np.diff(attention.row_start), reader.attributes.k_max
    if not np.array_equal(attention.gene, graph.gene_index):
        yield "the rows are not the cell's expressed genes"
        return
    if not np.array_equal(n_links, np.minimum(attention.n_above, k_max)):
        yield "a row keeps neither all its links above the floor nor k_max of them"
    if not np.isfinite(attention.logit).all():
        yield "a logit is not finite"
        return
    if (attention.logit <= logit(reader.attributes.floor)).any():
        yield "a link's score is not above the floor"
    same_row = np.diff(attention.row) == 0
    falling = np.diff(attention.logit) < 0
    tied = (np.diff(attention.logit) == 0) & (np.diff(attention.peak) > 0)
    if not (falling | tied)[same_row].all():
        yield "the links of a row are not in order of logit, ties by peak"
    chromosome = reader.genes["chrom"].to_numpy()[attention.gene[attention.row]]
    if (chromosome != reader.peaks["chrom"].to_numpy()[attention.peak]).any():
        yield "a link joins two chromosomes"
    yield from _of_weights(attention)


def _of_distances(attention: CellAttention, window: Window | None) -> Iterator[str]:
    if window is not None and not window.near(attention.gene[attention.row], attention.peak).all():
        yield f"a link's peak lies more than {schema.MAX_DISTANCE}, {window.max_distance:,} bp, from the gene's TSS"


def _of_weights(attention: CellAttention) -> Iterator[str]:
    if not (np.isfinite(attention.denominator) & (attention.denominator > 0)).all():
        yield "a denominator is not a number above zero"
        return
    row, rank = attention.row, attention.rank
    weight = pruned_weight(score_of(attention.logit), rank, attention.denominator[row])
    total = np.bincount(row, weight, len(attention.gene))
    if (total > 1 + WEIGHTED_PER_ROW * TOLERANCE).any():
        yield "the weights of a row add up to more than 1"


def _of_sums(reader: StoreReader) -> Iterator[str]:
    """The smallest cell type's sums over its cells, one by one, against the stored grid."""
    name = str(reader.cells["cell_type"].value_counts(sort=False).idxmin())
    cells = np.flatnonzero((reader.cells["cell_type"] == name).to_numpy())
    if not np.array_equal(_times_open(reader, cells), reader.cumulative(name, Cut()).n_open):
        yield f"{schema.CUMULATIVE}/{schema.N_OPEN}: wrong for {name}"
    for layer, head in _layers_and_heads(reader):
        for where in _differing_cuts(reader, name, cells, (layer, head)):
            yield f"{schema.cumulative_path(layer, head)}: not the sum over the cells of {name} at {where}"


def _times_open(reader: StoreReader, cells: npt.NDArray[np.intp]) -> npt.NDArray[np.int64]:
    n_open = np.zeros(len(reader.peaks), dtype=np.int64)
    for cell in cells:
        n_open[reader.graph(int(cell)).peak_index] += 1
    return n_open


def _differing_cuts(
    reader: StoreReader, name: str, cells: npt.NDArray[np.intp], place: tuple[int, int]
) -> Iterator[str]:
    cuts = [Cut(t, k) for t in schema.GRID_THRESHOLDS for k in (*schema.grid_top_k(reader.attributes.k_max), None)]
    sums = np.zeros((len(cuts), len(schema.DEFINITIONS), len(reader.peaks)))
    truncated = np.zeros(len(cuts), dtype=bool)
    for cell in cells:
        attention = reader.attention(int(cell), *place)
        for i, cut in enumerate(cuts):
            links = attention.links(cut)
            truncated[i] |= links.truncated
            for total, values in zip(sums[i], (None, links.score, links.weight), strict=True):
                total += np.bincount(links.peak, values, len(reader.peaks))
    for i, cut in enumerate(cuts):
        stored = reader.cumulative(name, cut, *place)
        same = np.allclose([stored.links, stored.score, stored.weight], sums[i], rtol=TOLERANCE, atol=0)
        if not same or stored.truncated != truncated[i]:
            yield f"threshold {cut.threshold:g}, k {cut.top_k or 'off'}"
