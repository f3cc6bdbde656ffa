"""Colours of the dark page and what they are in a saved picture."""

from __future__ import annotations

from dataclasses import fields

from bi2scope.dashboard.figures.style import (
    BETWEEN,
    DIMMED,
    DIVERGING,
    HUES,
    PALE,
    SCHEMES,
    TYPE_COLOURS,
    VEIL,
    as_light,
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
