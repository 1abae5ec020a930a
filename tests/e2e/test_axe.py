"""Every page as a screen reader, a slow line and a small screen meet it; and what the tab tells."""

from __future__ import annotations

import pytest

from tests.support import showcase, vitals
from tests.support.wait import until

pytestmark = pytest.mark.e2e

MOST_BYTES = 70_000
MOST_REQUESTS = 8
FITS = "document.documentElement.scrollWidth <= innerWidth"
PACE = 0.6
"""Seconds a step: one job runs for 18 minutes, longer than all tests here on a busy machine."""


@pytest.fixture(scope="module")
def shown(tmp_path_factory):
    """One server with everything on its pages, for all tests here."""
    server = showcase.prepare(tmp_path_factory.mktemp("showcase"), PACE)
    yield server
    showcase.end(server)


@pytest.fixture(scope="module")
def axe():
    return vitals.axe_source()


@pytest.fixture
def visit(browser, shown):
    """A function that opens a page in a theme and a width, told what went over the wire."""
    contexts = []

    def open_page(name, theme, width):
        context = browser.new_context(
            viewport={"width": width, "height": 844}, color_scheme=theme, reduced_motion="reduce"
        )
        contexts.append(context)
        page = context.new_page()
        page.errors = []
        page.on("console", lambda m: page.errors.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: page.errors.append(str(error)))
        page.goto(shown.url + showcase.PAGES[name], wait_until="load")
        return page

    yield open_page
    for context in contexts:
        context.close()


def test_the_tab_tells_how_far_a_job_is(visit):
    page = visit("job", "light", 1280)
    first = page.title()
    assert "% · ohwx-dog-rank-32" in first
    until(lambda: page.title() != first, 60, "the title moves with the job")
    assert page.get_attribute("link[rel='icon']", "href").startswith("data:image/svg+xml,")
    assert visit("jobs", "light", 1280).title().startswith("1 running · Jobs")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", showcase.PAGES)
def test_a_page_is_clear_to_a_screen_reader(visit, axe, name, theme):
    page = visit(name, theme, 390 if theme == "light" else 1280)
    told, _ = vitals.axe(page, axe)
    assert told == []
    assert page.errors == []


@pytest.mark.parametrize("name", showcase.PAGES)
def test_a_page_is_light_and_fits_a_phone(visit, name):
    page = visit(name, "light", 390)
    loads = vitals.arrived(page)
    assert len(loads) <= MOST_REQUESTS, loads
    assert sum(size for _, size in loads) <= MOST_BYTES, loads
    for width in (390, 320):
        page.set_viewport_size({"width": width, "height": 844})
        # A chart takes its new width a frame later.
        until(lambda: page.evaluate(FITS), 5, f"{name} fits {width}")
    page.set_viewport_size({"width": 390, "height": 844})
    here = page.locator(".bar nav [aria-current]")
    for left, right in here.evaluate_all(
        "nodes => nodes.map((n) => { const r = n.getBoundingClientRect(); return [r.left, r.right]; })"
    ):
        assert left >= 0
        assert right <= 390
    assert page.errors == []


@pytest.mark.parametrize("name", ["jobs", "job", "new-job", "dataset", "settings"])
def test_letters_of_twice_the_size_cut_nothing_off(visit, name):
    page = visit(name, "light", 1280)
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    # What measures itself takes its new size a frame later.
    until(lambda: page.evaluate(FITS), 5, f"{name} fits")
    cut = """() => [...document.querySelectorAll("button, .button, h1, h2, label")]
      .filter((n) => n.checkVisibility() && !n.closest(".hidden") && getComputedStyle(n).display !== "inline")
      .filter((n) => n.scrollWidth > n.clientWidth + 1)
      .map((n) => n.textContent.trim())"""
    until(lambda: page.evaluate(cut) == [], 5, "nothing is cut off")
