"""The prepared file: a whole data set in one HDF5 file, quick to read.

The file's attributes are ``magic``, ``format_version``, ``generator``, ``created``, ``digest`` (that of the
:class:`~bi2scope.data.multiome.Multiome`) and ``checksum`` (of everything else that is in the file). Its elements are
``cells``, ``genes``, ``peaks`` (tables), ``rna``, ``atac`` (CSR) and, when there are sequences, ``peak_dna`` (bytes,
quarters of the numbers in the data set); ``notes`` is an array of text. ``anndata.io.read_elem`` opens each.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import h5py
import hdf5plugin
import numpy as np
import pandas as pd
from scipy import sparse

from bi2scope.data.elements import DAMAGED, element, first_line, opened
from bi2scope.data.elements import table as read_table
from bi2scope.data.errors import DatasetError
from bi2scope.data.files import replacing, require_absent
from bi2scope.data.matrices import sparse_counts
from bi2scope.data.multiome import DNA_LENGTH, Multiome

MAGIC = "bi2scope-prepared"
FORMAT_VERSION = 1

_TABLES = ("cells", "genes", "peaks")
_MAKE_AGAIN = "Make it again: bi2scope prepare."


def write_prepared(multiome: Multiome, path: str | Path, *, overwrite: bool = False) -> None:
    """Write a data set whole, or not at all.

    Parameters
    ----------
    multiome
        What to write.
    path
        The file to make.
    overwrite
        Whether a file of that name may be replaced.

    Raises
    ------
    InputError
        If the file is there and may not be replaced, or cannot be made.
    """
    path = Path(path)
    require_absent(path, overwrite)
    with replacing(path) as temporary, h5py.File(temporary, "w") as file:
        _write(file, multiome)


def _write(file: h5py.File, multiome: Multiome) -> None:
    from anndata.io import write_elem

    file.attrs["magic"] = MAGIC
    file.attrs["format_version"] = FORMAT_VERSION
    file.attrs["generator"] = f"bi2scope {version('bi2scope')}"
    file.attrs["created"] = datetime.now(UTC).isoformat(timespec="seconds")
    file.attrs["digest"] = multiome.digest
    file.attrs["checksum"] = _checksum(multiome)
    packed = dict(hdf5plugin.Bitshuffle(cname="lz4"))
    for name in _TABLES:
        write_elem(file, name, _plain(getattr(multiome, name)))
    for name in ("rna", "atac"):
        write_elem(file, name, _narrow(getattr(multiome, name)), dataset_kwargs=packed)
    write_elem(file, "notes", np.array(multiome.notes, dtype=object) if multiome.notes else np.zeros(0, dtype="S1"))
    if multiome.peak_dna is not None:
        quarters = np.rint(multiome.peak_dna * 4).astype(np.uint8)
        write_elem(file, "peak_dna", quarters, dataset_kwargs=packed)


def _plain(table: pd.DataFrame) -> pd.DataFrame:
    """A table whose texts are Python strings, which every version of anndata and pandas writes alike."""
    texts = {str(name): column.astype("object") for name, column in table.items() if not _is_number(column)}
    plain = table.assign(**{name: column for name, column in texts.items() if name != "cell_type"})
    return plain.set_axis(pd.Index(table.index.to_numpy().astype(object)))


def _is_number(column: pd.Series) -> bool:
    return isinstance(column.dtype, np.dtype) and column.dtype.kind in "biuf"


def _narrow(counts: sparse.csr_matrix) -> sparse.csr_matrix:
    """The counts in the smallest whole numbers that hold them."""
    smallest = np.min_scalar_type(int(counts.data.max(initial=0)))
    return sparse.csr_matrix((counts.data.astype(smallest), counts.indices, counts.indptr), shape=counts.shape)


def is_prepared(file: h5py.File) -> bool:
    """Whether an open HDF5 file says that it is a prepared one."""
    return bool(file.attrs.get("magic") == MAGIC)


def read_prepared(path: str | Path) -> Multiome:
    """Read a data set as it was written: the same cells, tables, counts, notes and digest.

    Raises
    ------
    DatasetError
        If the file is missing, none of these, of a newer format, cut short, or its checksums fail.
    """
    path = Path(path)
    with opened(path, "a prepared", _MAKE_AGAIN) as file:
        if not is_prepared(file):
            raise DatasetError(f"{path} is not a file of bi2scope prepare.", _MAKE_AGAIN)
        found = file.attrs.get("format_version")
        if found != FORMAT_VERSION:
            raise DatasetError(
                f"{path} is of the format version {found}; this program reads {FORMAT_VERSION}.", _MAKE_AGAIN
            )
        multiome = _read(file, path)
        expected = (file.attrs.get("digest"), file.attrs.get("checksum"))
    if (multiome.digest, _checksum(multiome)) != expected:
        raise DatasetError(f"{path} is damaged: its contents do not have the checksum they had.", _MAKE_AGAIN)
    return multiome


def _read(file: h5py.File, path: Path) -> Multiome:
    cells, genes, peaks = (read_table(file, name, str(path)) for name in _TABLES)
    rna, atac = (
        _counts(file, name, (len(cells), len(features)), path) for name, features in (("rna", genes), ("atac", peaks))
    )
    notes = tuple(str(note) for note in np.asarray(element(file, "notes", str(path))))
    multiome = Multiome(_objects(cells), _objects(genes), _objects(peaks), rna, atac, notes)
    if "peak_dna" not in file:
        return multiome
    quarters = np.asarray(element(file, "peak_dna", str(path)))
    if quarters.shape != (len(peaks), DNA_LENGTH):
        raise DatasetError(f"{path}: peak_dna is of the shape {quarters.shape}.", _MAKE_AGAIN)
    return replace(multiome, peak_dna=quarters.astype(np.float32) * np.float32(0.25))


def _counts(file: h5py.File, name: str, shape: tuple[int, int], path: Path) -> sparse.csr_matrix:
    try:
        counts = sparse_counts(file[name], "csr", shape)
    except (ValueError, TypeError, KeyError, OSError, RuntimeError) as error:
        raise DatasetError(f"{path}: {name} cannot be read ({first_line(error)}).", DAMAGED) from error
    if counts is None:
        raise DatasetError(f"{path}: {name} holds values that are not counts.", _MAKE_AGAIN)
    return counts


def _objects(table: pd.DataFrame) -> pd.DataFrame:
    """A table whose texts and index are Python strings, as the readers make them."""
    texts = [name for name, column in table.items() if not (_is_number(column) or name == "cell_type")]
    named = table.assign(**{str(name): table[name].astype("object") for name in texts})
    named.index = pd.Index(table.index.to_numpy().astype(object))
    return named


def _checksum(multiome: Multiome) -> str:
    """SHA-256 over what the digest leaves out: names and attributes of genes, notes."""
    sha = hashlib.sha256(multiome.genes.to_csv(lineterminator="\n").encode())
    sha.update("\n".join(multiome.notes).encode())
    return sha.hexdigest()
