"""The keys that the page listens to, as a list to look at; ``assets/keys.js`` acts on them."""

from __future__ import annotations

import dash_mantine_components as dmc
from dash import html

from bi2scope.dashboard import ids
from bi2scope.dashboard.components import Parts

KEYS: tuple[tuple[str, str], ...] = (
    ("n, p", "Next, previous cell of the type"),
    ("1 … 9", "Open the first, second, ... view"),
    ("/", "Go to the search field of the view"),
    ("t, T", "Threshold up, down by 0.01"),
    ("k, K", "k up, down"),
    ("← →", "Move the slider that has the focus"),
    ("r", "Reset: threshold 0.5, k 10"),
    ("u, Ctrl+Z", "Undo; Ctrl+Shift+Z does it again"),
    ("c", "Copy the link to this view"),
    ("d", "Light or dark"),
    ("?", "This list"),
    ("Esc", "Close it"),
)
"""Each key with what it does; none is heard while typing in a field."""


def keys_list() -> dmc.Modal:
    """The list, closed until it is asked for."""
    rows: Parts = [html.Tr([html.Td([html.Kbd(key, className="key")]), html.Td(does)]) for key, does in KEYS]
    return dmc.Modal(
        [
            html.Table(html.Tbody(rows), className="keys"),
            html.P("Keys are not heard while you type in a field.", className="caption"),
        ],
        id=ids.HELP,
        title="Keys",
        opened=False,
        size="auto",
        closeButtonProps={"aria-label": "Close"},
    )
