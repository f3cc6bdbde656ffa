"""Attention of one cell, in memory: rows, ranks, weights, and the two cuts, threshold and top k.

This is the contract between the model's side, which makes :class:`CellAttention`, the store, which keeps it,
and the service, which slices it.

A worked case of the offsets. A cell expresses genes 4, 7 and 9; gene 4 has three links kept, gene 7 none,
gene 9 two::

    gene         [4, 7, 9]          one row each, ascending
    row_start    [0, 3, 3, 5]       row i is links row_start[i]:row_start[i + 1]
    peak         [12, 10, 15, 31, 30]
    logit        [2.1, 0.9, 0.2, 1.5, 0.3]   descending within a row; the rank is the place in the row, from 1
    n_above      [8, 0, 2]          gene 4 had eight scores above the floor: five were cut at k_max
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from bi2scope.data.errors import ConfigurationError

FLOOR = 0.5
"""The score that every stored link exceeds: the model's own pruning threshold."""

WEIGHTED_PER_ROW = 10
"""Peaks per gene and head that enter the model's pruned softmax (``w`` is 0 from rank 11 on)."""

AttentionKind = Literal["learned", "uniform", "random"]
"""How a model attends: ``learned`` as published; ``uniform`` and ``random`` are controls."""

Ints = npt.NDArray[np.integer]
Floats = npt.NDArray[np.floating]
Mask = npt.NDArray[np.bool_]


def attention_kind(name: str) -> AttentionKind:
    """The kind of attention of that name; ``ValueError`` if there is none."""
    for kind in get_args(AttentionKind):
        if kind == name:
            found: AttentionKind = kind
            return found
    raise ValueError(f"no kind of attention is called {name!r}")


def score_of(logit: Floats) -> Floats:
    """Score ``s = sigmoid(z)`` of logits, in float32 whatever the precision given."""
    from scipy.special import expit  # as long to load as numpy itself, and not wanted to start a service

    score: Floats = expit(np.asarray(logit, dtype=np.float32))
    return score


@dataclass(frozen=True, slots=True)
class Cut:
    """Which links survive: score strictly above ``threshold``, and rank at most ``top_k`` in the gene's row.

    Parameters
    ----------
    threshold
        Cut on the score, from 0.5 to 1, strict: ``s > threshold``.
    top_k
        Cut on the rank within one gene's row, 1 or more; ``None`` is off.

    Raises
    ------
    ConfigurationError
        If either lies outside its range.
    """

    threshold: float = FLOOR
    top_k: int | None = None

    def __post_init__(self) -> None:
        if not FLOOR <= self.threshold <= 1:
            raise ConfigurationError(
                f"The threshold is {self.threshold:g}; it cuts on the score and goes from {FLOOR:g} to 1.",
                "Scores of 0.5 and below are pruned by the model itself.",
            )
        if self.top_k is not None and self.top_k < 1:
            raise ConfigurationError(f"k is {self.top_k}; it counts peaks per gene and starts at 1.")

    def keeps(self, score: Floats, rank: Ints) -> Mask:
        """Mask of the links that survive; ``score`` and ``rank`` have one shape."""
        kept = np.asarray(score) > np.float32(self.threshold)
        if self.top_k is not None:
            kept &= np.asarray(rank) <= self.top_k
        return kept


@dataclass(frozen=True, slots=True)
class Links:
    """Surviving links of one cell, layer and head; columns of one length, by gene and then by rank.

    Attributes
    ----------
    gene, peak
        Positions in the data set's genes and peaks, int32.
    logit, score, weight
        ``z``, ``sigmoid(z)`` and the pruned attention ``w``, float32.
    rank
        Place of the peak in its gene's row by logit, int32, 1 = highest.
    truncated
        Whether links that would have survived were cut off when the store was made (at its ``k_max``).
    """

    gene: Ints
    peak: Ints
    logit: Floats
    score: Floats
    rank: Ints
    weight: Floats
    truncated: bool

    def __len__(self) -> int:
        return len(self.gene)

    def where(self, mask: Mask) -> Links:
        """The links under a mask, in the same order."""
        return self.at(np.flatnonzero(mask))

    def at(self, places: Ints) -> Links:
        """The links at some places, in their order."""
        return Links(
            gene=self.gene[places],
            peak=self.peak[places],
            logit=self.logit[places],
            score=self.score[places],
            rank=self.rank[places],
            weight=self.weight[places],
            truncated=self.truncated,
        )


@dataclass(frozen=True, slots=True)
class CellAttention:
    """The highest links of every expressed gene of one cell, for one layer and head.

    See the module for a worked case of the offsets.

    Attributes
    ----------
    gene
        ``(n_rows,)`` int32, the cell's expressed genes as ascending positions in the data set's genes.
    row_start
        ``(n_rows + 1,)`` int64, offsets of the rows into ``peak`` and ``logit``.
    peak
        ``(n_links,)`` int32, positions in the data set's peaks.
    logit
        ``(n_links,)`` float32, above 0, descending within a row; equal logits stand in genome order of the peaks.
    n_above
        ``(n_rows,)`` int32, how many peaks of the row score above the floor, kept or not.
    denominator
        ``(n_rows,)`` float32, the denominator of the row's pruned softmax,
        ``sum of exp(s)`` over its ten places; pads of 0.5 counted.
    kind
        By which rule the links weigh; see :func:`pruned_weight`.
    floor
        What the score of every kept link exceeds; links of that score and below were not kept.
    """

    gene: Ints
    row_start: Ints
    peak: Ints
    logit: Floats
    n_above: Ints
    denominator: Floats
    kind: AttentionKind = "learned"
    floor: float = FLOOR

    @property
    def row(self) -> Ints:
        """``(n_links,)`` row of each link."""
        return np.repeat(np.arange(len(self.gene)), np.diff(self.row_start))

    @property
    def rank(self) -> Ints:
        """``(n_links,)`` int32 rank of each link in its row, from 1."""
        return self._rank_in(self.row)

    def _rank_in(self, row: Ints) -> Ints:
        before = self.row_start[:-1].astype(np.int32)[row]
        rank: Ints = np.arange(1, len(row) + 1, dtype=np.int32) - before
        return rank

    def links(self, cut: Cut) -> Links:
        """The links that survive a cut, with their weights, and whether any that would were not kept."""
        own = self.up_to(cut.top_k)
        row, score = own.row, score_of(own.logit)
        rank = own._rank_in(row)
        weight = pruned_weight(score, rank, own.denominator[row], own.kind)
        links = Links(own.gene[row], own.peak, own.logit, score, rank, weight, self.cut_off(cut))
        kept = cut.keeps(score, rank)
        return links if kept.all() else links.where(kept)

    def up_to(self, top_k: int | None) -> CellAttention:
        """The links up to a rank; for cuts of that rank or a lower one they are all that is needed."""
        n_links = np.diff(self.row_start)
        if top_k is None or n_links.max(initial=0) <= top_k:
            return self
        n_kept = np.minimum(n_links, top_k)
        row_start = np.concatenate([[0], np.cumsum(n_kept)])
        kept = np.arange(row_start[-1]) + np.repeat(self.row_start[:-1] - row_start[:-1], n_kept)
        return replace(self, row_start=row_start, peak=self.peak[kept], logit=self.logit[kept])

    def cut_off(self, cut: Cut) -> bool:
        """Whether a row was cut at k_max although its last kept link survives and k asks for more.

        Below the floor always: what lies between the two was not kept.
        """
        if cut.threshold < self.floor:
            return True
        n_kept = np.diff(self.row_start)
        open_rows = self.n_above > n_kept
        if cut.top_k is not None:
            open_rows &= n_kept < cut.top_k
        if not open_rows.any():
            return False
        empty = open_rows & (n_kept == 0)
        last = self.row_start[1:][open_rows & ~empty] - 1
        return bool(empty.any() or (score_of(self.logit[last]) > np.float32(cut.threshold)).any())


def pruned_weight(score: Floats, rank: Ints, denominator: Floats, kind: AttentionKind = "learned") -> Floats:
    """The model's pruned attention ``w`` of links with score above the floor.

    ``w = exp(s) / denominator`` for the ten highest of a row, 0 from rank 11 on; all arguments ``(n_links,)``.
    The denominator is that of the link's row (see :func:`softmax_denominator`). With ``uniform`` attention each of the
    ten has the weight 1/10 instead.
    """
    weight = np.full(len(score), 1 / WEIGHTED_PER_ROW) if kind == "uniform" else np.exp(score) / denominator
    weight *= rank <= WEIGHTED_PER_ROW
    return weight.astype(np.float32, copy=False)


def softmax_denominator(
    top_score: Floats, n_in_chromosome: Ints, n_elsewhere: Ints, places: int = WEIGHTED_PER_ROW
) -> Floats:
    """Denominator of the pruned softmax of each row.

    The published model takes, per gene, the ten highest scores over all open peaks of the cell, where a peak on
    another chromosome scores exactly 0.5. So with ``m`` scores above 0.5 on the chromosome, the other places go
    first to those 0.5 pads and then, if there are too few, to the next scores of the chromosome. With a limit on the
    distance, a peak of the chromosome beyond it is such a pad, too (:mod:`bi2scope.data.candidates`).

    Parameters
    ----------
    top_score
        ``(n_rows, places)``, the highest scores of the gene's candidates, descending; entries from
        ``n_in_chromosome`` on are ignored.
    n_in_chromosome, n_elsewhere
        ``(n_rows,)``, open peaks that are candidates of the gene (on its chromosome, within a limit), and the others.
    places
        Places in a row, 10 in the published model.

    Returns
    -------
    ``(n_rows,)`` float32; 1 where the cell has no open peak, so that it can be divided by.
    """
    place = np.arange(places)
    exists = place < np.asarray(n_in_chromosome)[:, None]
    above = exists & (top_score > FLOOR)
    m = above.sum(axis=1)
    pads = np.minimum(places - m, n_elsewhere)
    filled = exists & (place < (places - pads)[:, None])
    exponentials = np.where(filled, np.exp(np.where(filled, top_score, 0).astype(np.float64)), 0)
    total = exponentials.sum(axis=1) + pads * np.exp(FLOOR)
    return np.where(total > 0, total, 1).astype(np.float32)
