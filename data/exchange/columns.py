"""Columns of a table, as the formats take them: numbers, texts, texts as codes, and columns made when asked for."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Array = np.ndarray[Any, Any]

FEW_WORDS = 256
"""Words, such as chromosomes, of which all go along: leaving out those that do not occur would take longer."""


@dataclass(frozen=True, eq=False)
class Words:
    """Different texts, to which codes point.

    Attributes
    ----------
    texts
        ``(n_words,)`` text.
    together
        Whether they belong to a few rows and may go along with those all, if some do not occur in the end.
    chosen_of
        Other words that these are among, and the places of these there; ``None`` for none.
    """

    texts: npt.NDArray[np.object_]
    together: bool = False
    chosen_of: tuple[Words, npt.NDArray[np.int32]] | None = None

    def __len__(self) -> int:
        return len(self.texts)

    @functools.cached_property
    def arrow(self) -> Any:
        """The texts as an Arrow array."""
        import pyarrow as pa

        if self.chosen_of is not None:
            words, places = self.chosen_of
            return words.arrow.take(pa.array(places))
        return pa.array(self.texts, pa.string())


@dataclass(frozen=True, eq=False)
class Coded:
    """A column of texts of which many may be equal, as codes.

    Attributes
    ----------
    codes
        ``(n_rows,)`` places among the words.
    words
        The different texts; those of a data set are shared by many columns, so some may not occur.
    """

    codes: npt.NDArray[np.integer]
    words: Words

    def __len__(self) -> int:
        return len(self.codes)

    def __getitem__(self, rows: Any) -> Coded:
        return Coded(self.codes[rows], self.words)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.asarray(self.words.texts[self.codes], dtype=dtype)

    def used(self) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        """Places of the words that occur, by their first row, and the codes anew as places among these."""
        from bi2scope.data.exchange.occurring import occurring

        places, codes = occurring(self.codes, len(self.words))
        return places, codes

    def compact(self) -> Coded:
        """The same texts with the words that occur alone, where there are more than a few."""
        if len(self.words) <= FEW_WORDS:
            return self
        places, codes = self.used()
        return Coded(codes, Words(self.words.texts[places], together=True, chosen_of=(self.words, places)))

    def goes_whole(self) -> bool:
        """Whether all words go along with the rows: they are few, or no more than the rows they belong to."""
        return len(self.words) <= FEW_WORDS or (self.words.together and len(self.words) <= len(self))


Column = Array | Coded
"""Numbers, texts (``object``), or texts as codes."""

Columns = Mapping[str, Column]
"""Columns of one length by name, in their order."""


class Lazy(Mapping[str, Column]):
    """Columns of one length, each made when it is asked for.

    Parameters
    ----------
    makers
        By name, in their order, what makes a column.
    """

    def __init__(self, makers: Mapping[str, Callable[[], Column]]) -> None:
        self._makers = makers

    def __getitem__(self, name: str) -> Column:
        return self._makers[name]()

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)

    def __contains__(self, name: object) -> bool:
        return name in self._makers  # Mapping's own would make the column

    def only(self, names: Iterable[str]) -> Lazy:
        """Some of the columns, in the order of their names."""
        return Lazy({name: self._makers[name] for name in names})

    def __or__(self, others: Lazy) -> Lazy:
        return Lazy({**self._makers, **others._makers})

    @classmethod
    def of(cls, columns: Columns) -> Lazy:
        """Columns that are there already, or made by others."""
        if isinstance(columns, Lazy):
            return columns
        return cls({name: functools.partial(columns.__getitem__, name) for name in columns})


def picked(columns: Columns, rows: Any) -> dict[str, Callable[[], Column]]:
    """What makes columns of some rows of others."""

    def maker(column: Column) -> Callable[[], Column]:
        return lambda: column[rows]

    return {name: maker(column) for name, column in columns.items()}


def coded(texts: Any) -> Coded:
    """Texts, of which some may be equal, as codes; positions pick rows out of it (``coded(names)[positions]``)."""
    codes, words = pd.factorize(np.asarray(texts, dtype=object))
    return Coded(codes.astype(code_type(len(words))), Words(words))


def repeated(text: str, count: int) -> Coded:
    """One text in every row."""
    return Coded(np.zeros(count, dtype=np.int8), Words(np.array([text], dtype=object)))


def code_type(n_words: int) -> type[np.signedinteger[Any]]:
    """The narrowest type of codes for so many words."""
    return next((kind for kind in (np.int8, np.int16) if n_words <= np.iinfo(kind).max), np.int32)


def narrow(numbers: Array) -> Array:
    """Whole numbers as int32 where all of them fit."""
    if numbers.dtype != np.int64:
        return numbers
    least, most = (int(numbers.min()), int(numbers.max())) if len(numbers) else (0, 0)
    bounds = np.iinfo(np.int32)
    return numbers.astype(np.int32) if bounds.min <= least and most <= bounds.max else numbers
