"""Make the pictures of the documentation: every view of a store, in a real browser, light and dark, wide and narrow.

    python scripts/screenshots.py build/demo/store.h5 docs/images --tracks build/tracks

Needs the ``dev`` extra and a Chromium on the path.
"""

from __future__ import annotations

import argparse
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from PIL import Image
from playwright.sync_api import Browser, sync_playwright

WIDE, NARROW = (1920, 1080), (1024, 800)
VIEWS = ("overview", "cell", "locus", "celltype", "tf")


@contextmanager
def served(store: Path, tracks: Path | None) -> Iterator[str]:
    """Serve a store; yields the address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "bi2scope", "serve", str(store), "--port", str(port), "--no-open"]
    process = subprocess.Popen([*command, *(["--tracks", str(tracks)] if tracks else [])])
    try:
        for _ in range(300):
            try:
                with urlopen(f"http://127.0.0.1:{port}/api/v1/health", timeout=2):
                    break
            except (URLError, ConnectionError):
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def picture(browser: Browser, address: str, size: tuple[int, int], scheme: str, out: Path) -> None:
    """One screenshot, in 256 colours to be small."""
    page = browser.new_page(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)  # type: ignore[arg-type]
    page.goto(address)
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(5000)  # figures are drawn after the last answer; a first one waits for compiled code
    shot = Image.open(BytesIO(page.screenshot()))
    page.close()
    shot.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(out, optimize=True)


def main() -> None:
    """Make all pictures, or those of some views."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--tracks", type=Path, help="folder with BED files of TF binding")
    parser.add_argument("--view", action="append", default=[], metavar="NAME=QUERY", help="instead of every view")
    given = parser.parse_args()
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        parser.error("no Chromium on the path")
    views = dict(view.split("=", 1) for view in given.view) or {
        name: f"view={name}&threshold=0.5&k=10" for name in VIEWS
    }
    given.out.mkdir(parents=True, exist_ok=True)
    with served(given.store, given.tracks) as address, sync_playwright() as running:
        browser = running.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for name, query in views.items():
            for scheme in ("light", "dark"):
                for size, suffix in ((WIDE, ""), (NARROW, "-narrow")):
                    out = given.out / f"{name}{'-dark' if scheme == 'dark' else ''}{suffix}.png"
                    picture(browser, f"{address}/?{query}", size, scheme, out)
        browser.close()


if __name__ == "__main__":
    main()
