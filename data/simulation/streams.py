"""Independent streams of random numbers from one seed, each under a name of its own.

A stream depends on nothing but the seed and its name, so the genome stays when only the number of cells changes, and
a cell stays when the cells before it do.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

Part = Literal["genome", "programs", "tracks", "annotation", "pilots", "cells"]

_KEYS: dict[Part, int] = {"genome": 0, "programs": 1, "tracks": 2, "annotation": 3, "pilots": 4, "cells": 5}


def stream(seed: int, part: Part, number: int = 0) -> np.random.Generator:
    """The generator of one part of the simulation; ``number`` tells one cell from another."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_KEYS[part], number)))
