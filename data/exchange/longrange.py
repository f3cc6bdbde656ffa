"""Pairs of a gene's TSS and a peak as a long-range track of the WashU Epigenome Browser.

Four columns by tabs: an end of the pair (chromosome, start, end), then the other end and the score, written
``chr1:start-end,score``. Each pair has two lines, one for each end
(https://eg.readthedocs.io/en/latest/tracks.html). They stand in the order of the table; the browser wants them by
place, ``sort -k1,1 -k2,2n | bgzip`` and ``tabix -p bed``.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bi2scope.data.exchange.columns import Columns
from bi2scope.data.exchange.csv import ROWS_AT_A_TIME, comment_lines, number_texts
from bi2scope.data.exchange.pairs import field_texts, score_name
from bi2scope.data.exchange.selection import Table


def longrange_stream(table: Table) -> Iterator[bytes]:
    """A long-range track in pieces: comment lines, then two lines a pair."""
    yield "".join(f"{line}\n" for line in comment_lines(table.comments)).encode()
    for block in table.blocks:
        yield from _lines(block)


def _lines(block: Columns) -> Iterator[bytes]:
    names = ("gene_chrom", "gene_tss", "peak_chrom", "peak_start", "peak_end", score_name(block))
    gene_chrom, tss, peak_chrom, start, end, score = (block[name] for name in names)
    last = np.asarray(tss) + 1
    for first in range(0, len(score), ROWS_AT_A_TIME):
        rows = slice(first, first + ROWS_AT_A_TIME)
        ends = (gene_chrom, tss, last, peak_chrom, start, end)
        texts = [field_texts(column, rows) for column in ends]
        pairs = zip(*texts, number_texts(np.asarray(score)[rows]), strict=True)
        yield "".join(
            f"{a}\t{b}\t{c}\t{d}:{e}-{f},{value}\n{d}\t{e}\t{f}\t{a}:{b}-{c},{value}\n"
            for a, b, c, d, e, f, value in pairs
        ).encode()
