"""The formats in which a table is written from the first byte to the last, whatever it is a table of."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from bi2scope.data.exchange.arrow import arrow_stream
from bi2scope.data.exchange.bedpe import bedpe_stream
from bi2scope.data.exchange.csv import csv_head, csv_rows
from bi2scope.data.exchange.interact import interact_stream
from bi2scope.data.exchange.longrange import longrange_stream
from bi2scope.data.exchange.selection import Table


def csv_table(table: Table) -> Iterator[bytes]:
    """A table as CSV in pieces (:mod:`bi2scope.data.exchange.csv`)."""
    first = next(table.blocks)
    yield csv_head(table.comments, first)
    yield from csv_rows(first)
    for block in table.blocks:
        yield from csv_rows(block)


STREAMS: Mapping[str, Callable[[Table], Iterator[bytes | memoryview]]] = {
    "csv": csv_table,
    "arrow": arrow_stream,
    "bedpe": bedpe_stream,
    "interact": interact_stream,
    "longrange": longrange_stream,
}
"""Formats that are written from the first byte to the last: a file may be gzipped, or go to standard output."""
