"""Draws the pictures of the README from the real program with a stand-in engine.

``scripts/screenshots.sh``: every page at 390, 1280 and 1920 px in both themes into a folder,
and the README's own into docs/screenshots.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from app.settings import ROOT
from tests.support import showcase
from tests.support.server import Server

SIZES = ((390, 844), (1280, 800), (1920, 1080))
OWN = ("job", "new-job", "datasets")


def fill(page: Page, server: Server) -> None:
    """The New job page as it looks when it is filled in."""
    page.goto(f"{server.url}{showcase.PAGES['new-job']}")
    page.fill("#name", "ohwx-dog")
    page.fill("#trigger_word", "ohwx dog")
    page.fill("[name='datasets.0.path']", str(server.data / "datasets" / "dogs"))
    page.select_option("#engine", "kohya_ss")
    page.wait_for_selector("#job-preview h3")
    page.wait_for_timeout(700)


def draw(server: Server, chromium: str, out: Path, only: set[str]) -> None:
    """Every page, size and theme; and those of the README."""
    own = ROOT / "docs" / "screenshots"
    own.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        words = ["--no-sandbox", "--disable-dev-shm-usage"]
        browser = playwright.chromium.launch(executable_path=chromium, args=words)
        for width, height in SIZES:
            for theme in ("light", "dark"):
                context = browser.new_context(
                    viewport={"width": width, "height": height},
                    color_scheme=theme,
                    reduced_motion="reduce",
                )
                page = context.new_page()
                for name, address in showcase.PAGES.items():
                    if only and name not in only:
                        continue
                    fill(page, server) if name == "new-job" else page.goto(server.url + address)
                    page.wait_for_timeout(250)
                    page.screenshot(path=out / f"{name}-{width}-{theme}.png", full_page=True)
                    if (width, theme) == (1280, "light") and name in OWN:
                        page.screenshot(path=own / f"{name}.png")
                context.close()
        browser.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "test-results" / "screenshots")
    parser.add_argument("--chromium", default=shutil.which("chromium") or "chromium")
    parser.add_argument("--only", nargs="*", default=[], choices=list(showcase.PAGES))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="shots-") as name:
        server = showcase.prepare(Path(name))
        try:
            draw(server, options.chromium, options.out, set(options.only))
        finally:
            showcase.end(server)
    print(f"Pages are in {options.out}, the README's in docs/screenshots.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
