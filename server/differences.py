"""Answers about the difference of two cell types, peak by peak or gene by gene."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

import numpy as np

from bi2scope.data.attention import Cut
from bi2scope.data.differences import NO_EFFECT, Floats
from bi2scope.data.errors import ConfigurationError
from bi2scope.data.exchange.columns import Column, Lazy
from bi2scope.data.exchange.comments import cut_lines
from bi2scope.data.store.cell_sums import Feature, SumsOf
from bi2scope.data.store.group_difference import FEWEST_CELLS, Compared, Contrast, Difference, difference
from bi2scope.server.catalogue import Catalogue, Ints
from bi2scope.server.chosen import CHOSEN, chosen_positions, require_apart
from bi2scope.server.columns import columnar
from bi2scope.server.exports import view_address, whole_table
from bi2scope.server.params import ContrastQuery
from bi2scope.server.tabular import Answer, TableBody
from bi2scope.server.tf import Recent
from bi2scope.server.wire_differences import (
    GeneDifference,
    GeneDifferenceColumns,
    PeakDifference,
    PeakDifferenceColumns,
)

MOST_KEPT = 8
"""Differences that are kept, some 15 MB each with a hundred thousand peaks."""

OTHERS, OTHER_CHOSEN = "all other cells", "other chosen cells"


@dataclass(frozen=True, eq=False)
class Groups:
    """Whose cells are compared; no cell is in both.

    Attributes
    ----------
    name, against
        What they are called; ``against`` is ``None`` for all other cells.
    first, second
        Their positions.
    """

    name: str
    against: str | None
    first: Ints
    second: Ints

    @classmethod
    def of_types(cls, catalogue: Catalogue, cell_type: str, against: str | None) -> Self:
        """The cells of a type, and those of another or all others.

        Raises
        ------
        NotFoundError
            If there is no such type.
        ConfigurationError
            If a type is held against itself.
        """
        names = [catalogue.require_cell_type(name) for name in (cell_type, against) if name is not None]
        if len(set(names)) < len(names):
            raise ConfigurationError(f"{cell_type} is held against itself; against must be another cell type.")
        first, *second = (catalogue.reader.cells_of(name) for name in names)
        return cls(cell_type, against, first, second[0] if second else _others(catalogue, first))

    @classmethod
    def of_cells(cls, catalogue: Catalogue, names: Sequence[str], against: Sequence[str] | None) -> Self:
        """Cells that were chosen, and others that were or all others.

        Raises
        ------
        NotFoundError
            If one of them does not exist.
        ConfigurationError
            If a cell is in both.
        """
        first = chosen_positions(catalogue, names)
        if against is None:
            return cls(CHOSEN, None, first, _others(catalogue, first))
        second = chosen_positions(catalogue, against)
        require_apart(catalogue, first, second)
        return cls(CHOSEN, OTHER_CHOSEN, first, second)

    @property
    def key(self) -> bytes:
        """The same for the same cells on the same sides."""
        both = (np.ascontiguousarray(each, dtype=np.int64).tobytes() for each in (self.first, self.second))
        return b"".join(hashlib.sha256(each).digest() for each in both)


def _others(catalogue: Catalogue, cells: Ints) -> Ints:
    return np.setdiff1d(np.arange(catalogue.n_cells), cells)


class Differences:
    """Differences of the cell types of one store; safe to share between threads.

    Parameters
    ----------
    catalogue
        The open store.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self._kept = Recent(MOST_KEPT)
        self._working = threading.Lock()  # one at a time: each keeps some hundred MB in memory

    def peaks(self, groups: Groups, query: ContrastQuery, most: int | None) -> PeakDifference:
        """Peaks that were tested, the most different first; at most ``most`` and ``query.limit``.

        Raises
        ------
        NotFoundError
            If there is no such layer or head.
        ConfigurationError
            If one of the groups has fewer than three cells.
        """
        found, order = self._found(groups, query, "peak", most)
        catalogue, place = self.catalogue, found.tested.feature[order]
        rows = {
            "peak": catalogue.peak[place],
            "peak_chrom": catalogue.peak_chrom[place],
            "peak_start": catalogue.peak_start[place],
            "peak_end": catalogue.peak_end[place],
            **_tested(found, order, query, "open"),
        }
        head = _head(groups, found, query, len(order))
        return columnar(PeakDifference, **head, rows=columnar(PeakDifferenceColumns, **rows))

    def genes(self, groups: Groups, query: ContrastQuery, most: int | None) -> GeneDifference:
        """Genes that were tested; as :meth:`peaks`."""
        found, order = self._found(groups, query, "gene", most)
        catalogue, place = self.catalogue, found.tested.feature[order]
        rows = {
            "gene_id": catalogue.gene_id[place],
            "gene_name": catalogue.gene_name[place],
            "gene_chrom": catalogue.gene_chrom[place],
            "gene_tss": catalogue.gene_tss[place],
            "gene_strand": catalogue.gene_strand[place],
            **_tested(found, order, query, "expressed"),
        }
        head = _head(groups, found, query, len(order))
        return columnar(GeneDifference, **head, rows=columnar(GeneDifferenceColumns, **rows))

    def _found(
        self, groups: Groups, query: ContrastQuery, feature: Feature, most: int | None
    ) -> tuple[Difference, Ints]:
        """What was found, and the places of the rows to show, the most different first."""
        self.catalogue.require_head(query.layer, query.head)
        for name, cells in ((groups.name, groups.first), (groups.against or OTHERS, groups.second)):
            if len(cells) < FEWEST_CELLS:
                raise ConfigurationError(
                    f"{name}: {len(cells)} cells. The cells are the replicates, and {FEWEST_CELLS} at least are wanted."
                )
        contrast = _contrast(query, feature)

        def make() -> tuple[Difference, Ints]:
            found = difference(self.catalogue.reader, groups.first, groups.second, contrast)
            return found, _by_difference(found.tested, NO_EFFECT[query.test])

        with self._working:
            found, order = self._kept((groups.key, contrast), make)
        return found, order[: min([len(order), *(each for each in (query.limit, most) if each is not None)])]


def _contrast(query: ContrastQuery, feature: Feature) -> Contrast:
    sums = SumsOf(feature, query.definition, query.cut, query.normalise == "cell")
    return Contrast(sums, query.layer, query.head, query.test, query.among, query.least_share)


def _by_difference(rows: Compared, no_effect: float) -> Ints:
    """Places of the rows by p, then by effect, largest first, then in genome order; what has no p comes last."""
    return np.lexsort((np.arange(len(rows.p)), -np.abs(np.nan_to_num(rows.effect - no_effect)), rows.p))


def _head(groups: Groups, found: Difference, query: ContrastQuery, n_rows: int) -> dict[str, Any]:
    same = ("definition", "normalise", "test", "among", "layer", "head", "threshold", "top_k")
    return {
        "cell_type": groups.name,
        "against": groups.against,
        "n_cells": found.n_first,
        "n_cells_against": found.n_second,
        **{name: getattr(query, name) for name in same},
        "least_cells": found.least_cells,
        "n_tested": len(found.tested.p),
        "n_features": found.n_features,
        "truncated": found.truncated,
        "limited": n_rows < len(found.tested.p),
    }


def _tested(found: Difference, order: Ints, query: ContrastQuery, counted: str) -> dict[str, Floats]:
    """Columns of the rows in their order; those of the counts are named after what a count makes of a cell."""
    rows = found.tested
    mean, against = rows.mean_first[order], rows.mean_second[order]
    both = (mean > 0) & (against > 0)
    ratio = np.divide(mean, against, out=np.full(len(order), np.nan), where=both)
    return {
        "mean": mean,
        "mean_against": against,
        "log2_ratio": np.log2(ratio, out=ratio, where=both),
        "linked_share": rows.linked_first[order] / found.n_first,
        "linked_share_against": rows.linked_second[order] / found.n_second,
        **{name: getattr(rows, name)[order] for name in ("effect", "statistic", "p", "q")},
        f"{counted}_share": rows.nonzero_first[order] / found.n_first,
        f"{counted}_share_against": rows.nonzero_second[order] / found.n_second,
        **{f"{counted}_{name}": getattr(rows, f"nonzero_{name}")[order] for name in ("odds_ratio", "effect", "p", "q")},
    }


def difference_table(catalogue: Catalogue, body: PeakDifference | GeneDifference) -> Answer:
    """A difference as a table, in whatever format."""
    names = sorted(type(body.rows).model_fields, key=lambda each: not each.startswith(("peak", "gene")))
    columns = Lazy({name: partial(_column, body.rows, name) for name in names})
    fields = {name: getattr(body, name) for name in type(body).model_fields if name != "rows"}
    of = "genes" if isinstance(body, GeneDifference) else "peaks"
    cut = Cut(body.threshold, body.top_k)
    return Answer(
        lambda: TableBody(fields, columns, "rows"),
        lambda: whole_table(catalogue.reader, "difference", _comments(catalogue, body, cut), columns, cut),
        ("bi2scope", "difference", of, body.cell_type, body.against or "others"),
    )


def _column(rows: PeakDifferenceColumns | GeneDifferenceColumns, name: str) -> Column:
    column: Column = getattr(rows, name)
    return column


def _comments(catalogue: Catalogue, body: PeakDifference | GeneDifference, cut: Cut) -> list[str]:
    effect = {
        "mann-whitney": "AUROC, the chance that a cell of the type has the higher sum, ties counting half",
        "welch": "Hedges' g",
    }
    attributes = catalogue.reader.attributes
    return [
        f"cell type: {body.cell_type}, {body.n_cells} cells",
        f"against: {body.against or OTHERS}, {body.n_cells_against} cells",
        *cut_lines(attributes, cut, layer=body.layer, head=body.head, truncated=body.truncated),
        f"sum of a cell: {body.definition} over its surviving links"
        + (", divided by that of the whole cell" if body.normalise == "cell" else ""),
        f"test: {body.test}, the cells being the replicates; effect: {effect[body.test]}",
        f"among: {'all cells' if body.among == 'all' else 'cells with a non-zero count of the row'}",
        f"tested: {body.n_tested} of {body.n_features}, those with a link in {body.least_cells} or more of all cells",
        "q: false discovery rate over these (Benjamini-Hochberg)",
        *([f"the first {len(body.rows.p)} rows only"] if body.limited else []),
        *_view(body),
    ]


def _view(body: PeakDifference | GeneDifference) -> list[str]:
    """Where the type is shown on the screen; chosen cells are shown nowhere."""
    if body.cell_type == CHOSEN:
        return []
    address = view_address(
        view="celltype",
        part="difference",
        cell_type=body.cell_type,
        against=body.against,
        feature="genes" if isinstance(body, GeneDifference) else "peaks",
        threshold=body.threshold,
        k=body.top_k,
        layer=body.layer,
        head=body.head,
    )
    return [f"view: {address}"]
