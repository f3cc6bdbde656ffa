"""The sums and the map of a cell type against its links."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from bi2scope.data.attention import Cut
from bi2scope.data.store import schema
from bi2scope.data.store.cumulative import CumulativeScores
from bi2scope.data.store.reader import StoreReader
from bi2scope.data.store.regulatory import MEAN_UNIT

CUTS = (Cut(), Cut(0.5, 1), Cut(0.57, 7), Cut(0.8), Cut(0.85, 10), Cut(0.93, 35), Cut(0.99), Cut(0.999, 3))
"""Cuts that the sums are made anew for: between the key cuts and on them."""


def violations_of_type(reader: StoreReader, name: str) -> Iterator[str]:
    """What is wrong with the sums and the map of a cell type, each sentence with an HDF5 path."""
    cells = reader.cells_of(name)
    if not np.array_equal(_times_open(reader, cells), reader.cumulative(name, Cut()).n_open):
        yield f"{schema.CUMULATIVE}/{schema.N_OPEN}: wrong for {name}"
    for layer, head in reader.layers_and_heads():
        histogram = reader.histogram(reader.cell_types.index(name), layer, head)
        where = f"{schema.cumulative_path(layer, head)}/{schema.of_type(reader.cell_types.index(name))}"
        for cut in CUTS:
            stored = reader.cumulative(name, cut, layer, head)
            if not _same(stored, reader.cumulative_of_cells(cells, cut, layer, head, from_links=True)):
                limits = f"threshold {cut.threshold:g}, k {cut.top_k or 'off'}"
                yield f"{where}: not the sum over the cells of {name} at {limits}"
        if histogram is not None and not histogram.keys_agree():
            yield f"{where}/{schema.SUMS}: not the sums of the entries"
        yield from _of_null(reader, name, (layer, head), where)
        yield from _of_map(reader, name, (layer, head))


def _times_open(reader: StoreReader, cells: npt.NDArray[np.intp]) -> npt.NDArray[np.int64]:
    n_open = np.zeros(reader.n_peaks, dtype=np.int64)
    for cell in cells:
        n_open[reader.graph(int(cell)).peak_index] += 1
    return n_open


def _same(one: CumulativeScores, other: CumulativeScores) -> bool:
    keys = ("links", "score", "weight")
    return one.truncated == other.truncated and all(
        np.array_equal(getattr(one, key), getattr(other, key)) for key in keys
    )


def _of_null(reader: StoreReader, name: str, place: tuple[int, int], where: str) -> Iterator[str]:
    stored, anew = reader.null(name, None, *place), reader.null_of_cells(reader.cells_of(name), Cut(), *place)
    for key in (schema.EXPECTED, schema.VARIANCE):
        if not np.allclose(getattr(stored, key), getattr(anew, key), rtol=1e-5, atol=1e-6):
            yield f"{where}/{key}: not what the cells of {name} give"


def _of_map(reader: StoreReader, name: str, place: tuple[int, int]) -> Iterator[str]:
    """Each peak's pairs add up to its links, or to less where rare pairs are left out."""
    where = f"{schema.map_path(*place)}/{schema.of_type(reader.cell_types.index(name))}"
    stored = reader.regulatory_map(name, *place)
    pairs = stored.pairs((0, len(reader.genes)))
    sums = reader.cumulative(name, Cut(), *place)
    links = np.bincount(pairs["peak"], pairs["n_cells"], reader.n_peaks)
    score = np.bincount(pairs["peak"], pairs["n_cells"] * pairs["score"], reader.n_peaks)
    complete = stored.least_cells == 1
    if (links > sums.links).any() or (complete and (links != sums.links).any()):
        yield f"{where}/n_cells: not the links of the cells of {name}"
    if complete and not np.allclose(score, sums.score, rtol=1 / MEAN_UNIT, atol=1e-6):
        yield f"{where}/score: not the scores of the links of the cells of {name}"
    n_cells = len(reader.cells_of(name))
    if ((pairs["n_both"] < pairs["n_cells"]) | (pairs["n_both"] > n_cells)).any():
        yield f"{where}/n_both: fewer cells than have the link, or more than there are"
    if pairs.duplicated(["gene", "peak"]).any():
        yield f"{where}/peak: a pair stands twice"
