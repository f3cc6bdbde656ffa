"""Bodies about several cells: the neighbours of one; see :mod:`bi2scope.server.wire`.

The address of each::

    GET  /api/v1/cells/{cell_id}/neighbours?n=&space=          Neighbours
    POST /api/v1/cells/scores[.csv]                            PeakScores      (JSON: cells, threshold, ...)
    POST /api/v1/cells/difference/peaks[.csv]                  PeakDifference  (JSON: cells, against, ...)
    POST /api/v1/cells/difference/genes[.csv]                  GeneDifference  (JSON: cells, against, ...)
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from bi2scope.server.wire import Wire

Space = Literal["embedding", "model"]


class NeighbourColumns(Wire):
    """Cells by distance; equally far ones in the order of the data set."""

    cell_id: list[str]
    cell_type: list[str]
    distance: list[float] = Field(description="Euclidean, in the units of the space")
    x: list[float | None] = Field(description="In the two-dimensional embedding, whatever the space")
    y: list[float | None]


class Neighbours(Wire):
    """The cells nearest to one cell, without itself."""

    cell_id: str
    cell_type: str
    space: Space
    method: str = Field(description="How the space was made")
    dimensions: int
    same_type_share: float | None = Field(description="Share of the neighbours that are of the cell's own type")
    neighbours: NeighbourColumns
