"""The gene / locus view in a real browser."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from playwright.sync_api import expect

from bi2scope.data.store.reader import StoreReader

if TYPE_CHECKING:
    from conftest import Watched

pytestmark = pytest.mark.browser


def test_a_gene_is_found_moved_along_chosen_from_and_reopened(watched: Watched, reader: StoreReader) -> None:
    page, kind = watched.page, reader.cell_types[0]
    watched.open(f"?view=locus&cell_type={quote(kind)}&threshold=0.6&k=5")
    expect(page.locator("#locus-place")).to_have_value(re.compile("chr"))
    expect(page).to_have_url(re.compile("gene="))
    gene = parse_qs(urlsplit(page.url).query)["gene"][0]
    served = watched.service(f"/celltypes/{quote(kind)}/genes/{gene}/peaks", threshold=0.6, top_k=5).json()
    first = page.locator("#locus-table .ag-row[row-index='0']")
    expect(first.locator("[col-id='peak']")).to_have_text(served["pairs"]["peak"][0])
    expect(first.locator("[col-id='n_cells']")).to_have_text(str(served["pairs"]["n_cells"][0]))

    page.locator("#locus-chromosome").click()
    expect(page.locator("#locus-place")).to_have_value(re.compile(r":0-"))
    whole = page.locator("#locus-place").input_value()
    page.locator("#locus-keys").focus()
    page.keyboard.press("+")
    expect(page.locator("#locus-place")).not_to_have_value(whole)
    near = page.locator("#locus-place").input_value()
    expect(page).to_have_url(re.compile(re.escape(f"region={quote(near.replace(',', ''), safe='')}")))
    page.keyboard.press("Control+z")
    expect(page.locator("#locus-place")).to_have_value(whole)
    page.keyboard.press("Control+Shift+Z")
    expect(page.locator("#locus-place")).to_have_value(near)

    first.click()
    peak, cell = served["pairs"]["peak"][0], served["pairs"]["best_cell"][0]
    why = watched.service(f"/cells/{cell}/why", gene=gene, peak=peak)  # a store without factors cannot tell
    said = f"Why {served['gene']} – {peak}" if why.is_success else why.json()["error"]["message"]
    expect(page.get_by_role("region", name="Why this link")).to_contain_text(said)
    with page.expect_download() as waiting:
        page.locator("#locus-files").get_by_role("link", name="CSV").click()
    lines = [line for line in waiting.value.path().read_text().splitlines() if not line.startswith("#")]
    assert len(lines) - 1 == served["n_pairs"]

    watched.page.goto(page.url)
    expect(page.locator("#locus-place")).to_have_value(near)
