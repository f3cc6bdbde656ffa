"""Answers about cell types: cumulative scores of every peak."""

from __future__ import annotations

import numpy as np

from bi2scope.data.exchange.columns import Column
from bi2scope.data.exchange.peaks import score_columns
from bi2scope.server.catalogue import Catalogue
from bi2scope.server.columns import columnar
from bi2scope.server.params import CutQuery
from bi2scope.server.wire import PeakScores


def peak_scores(catalogue: Catalogue, cell_type: str, query: CutQuery, control: str | None = None) -> PeakScores:
    """Cumulative scores of every peak in a cell type, in genome order, in the three definitions.

    Those of the model, or of a control model that the store holds.

    Raises
    ------
    NotFoundError
        If there is no such cell type, layer, head or control, or the threshold is none that controls are summed for.
    """
    name = catalogue.require_cell_type(cell_type)
    catalogue.require_head(query.layer, query.head)
    cumulative = catalogue.reader.cumulative(name, query.cut, query.layer, query.head, control)
    return columnar(
        PeakScores,
        cell_type=name,
        control=control,
        n_cells=cumulative.n_cells,
        layer=query.layer,
        head=query.head,
        threshold=query.threshold,
        top_k=query.top_k,
        truncated=cumulative.truncated,
        peak=catalogue.peak,
        chrom=catalogue.peak_chrom,
        start=catalogue.peak_start,
        end=catalogue.peak_end,
        n_open=cumulative.n_open,
        links=cumulative.links,
        score=cumulative.score,
        weight=cumulative.weight,
    )


def peak_rows(body: PeakScores) -> dict[str, Column]:
    """Columns of the peak table as it is exported: the scores with accessibility, lift and rank, in genome order.

    ``lift`` and ``rank`` speak of the cumulative ``score``.
    """
    n_peaks = len(body.peak)
    return {
        "cell_type": np.full(n_peaks, body.cell_type, dtype=object),
        "peak": np.asarray(body.peak, dtype=object),
        "chrom": np.asarray(body.chrom, dtype=object),
        "chromStart": np.asarray(body.start),
        "chromEnd": np.asarray(body.end),
        **score_columns(body, body.chrom),
    }
