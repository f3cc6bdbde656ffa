"""Columns of all peaks: the same in every answer that has a row for each, so what formats make of them is made once."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import orjson

from bi2scope.data.exchange.columns import Coded, Column, Columns, Words
from bi2scope.server.columns import to_json

NAMES = ("peak", "chrom", "start", "end")
"""Of the columns, as JSON has them."""


@dataclass(frozen=True, eq=False)
class EveryPeak:
    """The peaks of a store in genome order; safe to share between threads.

    Attributes
    ----------
    columns
        ``(n_peaks,)`` each, by :data:`NAMES`.
    """

    columns: Columns

    @classmethod
    def of(cls, peaks: Columns) -> EveryPeak:
        """From name, chromosome, start and end of the peaks, in that order; all of their names go along."""
        return cls({name: _whole(column) for name, column in zip(NAMES, peaks.values(), strict=True)})

    @functools.cached_property
    def written(self) -> dict[str, orjson.Fragment]:
        """The columns as JSON."""
        return {name: orjson.Fragment(to_json(column)) for name, column in self.columns.items()}

    @functools.cached_property
    def chromosome(self) -> npt.NDArray[np.int64]:
        """``(n_peaks,)`` number of each peak's chromosome, for sums by chromosome."""
        chrom = self.columns["chrom"]
        assert isinstance(chrom, Coded)
        return chrom.codes.astype(np.int64)


def _whole(column: Column) -> Column:
    return Coded(column.codes, Words(column.words.texts, together=True)) if isinstance(column, Coded) else column
