"""Pairs of a gene's TSS and a peak as a custom track of the UCSC Genome Browser, in its format ``interact``.

Eighteen columns (https://genome.ucsc.edu/goldenPath/help/interact.html): the stretch that both ends span, name, score
from 0 to 1000, value, experiment, colour, then source (here the gene) and target (the peak).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from bi2scope.data.exchange.columns import Columns
from bi2scope.data.exchange.csv import comment_lines
from bi2scope.data.exchange.pairs import score_name, tab_rows
from bi2scope.data.exchange.selection import Table

COLUMNS = (
    "chrom", "chromStart", "chromEnd", "name", "score", "value", "exp", "color",
    "sourceChrom", "sourceStart", "sourceEnd", "sourceName", "sourceStrand",
    "targetChrom", "targetStart", "targetEnd", "targetName", "targetStrand",
)  # fmt: skip

BY_SCORE = "0"
"""The colour that lets the browser shade by score."""


def interact_stream(table: Table) -> Iterator[bytes]:
    """A custom track in pieces: the track line, comment lines, the names of the columns, a row per pair."""
    title, k = table.title.replace('"', "'"), "off" if table.cut.top_k is None else table.cut.top_k
    track = (
        f'track type=interact name="{title}" description="{title}, score above {table.cut.threshold:g}, k {k}" '
        "interactDirectional=true spectrum=on visibility=full"
    )
    head = [*track.splitlines(), *comment_lines(table.comments), "#" + "\t".join(COLUMNS)]
    yield "".join(f"{line}\n" for line in head).encode()
    for block in table.blocks:
        yield from tab_rows(interact_columns(block))


def interact_columns(block: Columns) -> dict[str, Any]:
    """The columns of a block as they stand in the file; ``score`` is a thousand times the score, rounded."""
    tss, start, end = (np.asarray(block[name]) for name in ("gene_tss", "peak_start", "peak_end"))
    score = np.asarray(block[score_name(block)])
    return dict(
        zip(
            COLUMNS,
            (
                block["gene_chrom"], np.minimum(tss, start), np.maximum(tss + 1, end),
                (block["gene_name"], block["peak"]), np.rint(score.astype(np.float64) * 1000).astype(np.int64), score,
                block[next(name for name in ("cell_id", "cell_type") if name in block)], BY_SCORE,
                block["gene_chrom"], tss, tss + 1, block["gene_name"], block["gene_strand"],
                block["peak_chrom"], start, end, block["peak"], ".",
            ),
            strict=True,
        )
    )  # fmt: skip
