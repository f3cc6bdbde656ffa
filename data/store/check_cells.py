"""Invariants of one cell's counts and links, and its links recomputed from the factors."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from bi2scope.data.attention import FLOOR, CellAttention, pruned_weight, score_of
from bi2scope.data.candidates import Window
from bi2scope.data.graph import CellGraph
from bi2scope.data.store import schema
from bi2scope.data.store.floor import above_floor
from bi2scope.data.store.reader import StoreReader

LOGIT_TOLERANCE = (2**-10, 1e-4)
"""Relative and absolute: half precision, and sums of products made in another order."""

WEIGHT_TOLERANCE = 2e-3
"""Of the weights of a row together: scores are those of rounded logits."""


def violations_of_cell(reader: StoreReader, cell: int, window: Window | None) -> Iterator[str]:
    """What is wrong with one cell, each sentence with an HDF5 path."""
    graph = reader.graph(cell)
    for key, column, index, count in (
        (schema.RNA, "n_genes", graph.gene_index, graph.gene_count),
        (schema.ATAC, "n_peaks", graph.peak_index, graph.peak_count),
    ):
        if reader.cells[column].iloc[cell] != len(index):
            yield f"{schema.CELLS}/{column} is {reader.cells[column].iloc[cell]}, but {len(index)} counts are stored"
        if not ((count > 0) & np.isfinite(count)).all():
            yield f"{key}/data: a stored count is not a number above zero"
        limit = len(reader.genes) if key == schema.RNA else len(reader.peaks)
        if (np.diff(index) <= 0).any() or not ((index >= 0) & (index < limit)).all():
            yield f"{key}/indices: positions do not ascend below {limit}"
            return
    yield from _of_quality(reader, cell)
    for layer, head in reader.layers_and_heads():
        attention, where = reader.attention(cell, layer, head), schema.links_path(layer, head)
        found = [*_of_attention(reader, attention), *_of_distances(attention, window)]
        if layer == 0 and not found:
            found = list(_of_recompute(reader, graph, attention, head))
        yield from (f"{where}: {what}" for what in found)


def _of_quality(reader: StoreReader, cell: int) -> Iterator[str]:
    """Columns of quality control that say what can be counted, where there are any."""
    if schema.LINKS_COLUMN in reader.cells:
        said = reader.cells[schema.LINKS_COLUMN].iloc[cell]
        there = sum(int(reader.stored_links(*place).n_links[cell]) for place in reader.layers_and_heads())
        if said != there:
            yield f"{schema.CELLS}/{schema.LINKS_COLUMN} is {said}, but {there} links are stored"
    if schema.MATCHED_COLUMN in reader.cells and not 0 <= reader.cells[schema.MATCHED_COLUMN].iloc[cell] <= 1:
        yield f"{schema.CELLS}/{schema.MATCHED_COLUMN} is not a probability"


def _of_attention(reader: StoreReader, attention: CellAttention) -> Iterator[str]:
    n_links, k_max = np.diff(attention.row_start), reader.attributes.k_max
    if not np.array_equal(n_links, np.minimum(attention.n_above, k_max)):
        yield "a row keeps neither all its links above the floor nor k_max of them"
    if not np.isfinite(attention.logit).all():
        yield "a logit is not finite"
        return
    below = attention.logit <= 0
    if attention.floor > FLOOR:
        below |= score_of(attention.logit) <= np.float32(attention.floor)
    if below.any():
        yield "a link's score is not above the floor"
    same_row = np.diff(attention.row) == 0
    if (np.diff(attention.logit) > 0)[same_row].any():
        yield "the links of a row are not in order of logit"
    if _twice(attention):
        yield "a row has two links to one peak"
    chromosome = reader.genes["chrom"].to_numpy()[attention.gene[attention.row]]
    if (chromosome != reader.peaks["chrom"].to_numpy()[attention.peak]).any():
        yield "a link joins two chromosomes"
    yield from _of_weights(attention)


def _twice(attention: CellAttention) -> bool:
    pair = attention.row.astype(np.int64) * (int(attention.peak.max(initial=0)) + 1) + attention.peak
    return len(np.unique(pair)) != len(pair)


def _of_distances(attention: CellAttention, window: Window | None) -> Iterator[str]:
    if window is not None and not window.near(attention.gene[attention.row], attention.peak).all():
        yield f"a link's peak lies more than {schema.MAX_DISTANCE}, {window.max_distance:,} bp, from the gene's TSS"


def _of_weights(attention: CellAttention) -> Iterator[str]:
    if not (np.isfinite(attention.denominator) & (attention.denominator > 0)).all():
        yield "a denominator is not a number above zero"
        return
    row, rank = attention.row, attention.rank
    weight = pruned_weight(score_of(attention.logit), rank, attention.denominator[row], attention.kind)
    total = np.bincount(row, weight, len(attention.gene))
    if (total > 1 + WEIGHT_TOLERANCE).any():
        yield "the weights of a row add up to more than 1"


def _of_recompute(reader: StoreReader, graph: CellGraph, stored: CellAttention, head: int) -> Iterator[str]:
    """Logits of the stored links against the model's factors, and no link left out that is higher."""
    recompute = reader.recompute
    if recompute is None or stored.kind == "random":
        return
    query, key = recompute.factors.queries(graph, head), recompute.factors.keys(graph, head)
    place = np.searchsorted(graph.peak_index, stored.peak)
    if not _close(stored.logit, np.einsum("ij,ij->i", query[stored.row], key[place])):
        yield "a logit is not that of the factors and counts"
        return
    exact = above_floor(recompute.attention(graph, reader.attributes.k_max, head), stored.floor)
    if not _same_rows(stored, exact):
        yield "the links of a row are not its highest"
    if not np.allclose(stored.denominator, exact.denominator, rtol=1e-4):
        yield "a denominator is not that of the factors and counts"


def _same_rows(stored: CellAttention, exact: CellAttention) -> bool:
    """Whether rows have the same logits by rank; at the floor itself, rounding may decide on a link."""
    length = np.minimum(np.diff(stored.row_start), np.diff(exact.row_start))
    logits = [one.logit[one.rank <= length[one.row]] for one in (stored, exact)]
    beyond = [one.logit[one.rank > length[one.row]] for one in (stored, exact)]
    at_floor = float(np.log(stored.floor / (1 - stored.floor)))
    highest = at_floor * (1 + LOGIT_TOLERANCE[0]) + LOGIT_TOLERANCE[1]
    return _close(*logits) and all((logit <= highest).all() for logit in beyond)


def _close(one: npt.NDArray[np.floating], other: npt.NDArray[np.floating]) -> bool:
    return bool(np.allclose(one, np.minimum(other, 65504), rtol=LOGIT_TOLERANCE[0], atol=LOGIT_TOLERANCE[1]))
