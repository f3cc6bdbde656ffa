"""Tables in anndata's dataframe encoding, with texts of fixed length.

anndata itself writes texts of variable length. HDF5 keeps those on a heap without checksums, so that a flipped bit
changes a name unseen, and a damaged heap can hold a reader up for long. Texts of fixed length lie in ordinary
arrays, and ``anndata.io.read_elem`` opens them as well.
"""

from __future__ import annotations

from typing import Any

import h5py
import hdf5plugin
import numpy as np
import numpy.typing as npt
import pandas as pd

from bi2scope.data.store import schema

COMPRESSED: dict[str, Any] = {"fletcher32": True, **hdf5plugin.Bitshuffle(cname="lz4")}
"""Filters of every array: bits shuffled, LZ4, and a checksum, since LZ4 alone lets flipped bits pass."""

LARGEST_CHUNK = 1 << 17
"""Entries of the largest chunk."""


def fixed_text(text: str) -> npt.NDArray[Any]:
    """One text as HDF5 attribute of fixed length, UTF-8."""
    encoded = text.encode()
    return np.array(encoded, dtype=h5py.string_dtype("utf-8", max(len(encoded), 1)))


def text_of(value: Any) -> str:
    """The text of an attribute, of fixed length or not."""
    return value.decode() if isinstance(value, bytes) else str(value)


def write_array(group: h5py.Group, key: str, values: npt.NDArray[Any]) -> None:
    """One array with the store's filters."""
    chunks = tuple(max(min(length, LARGEST_CHUNK), 1) for length in values.shape)
    maxshape = tuple(None if length == 0 else length for length in values.shape)  # chunks need room
    dataset = group.create_dataset(key, data=values, chunks=chunks, maxshape=maxshape, **COMPRESSED)
    kind = "string-array" if values.dtype.kind == "S" else "array"
    _encode(dataset, kind, "0.2.0")


def write_table(file: h5py.File, key: str, table: pd.DataFrame) -> None:
    """One table: numbers, truth values, texts and categories.

    Parameters
    ----------
    file, key
        Where the group of the table is made.
    table
        The index becomes the column that :data:`schema.INDEX_NAMES` names. Columns ``chrom`` and ``strand``, of few
        values, are written as categories.
    """
    group = file.create_group(key)
    _encode(group, "dataframe", "0.2.0")
    group.attrs["_index"] = fixed_text(schema.INDEX_NAMES[key])
    group.attrs["column-order"] = _texts(table.columns)
    write_array(group, schema.INDEX_NAMES[key], _texts(table.index))
    for name, column in table.items():
        if name in schema.REPEATED_TEXTS:
            _write_categories(group, str(name), pd.Categorical(column.astype(str)))
        elif isinstance(column.dtype, pd.CategoricalDtype):
            _write_categories(group, str(name), column.array)
        else:
            write_array(group, str(name), column.to_numpy() if _plain(column) else _texts(column))


def read_columns(group: h5py.Group) -> pd.DataFrame:
    """A table as :func:`write_table` wrote it.

    What is encoded otherwise, as another program may have done it, is read by anndata, which takes as long to load as
    all else that a service loads.
    """
    index = text_of(group.attrs["_index"])
    columns = {text_of(name): _read(group[text_of(name)]) for name in group.attrs["column-order"]}
    return pd.DataFrame(columns, index=pd.Index(_read(group[index]), name=index))


def _read(element: h5py.Group | h5py.Dataset) -> Any:
    kind, is_array = text_of(element.attrs["encoding-type"]), isinstance(element, h5py.Dataset)
    if kind == "categorical" and not is_array:
        categories, ordered = _read(element["categories"]), bool(element.attrs["ordered"])
        return pd.Categorical.from_codes(_read(element["codes"]), categories, ordered=ordered)
    if kind == "string-array" and is_array and element.dtype.kind == "S":
        return np.array([text.decode() for text in element[:].tolist()], dtype=object)
    if kind == "array" and is_array and element.dtype.kind in "biuf":
        return element[:]
    from anndata.io import read_elem

    return read_elem(element)


def _write_categories(group: h5py.Group, key: str, column: Any) -> None:
    inside = group.create_group(key)
    _encode(inside, "categorical", "0.2.0")
    inside.attrs["ordered"] = bool(column.ordered)
    write_array(inside, "codes", np.asarray(column.codes))
    write_array(inside, "categories", _texts(column.categories))


def _encode(element: h5py.Group | h5py.Dataset, kind: str, version: str) -> None:
    element.attrs["encoding-type"] = fixed_text(kind)
    element.attrs["encoding-version"] = fixed_text(version)


def _plain(column: pd.Series[Any]) -> bool:
    return isinstance(column.dtype, np.dtype) and column.dtype.kind in "biuf"


def _texts(values: Any) -> npt.NDArray[Any]:
    encoded = [str(value).encode() for value in values]
    longest = max((len(text) for text in encoded), default=1)
    return np.array(encoded, dtype=h5py.string_dtype("utf-8", max(longest, 1)))
