"""Sum every cell type, once all links are in the store."""

from __future__ import annotations

from bi2scope.data.progress import progress_bar
from bi2scope.data.store.writer import StoreWriter


def summarize(writer: StoreWriter, cell_types: list[str], progress: bool = True) -> None:
    """Count the links of each cell type by score, rank and peak, and build its regulatory map.

    Passes over the links just written, one cell type at a time: memory is bounded by one type's distinct entries and
    pairs and a block of links, however many cells there are.

    Parameters
    ----------
    writer
        A store with every cell written.
    cell_types
        Names of the types, in the data set's order.
    progress
        Whether to show a progress bar.
    """
    with progress_bar(cell_types, what="Sum cell types", unit="type", shown=progress) as bar:
        for code, name in enumerate(bar):
            bar.set_postfix_str(name, refresh=False)
            writer.write_cumulative(code)
