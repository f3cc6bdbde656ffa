"""A regulatory map under a cut, made from the links of a cell type's cells, some genes at a time."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from bi2scope.data.exchange.selection import Part
from bi2scope.data.store.opening import intact
from bi2scope.data.store.pairs import PairSources, linked_pairs
from bi2scope.data.store.regulatory import least_cells


def scanned_pairs(part: Part, cell_type: str) -> Iterator[pd.DataFrame]:
    """Pairs of a type that survive the part's cut, as :meth:`StoredMap.pairs` gives them, by gene and then by peak.

    Memory is bounded, however many cells there are.
    """
    reader = part.reader
    links, cells, places = reader.stored_links(part.layer, part.head), reader.cells_of(cell_type), reader.places
    sources = PairSources(links, *reader.counts, places.gene_chromosome, places.peak_chromosome)
    found = linked_pairs(sources, cells, part.cut, least_cells(len(cells)))
    while True:
        with intact(reader.path, f"the links of {cell_type}"):
            pairs = next(found, None)
        if pairs is None:
            return
        score, weight = pairs.means()
        columns = {key: getattr(pairs, key) for key in ("gene", "peak", "n_cells", "n_both")}
        yield pd.DataFrame({**columns, "score": score, "weight": weight})
