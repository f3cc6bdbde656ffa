"""Labels of a draw moved one by one: the slow twin of :mod:`bi2scope.data.tracks.rotations`."""

from __future__ import annotations

import numpy as np

from bi2scope.data.tracks.rotations import Rotations


def moved(rotations: Rotations, draw: int, labels: np.ndarray) -> np.ndarray:
    """Labels of all peaks in one draw."""
    result = np.empty_like(labels)
    for block, offset in enumerate(rotations.offset[draw]):
        places = rotations.order[rotations.start[block] : rotations.start[block + 1]]
        for p, place in enumerate(places):
            result[places[(p + offset) % len(places)]] = labels[place]
    return result
