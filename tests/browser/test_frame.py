"""The frame around the views in a real browser: consequences, address, history, keys, a service that goes away."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

from bi2scope.data.store.reader import StoreReader

if TYPE_CHECKING:
    from conftest import Watched

pytestmark = pytest.mark.browser

READY = "#left-of-cell dl"


def asked(url: str, name: str) -> list[str]:
    return parse_qs(urlsplit(url).query).get(name, [])


def test_keys_move_the_cut_undo_takes_it_back_and_the_list_names_them(watched: Watched, reader: StoreReader) -> None:
    page, cell = watched.page, str(reader.cells.index[2])
    watched.open(f"?view=cell&cell={cell}&threshold=0.7&k=3")
    page.wait_for_selector(READY)
    before = watched.service(f"/cells/{cell}/profile", threshold=0.7, top_k=3).json()
    links = page.locator("#left-of-cell dd").first
    expect(links).to_have_text(f"{before['n_links']:,}")
    page.locator("#content").focus()
    page.keyboard.press("t")
    expect(page).to_have_url(re.compile("threshold=0.71"))
    after = watched.service(f"/cells/{cell}/profile", threshold=0.71, top_k=3).json()
    expect(links).to_have_text(f"{after['n_links']:,}")
    page.keyboard.press("Control+z")
    expect(page).to_have_url(re.compile("threshold=0.7&"))
    expect(page.get_by_label("Score threshold, typed")).to_have_value("0.7")
    expect(links).to_have_text(f"{before['n_links']:,}")

    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Ctrl+Z")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("4")
    expect(page.locator("#panel-celltype")).to_be_visible()
    box = page.get_by_label("Score threshold, typed")
    box.focus()
    box.press("1")
    expect(page.locator("#panel-celltype")).to_be_visible()


def test_an_address_that_cannot_be_had_says_so(watched: Watched, reader: StoreReader) -> None:
    page = watched.page
    watched.open("?view=celltype&cell_type=B+cel&threshold=2&k=4")
    notes = page.locator(".address-notes")
    expect(notes).to_contain_text("threshold is “2”")
    expect(notes).to_contain_text("Nearest: B cell")
    assert asked(page.url, "view") == ["celltype"]


def test_a_service_that_goes_away_is_told_and_found_again(watched: Watched, reader: StoreReader) -> None:
    page, cell = watched.page, str(reader.cells.index[2])
    watched.open(f"?view=cell&cell={cell}&threshold=0.7&k=3")
    page.wait_for_selector(READY)
    away: list[Any] = []

    def refuse(route: Any) -> None:
        away.append(route.request.url)
        route.abort("connectionrefused")

    page.route("**/_dash-update-component*", refuse)
    page.route("**/api/v1/health", refuse)
    page.locator("#content").focus()
    page.keyboard.press("t")
    expect(page.locator("#connection")).to_contain_text("does not answer")
    assert away
    page.unroute_all(behavior="wait")
    expect(page.locator("#connection")).to_be_hidden()
    after = watched.service(f"/cells/{cell}/profile", threshold=0.71, top_k=3).json()
    expect(page.locator("#left-of-cell dd").first).to_have_text(f"{after['n_links']:,}")
    watched.complaints[:] = [one for one in watched.complaints if "REFUSED" not in one and "Callback" not in one]
