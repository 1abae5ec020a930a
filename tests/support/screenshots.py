"""Draws every page of the real program, at three widths and in both themes, for the docs.

``scripts/screenshots.sh`` writes them into docs/screenshots, small, with an index. The trainer, the
card, the Hub and Vast's API behind them are stand-ins, and the pictures on them are drawn by scenery.py.
"""

from __future__ import annotations

import argparse
import io
import itertools
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page

from app.settings import ROOT
from tests.support import chromium, contact_sheet, hub_files, showcase
from tests.support.server import Server
from tests.support.vast import INSTANCE, KEY, vast
from tests.support.wait import until

SIZES = ((390, 844), (1280, 800), (1920, 1080))
THEMES = ("light", "dark")
TALLEST = {390: 1500, 1280: 1250, 1920: 1180}
"""More of a page is cut off, so that all of them stay small enough for a repository."""
QUALITY = 42
README = ("job", 1920, "light")
PACE = 1.31
LOADED = """(tallest) => !document.querySelector(".curve-box img") && [...document.images].every((image) =>
  image.complete || image.getBoundingClientRect().top > tallest || !image.offsetParent)"""


RENAMED = """(names) => {
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const told = (text) => names.reduce((left, [from, to]) => left.replaceAll(from, to), text);
  while (texts.nextNode()) {
    const now = told(texts.currentNode.data);
    if (now !== texts.currentNode.data) texts.currentNode.data = now;
  }
  for (const field of document.querySelectorAll("input")) {
    if (told(field.value) !== field.value) field.value = told(field.value);
  }
}"""


def places(server: Server) -> list[tuple[str, str]]:
    """Folders of this run, and what they are called on the pictures: as in the image."""
    folder = server.data.parent
    return [
        (str(server.data), "/workspace/lora"),
        (str(folder / "huggingface"), "/workspace/.hf_home"),
        (sys.executable, "/opt/engines/venv/bin/python"),
        (str(folder), "/opt"),
        (str(ROOT), "/opt/lora-platform"),
    ]


def fill(page: Page, server: Server) -> None:
    """The New job page as it looks when it is filled in."""
    page.fill("#name", "ohwx-dog")
    page.fill("#trigger_word", "ohwx dog")
    page.fill("[name='datasets.0.path']", str(server.data / "datasets" / "ohwx dog"))
    page.fill("#base_model", str(server.data / "models" / "sd_xl_base_1.0.safetensors"))
    page.wait_for_selector("#job-preview h3")
    page.evaluate("document.activeElement.blur()")
    page.wait_for_timeout(900)


def visit(page: Page, server: Server, name: str, tallest: int) -> None:
    """Open it, and wait until all of it that will be seen has come."""
    page.goto(server.url + showcase.PAGES[name])
    if name == "new-job":
        fill(page, server)
    for top in range(0, tallest, 700):
        page.evaluate(f"scrollTo(0, {top})")
        page.wait_for_timeout(40)
    page.evaluate("scrollTo(0, 0)")
    if name == "machine":
        page.wait_for_timeout(6000)  # its lines begin when somebody looks
    until(lambda: page.evaluate(LOADED, tallest), 20, f"the pictures of {name} have come")
    page.wait_for_timeout(200)


def shot(page: Page, width: int, theme: str, names: list[tuple[str, str]]) -> Image.Image:
    """What is seen of it, down to where it is cut off."""
    page.emulate_media(color_scheme=theme, reduced_motion="reduce")  # type: ignore[arg-type]
    page.wait_for_timeout(120)
    page.evaluate(RENAMED, names)
    tall = min(page.evaluate("document.documentElement.scrollHeight"), TALLEST[width])
    clip = {"x": 0, "y": 0, "width": width, "height": tall}
    data = page.screenshot(full_page=True, clip=clip)  # type: ignore[arg-type]
    return Image.open(io.BytesIO(data)).convert("RGB")


def draw(server: Server, out: Path, only: set[str]) -> None:
    """Every page, size and theme: as the owner, but for the page on which one logs in."""
    with chromium.started() as browser:
        if browser is None:
            sys.exit("There is no Chromium on this machine: install it, or name it in CHROMIUM.")
        for (width, height), known in itertools.product(SIZES, (True, False)):
            context = browser.new_context(
                viewport={"width": width, "height": height},
                reduced_motion="reduce",
                extra_http_headers=server.headers if known else {},
            )
            page = context.new_page()
            for name in showcase.PAGES:
                if (only and name not in only) or known is (name == "login"):
                    continue
                visit(page, server, name, TALLEST[width])
                for theme in THEMES:
                    file = out / f"{name}-{width}-{theme}.webp"
                    picture = shot(page, width, theme, places(server))
                    picture.save(file, quality=QUALITY, method=4)
                    if (name, width, theme) == README:
                        picture.save(out / "readme.webp", quality=75, method=6)
                page.emulate_media(color_scheme="light")
            context.close()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "screenshots")
    parser.add_argument("--only", nargs="*", default=[], choices=list(showcase.PAGES))
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    begin = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="lora-") as name,
        vast() as api,
        hub_files.serve({}) as hub,
    ):
        api.record |= {"start_date": time.time() - 3 * 3600, "end_date": time.time() + 30 * 86400}
        server = showcase.prepare(
            Path(name), PACE, AUTH_TOKEN="the-owners-token", PRICE_PER_HOUR="",
            CONTAINER_ID=INSTANCE, CONTAINER_API_KEY=KEY, VAST_API_URL=api.url,
            HF_HUB_OFFLINE="0", HF_ENDPOINT=hub.url,
        )  # fmt: skip
        try:
            draw(server, options.out, set(options.only))
        finally:
            showcase.end(server)
    contact_sheet.write(options.out, list(showcase.PAGES), [width for width, _ in SIZES], THEMES)
    files = list(options.out.glob("*.webp"))
    size = sum(file.stat().st_size for file in files) / 1e6
    print(
        f"{len(files)} pictures, {size:.1f} MB, in {time.monotonic() - begin:.0f} s: {options.out}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
