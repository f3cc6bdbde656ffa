"""Arrays of the store while they grow: buffered, and written in whole chunks so that none is compressed twice."""

from __future__ import annotations

from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from bi2scope.data.attention import CellAttention
from bi2scope.data.multiome import Multiome
from bi2scope.data.store import schema
from bi2scope.data.store.tables import COMPRESSED, write_array

SMALLEST_CHUNK, LARGEST_CHUNK = 1 << 12, 1 << 16

Array = npt.NDArray[Any]


def chunk_length(per_cell: float) -> int:
    """Entries of a chunk, a power of two: between a quarter and a half of a cell's.

    Chunks do not end where cells end, and all of a chunk is decompressed; of 4,096 to 131,072 entries, 32,768 read
    fastest for cells of 80,000 links (0.9 ms; 1.4 ms with the largest).
    """
    return int(np.clip(1 << int(np.log2(max(per_cell / 2, 1))), SMALLEST_CHUNK, LARGEST_CHUNK))


class GrowingArray:
    """One array on disk, appended to.

    Parameters
    ----------
    group, key
        Where the array is made.
    dtype
        Its type; what is appended is cast to it.
    chunk
        Entries of a chunk; at most four chunks wait in memory.
    """

    def __init__(self, group: h5py.Group, key: str, dtype: np.dtype[Any], chunk: int) -> None:
        self._dataset = group.create_dataset(key, (0,), dtype, maxshape=(None,), chunks=(chunk,), **COMPRESSED)
        self._chunk = chunk
        self._pending: list[Array] = []
        self._n_pending = 0

    def append(self, values: Array) -> None:
        """Add values at the end."""
        self._pending.append(values.astype(self._dataset.dtype))
        self._n_pending += len(values)
        if self._n_pending >= 4 * self._chunk:
            self._write(self._n_pending - self._n_pending % self._chunk)

    def flush(self) -> None:
        """Write what waits; the array is whole then."""
        if self._n_pending:
            self._write(self._n_pending)

    def _write(self, count: int) -> None:
        values = np.concatenate(self._pending)
        start = len(self._dataset)
        self._dataset.resize((start + count,))
        self._dataset[start:] = values[:count]
        self._pending = [values[count:]]
        self._n_pending -= count


class GrowingLinks:
    """The links of one layer and head while they grow.

    Parameters
    ----------
    group
        Where the arrays are made.
    multiome, attributes
        The cells and the store's attributes; they give the peaks' type and the chunks.
    """

    def __init__(self, group: h5py.Group, multiome: Multiome, attributes: schema.StoreAttributes) -> None:
        n_cells = max(multiome.n_cells, 1)
        genes, peaks = multiome.rna.nnz / n_cells, multiome.atac.nnz / n_cells
        per_gene = min(attributes.k_max, peaks / max(len(multiome.chromosomes), 1))
        row_chunk, link_chunk = chunk_length(genes), chunk_length(genes * per_gene)
        largest_cell = int(np.diff(multiome.atac.indptr).max(initial=0))
        types: dict[str, np.dtype[Any]] = {
            "peak": schema.peak_dtype(largest_cell),
            "logit": schema.LOGIT_DTYPE,
        }
        self._rows = {key: GrowingArray(group, key, dtype, row_chunk) for key, dtype in schema.ROW_ARRAYS.items()}
        self._columns = {key: GrowingArray(group, key, dtype, link_chunk) for key, dtype in types.items()}
        self._group = group
        self._position = np.zeros(multiome.n_peaks, dtype=np.int64)  # of a peak among the last cell's own
        self._n_rows, self._n_links = [0], [0]
        self._closed = False

    def append(self, attention: CellAttention, own_peaks: Array, k_max: int) -> None:
        """Add the next cell, whose own peaks are given as positions in the data set.

        Raises
        ------
        ValueError
            If the attention does not fit the cell.
        """
        n_links = np.diff(attention.row_start)
        self._position[own_peaks] = np.arange(len(own_peaks))
        peak = self._position[attention.peak]
        _check_cell(attention, n_links, own_peaks, peak, k_max)
        self._rows["gene"].append(attention.gene)
        self._rows["n_links"].append(n_links)
        self._rows["n_above"].append(attention.n_above)
        self._rows["denominator"].append(attention.denominator)
        self._columns["peak"].append(peak)
        self._columns["logit"].append(attention.logit)
        self._n_rows.append(self._n_rows[-1] + len(n_links))
        self._n_links.append(self._n_links[-1] + len(peak))

    def close(self) -> None:
        """Write what waits, and the offsets of the cells."""
        if self._closed:
            return
        for appender in (*self._rows.values(), *self._columns.values()):
            appender.flush()
        for key, offsets in ((schema.ROW_OFFSET, self._n_rows), (schema.LINK_OFFSET, self._n_links)):
            write_array(self._group, key, np.asarray(offsets, dtype="<i8"))
        self._closed = True


def _check_cell(
    attention: CellAttention,
    n_links: Array,
    own_peaks: Array,
    position: Array,
    k_max: int,
) -> None:
    """Refuse attention that would make a store that cannot be read: lengths, ranks and peaks."""
    rows = {len(attention.gene), len(n_links), len(attention.n_above), len(attention.denominator)}
    if len(rows) != 1 or {len(attention.peak), len(attention.logit)} != {int(n_links.sum())}:
        raise ValueError("The arrays of the cell's attention differ in length.")
    if n_links.max(initial=0) > k_max:
        raise ValueError(f"A row has {n_links.max()} links, the store keeps {k_max}.")
    if len(position) and (position.max() >= len(own_peaks) or not np.array_equal(own_peaks[position], attention.peak)):
        raise ValueError("A link points to a peak that the cell has no count of.")
