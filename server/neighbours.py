"""Answers about the cells nearest to a cell: in the embedding that is drawn, or in what the model makes of cells."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from bi2scope.data.errors import ConfigurationError
from bi2scope.server.catalogue import Catalogue, Ints
from bi2scope.server.columns import columnar
from bi2scope.server.params import NeighboursQuery
from bi2scope.server.wire_cells import NeighbourColumns, Neighbours, Space

if TYPE_CHECKING:
    from scipy.spatial import cKDTree

POOLED = "means over genes and over peaks in the model's last layer"


@dataclass(frozen=True)
class _Searchable:
    """Cells that have a place in a space, and a tree of them."""

    cells: Ints
    points: npt.NDArray[np.float64]
    tree: cKDTree

    @classmethod
    def of(cls, points: npt.NDArray[np.floating]) -> _Searchable:
        from scipy.spatial import cKDTree

        cells = np.flatnonzero(np.isfinite(points).all(axis=1))
        placed = points[cells].astype(np.float64)
        return cls(cells, placed, cKDTree(placed))


class Neighbourhoods:
    """The spaces in which neighbours are looked for; each is made when it is first asked for. Safe to share."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self._spaces: dict[Space, _Searchable] = {}
        self._making = threading.Lock()

    def of(self, cell_id: str, query: NeighboursQuery) -> Neighbours:
        """The nearest cells of a cell.

        Raises
        ------
        NotFoundError
            If there is no such cell.
        ConfigurationError
            If the store does not hold the space, or no place of the cell in it.
        """
        position, cell_type = self.catalogue.cell(cell_id)
        space = self._space(query.space)
        place = int(np.searchsorted(space.cells, position))
        if place == len(space.cells) or space.cells[place] != position:
            raise ConfigurationError(f"{cell_id} has no place in the {query.space} of this store.")
        found, distance = _nearest(space, place, query.n)
        cells = self.catalogue.reader.cells.iloc[found]
        kinds = [str(kind) for kind in cells["cell_type"]]
        return columnar(
            Neighbours,
            cell_id=cell_id,
            cell_type=cell_type,
            space=query.space,
            method=POOLED if query.space == "model" else self.catalogue.reader.embedding_method,
            dimensions=space.points.shape[1],
            same_type_share=float(np.mean([kind == cell_type for kind in kinds])) if kinds else None,
            neighbours=columnar(
                NeighbourColumns,
                cell_id=[str(name) for name in cells.index],
                cell_type=kinds,
                distance=distance,
                x=cells["umap_1"].to_numpy(),
                y=cells["umap_2"].to_numpy(),
            ),
        )

    def _space(self, name: Space) -> _Searchable:
        with self._making:
            if name not in self._spaces:
                self._spaces[name] = _Searchable.of(self._points(name))
            return self._spaces[name]

    def _points(self, name: Space) -> npt.NDArray[np.floating]:
        if name == "embedding":
            points: npt.NDArray[np.floating] = self.catalogue.reader.cells[["umap_1", "umap_2"]].to_numpy(np.float64)
            return points
        pooled = self.catalogue.reader.pooled()
        if pooled is None:
            raise ConfigurationError(
                "This store does not hold the model's representation of the cells.",
                "Ask for space=embedding, or make the store again with bi2scope precompute.",
            )
        return pooled


def _nearest(space: _Searchable, place: int, n: int) -> tuple[Ints, npt.NDArray[np.float64]]:
    """Positions of the cells nearest to the one at a place, and how far they are, itself left out."""
    n = min(n, len(space.cells) - 1)
    if n < 1:
        return np.zeros(0, dtype=np.int64), np.zeros(0)
    furthest = np.atleast_1d(space.tree.query(space.points[place], k=n + 1)[0])[-1]
    # all within that distance, so that which of equally far cells are given does not hang on the tree
    near = np.array(space.tree.query_ball_point(space.points[place], furthest * (1 + 1e-12)), dtype=np.int64)
    near = np.sort(near[near != place])
    distance = np.linalg.norm(space.points[near] - space.points[place], axis=1)
    order = np.argsort(distance, kind="stable")[:n]
    return space.cells[near[order]], distance[order]
