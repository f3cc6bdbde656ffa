"""Tables as an Arrow IPC stream: a record batch for each block, what the table says of itself in the schema.

Texts are dictionaries of what occurs in the batch, or little more; numbers are as wide as their column. The stream may
go through a pipe or a socket, and ``pyarrow.ipc.open_stream``, ``polars.read_ipc_stream`` and Arrow for JavaScript read
it.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from itertools import chain
from typing import Any

from bi2scope.data.exchange.columns import Coded, Column, Columns
from bi2scope.data.exchange.selection import Table

COMMENTS_KEY = "bi2scope"
"""Key of the schema's metadata under which the comment lines stand, a line each."""


def arrow_stream(table: Table) -> Iterator[bytes | memoryview]:
    """A table in pieces: the schema first, one for each block; or in one piece, which is not copied."""
    import pyarrow as pa

    batch = record_batch(next(table.blocks), table.comments)
    second = next(table.blocks, None)
    if second is None:
        yield memoryview(_whole(batch))
        return
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
        for block in chain([second], table.blocks):
            yield _taken(sink)
            writer.write_batch(record_batch(block, table.comments))
    yield _taken(sink)


def record_batch(block: Columns, comments: tuple[str, ...]) -> Any:
    """A block as a record batch of Arrow with the comments in its schema."""
    import pyarrow as pa

    arrays = {name: arrow_array(column) for name, column in block.items()}
    schema = pa.schema(
        [(name, array.type) for name, array in arrays.items()], metadata={COMMENTS_KEY: "\n".join(comments)}
    )
    return pa.RecordBatch.from_arrays(list(arrays.values()), schema=schema)


def arrow_array(column: Column) -> Any:
    """A column as an array of Arrow; texts as a dictionary, of those that occur unless all go along."""
    import pyarrow as pa

    if isinstance(column, Coded):
        if column.goes_whole():
            return pa.DictionaryArray.from_arrays(pa.array(column.codes), column.words.arrow, safe=False)
        used, codes = column.used()
        words = column.words.arrow if len(used) == len(column.words) else column.words.arrow.take(pa.array(used))
        return pa.DictionaryArray.from_arrays(pa.array(codes), words, safe=False)
    return pa.array(column)


def _whole(batch: Any) -> bytearray:
    """A stream of one batch, in memory of its size: what grows under Arrow's hand leaves some of it with Arrow."""
    import pyarrow as pa

    size = pa.MockOutputStream()
    with pa.ipc.new_stream(size, batch.schema) as writer:
        writer.write_batch(batch)
    whole = bytearray(size.size())
    with pa.ipc.new_stream(pa.FixedSizeBufferWriter(pa.py_buffer(whole)), batch.schema) as writer:
        writer.write_batch(batch)
    return whole


def _taken(sink: io.BytesIO) -> bytes:
    piece = sink.getvalue()
    sink.seek(0)
    sink.truncate()
    return piece
