"""The cell view in a real browser: pick a cell, move both sliders, and compare screen, table, CSV and service."""

from __future__ import annotations

import contextlib
import csv
import io
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from playwright.sync_api import Error, Page, expect

from bi2scope.data.store.reader import StoreReader

if TYPE_CHECKING:
    from conftest import Watched

pytestmark = pytest.mark.browser

DRAWN = "#heatmap .heatmaplayer image"


def shown_links(page: Page) -> int:
    return int(page.inner_text("#n-links").replace(",", ""))


def press(page: Page, slider: str, key: str, times: int) -> None:
    page.get_by_role("slider", name=slider, exact=True).focus()
    for _ in range(times):
        page.keyboard.press(key)


def pick_cell(page: Page, name: str) -> None:
    box = page.get_by_role("combobox", name="Cell (barcode)")
    box = box if box.count() else page.get_by_role("textbox", name="Cell (barcode)")
    box.click()
    box.fill(name[:6])
    page.get_by_role("option", name=name).click()
    expect(page.locator("#cell-title h2")).to_have_text(name)


def table_rows(page: Page) -> list[dict[str, Any]]:
    """Every row that the table holds, seen or not, from the grid itself."""
    rows: list[dict[str, Any]] = page.evaluate(
        """async () => {
            const grid = await dash_ag_grid.getApiAsync("links"), rows = [];
            grid.forEachNode((node) => rows.push(node.data));
            return rows;
        }"""
    )
    return rows


def wait_for_table(page: Page, n_rows: int) -> list[dict[str, Any]]:
    for _ in range(120):
        rows = table_rows(page)
        if len(rows) == n_rows:
            return rows
        page.wait_for_timeout(250)
    raise AssertionError(f"the table has {len(table_rows(page))} rows, the screen says {n_rows}")


def downloaded(page: Page) -> tuple[list[str], list[dict[str, str]]]:
    """Comment lines and rows of the CSV that the button downloads."""
    with page.expect_download() as waiting:
        page.get_by_role("link", name="Download links CSV").click()
    text = waiting.value.path().read_text()
    comments = [line for line in text.splitlines() if line.startswith("#")]
    body = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    return comments, list(csv.DictReader(io.StringIO(body)))


def test_both_sliders_thin_the_links_out_and_table_csv_and_service_agree(watched: Watched, reader: StoreReader) -> None:
    page, cell = watched.page, str(reader.cells.index[7])
    watched.open()
    page.wait_for_selector(DRAWN)
    pick_cell(page, cell)
    before = shown_links(page)
    press(page, "Score threshold", "ArrowRight", 20)
    expect(page.get_by_label("Score threshold, typed")).to_have_value("0.7")
    expect(page.locator("#n-links")).not_to_have_text(f"{before:,}")
    above = shown_links(page)
    press(page, "Peaks per gene, k", "Home", 1)
    press(page, "Peaks per gene, k", "ArrowRight", 1)
    expect(page.get_by_label("Peaks per gene, k, typed")).to_have_value("2")
    expect(page.locator("#n-links")).not_to_have_text(f"{above:,}")
    served = watched.service(f"/cells/{cell}/links", threshold=0.7, top_k=2).json()
    expect(page.locator("#n-links")).to_have_text(f"{served['n_links']:,}")
    assert before > above > served["n_links"] > 0

    rows = wait_for_table(page, served["n_links"])
    comments, file = downloaded(page)
    assert any("threshold: 0.7" in line for line in comments)
    assert f"# page: {page.url}" in comments
    assert len(file) == len(rows)
    for name in ("score", "logit", "weight", "rank", "distance_to_tss", "gene_count", "peak_count"):
        assert [row[name] for row in rows] == served["links"][name]
        assert [row[name] for row in rows] == pytest.approx([float(line[name]) for line in file], rel=1e-6)
    assert [(row["gene_name"], row["peak"]) for row in rows] == [(line["gene_name"], line["peak"]) for line in file]
    assert min(row["score"] for row in rows) > 0.7
    assert max(row["rank"] for row in rows) == 2


@pytest.mark.slow
def test_k_can_be_switched_off_and_what_k_max_cut_is_said(watched: Watched, reader: StoreReader) -> None:
    page, cell = watched.page, str(reader.cells.index[7])
    watched.open(f"?view=cell&cell={cell}&threshold=0.5&k=2")
    page.wait_for_selector(DRAWN)
    limited = shown_links(page)
    page.get_by_role("switch", name="Best k per gene").click()
    expect(page.locator("#n-links")).not_to_have_text(f"{limited:,}")
    served = watched.service(f"/cells/{cell}/links", threshold=0.5).json()
    assert shown_links(page) == served["n_links"] > limited
    assert served["truncated"]
    expect(page.locator("#left-of-cell")).to_contain_text("Cut at k_max")
    expect(page).not_to_have_url(re.compile("[?&]k="))


@pytest.mark.slow
def test_a_typed_threshold_moves_the_slider(watched: Watched) -> None:
    page = watched.page
    watched.open()
    page.wait_for_selector(DRAWN)
    box = page.get_by_label("Score threshold, typed")
    box.fill("0.95")
    box.press("Enter")
    expect(page.get_by_role("slider", name="Score threshold", exact=True)).to_have_attribute("aria-valuenow", "0.95")
    expect(page).to_have_url(re.compile("threshold=0.95"))


def test_the_address_reopens_the_same_view_and_back_goes_back(watched: Watched, reader: StoreReader) -> None:
    page, first = watched.page, str(reader.cells.index[2])
    watched.open(f"?view=cell&cell={first}&threshold=0.8&k=3")
    page.wait_for_selector(DRAWN)
    served = watched.service(f"/cells/{first}/links", threshold=0.8, top_k=3).json()
    expect(page.locator("#n-links")).to_have_text(f"{served['n_links']:,}")
    page.get_by_role("button", name="Next").click()
    expect(page.locator("#cell-title h2")).not_to_have_text(first)
    second = page.inner_text("#cell-title h2")
    expect(page).to_have_url(re.compile(re.escape(f"cell={quote(second)}")))
    assert parse_qs(urlsplit(page.url).query)["k"] == ["3"]
    assert reader.cells.loc[second, "cell_type"] == reader.cells.loc[first, "cell_type"]
    page.go_back()
    expect(page.locator("#cell-title h2")).to_have_text(first)


def test_zooming_refetches_down_to_single_links_and_hovering_names_one(watched: Watched, reader: StoreReader) -> None:
    page, cell = watched.page, str(reader.cells.index[7])
    watched.open(f"?view=cell&cell={cell}&threshold=0.5")
    page.wait_for_selector(DRAWN)
    before = page.inner_text("#heatmap-caption")
    area = page.locator("#heatmap .nsewdrag").first.bounding_box()
    assert area is not None
    page.mouse.move(area["x"] + 3, area["y"] + 3)
    page.mouse.down()
    page.mouse.move(area["x"] + area["width"] * 0.2, area["y"] + area["height"] * 0.25, steps=6)
    page.mouse.up()
    expect(page.locator("#heatmap-caption")).not_to_have_text(before)
    expect(page.locator("#heatmap-caption")).to_contain_text("each dot is one link")
    spot = page.evaluate(
        """() => {
            const plot = document.querySelector("#heatmap .js-plotly-plot"), full = plot._fullLayout;
            const trace = plot._fullData[0], area = plot.querySelector(".nsewdrag").getBoundingClientRect();
            for (let row = 0; row < trace.z.length; row++)
                for (let column = 0; column < trace.z[row].length; column++)
                    if (Number.isFinite(trace.z[row][column])) {
                        const x = full.xaxis.c2p(trace.x0 + column * trace.dx);
                        const y = full.yaxis.c2p(trace.y0 + row * trace.dy);
                        if (x > 5 && y > 5 && x < area.width - 5 && y < area.height - 5)
                            return [area.x + x, area.y + y];
                    }
        }"""
    )
    page.mouse.move(*spot)
    tip = page.locator("#heatmap-tooltip")
    expect(tip).to_contain_text("Distance to TSS")
    words = tip.inner_text()
    table = watched.service(f"/cells/{cell}/links", threshold=0.5).json()["links"]
    pairs = {f"{gene} – {peak}" for gene, peak in zip(table["gene_name"], table["peak"], strict=True)}
    assert words.splitlines()[0] in pairs


@pytest.mark.slow
def test_a_click_in_the_embedding_opens_the_cell(watched: Watched, reader: StoreReader) -> None:
    page = watched.page
    watched.open()
    page.wait_for_selector(DRAWN)
    page.wait_for_selector("#embedding .scatterlayer .point")
    name, x, y = page.evaluate(
        """() => {
            const plot = document.querySelector("#embedding .js-plotly-plot"), full = plot._fullLayout;
            const area = plot.querySelector(".nsewdrag").getBoundingClientRect(), trace = plot._fullData[1];
            const far = [...trace.x.keys()].reduce((best, i) => (trace.x[i] > trace.x[best] ? i : best), 0);
            const at = [full.xaxis.c2p(trace.x[far]), full.yaxis.c2p(trace.y[far])];
            return [trace.customdata[far], area.x + at[0], area.y + at[1]];
        }"""
    )
    page.mouse.move(x, y)
    page.mouse.click(x, y)
    expect(page.locator("#cell-title h2")).to_have_text(name)


@pytest.mark.parametrize("part", ["map", "cell"])
def test_a_stale_answer_never_overwrites_a_newer_one(watched: Watched, reader: StoreReader, part: str) -> None:
    page, first = watched.page, str(reader.cells.index[3])
    watched.open(f"?view=cell&cell={first}&threshold=0.5&k=5")
    page.wait_for_selector(DRAWN)
    held: list[Any] = []

    def delay(route: Any) -> None:
        if not held and "threshold=0.51" in route.request.url:
            held.append(route)  # answered only after the newer one
        else:
            route.continue_()

    page.route(f"**/screen/{part}?*", delay)
    press(page, "Score threshold", "ArrowRight", 1)
    for _ in range(120):
        page.wait_for_timeout(100)
        if held:
            break
    assert held, "the first move asked nothing"
    press(page, "Score threshold", "ArrowRight", 30)
    expect(page.get_by_role("slider", name="Score threshold", exact=True)).to_have_attribute("aria-valuenow", "0.81")
    served = watched.service(f"/cells/{first}/links", threshold=0.81, top_k=5).json()
    expect(page.locator("#n-links")).to_have_text(f"{served['n_links']:,}")
    expect(page.locator("#heatmap-caption")).to_contain_text(f"{served['n_links']:,} link")
    with contextlib.suppress(Error):  # the page may have withdrawn its question by now
        held[0].continue_()
    page.wait_for_timeout(800)
    assert shown_links(page) == served["n_links"]
    expect(page.locator("#heatmap-caption")).to_contain_text(f"{served['n_links']:,} link")


@pytest.mark.slow
def test_an_unknown_cell_is_explained_and_the_page_goes_on(watched: Watched, reader: StoreReader) -> None:
    page = watched.page
    watched.open("?view=cell&cell=nobody&threshold=0.5")
    expect(page.locator("#heatmap-notice")).to_contain_text("nobody")
    pick_cell(page, str(reader.cells.index[0]))
    page.wait_for_selector(DRAWN)
    expect(page.locator("#heatmap-notice")).to_be_empty()


def test_a_row_of_the_table_is_marked_in_the_map_and_shows_all_peaks_of_its_gene(
    watched: Watched, reader: StoreReader
) -> None:
    page, cell = watched.page, str(reader.cells.index[7])
    watched.open(f"?view=cell&cell={cell}&threshold=0.6&k=3")
    page.wait_for_selector(DRAWN)
    page.locator('#links .ag-row[row-index="2"] [col-id="peak"]').click()
    link = watched.service(f"/cells/{cell}/links", threshold=0.6, top_k=3).json()["links"]
    gene, peak = link["gene_name"][2], link["peak"][2]
    whole = watched.service(f"/cells/{cell}/links", gene=gene).json()["links"]
    own = sum(1 for each in whole["gene_id"] if each == link["gene_id"][2])
    expect(page.locator("#row-caption")).to_contain_text(f"{gene} in {cell}: {own:,} peaks")
    expect(page.locator("#row .scatterlayer .point")).to_have_count(own + 1)  # and the ring around the chosen one
    expect(page).to_have_url(re.compile(re.escape(quote(f"{gene}@{peak}", safe=""))))
    expect(page).to_have_url(re.compile("window="))
    marked = """() => {
        const plot = document.querySelector("#heatmap .js-plotly-plot");
        return (plot.layout.shapes || []).some((shape) => shape.name === "chosen");
    }"""
    for _ in range(100):
        if page.evaluate(marked):
            break
        page.wait_for_timeout(100)
    assert page.evaluate(marked)


def test_maps_side_by_side_zoom_together_and_are_in_the_address(watched: Watched, reader: StoreReader) -> None:
    page, (cell, other) = watched.page, (str(reader.cells.index[at]) for at in (7, 12))
    watched.open(f"?view=cell&cell={cell}&threshold=0.6&k=3&beside=cell&other={other}")
    expect(page.locator("#heatmap .heatmaplayer image")).to_have_count(3)
    expect(page.locator("#heatmap .annotation-text").nth(1)).to_contain_text(other)
    served = watched.service(f"/cells/{other}/heatmap", threshold=0.6, top_k=3, beside=cell).json()
    expect(page.locator("#heatmap .annotation-text").nth(1)).to_contain_text(f"{served['n_links']:,} link")
    area = page.locator("#heatmap .nsewdrag").nth(1).bounding_box()
    assert area is not None
    page.mouse.move(area["x"] + 2, area["y"] + 2)
    page.mouse.down()
    page.mouse.move(area["x"] + area["width"] * 0.3, area["y"] + area["height"] * 0.3, steps=5)
    page.mouse.up()
    expect(page).to_have_url(re.compile("window="))
    ranges = page.evaluate(
        """() => {
            const full = document.querySelector("#heatmap .js-plotly-plot")._fullLayout;
            return ["xaxis", "xaxis2", "xaxis3"].map((name) => full[name].range);
        }"""
    )
    assert ranges[0] == ranges[1] == ranges[2]
    page.get_by_text("Four thresholds").click()
    expect(page.locator("#heatmap .heatmaplayer image")).to_have_count(4)
    expect(page).to_have_url(re.compile("beside=thresholds"))
    expect(page).not_to_have_url(re.compile("window="))
    page.get_by_text("Mean of type").click()
    expect(page.locator("#heatmap .annotation-text").nth(1)).to_contain_text("Mean of")


def test_the_map_is_saved_as_numbers_and_as_pictures_that_name_their_page(
    watched: Watched, reader: StoreReader
) -> None:
    page, cell = watched.page, str(reader.cells.index[7])
    watched.open(f"?view=cell&cell={cell}&threshold=0.6&k=3")
    page.wait_for_selector(DRAWN)
    page.wait_for_selector("#cell-title h2")
    files: dict[str, bytes] = {}
    for form in ("CSV", "SVG", "PNG"):
        with page.expect_download() as waiting:
            page.get_by_role("button", name=f"Save the gene peak map as {form}").click()
        assert waiting.value.suggested_filename.endswith(f"_{cell}_gene-peak-map_score-above-0.6_k-3.{form.lower()}")
        files[form] = waiting.value.path().read_bytes()

    served = watched.service(f"/cells/{cell}/heatmap", threshold=0.6, top_k=3, width=640, height=720).json()
    lines = files["CSV"].decode().splitlines()
    assert f"# page: {page.url}" in lines
    rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    assert sum(int(row["n_links"]) for row in rows) == served["n_links"] > 0
    assert [float(row["logit"]) for row in rows] == pytest.approx(served["bins"]["logit"], rel=1e-6)
    assert [row["peak"] for row in rows] == [served["peak_names"][at] for at in served["bins"]["peak"]]

    svg = files["SVG"].decode()
    assert page.url.replace("&", "&amp;") in svg
    assert svg.count("<image") <= 1, "only the colour bar may be a raster: cells of the map are outlines"
    assert 'width="680"' in svg
    assert b"pHYs" + (11811).to_bytes(4, "big") * 2 in files["PNG"]
    assert int.from_bytes(files["PNG"][16:20], "big") == pytest.approx(680 * 300 / 96, abs=1)
    assert page.url.encode() in files["PNG"]
