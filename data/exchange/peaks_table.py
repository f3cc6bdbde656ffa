"""The table of peaks: cumulative scores of every peak in each chosen cell type, type by type, in genome order."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from bi2scope.data.exchange.columns import Column, Columns, coded, narrow, repeated
from bi2scope.data.exchange.comments import LIFT, RANK, SUMS
from bi2scope.data.exchange.peaks import score_columns
from bi2scope.data.exchange.selection import Part, Table
from bi2scope.data.progress import progress_bar


def peaks_table(part: Part) -> Table:
    """Cumulative scores; links beyond what is kept are missing, and the comments say so."""
    return part.table("peaks", (*part.comments(truncated(part)), SUMS, LIFT, RANK), _blocks(part))


def truncated(part: Part) -> bool:
    """Whether links that would have survived the cut were not kept, in any of the types."""
    return part.beyond_kept and any(
        part.reader.cumulative(each, part.cut, part.layer, part.head).truncated for each in part.cell_types
    )


def _blocks(part: Part) -> Iterator[Columns]:
    where = peak_places(part)
    for cell_type in progress_bar(part.cell_types, what="Export", unit="cell type", shown=part.shown):
        scores = part.reader.cumulative(cell_type, part.cut, part.layer, part.head)
        names = {"cell_type": repeated(cell_type, part.reader.n_peaks)}
        yield {**names, **where, **score_columns(scores, part.reader.peaks["chrom"])}


def peak_places(part: Part) -> dict[str, Column]:
    """Columns ``peak``, ``chrom``, ``chromStart`` and ``chromEnd`` of every peak, in genome order."""
    peaks = part.reader.peaks
    return {
        "peak": coded(peaks.index),
        "chrom": coded(peaks["chrom"]),
        "chromStart": narrow(peaks["start"].to_numpy(np.int64)),
        "chromEnd": narrow(peaks["end"].to_numpy(np.int64)),
    }
