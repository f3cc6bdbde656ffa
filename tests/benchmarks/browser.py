"""How long a reader waits for the screen: a slider's move, another cell, the first view, in a real headless Chromium.

Service, dashboard and browser share the processors. The store is that of the ``service`` benchmark, 48 cells of PBMC
size; ``BI2SCOPE_BROWSER_STORE`` names another. A wait begins with the key or click in the page and ends when the map
is drawn anew and two frames have passed; what of it lies between the question for the map and the last byte of
its answer is told apart (``answer``): service, dashboard, and the way between; and until when plotly.js has drawn it,
too, which it does once nothing has moved for 260 ms (``plot``). Medians and 95th percentiles; ratios are those over
what was asked for: 300 ms, of which 150 for the answer, 500 ms, 2.5 s.

Of the first view three times are told, from the navigation: ``first_view`` until the map is drawn, ``first_move`` until
it is drawn anew after a key that was pressed as soon as there was a slider, ``first_plot`` until plotly.js has taken it
over, which zooming and pointing need.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import numpy as np
from playwright.sync_api import Browser, Page, Request, sync_playwright

SLIDES, CELLS, FIRST_VIEWS = 30, 15, 5
ASKED_MS = {"slide": 300, "slide_answer": 150, "cell": 500, "first_view": 2_500}
DRAWN = "#heatmap .heatmaplayer image"
SKETCHED = "canvas.sketch, #heatmap .heatmaplayer image"

WATCH = """() => {
    const box = document.querySelector("#heatmap"), plot = box.querySelector(".js-plotly-plot");
    window.waits = [];
    let begun = null, shown = null;
    const begin = () => { begun = performance.now(); shown = null; };
    document.addEventListener("keydown", begin, true);
    document.addEventListener("click", begin, true);
    const seen = () => {
        if (begun === null || shown !== null) return;
        shown = 0;
        const from = begun;
        requestAnimationFrame(() => requestAnimationFrame(() => { shown = performance.now() - from; }));
    };
    new MutationObserver(() => box.querySelector(":scope > canvas") && seen()).observe(box, { childList: true });
    plot.on("plotly_afterplot", () => {
        if (begun === null) return;
        seen();
        const from = begun;
        begun = null;
        requestAnimationFrame(() => requestAnimationFrame(() => window.waits.push([shown, performance.now() - from])));
    });
}"""
"""Notes two waits for each key or click: until the map is shown, and until plotly.js has drawn it.

To the second frame after: by then it is on the screen.
"""

MOVED = """first => {
    const said = document.querySelector("#heatmap-caption");
    return Boolean(said && said.textContent && said.textContent !== first);
}"""
"""Whether the map that stands is another than the one with this caption."""


def main() -> tuple[dict[str, float], dict[str, float]]:
    with tempfile.TemporaryDirectory() as folder:
        given = os.environ.get("BI2SCOPE_BROWSER_STORE")
        path = Path(given) if given else neighbour("service").write_store(Path(folder) / "store.h5")
        with serving(path) as address, sync_playwright() as running:
            browser = running.chromium.launch(
                executable_path=os.environ.get("BI2SCOPE_CHROMIUM") or shutil.which("chromium"),
                args=["--no-sandbox", "--disable-gpu"],
            )
            waits = first_views(browser, address) | moves(browser, address)
            browser.close()
    figures = {
        f"{key}_p{percent}_ms": float(np.percentile(values, percent))
        for key, values in waits.items()
        for percent in (50, 95)
    }
    return {f"{key}_p95_over_asked": figures[f"{key}_p95_ms"] / most for key, most in ASKED_MS.items()}, {
        **figures,
        "load_after": os.getloadavg()[0],
    }


def neighbour(name: str) -> ModuleType:
    """Another benchmark of this folder."""
    specification = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@contextmanager
def serving(path: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "bi2scope", "serve", str(path), "--port", str(port), "--no-open"]
    process = subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, stdout=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        while not answers(f"{address}/api/v1/health"):
            assert process.poll() is None, "the service did not start"
            time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait()


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def first_views(browser: Browser, address: str) -> dict[str, list[float]]:
    """From an empty cache, and from that of the load before; the service has been asked once before."""
    waits: dict[str, list[float]] = {}
    for run in range(FIRST_VIEWS + 1):
        context = browser.new_context(viewport={"width": 1920, "height": 1080})
        for cache in ("first", "again"):
            page = context.new_page()
            for key, took in first_view(page, address).items():
                waits.setdefault(f"{cache}_{key}", []).extend([took] if run else [])
            page.close()
        context.close()
    return waits


def first_view(page: Page, address: str) -> dict[str, float]:
    """Milliseconds to the drawn map, to the map after a first key, and to that of plotly.js."""
    page.set_default_timeout(120_000)
    began = time.perf_counter()
    page.goto(address, wait_until="commit")
    map_ = page.wait_for_selector(SKETCHED, state="attached")
    took = {"view": time.perf_counter() - began}
    assert map_ is not None
    caption = map_.get_attribute("aria-label")
    page.get_by_role("slider", name="Score threshold", exact=True).press("ArrowRight")
    page.wait_for_function(MOVED, arg=caption)
    took["move"] = time.perf_counter() - began
    page.wait_for_selector(DRAWN, state="attached")
    took["plot"] = time.perf_counter() - began
    return {key: seconds * 1e3 for key, seconds in took.items()}


def moves(browser: Browser, address: str) -> dict[str, list[float]]:
    """One step of the threshold after the other, then one cell after the other, each once the last has come to rest."""
    page = browser.new_page(viewport={"width": 1920, "height": 1080})
    page.set_default_timeout(120_000)
    answered: list[float] = []
    page.on("requestfinished", lambda request: answered.extend(time_of_map(request)))
    page.goto(f"{address}/?view=cell&threshold=0.5&k=10")
    page.wait_for_selector(DRAWN, state="attached")
    settle(page)
    page.evaluate(WATCH)
    page.get_by_role("slider", name="Score threshold", exact=True).focus()
    answered.clear()
    slides = [wait_of(page, lambda: page.keyboard.press("ArrowRight")) for _ in range(SLIDES)]
    slide_answers = list(answered)
    answered.clear()
    further = page.locator("#next-cell")
    cells = [wait_of(page, further.click) for _ in range(CELLS)]
    return {
        "slide": [shown for shown, _ in slides],
        "slide_answer": slide_answers,
        "slide_plot": [plot for _, plot in slides],
        "cell": [shown for shown, _ in cells],
        "cell_answer": list(answered),
        "cell_plot": [plot for _, plot in cells],
    }


def time_of_map(request: Request) -> list[float]:
    """Milliseconds from the question for a map to the end of its answer; none for other questions."""
    if "/screen/map?" not in request.url:
        return []
    return [request.timing["responseEnd"] - request.timing["requestStart"]]


def wait_of(page: Page, move: object) -> tuple[float, float]:
    """The waits after one move, for the map and for that of plotly.js, and then until nothing is under way."""
    before = page.evaluate("() => window.waits.length")
    assert callable(move)
    move()
    while page.evaluate("() => window.waits.length") == before:
        page.wait_for_timeout(5)
    shown, plot = page.evaluate("() => window.waits.at(-1)")
    settle(page)
    return float(shown), float(plot)


def settle(page: Page) -> None:
    """Wait until no part of the page is being fetched."""
    page.wait_for_timeout(400)
    while page.locator("[data-dash-is-loading=true]").count():
        page.wait_for_timeout(50)
    page.wait_for_timeout(100)
