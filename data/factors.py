"""First-layer queries and keys of every gene and peak: with a cell's counts they give its attention, without the model.

``q = query[gene] + x * query_per_count`` and ``k = key[peak] + y * key_per_count``, with ``x`` and ``y`` the counts as
the model reads them; a logit is the product of the two in one head. That is the model's own arithmetic, so logits
agree to the rounding of single precision.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bi2scope.data.attention import (
    WEIGHTED_PER_ROW,
    AttentionKind,
    CellAttention,
    score_of,
    softmax_denominator,
)
from bi2scope.data.candidates import Window
from bi2scope.data.graph import CellGraph

Singles = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

COUNT_SCALES = ("raw", "log1p")


@dataclass(frozen=True, eq=False)
class Factors:
    """Static parts of the first layer's queries and keys.

    Attributes
    ----------
    query, key
        ``(n_genes, hidden)`` and ``(n_peaks, hidden)`` float32.
    query_per_count, key_per_count
        ``(hidden,)`` float32.
    heads
        Heads that share ``hidden``.
    counts
        How counts are read: ``raw`` or ``log1p``.
    """

    query: Singles
    query_per_count: Singles
    key: Singles
    key_per_count: Singles
    heads: int
    counts: str

    def __post_init__(self) -> None:
        hidden = self.query.shape[1]
        if self.key.shape[1] != hidden or {self.query_per_count.shape, self.key_per_count.shape} != {(hidden,)}:
            raise ValueError("Queries and keys differ in width.")
        if self.counts not in COUNT_SCALES or hidden % self.heads:
            raise ValueError(f"Counts are read as {self.counts!r}, by {self.heads} heads that share {hidden}.")

    def scaled(self, count: Singles) -> Singles:
        """Counts as the model reads them."""
        return np.log1p(count) if self.counts == "log1p" else count

    def queries(self, graph: CellGraph, head: int) -> Singles:
        """``(n_genes, d)`` of the cell's own genes."""
        part = self.part(head)
        count = self.scaled(graph.gene_count)[:, None]
        return self.query[graph.gene_index, part] + count * self.query_per_count[part]

    def keys(self, graph: CellGraph, head: int) -> Singles:
        """``(n_peaks, d)`` of the cell's own peaks."""
        part = self.part(head)
        count = self.scaled(graph.peak_count)[:, None]
        return self.key[graph.peak_index, part] + count * self.key_per_count[part]

    def part(self, head: int) -> slice:
        """Columns of a head."""
        d = self.query.shape[1] // self.heads
        return slice(head * d, (head + 1) * d)


@dataclass(frozen=True, eq=False)
class Recompute:
    """First-layer attention of any cell from factors.

    Attributes
    ----------
    factors
        Of the model.
    gene_chromosome, peak_chromosome
        ``(n_genes,)`` and ``(n_peaks,)`` codes, non-decreasing.
    window
        How far apart a gene and a peak may be; ``None`` is no limit.
    kind
        By which rule links weigh.
    """

    factors: Factors
    gene_chromosome: Ints
    peak_chromosome: Ints
    window: Window | None = None
    kind: AttentionKind = "learned"

    def attention(self, graph: CellGraph, top_k: int | None, head: int = 0) -> CellAttention:
        """Attention of one cell in one head.

        Parameters
        ----------
        graph
            The cell.
        top_k
            Links per gene, the highest of those with a logit above 0, ties in genome order; ``None`` is all.
        head
            Which head.
        """
        query, key = self.factors.queries(graph, head), self.factors.keys(graph, head)
        gene_code = self.gene_chromosome[graph.gene_index]
        peak_code = self.peak_chromosome[graph.peak_index]
        blocks = [self._block(graph, query, key, rows, peak_code) for rows in _runs(gene_code)]
        n_above = np.concatenate([np.zeros(0, dtype=np.int64), *(block.n_above for block in blocks)])
        kept = n_above if top_k is None else np.minimum(n_above, top_k)
        places = [block.first(top_k) for block in blocks]
        none = np.zeros(0, dtype=np.int64)
        return CellAttention(
            gene=graph.gene_index.astype(np.int32),
            row_start=np.concatenate([[0], np.cumsum(kept)]).astype(np.int64),
            peak=graph.peak_index[np.concatenate([none, *(peak for peak, _ in places)])].astype(np.int32),
            logit=np.concatenate([none, *(logit for _, logit in places)]).astype(np.float32),
            n_above=n_above.astype(np.int32),
            denominator=np.concatenate([none, *(block.denominator for block in blocks)]).astype(np.float32),
            kind=self.kind,
        )

    def _block(self, graph: CellGraph, query: Singles, key: Singles, rows: slice, peak_code: Ints) -> _Block:
        code = self.gene_chromosome[graph.gene_index[rows.start]]
        start, stop = np.searchsorted(peak_code, [code, code + 1])
        logit = query[rows] @ key[start:stop].T
        near = None
        if self.window is not None:
            near = self.window.near(graph.gene_index[rows][:, None], graph.peak_index[start:stop])
            logit = np.where(near, logit, -np.inf)
        return _Block.of(logit, int(start), len(graph.peak_index), near)


@dataclass(frozen=True, eq=False)
class _Block:
    """Rows of one chromosome, their peaks in order of logit."""

    order: Ints  # (n_rows, n_peaks) positions among the cell's own peaks
    logit: Singles  # (n_rows, n_peaks) descending
    n_above: Ints
    denominator: Singles

    @classmethod
    def of(cls, logit: Singles, start: int, n_peaks: int, near: npt.NDArray[np.bool_] | None) -> _Block:
        order = np.argsort(-logit, axis=1, kind="stable")
        logit = np.take_along_axis(logit, order, axis=1)
        candidates = np.full(len(logit), logit.shape[1]) if near is None else near.sum(axis=1)
        best = np.zeros((len(logit), WEIGHTED_PER_ROW), dtype=np.float32)
        width = min(WEIGHTED_PER_ROW, logit.shape[1])
        best[:, :width] = score_of(logit[:, :width])
        denominator = softmax_denominator(best, candidates, n_peaks - candidates)
        return cls(order + start, logit, (logit > 0).sum(axis=1), denominator)

    def first(self, top_k: int | None) -> tuple[Ints, Singles]:
        """Positions and logits of the kept links, by row and then by rank."""
        width = self.logit.shape[1] if top_k is None else min(top_k, self.logit.shape[1])
        kept = self.logit[:, :width] > 0
        return self.order[:, :width][kept], self.logit[:, :width][kept]


def _runs(codes: Ints) -> list[slice]:
    """Runs of equal codes."""
    if not len(codes):
        return []
    starts = np.flatnonzero(np.diff(codes, prepend=-1))
    return [slice(int(a), int(b)) for a, b in zip(starts, [*starts[1:], len(codes)], strict=True)]
