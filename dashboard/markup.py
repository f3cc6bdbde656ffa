"""HTML of a tree of ``dash.html`` components, for parts of the page that change often and that no callback listens to.

Dash keeps each of its components in its state and looks at all of them on every change: of a part with a hundred
components a slider's move would cost half a second. As text the part costs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
from typing import Any, Final

from dash.development.base_component import Component

NAMESPACE: Final = "dash_html_components"
RENAMED: Final = {"className": "class", "tabIndex": "tabindex"}


def markup(tree: Any) -> str:
    """HTML of components, text, numbers and lists of them; all text is escaped.

    Raises
    ------
    TypeError
        If a component is not of ``dash.html``: only the browser knows what others become.
    """
    if tree is None:
        return ""
    if isinstance(tree, (list, tuple)):
        return "".join(map(markup, tree))
    if not isinstance(tree, Component):
        return escape(str(tree))
    known: dict[str, Any] = tree.to_plotly_json()  # type: ignore[no-untyped-call]
    if known["namespace"] != NAMESPACE:
        raise TypeError(f"{known['namespace']}.{known['type']} has no HTML of its own; use components of dash.html")
    name, given = known["type"].lower(), dict(known["props"])
    inside = markup(given.pop("children", None))
    return f"<{name}{''.join(attributes(given))}>{inside}</{name}>"


def attributes(given: dict[str, Any]) -> Iterator[str]:
    """Attributes as HTML has them, each after a space."""
    for name, value in given.items():
        if value is None or value is False:
            continue
        if name == "style":
            value = "; ".join(f"{hyphened(part)}: {size}" for part, size in value.items())
        yield f' {RENAMED.get(name, name)}="{escape(str(value))}"'


def hyphened(name: str) -> str:
    """Name of a style in CSS: ``marginTop`` is ``margin-top``."""
    return re.sub("[A-Z]", lambda letter: "-" + letter[0].lower(), name)
