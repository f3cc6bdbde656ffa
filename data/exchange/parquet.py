"""Tables as Parquet files: texts as dictionaries, the comment lines in the metadata of the schema."""

from __future__ import annotations

from pathlib import Path

from bi2scope.data.exchange.arrow import record_batch
from bi2scope.data.exchange.selection import Table


def write_parquet(table: Table, path: Path) -> None:
    """Write a table, block by block, compressed by Zstandard."""
    from pyarrow import parquet

    first = record_batch(next(table.blocks), table.comments)
    with parquet.ParquetWriter(path, first.schema, compression="zstd") as writer:
        writer.write_batch(first)
        del first
        for block in table.blocks:
            writer.write_batch(record_batch(block, table.comments))
