"""The picture of the map that follows a slider or another cell at once, and plotly.js taking over at rest."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pytest
from playwright.sync_api import Page, expect

from bi2scope.data.store.reader import StoreReader

if TYPE_CHECKING:
    from conftest import Watched

pytestmark = pytest.mark.browser

DRAWN = "#heatmap .heatmaplayer image"
PICTURE = "#heatmap > canvas"

HOLD = """() => {
    const asked = window.dash_clientside.bi2scope, settle = asked.settleMap;
    let go;
    const told = new Promise((resolve) => { go = resolve; });
    asked.settleMap = () => told.then(settle);
    window.settleNow = () => { asked.settleMap = settle; go(); };
}"""
"""plotly.js does not take over before it is told to."""

ONLY_TO_SAVE = """() => {
    const asked = window.dash_clientside.bi2scope, { settleMap, replot } = asked;
    asked.settleMap = () => undefined;
    asked.replot = () => { asked.settleMap = settleMap; return replot(); };
}"""
"""plotly.js takes over for a figure that is saved, and for no pause."""

DOTS = """() => {
    const [trace] = document.querySelector("#heatmap .js-plotly-plot").data;
    return trace.z.reduce((count, row) => count + row.filter(Number.isFinite).length, 0);
}"""

PIXELS = """async (text) => {
    const bytes = Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
    const image = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
    const canvas = Object.assign(document.createElement("canvas"), { width: image.width, height: image.height });
    const pen = canvas.getContext("2d");
    pen.drawImage(image, 0, 0);
    const { data } = pen.getImageData(0, 0, image.width, image.height);
    let raw = "";
    for (let at = 0; at < data.length; at += 32768) raw += String.fromCharCode(...data.subarray(at, at + 32768));
    return [image.height, image.width, btoa(raw)];
}"""


def seen(page: Page) -> npt.NDArray[np.int16]:
    """``(height, width, 3)`` what stands in the plotting area."""
    area = page.locator("#heatmap .nsewdrag").first.bounding_box()
    assert area is not None
    shot = page.screenshot(clip={"x": area["x"], "y": area["y"], "width": area["width"], "height": area["height"]})
    height, width, text = page.evaluate(PIXELS, base64.b64encode(shot).decode())
    return np.frombuffer(base64.b64decode(text), dtype=np.uint8).reshape(height, width, 4)[..., :3].astype(np.int16)


def share_that_differs(one: npt.NDArray[np.int16], other: npt.NDArray[np.int16]) -> float:
    return float((np.abs(one - other).max(axis=2) > 16).mean())


def thin_out(page: Page) -> None:
    page.get_by_role("slider", name="Peaks per gene, k", exact=True).press("Home")


def next_cell(page: Page) -> None:
    page.get_by_role("button", name="Next").click()


@pytest.mark.parametrize("scale", ["linear", "log"])
@pytest.mark.parametrize("move", [thin_out, next_cell])
def test_the_picture_is_what_plotly_draws_after_it(
    watched: Watched, reader: StoreReader, move: Callable[[Page], None], scale: str
) -> None:
    page, cell = watched.page, str(reader.cells.index[7])
    watched.open(f"?view=cell&cell={cell}&threshold=0.5&k=8&scale={scale}")
    page.wait_for_selector(DRAWN)
    expect(page.locator("#links .ag-row").first).to_be_visible()
    before, caption = seen(page), page.locator("#heatmap-caption").inner_text()
    page.evaluate(HOLD)
    move(page)
    expect(page.locator("#heatmap-caption")).not_to_have_text(caption)
    pictured = seen(page)
    expect(page.locator(PICTURE)).to_have_attribute("aria-label", page.locator("#heatmap-caption").inner_text())
    page.evaluate("window.settleNow()")
    expect(page.locator(PICTURE)).to_have_count(0)
    page.wait_for_selector(DRAWN)
    plotted = seen(page)
    height, width = (min(pictured.shape[axis], plotted.shape[axis]) for axis in (0, 1))
    wrong, changed = (share_that_differs(one[:height, :width], plotted[:height, :width]) for one in (pictured, before))
    assert changed > 0.05
    assert wrong < 0.01, "axes of a new cell may lie a pixel or two aside"


def test_a_window_that_moves_leaves_no_picture_behind(watched: Watched, reader: StoreReader) -> None:
    """The picture lies where the dots were; the plot below goes on taking wheel and pointer."""
    page, cell = watched.page, str(reader.cells.index[7])
    watched.open(f"?view=cell&cell={cell}&threshold=0.5&k=8")
    page.wait_for_selector(DRAWN)
    expect(page.locator("#links .ag-row").first).to_be_visible()
    page.evaluate(HOLD)
    thin_out(page)
    expect(page.locator(PICTURE)).to_have_count(1)
    area = page.locator("#heatmap .nsewdrag").first.bounding_box()
    assert area is not None
    page.mouse.move(area["x"] + area["width"] / 2, area["y"] + area["height"] / 2)
    page.mouse.wheel(0, -400)
    expect(page).to_have_url(re.compile("window="))
    expect(page.locator(PICTURE)).to_have_count(0)
    page.evaluate("window.settleNow()")
    expect(page.locator("#heatmap-caption")).to_contain_text("link")
    zoomed = page.evaluate(
        """() => {
            const drawn = document.querySelector("#heatmap .js-plotly-plot").data[0];
            const [bins] = window.dash_clientside.bi2scope.bins.maps;
            return [drawn.x0, drawn.z.length, bins.x0, Math.ceil((bins.gene_stop - bins.gene_start) / bins.dy)];
        }"""
    )
    assert zoomed[:2] == zoomed[2:]


def test_a_figure_is_saved_as_the_picture_shows_it(watched: Watched, reader: StoreReader) -> None:
    page, cell = watched.page, str(reader.cells.index[7])
    watched.open(f"?view=cell&cell={cell}&threshold=0.5&k=8")
    page.wait_for_selector(DRAWN)
    expect(page.locator("#links .ag-row").first).to_be_visible()
    page.evaluate(ONLY_TO_SAVE)
    thin_out(page)
    expect(page.locator(PICTURE)).to_have_count(1)
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save the gene peak map as SVG").click()
    assert "k=1" in saved.value.path().read_text()
    expect(page.locator(PICTURE)).to_have_count(0)
    served = watched.service(f"/cells/{cell}/heatmap", threshold=0.5, top_k=1, width=640, height=720).json()
    assert page.evaluate(DOTS) == len(served["bins"]["row"]) > 0


def test_a_map_that_follows_the_hand_does_not_turn_pale(watched: Watched, reader: StoreReader) -> None:
    """Each answer has its own time until then: between two of them the map is not waited for."""
    page, cell = watched.page, str(reader.cells.index[7])
    watched.open(f"?view=cell&cell={cell}&threshold=0.5&k=8")
    page.wait_for_selector(DRAWN)
    expect(page.locator("#links .ag-row").first).to_be_visible()
    page.evaluate(
        """() => {
            const asked = window.dash_clientside.bi2scope, drawMap = asked.drawMap;
            const thumb = document.querySelector("#top-k [role=slider]");
            const press = () => thumb.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowLeft", bubbles: true }));
            let drawn = 0, waits = 0;
            const tell = () => { document.body.dataset.told = [drawn, waits].join(); };
            asked.drawMap = async (...said) => {
                if ((drawn += 1) < 4) press();  // the next cut is wanted before this answer is drawn
                await drawMap(...said);
                tell();
            };
            document.querySelector("#heatmap").closest(".figure").addEventListener("transitionrun", (event) => {
                waits += event.target === event.currentTarget;
                tell();
            });
            thumb.focus();
            press();
        }"""
    )
    expect(page.locator("body")).to_have_attribute("data-told", re.compile(r"[4-9],[4-9]"))
