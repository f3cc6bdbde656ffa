"""Colours of the dark page and what they are in a saved picture."""

from __future__ import annotations

from dataclasses import fields
from typing import get_args

import pytest

from bi2scope.dashboard.figures.style import (
    BETWEEN,
    DIMMED,
    DIVERGING,
    HUES,
    PALE,
    SCHEMES,
    TYPE_COLOURS,
    VEIL,
    Scheme,
    as_light,
    on_page,
)


def test_every_colour_of_the_dark_page_has_one_of_the_light_page() -> None:
    plain = as_light()["plain"]
    for several in (DIVERGING, PALE, BETWEEN, HUES):
        assert [plain[colour] for colour in several["dark"]] == list(several["light"])
    for one in (VEIL, DIMMED):
        assert plain[one["dark"]] == one["light"]
    for colour in fields(SCHEMES["dark"]):
        if colour.name != "score_scale":
            assert plain[getattr(SCHEMES["dark"], colour.name)] == getattr(SCHEMES["light"], colour.name)


def test_colours_of_cell_types_are_left_as_they_are() -> None:
    assert not set(as_light()["plain"]) & set(TYPE_COLOURS)


@pytest.mark.parametrize("scheme", get_args(Scheme))
def test_every_cell_type_stands_out_from_the_page_and_from_the_other_types(scheme: Scheme) -> None:
    shown = [on_page(colour, scheme) for colour in TYPE_COLOURS]
    assert len(set(shown)) == len(TYPE_COLOURS)
    page, least = {"light": ("#ffffff", 2.2), "dark": ("#242424", 3.0)}[scheme]
    assert min(contrast(colour, page) for colour in shown) > least


def contrast(colour: str, other: str) -> float:
    """The contrast ratio of WCAG 2."""
    low, high = sorted(map(luminance, (colour, other)))
    return (high + 0.05) / (low + 0.05)


def luminance(colour: str) -> float:
    parts = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_what_the_dark_page_shows_of_a_cell_type_is_saved_in_its_own_colour() -> None:
    plain = as_light()["plain"]
    assert [plain.get(on_page(colour, "dark"), colour) for colour in TYPE_COLOURS] == list(TYPE_COLOURS)
