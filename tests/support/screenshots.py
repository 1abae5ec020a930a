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
from tests.support import chaos, engines
from tests.support.server import Server
from tests.support.wait import until

SIZES = ((390, 844), (1280, 800), (1920, 1080))
PAGES = {
    "jobs": "/", "new-job": "/jobs/new?family=sd15", "job": "/jobs/2", "failed": "/jobs/3",
    "engines": "/engines", "system": "/system", "stop": "/jobs/2/stop", "other-engine": "/jobs/1/for/kohya_ss",
}  # fmt: skip


def prepare(folder: Path) -> Server:
    """A server with a finished, a running and a failed job."""
    server = Server(folder, {**engines.make(folder / "engines"), "STANDIN_SECONDS": "0.15"})
    server.start()
    document = {**chaos.document(folder), "trigger_word": "ohwx dog", "engine": "ai-toolkit"}
    wanted = (
        {"name": "ohwx-dog", "length": {"steps": 20}},
        {"name": "ohwx-dog-rank-8", "length": {"steps": 2000}, "saving": {"every_steps": 25}},
    )
    for changes in wanted:
        server.post("/api/v1/jobs", {**document, **changes})
    server.wait_for(1, "succeeded")
    until(lambda: server.job(2)["step"] > 60, 60, "the second job is on its way")
    held = {**document, "name": "paper-cut-style", "engine": "kohya_ss"}
    server.post("/api/v1/jobs?hold=1", held)
    return server


def fill(page: Page, server: Server) -> None:
    """The New job page as it looks when it is filled in."""
    page.goto(f"{server.url}{PAGES['new-job']}")
    page.fill("#name", "ohwx-dog")
    page.fill("#trigger_word", "ohwx dog")
    page.fill("[name='datasets.0.path']", str(server.data.parent / "pictures"))
    page.select_option("#engine", "kohya_ss")
    page.wait_for_selector("#job-preview h3")
    page.wait_for_timeout(700)


def draw(server: Server, chromium: str, out: Path) -> None:
    """Every page, size and theme; and the two of the README."""
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
                for name, address in PAGES.items():
                    fill(page, server) if name == "new-job" else page.goto(server.url + address)
                    page.screenshot(path=out / f"{name}-{width}-{theme}.png", full_page=True)
                    if (width, theme) == (1280, "light") and name in ("job", "new-job"):
                        page.screenshot(path=own / f"{name}.png")
                context.close()
        browser.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "test-results" / "screenshots")
    parser.add_argument("--chromium", default=shutil.which("chromium") or "chromium")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="shots-") as name:
        server = prepare(Path(name))
        try:
            draw(server, options.chromium, options.out)
            server.post("/api/v1/jobs/2/stop")
            server.wait_for(2, "cancelled")
        finally:
            server.kill()
    print(f"Pages are in {options.out}, the README's in docs/screenshots.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
