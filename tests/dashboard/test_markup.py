"""HTML of component trees."""

from __future__ import annotations

from html.parser import HTMLParser

import dash_mantine_components as dmc
import pytest
from dash import html
from hypothesis import given
from hypothesis import strategies as st

from bi2scope.dashboard.components import aria
from bi2scope.dashboard.markup import markup


class Read(HTMLParser):
    """Tags with their attributes, and text, as a browser reads them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.said = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.said += data


def test_attributes_are_those_that_the_browser_would_be_given() -> None:
    tree = html.Div(
        [html.B("1,234", id="n"), None, " and ", 5],
        className="number big",
        style={"height": "25%", "marginTop": 4},
        tabIndex=0,
        title=None,
        hidden=False,
        **aria(label="How many"),
    )
    assert markup(tree) == (
        '<div class="number big" style="height: 25%; margin-top: 4" tabindex="0" aria-label="How many">'
        '<b id="n">1,234</b> and 5</div>'
    )


@given(st.text(), st.text())
def test_no_text_becomes_a_tag(inside: str, title: str) -> None:
    read = Read(markup(html.Span(inside, title=title)))
    assert [tag for tag, _ in read.tags] == ["span"]
    assert read.said == inside
    assert read.tags[0][1]["title"] == title


def test_what_has_no_html_of_its_own_is_refused() -> None:
    with pytest.raises(TypeError, match="Badge"):
        markup([html.P("before"), dmc.Badge("B cells")])
