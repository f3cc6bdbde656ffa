"""The first view: a map before Dash and plotly.js are there, in the place where plotly.js draws it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from playwright.sync_api import Route, expect

if TYPE_CHECKING:
    from conftest import Watched

DRAWN = "#heatmap .heatmaplayer image"
PLACES = """() => {
    const plot = document.querySelector("#heatmap .js-plotly-plot"), size = plot._fullLayout._size;
    const bar = plot.querySelector(".cbfills rect").getBoundingClientRect(), from = plot.getBoundingClientRect();
    return {size: [size.l, size.t, size.w, size.h], bar: [bar.x - from.x, bar.y - from.y, bar.height]};
}"""
OF_SKETCH = """() => {
    const asked = window.dash_clientside.bi2scope, plot = document.querySelector("#heatmap .js-plotly-plot");
    const pen = document.createElement("canvas").getContext("2d");
    const { area, bar } = asked.places(pen, plot.getBoundingClientRect(), { data: plot.data, layout: plot.layout });
    return {size: [area.x, area.y, area.width, area.height], bar: [bar.x, bar.y, bar.bottom - bar.y]};
}"""


class Held:
    """Requests that are answered when the test says so."""

    def __init__(self, watched: Watched, pattern: str) -> None:
        self.routes: list[Route] = []
        self.held = True
        watched.page.route(pattern, lambda route: self.asked(route))

    def asked(self, route: Route) -> None:
        if self.held:
            self.routes.append(route)
        else:
            route.continue_()

    def release(self) -> None:
        self.held = False
        for route in self.routes:
            route.continue_()


def test_the_map_stands_before_dash_and_takes_moves_before_plotly(watched: Watched) -> None:
    page = watched.page
    renderer, plotly = Held(watched, "**/dash_renderer*"), Held(watched, "**/plotly.*js")
    page.goto(f"{watched.address}/?view=cell&threshold=0.6&k=5", wait_until="commit")  # it is loaded once all came
    first = page.locator("#first-map canvas")
    expect(first).to_have_attribute("aria-label", caption_of_first(watched))
    before = first.bounding_box()
    assert page.locator("#react-entry-point #page").count() == 0
    renderer.release()
    own = page.locator("#heatmap > canvas")
    expect(own).to_be_visible()
    expect(page.locator("#first")).to_have_count(0)
    after = own.bounding_box()
    assert before is not None
    assert after is not None
    np.testing.assert_allclose([*after.values()], [*before.values()], atol=2)
    assert page.evaluate("window.dash_clientside.bi2scope.hasPlotly()") is False
    links = page.locator("#n-links").inner_text()
    for _ in range(5):
        page.get_by_role("slider", name="Score threshold", exact=True).press("ArrowRight")
    expect(page.locator("#n-links")).not_to_have_text(links)
    caption = page.locator("#heatmap-caption").inner_text()
    assert own.get_attribute("aria-label") == caption
    plotly.release()
    page.wait_for_selector(DRAWN, state="attached")
    expect(own).to_have_count(0)
    expect(page.locator("#heatmap-caption")).to_have_text(caption)
    expect(page.locator("#links .ag-center-cols-container")).to_be_attached()


def caption_of_first(watched: Watched) -> str:
    """The caption of the first map, as the page's own question has it."""
    answer = watched.page.request.get(f"{watched.address}/screen/first?view=cell&threshold=0.6&k=5").json()
    return str(answer["caption"])


@pytest.mark.parametrize("colour", ["score", "logit"])
def test_plotly_draws_where_the_picture_was(watched: Watched, colour: str) -> None:
    watched.open(f"?view=cell&threshold=0.6&k=5&colour={colour}")
    watched.page.wait_for_selector(DRAWN, state="attached")
    drawn, sketched = watched.page.evaluate(PLACES), watched.page.evaluate(OF_SKETCH)
    for name, places in drawn.items():
        np.testing.assert_allclose(sketched[name], places, atol=2.5, err_msg=name)


def test_a_figure_can_be_saved_before_plotly_is_there(watched: Watched) -> None:
    page = watched.page
    plotly = Held(watched, "**/plotly.*js")
    watched.open("?view=cell&threshold=0.6&k=5")
    page.wait_for_selector("#heatmap > canvas")
    expect(page.locator("#first")).to_have_count(0)
    with page.expect_download() as saved:
        page.get_by_role("button", name="Save the gene peak map as CSV").click()
        plotly.release()
    assert saved.value.suggested_filename.endswith(".csv")


def test_plotly_runs_once_on_any_view(watched: Watched) -> None:
    """Dash's own graphs take the one that the page loads."""
    page = watched.page
    page.add_init_script(
        "window.runs = 0; document.addEventListener('load', (e) => e.target.src?.includes('plotly') && runs++, true);"
    )
    for query, figure in (("?view=cell", "#embedding .main-svg"), ("?view=overview", "#overview-embedding .main-svg")):
        watched.open(query)
        page.locator(figure).first.wait_for(state="attached")
        assert page.evaluate("window.runs") == 1
