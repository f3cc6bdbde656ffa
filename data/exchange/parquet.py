"""Tables as Parquet files: a row group per block, texts as dictionaries, comments in the file's metadata."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bi2scope.data.exchange.columns import Column
from bi2scope.data.exchange.selection import Table

COMMENTS_KEY = "bi2scope"
"""Key of the file's metadata under which the comment lines stand."""


def write_parquet(table: Table, path: Path) -> None:
    """Write a table, block by block, compressed by Zstandard."""
    import pyarrow as pa
    from pyarrow import parquet

    first = next(table.blocks)
    arrays = {name: _arrow(column) for name, column in first.items()}
    metadata = {COMMENTS_KEY: "\n".join(table.comments)}
    schema = pa.schema([(name, array.type) for name, array in arrays.items()], metadata=metadata)
    with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        writer.write_table(pa.table(arrays, schema=schema))
        del first, arrays
        for block in table.blocks:
            writer.write_table(pa.table({name: _arrow(column) for name, column in block.items()}, schema=schema))


def _arrow(column: Column) -> Any:
    import pyarrow as pa

    if isinstance(column, pd.Categorical):
        texts = pa.array(column.categories.to_numpy(object), pa.string())
        return pa.DictionaryArray.from_arrays(pa.array(column.codes.astype(np.int32)), texts)
    return pa.array(column)
