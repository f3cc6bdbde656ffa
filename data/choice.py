"""A choice among the cells of a data set: types, or cells by name."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bi2scope.data.errors import DatasetError, InputError, NotFoundError
from bi2scope.data.multiome import Multiome


@dataclass(frozen=True)
class CellChoice:
    """Which cells are wanted; those that fulfil both, in the order of the data set.

    Attributes
    ----------
    cell_types
        Names of types; all when empty.
    names
        Names of cells; all when empty.
    """

    cell_types: tuple[str, ...] = ()
    names: tuple[str, ...] = ()

    def of(self, multiome: Multiome) -> Multiome:
        """The chosen cells, with a note that says so; types that none is left of are gone.

        Raises
        ------
        NotFoundError
            If there is no cell or type of a name.
        DatasetError
            If no cell is left.
        """
        if not (self.cell_types or self.names):
            return multiome
        for name in self.cell_types:
            if name not in multiome.cell_types:
                raise NotFoundError("cell type", name, multiome.cell_types)
        known = set(multiome.cells.index)
        for name in self.names:
            if name not in known:
                raise NotFoundError("cell", name, multiome.cells.index)
        kept = np.ones(multiome.n_cells, dtype=bool)
        if self.cell_types:
            kept &= multiome.cells["cell_type"].isin(self.cell_types).to_numpy()
        if self.names:
            kept &= multiome.cells.index.isin(self.names)
        if not kept.any():
            raise DatasetError(
                f"No cell is left: none of the {len(self.names):,} named is of the type {', '.join(self.cell_types)}.",
                "Choose by --cell-types or by --only-cells, or name cells of these types.",
            )
        chosen = multiome.take_cells(np.flatnonzero(kept))
        types = chosen.cells["cell_type"].cat.remove_unused_categories()
        note = f"{chosen.n_cells:,} of the data set's {multiome.n_cells:,} cells were chosen."
        return replace(chosen, cells=chosen.cells.assign(cell_type=types), notes=(*chosen.notes, note))


def parse_names(text: str) -> tuple[str, ...]:
    """Names out of a text with commas between them, or out of a file that has one in each line.

    Raises
    ------
    InputError
        If the file cannot be read or nothing is named.
    """
    try:
        content = Path(text).read_text(encoding="utf-8-sig").splitlines() if _is_file(text) else text.split(",")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{text} cannot be read: {error}.", "Wanted a text file with a name in each line.") from error
    names = tuple(dict.fromkeys(name.strip() for name in content if name.strip()))
    if not names:
        raise InputError(f"{text!r} names nothing.", "Wanted names with commas between, or a file with one a line.")
    return names


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except OSError:  # many names are too long for a file's
        return False
