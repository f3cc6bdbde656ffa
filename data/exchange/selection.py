"""What of a store is to be exported, and the table that comes of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from bi2scope.data.attention import Cut
from bi2scope.data.errors import NotFoundError
from bi2scope.data.exchange.columns import Columns
from bi2scope.data.exchange.comments import cut_lines, origin_lines

if TYPE_CHECKING:
    from bi2scope.data.store.reader import StoreReader


@dataclass(frozen=True)
class Selection:
    """Part of a store.

    Attributes
    ----------
    cell_types
        Names of types; all when empty.
    threshold
        Links of a higher score; the store's floor when ``None``.
    top_k
        Links up to this rank; the store's k_max when ``None``.
    layer, head
        Of which attention.
    """

    cell_types: tuple[str, ...] = ()
    threshold: float | None = None
    top_k: int | None = None
    layer: int = 0
    head: int = 0


@dataclass(frozen=True)
class Part:
    """A selection of an open store, checked; made by :meth:`of`.

    Attributes
    ----------
    reader
        The store.
    cell_types
        Names of the chosen types, in the store's order.
    cut
        Which links survive.
    layer, head
        Of which attention.
    shown
        Whether progress is drawn.
    """

    reader: StoreReader
    cell_types: tuple[str, ...]
    cut: Cut
    layer: int
    head: int
    shown: bool

    @classmethod
    def of(cls, reader: StoreReader, selection: Selection, shown: bool = False) -> Part:
        """Check a selection against a store.

        Raises
        ------
        NotFoundError
            If there is no such cell type, layer or head.
        ConfigurationError
            If threshold or k lie out of range.
        """
        for name in selection.cell_types:
            if name not in reader.cell_types:
                raise NotFoundError("cell type", name, reader.cell_types)
        reader.stored_links(selection.layer, selection.head)
        attributes = reader.attributes
        threshold = attributes.floor if selection.threshold is None else selection.threshold
        cut = Cut(threshold, attributes.k_max if selection.top_k is None else selection.top_k)
        chosen = tuple(each for each in reader.cell_types if each in (selection.cell_types or reader.cell_types))
        return cls(reader, chosen, cut, selection.layer, selection.head, shown)

    @cached_property
    def cells(self) -> npt.NDArray[np.int64]:
        """Positions of the chosen cells, ascending."""
        return np.sort(np.concatenate([self.reader.cells_of(each) for each in self.cell_types])).astype(np.int64)

    def table(self, name: str, comments: Iterable[str], blocks: Iterator[Columns]) -> Table:
        """A table of this part, by the name of its kind."""
        return Table(f"{self.reader.attributes.name or 'bi2scope'} {name}", self.cut, tuple(comments), blocks)

    @property
    def beyond_kept(self) -> bool:
        """Whether the cut asks for more than the store keeps."""
        attributes = self.reader.attributes
        return (self.cut.top_k or attributes.k_max + 1) > attributes.k_max or self.cut.threshold < attributes.floor

    def comments(self, truncated: bool) -> list[str]:
        """What every table of this part says of itself first."""
        return [
            *origin_lines(self.reader.attributes),
            f"cell types: {', '.join(self.cell_types)}",
            f"cells: {len(self.cells)}",
            *cut_lines(self.reader.attributes, self.cut, layer=self.layer, head=self.head, truncated=truncated),
        ]


@dataclass(frozen=True)
class Table:
    """Rows to be written.

    Attributes
    ----------
    title
        What they are, in a few words.
    cut
        Which links they are of.
    comments
        What the table says of itself, a line each.
    blocks
        The rows, in order, a bounded number at a time; one block at least, which may have no row. To be gone through
        once.
    """

    title: str
    cut: Cut
    comments: tuple[str, ...]
    blocks: Iterator[Columns]
