"""Every view, light and dark, before axe: what a reader with a screen reader, a keyboard or weak eyes meets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from bi2scope.data.store.reader import StoreReader

if TYPE_CHECKING:
    pass

pytestmark = pytest.mark.browser

SCORED = ".js-plotly-plot .scatterlayer .trace"
# The last names of each are what is drawn when the view is ready.
VIEWS = {
    "overview": ("?view=overview", f"#overview-embedding {SCORED}"),
    "cell": ("?view=cell&threshold=0.6&k=5", "#heatmap .heatmaplayer image"),
    "locus": ("?view=locus", f"#locus-figure {SCORED}"),
    "celltype": ("?view=celltype", f"#tracks {SCORED}"),
    "difference": ("?view=celltype&part=difference", "#panel-celltype .js-plotly-plot .trace"),
    "map": ("?view=celltype&part=map", "#panel-celltype .heatmaplayer image"),
    "tf, nothing dropped": ("?view=tf", "#tf-result.no-track .without-track"),
    "tf, matrix": ("?view=tf&tab=matrix", "#tf-matrix-caption p"),
}
DEFAULT = ("overview",)
"""Looked at in every run; the others in that of all tests."""


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    """A page into which axe may be put, past the page's own policy of scripts."""
    context = browser.new_context(viewport={"width": 1360, "height": 950}, bypass_csp=True, base_url=address)
    context.set_default_timeout(60_000)
    yield context.new_page()
    context.close()


def findings(page: Page) -> list[str]:
    """What axe finds that is serious or critical, with the first places of each."""
    found: list[dict[str, Any]] = Axe().run(page).response["violations"]
    return [
        f"{one['impact']} {one['id']}: {node['html'][:160]} — {node['failureSummary'].splitlines()[-1].strip()}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"][:4]
    ]


def both_schemes(page: Page) -> dict[str, list[str]]:
    """Findings on the light and on the dark page, for as far as there are any."""
    found = {}
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        expect(page.locator("html")).to_have_attribute("data-mantine-color-scheme", scheme)
        page.wait_for_timeout(500)  # figures are drawn anew, and pale until then
        expect(page.locator("[data-dash-is-loading=true]")).to_have_count(0)
        page.wait_for_timeout(300)
        found[scheme] = findings(page)
    return {scheme: some for scheme, some in found.items() if some}


@pytest.mark.parametrize(
    "view", [pytest.param(name, marks=[] if name in DEFAULT else pytest.mark.slow) for name in VIEWS]
)
def test_axe_finds_nothing_serious(page: Page, view: str) -> None:
    query, drawn = VIEWS[view]
    page.goto(f"/{query}")
    expect(page.locator(drawn).first).to_be_attached()
    assert both_schemes(page) == {}


@pytest.mark.slow
def test_axe_finds_nothing_serious_beside_a_track(page: Page, reader: StoreReader) -> None:
    rows = reader.peaks.iloc[::3]
    bed = "".join(f"{row.chrom}\t{row.start}\t{row.end}\tx\t{i}\n" for i, row in enumerate(rows.itertuples()))
    page.goto("/?view=tf&threshold=0.6&k=5")
    page.wait_for_selector("#bed input[type=file]", state="attached")
    dropped: Any = {"name": "sites.bed", "mimeType": "text/plain", "buffer": bed.encode()}
    page.set_input_files("#bed input[type=file]", files=dropped)
    expect(page.locator("#tf-words")).to_contain_text("1,000 draws of each null model")
    for tab in ("Tracks", "Scatter", "Measures"):
        page.get_by_role("tab", name=tab, exact=True).click()
        assert both_schemes(page) == {}, tab
