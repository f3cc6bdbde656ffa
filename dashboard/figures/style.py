"""Colours, fonts and the frame that all figures share, in the light and in the dark scheme."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Scheme = Literal["light", "dark"]


@dataclass(frozen=True, slots=True)
class Colours:
    """What a scheme draws with."""

    text: str
    muted: str
    line: str
    band: str
    primary: str
    secondary: str
    score_scale: tuple[tuple[float, str], ...]


# Viridis, running away from the paper's colour in either scheme, so that the highest scores stand out most.
_VIRIDIS = ("#440154", "#472d7b", "#3b528b", "#2c728e", "#21918c", "#28ae80", "#5ec962", "#addc30", "#fde725")


def _scale(stops: tuple[str, ...]) -> tuple[tuple[float, str], ...]:
    return tuple((i / (len(stops) - 1), colour) for i, colour in enumerate(stops))


SCHEMES: dict[Scheme, Colours] = {
    "light": Colours(
        text="#212529",
        muted="#495057",
        line="#ced4da",
        band="#f1f3f5",
        primary="#0072b2",
        secondary="#d55e00",
        # The last, palest yellow is left out: on white it would vanish.
        score_scale=_scale(_VIRIDIS[7::-1]),
    ),
    "dark": Colours(
        # Okabe & Ito's blue and orange but for a step: of no cell type, so that a picture can have light ones.
        text="#e9ecef",
        muted="#adb5bd",
        line="#495057",
        band="#2f3238",
        primary="#58b5ea",
        secondary="#e8a104",
        # The first, darkest violet is left out: on the dark page it would vanish.
        score_scale=_scale(_VIRIDIS[1:]),
    ),
}

# Okabe & Ito (2008) without yellow and black, which fail on one of the two pages; then Tol's muted set, and a few more.
TYPE_COLOURS = (
    "#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00",
    "#882255", "#999933", "#332288", "#44aa99", "#aa4499", "#6699cc", "#117733", "#997700", "#994455", "#888888",
    "#b15928", "#5e3c99", "#dd1c77", "#66a61e", "#01665e", "#8c96c6",
)  # fmt: skip

ON_DARK = {
    "#0072b2": "#2b87d1", "#882255": "#c73b7c", "#332288": "#7a6be0", "#aa4499": "#bb55aa", "#117733": "#2a9d4e",
    "#994455": "#b85c6d", "#b15928": "#c46a38", "#5e3c99": "#9a7fd1", "#01665e": "#35978f",
}  # fmt: skip
"""What stands on the dark page for a cell type's colour that would stand out less than 3 : 1 from it."""

DIVERGING: dict[Scheme, tuple[str, str, str]] = {
    "light": ("#1f5fae", "#d5d8dc", "#c14a09"),
    "dark": ("#62a8ef", "#62666c", "#ff9d5c"),
}
"""Lower, equal, higher: blue and orange, told apart by every kind of sight, with a grey that either page shows."""

PALE: dict[Scheme, tuple[str, str, str]] = {
    "light": ("#f4a582", "#f7f7f7", "#74add1"),
    "dark": ("#8c4a1f", "#2b2f36", "#1f5f99"),
}
"""Below chance, chance, above, as ground of a page's own text."""

BETWEEN: dict[Scheme, tuple[str, str, str]] = {
    "light": (SCHEMES["light"].primary, "#b9bfc5", SCHEMES["light"].secondary),
    "dark": (SCHEMES["dark"].primary, "#6a7178", SCHEMES["dark"].secondary),
}
"""Lower, equal, higher, of points: told apart without red or green, the middle near the page's own colour."""

HUES: dict[Scheme, tuple[str, str, str, str]] = {
    "light": ("#d55e00", "#a3438a", "#007a5a", "#7a5c00"),
    "dark": ("#e69f01", "#e29ac4", "#2fc79b", "#f0e442"),
}
"""Scores beside attention: Okabe & Ito's hues, darkened or lightened until they stand out 3 : 1 from either page."""

VEIL: dict[Scheme, str] = {"light": "rgba(73,80,87,0.28)", "dark": "rgba(206,212,218,0.30)"}
"""What chance gives, under the marks."""

DIMMED: dict[Scheme, str] = {"light": "#495057", "dark": "#ced4da"}
"""Second line of a text on the colours of :data:`PALE`."""

FONT = "-apple-system, BlinkMacSystemFont, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif"
"""The page's own fonts, all of them on the reader's machine."""


def type_colour(position: int) -> str:
    """Colour of the cell type at a position in the data set's list; the list is gone round when it is too short."""
    return TYPE_COLOURS[position % len(TYPE_COLOURS)]


def on_page(colour: str, scheme: Scheme) -> str:
    """A cell type's colour as a page shows it; other colours stay as they are."""
    return ON_DARK.get(colour, colour) if scheme == "dark" else colour


def base_layout(scheme: Scheme, **rest: Any) -> dict[str, Any]:
    """Layout of every figure: transparent, so that the page's own colour shows; no outer decoration."""
    colours = SCHEMES[scheme]
    return {
        "template": "none",
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": FONT, "size": 12, "color": colours.text},
        "dragmode": "zoom",
        "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": colours.muted, "activecolor": colours.primary},
        "hoverlabel": {"font": {"family": FONT, "size": 12}},
        **rest,
    }


def axis(scheme: Scheme, title: str, **rest: Any) -> dict[str, Any]:
    """An axis with a title in words, a thin line and no grid."""
    colours = SCHEMES[scheme]
    return {
        "title": {"text": title, "font": {"size": 13}},
        "showgrid": False,
        "zeroline": False,
        "showline": True,
        "linecolor": colours.muted,
        "linewidth": 1,
        "ticks": "",
        "tickfont": {"size": 11, "color": colours.muted},
        **rest,
    }


def graph_config(*, wheel: bool = False, choose: bool = False) -> dict[str, Any]:
    """Configuration of a graph: no logo, nothing that sends the chart to another host, no button for a picture.

    With ``choose`` points can be gone round with a lasso or a box.
    """
    around = [] if choose else ["lasso2d", "select2d"]
    return {
        "displaylogo": False,
        "displayModeBar": "hover",
        "responsive": True,
        "scrollZoom": wheel,
        "doubleClick": "reset",
        "showTips": False,
        "modeBarButtonsToRemove": ["sendChartToCloud", "toImage", *around, "autoScale2d"],
    }


def as_light() -> dict[str, Any]:
    """How colours of the dark page are written for the light one: single ones, and the two scales of scores.

    Colours that both pages show stay as they are.
    """
    dark, light = SCHEMES["dark"], SCHEMES["light"]
    names = ("text", "muted", "line", "band", "primary", "secondary")
    plain = {getattr(dark, name): getattr(light, name) for name in names}
    plain |= {shown: colour for colour, shown in ON_DARK.items()}
    for several in (DIVERGING, PALE, BETWEEN, HUES):
        plain |= zip(several["dark"], several["light"], strict=True)
    for one in (VEIL, DIMMED):
        plain[one["dark"]] = one["light"]
    return {
        "plain": plain,
        "dark": [list(stop) for stop in dark.score_scale],
        "light": [list(stop) for stop in light.score_scale],
    }


def typed_array(values: npt.NDArray[Any]) -> dict[str, str]:
    """An array as plotly's own typed-array specification; a patch would send it as text otherwise."""
    codes = {"float32": "f4", "float64": "f8", "int32": "i4", "uint8": "u1"}
    contiguous = np.ascontiguousarray(values)
    encoded = {
        "dtype": codes[contiguous.dtype.name],
        "bdata": base64.b64encode(contiguous.tobytes()).decode("ascii"),
    }
    if contiguous.ndim > 1:
        encoded["shape"] = ", ".join(str(length) for length in contiguous.shape)
    return encoded
