"""Pairs of a gene's TSS and a peak as BEDPE: ten columns by tabs, and the table's other columns after them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bi2scope.data.exchange.columns import Columns
from bi2scope.data.exchange.csv import comment_lines
from bi2scope.data.exchange.pairs import score_name, tab_rows
from bi2scope.data.exchange.selection import Table

HEADER = ("chrom1", "start1", "end1", "chrom2", "start2", "end2", "name", "score", "strand1", "strand2")
PLACED = frozenset({"gene_chrom", "gene_tss", "gene_strand", "peak_chrom", "peak_start", "peak_end"})
"""Columns of the table that stand among the ten."""


def bedpe_stream(table: Table) -> Iterator[bytes]:
    """A BEDPE file in pieces: comment lines, a header that starts with ``#``, a row per pair.

    The first end is the base of the TSS, the second the peak; ``name`` is ``gene/peak``; ``score`` that of the link, or
    the mean of the map, unchanged.
    """
    first = next(table.blocks)
    others = [name for name in first if name not in PLACED | {score_name(first)}]
    head = [*comment_lines(table.comments), "#" + "\t".join([*HEADER, *others])]
    yield "".join(f"{line}\n" for line in head).encode()
    yield from tab_rows(bedpe_columns(first, others))
    for block in table.blocks:
        yield from tab_rows(bedpe_columns(block, others))


def bedpe_columns(block: Columns, others: list[str]) -> dict[str, object]:
    """The columns of a block as they stand in the file; a text stands for a column that is everywhere the same."""
    tss = np.asarray(block["gene_tss"])
    return {
        "chrom1": block["gene_chrom"],
        "start1": tss,
        "end1": tss + 1,
        "chrom2": block["peak_chrom"],
        "start2": block["peak_start"],
        "end2": block["peak_end"],
        "name": (block["gene_name"], block["peak"]),
        "score": block[score_name(block)],
        "strand1": block["gene_strand"],
        "strand2": ".",
        **{f"other_{name}": block[name] for name in others},
    }
