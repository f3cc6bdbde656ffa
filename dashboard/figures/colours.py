"""What colour stands for in a cell's maps: quantities, the ends of their colours, linear or logarithmic, the bar."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from bi2scope.dashboard.figures.style import SCHEMES, Scheme

Colouring = Literal["score", "logit", "rank", "weight"]
Scale = Literal["linear", "log"]


@dataclass(frozen=True, slots=True)
class Quantity:
    """What colour stands for.

    Attributes
    ----------
    title
        Its name.
    low, high
        Its range; ``None`` is the highest shown.
    width
        What the range spans at least.
    form
        How its numbers are written.
    tail
        Per cent of the values, at the high end, that share one colour.
    """

    title: str
    low: float
    high: float | None
    width: float
    form: str
    tail: float = 0.0


QUANTITIES: dict[Colouring, Quantity] = {
    "score": Quantity("Score", 0.5, 1.0, 0.5, ".1f"),
    # A few links reach logits several times those of the rest, and would leave the rest one colour.
    "logit": Quantity("Logit: log<br>odds of score<br>(top 2 % alike)", 0.0, None, 1.0, ".0f", tail=2.0),
    "rank": Quantity("Rank", 1.0, None, 1.0, ".0f"),
    "weight": Quantity("Weight", 0.0, None, 0.1, ".2f"),
}

SMALLEST_SHARE = 2.0
"""Per cent of the values that share the lowest colour of a logarithmic scale, where the quantity may be 0."""


@dataclass(frozen=True, slots=True)
class Colours:
    """Which quantity colour stands for, and whether equal steps of colour are equal steps or equal ratios of it."""

    quantity: Colouring = "score"
    scale: Scale = "linear"

    def ends(self, values: npt.ArrayLike) -> tuple[float, float]:
        """Values at the two ends of the colours, of those shown; both above 0 on a logarithmic scale."""
        quantity, shown = QUANTITIES[self.quantity], np.asarray(values, dtype=np.float64)
        shown = shown[np.isfinite(shown)]
        high = quantity.high
        if high is None:
            highest = np.percentile(shown, 100 - quantity.tail) if shown.size else quantity.low
            high = max(float(highest), quantity.low + quantity.width)
        if self.scale == "linear" or quantity.low > 0:
            return quantity.low, high
        above = shown[shown > 0]
        low = float(np.percentile(above, SMALLEST_SHARE)) if above.size else high / 10
        return min(low, high / 2), high

    def laid(self, values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Values as a heatmap takes them: their decadic logarithms on a logarithmic scale, where 0 is below all."""
        if self.scale == "linear":
            return values
        with np.errstate(divide="ignore"):
            return np.maximum(np.log10(values, dtype=np.float32), np.float32(LEAST))

    def looks(self, ends: tuple[float, float], scheme: Scheme) -> dict[str, Any]:
        """Colours of a heatmap's trace, with their bar."""
        quantity, log = QUANTITIES[self.quantity], self.scale == "log"
        low, high = (math.log10(end) for end in ends) if log else ends
        return {
            "zmin": low,
            "zmax": high,
            "reversescale": self.quantity == "rank",  # rank 1 is the strongest
            "colorscale": [list(stop) for stop in SCHEMES[scheme].score_scale],
            "colorbar": colour_bar(quantity, scheme) | (decades(*ends) if log else {}),
        }


SCORES = Colours()

LEAST = -30.0
"""Where the logarithm of 0 lies."""

ENOUGH = 4
"""Ticks of a bar."""


def decades(low: float, high: float) -> dict[str, Any]:
    """Ticks of a logarithmic bar: 1, 2 and 5 of each decade, or steps in between where those would be too few."""
    powers = range(math.floor(math.log10(low)), math.floor(math.log10(high)) + 1)
    for digits in ((1, 2, 5), range(1, 10), np.arange(1, 10, 0.5), np.arange(1, 10, 0.25)):
        numbers = [digit * 10.0**power for power, digit in itertools.product(powers, digits)]
        shown = [number for number in numbers if low * 0.999 <= number <= high * 1.001]
        if len(shown) >= ENOUGH:
            break
    return {"tickvals": [math.log10(number) for number in shown], "ticktext": [f"{number:.3g}" for number in shown]}


def colour_bar(quantity: Quantity, scheme: Scheme) -> dict[str, Any]:
    """The colour bar, with the name of the quantity."""
    return {
        "title": {"text": quantity.title, "side": "top", "font": {"size": 13}},
        "thickness": 14,
        "len": 0.6,
        "y": 0.95,
        "yanchor": "top",
        "outlinewidth": 0,
        "nticks": 7,
        "ticks": "outside",
        "ticklen": 3,
        "tickfont": {"size": 11, "color": SCHEMES[scheme].muted},
        "tickformat": quantity.form,
    }
