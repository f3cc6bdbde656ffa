"""The cell-type view and the overview in a real browser."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from playwright.sync_api import expect

from bi2scope.data.store.reader import StoreReader

if TYPE_CHECKING:
    from conftest import Watched

pytestmark = pytest.mark.browser

LASSO = [(0.01, 0.01), (0.5, 0.01), (0.5, 0.99), (0.01, 0.99), (0.01, 0.02)]
"""The left half of a figure."""


@pytest.mark.slow
def test_tracks_table_and_download_follow_definition_and_threshold(watched: Watched, reader: StoreReader) -> None:
    page, kind = watched.page, reader.cell_types[0]
    watched.open(f"?view=celltype&cell_type={quote(kind)}&quantity=score&threshold=0.6&k=5")
    page.wait_for_selector("#tracks .scatterlayer .trace")
    path = f"/celltypes/{quote(kind, safe='')}/scores"
    served = watched.service(path, threshold=0.6, top_k=5).json()
    first = page.locator("#peaks .ag-row[row-index='0']")
    expect(first.locator("[col-id='score']")).to_have_text(f"{max(served['score']):.3f}")

    page.get_by_role("radio", name="Links").locator("xpath=following-sibling::label").first.click()
    expect(page.locator("#tracks .ytitle")).to_have_text("Sum of links")
    expect(first.locator("[col-id='links']")).to_have_text(f"{max(served['links']):,.0f}")

    page.get_by_role("slider", name="Score threshold", exact=True).focus()
    for _ in range(30):
        page.keyboard.press("ArrowRight")
    served = watched.service(path, threshold=0.9, top_k=5).json()
    expect(first.locator("[col-id='links']")).to_have_text(f"{max(served['links']):,.0f}")
    with page.expect_download() as waiting:
        page.get_by_role("link", name=f"Download {kind} CSV").click()
    lines = [line for line in waiting.value.path().read_text().splitlines() if not line.startswith("#")]
    assert len(lines) - 1 == len(served["peak"])
    at = lines[0].split(",").index("links")
    assert [float(line.split(",")[at]) for line in lines[1:]] == served["links"]

    page.get_by_role("radio", name="Panel each").locator("xpath=following-sibling::label").first.click()
    expect(page.locator("#tracks .infolayer .annotation")).to_have_count(reader.peaks["chrom"].nunique())
    expect(page).to_have_url(re.compile("panels=each"))


def test_parts_have_addresses_and_a_click_opens_the_place(watched: Watched, reader: StoreReader) -> None:
    page, (kind, other) = watched.page, reader.cell_types[:2]
    watched.open(f"?view=celltype&part=difference&cell_type={quote(kind)}&against={quote(other)}&threshold=0.5&k=5")
    first = page.locator("#difference-table .ag-row[row-index='0']")
    path = f"/celltypes/{quote(kind, safe='')}"
    rows = watched.service(f"{path}/difference/peaks", threshold=0.5, top_k=5, against=other, limit=1).json()["rows"]
    expect(first.locator("[col-id='key']")).to_have_text(rows["peak"][0])
    expect(first.locator("[col-id='effect']")).to_have_text(f"{rows['effect'][0]:.3f}")
    page.wait_for_selector("#volcano .scatterlayer .point")
    page.get_by_role("tab", name="Regulatory map").click()
    pair = watched.service(f"{path}/strongest", region=str(reader.peaks["chrom"].iloc[0]), limit=1).json()["pairs"]
    first = page.locator("#pairs-table .ag-row[row-index='0']")
    expect(first.locator("[col-id='peak']")).to_have_text(pair["peak"][0])
    expect(page).to_have_url(re.compile("part=map&cell_type=.*&chromosome="))
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("#difference-table")).to_be_visible()
    page.get_by_role("tab", name="Regulatory map").click()
    first.locator("[col-id='peak']").click()
    expect(page.locator("#panel-locus")).to_be_visible()
    expect(page.locator("#locus-title")).to_contain_text(pair["gene_name"][0])
    expect(page).to_have_url(re.compile("view=locus"))


def test_a_lasso_round_cells_says_what_they_are(watched: Watched, reader: StoreReader) -> None:
    page = watched.page
    gene = str(reader.genes.index[0])
    watched.open(f"?view=overview&by=gene:{gene}")
    page.wait_for_selector("#overview-embedding .cbtitle text")
    plot = page.locator("#overview-embedding .nsewdrag").first.bounding_box()
    assert plot is not None
    at = [(plot["x"] + x * plot["width"], plot["y"] + y * plot["height"]) for x, y in LASSO]
    page.mouse.move(*at[0])
    page.mouse.down()
    for place in at[1:]:
        page.mouse.move(*place, steps=4)
    page.mouse.up()
    expect(page.locator("#chosen")).to_contain_text(f"of {len(reader.cells)} cells chosen")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="Barcodes CSV").click()
    lines = [line for line in waiting.value.path().read_text().splitlines() if not line.startswith("#")]
    chosen = [line.split(",")[0] for line in lines[1:]]
    assert 3 <= len(chosen) <= len(reader.cells) - 3
    expect(page.locator("#chosen")).to_contain_text(f"{len(chosen)} of {len(reader.cells)} cells chosen")
    expect(page).to_have_url(re.compile("lasso="))
    watched.page.reload()
    expect(page.locator("#chosen")).to_contain_text(f"{len(chosen)} of {len(reader.cells)} cells chosen")
    page.get_by_role("button", name="Open the first cell").click()
    expect(page).to_have_url(re.compile(f"view=cell&cell={chosen[0]}"))
    page.get_by_role("button", name="Undo").click()
    expect(page).to_have_url(re.compile(f"view=overview.*by=gene%3A{gene}.*lasso="))


def test_the_other_views_open_from_their_tabs(watched: Watched) -> None:
    page = watched.page
    watched.open("?view=overview")
    expect(page.get_by_role("heading", name="What you see")).to_be_visible()
    page.wait_for_selector("#overview-embedding .scatterlayer .point")
    page.get_by_role("tab", name="Cell type").click()
    page.wait_for_selector("#tracks .scatterlayer .trace")
    assert "view=celltype" in page.url
    page.get_by_role("tab", name="Cell", exact=True).click()
    page.wait_for_selector("#heatmap .heatmaplayer image")
    expect(page.get_by_role("heading", name="What you see")).to_be_hidden()


@pytest.mark.slow
def test_the_dark_page_redraws_its_figures(watched: Watched) -> None:
    page = watched.page
    watched.open("?view=celltype")
    page.wait_for_selector("#tracks .scatterlayer .trace")
    page.emulate_media(color_scheme="light")
    light = page.evaluate("document.querySelector('#tracks .js-plotly-plot')._fullLayout.font.color")
    page.get_by_role("button", name="Light or dark").click()
    page.wait_for_function(
        "was => document.querySelector('#tracks .js-plotly-plot')._fullLayout.font.color !== was", arg=light
    )
