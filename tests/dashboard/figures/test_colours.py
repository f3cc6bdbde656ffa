from __future__ import annotations

import math
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bi2scope.dashboard.figures.colours import ENOUGH, LEAST, QUANTITIES, SCORES, Colouring, Colours, decades

SHOWN = {
    "score": [0.6, 0.9, 0.99],
    "logit": [0.4, 2.2, 4.6, 20.0],
    "rank": [1.0, 2.0, 9.0, 40.0],
    "weight": [0.0, 0.09, 0.101, 0.12],
}


@pytest.mark.parametrize("quantity", get_args(Colouring))
def test_equal_ratios_are_equal_steps_of_colour(quantity: Colouring) -> None:
    colours = Colours(quantity, "log")
    low, high = colours.ends(SHOWN[quantity])
    looks = colours.looks((low, high), "light")
    a, b, c = colours.laid(np.array([low, math.sqrt(low * high), high], np.float32))
    assert b - a == pytest.approx(c - b, rel=1e-5)
    assert (looks["zmin"], looks["zmax"]) == (pytest.approx(a, abs=1e-6), pytest.approx(c, abs=1e-6))
    assert looks["reversescale"] == (quantity == "rank")


@pytest.mark.parametrize("quantity", get_args(Colouring))
def test_a_log_bar_is_written_in_the_quantity_itself(quantity: Colouring) -> None:
    colours = Colours(quantity, "log")
    bar = colours.looks(colours.ends(SHOWN[quantity]), "dark")["colorbar"]
    assert bar["title"]["text"] == QUANTITIES[quantity].title
    assert [10**at for at in bar["tickvals"]] == pytest.approx([float(text) for text in bar["ticktext"]], rel=1e-2)


@given(low=st.floats(1e-6, 1e3), span=st.floats(2.0, 1e6))
def test_a_log_bar_has_ticks_within_its_ends(low: float, span: float) -> None:
    ticks = decades(low, low * span)
    assert len(ticks["tickvals"]) >= ENOUGH - 1
    assert all(math.log10(low * 0.998) <= at <= math.log10(low * span * 1.002) for at in ticks["tickvals"])
    assert len(set(ticks["ticktext"])) == len(ticks["ticktext"])


def test_what_a_logarithm_cannot_show_has_the_lowest_colour_and_what_is_missing_none() -> None:
    colours = Colours("weight", "log")
    laid = colours.laid(np.array([0.0, 0.1, np.nan], np.float32))
    assert laid[0] == LEAST < math.log10(colours.ends(SHOWN["weight"])[0])
    assert laid[1] == pytest.approx(-1)
    assert np.isnan(laid[2])


@pytest.mark.parametrize("colours", [SCORES, Colours("logit", "log"), Colours("rank"), Colours("weight", "log")])
def test_colours_of_nothing_have_two_ends(colours: Colours) -> None:
    low, high = colours.ends([])
    assert low < high
    assert colours.looks((low, high), "light")["zmin"] < colours.looks((low, high), "light")["zmax"]


def test_a_linear_scale_leaves_the_values_as_they_are() -> None:
    values = np.array([0.5, 1.0, np.nan], np.float32)
    assert SCORES.laid(values) is values
    assert SCORES.ends(values) == (0.5, 1.0)
