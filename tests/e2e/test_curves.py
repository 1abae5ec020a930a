"""The chart in a real browser: drawn, zoomed, remembered; a picture without JavaScript."""

from __future__ import annotations

import random

import pytest

from app.jobs.curves import Curves
from app.jobs.points import Point, append_points
from tests.support.wait import until

pytestmark = pytest.mark.e2e


@pytest.fixture
def drawn(server, document):
    """A finished job with two attempts and one wild loss."""
    server.post("/api/v1/jobs", {**document, "length": {"steps": 4}})
    server.wait_for(1, "succeeded")
    chance = random.Random(1)
    folder = server.data / "jobs/1"
    (folder / "metrics.csv").unlink(missing_ok=True)
    for path in (folder / "metrics").glob("*"):
        path.unlink()
    for path in (folder / "metrics").glob(".*"):
        path.unlink()
    rows = [Point(1, n, 100.0 + n, chance.random() / 10, 1e-4) for n in range(1, 900)]
    rows += [Point(2, n, 2000.0 + n, chance.random() / 10, 1e-4) for n in range(800, 1200)]
    rows[700] = rows[700].__class__(1, 701, 801.0, 5.0, 1e-4)
    append_points(folder / "metrics.csv", rows)
    Curves(folder / "metrics").build(rows)
    return server


def test_the_chart_is_drawn_zoomed_and_remembers_what_was_chosen(page, drawn):
    page.goto(f"{drawn.url}/jobs/1")
    page.wait_for_selector(".curve canvas")
    caption = page.locator(".curve figcaption")
    until(lambda: "Loss: " in caption.inner_text(), 10, "the numbers are told")
    box = page.locator(".u-over").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + 40, steps=5)
    with page.expect_response(lambda r: "curves.json" in r.url and "from=" in r.url):
        page.mouse.up()
    until(lambda: "to go back" in caption.inner_text(), 10, "it is zoomed")
    page.click("button:has-text('Whole run')")
    page.select_option("[data-curve=series]", "learning_rate")
    until(lambda: "Learning rate: " in caption.inner_text(), 10, "the other series")
    page.reload()
    page.wait_for_selector(".curve canvas")
    assert page.input_value("[data-curve=series]") == "learning_rate"


def test_without_javascript_the_curve_is_a_picture(browser, drawn):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{drawn.url}/jobs/1")
    assert page.locator(".curve img").evaluate("image => image.naturalWidth") > 0
    assert not page.locator(".curve-tools").is_visible()
    page.click("#curve-numbers summary")
    assert "Learning rate" in page.locator("#curve-values").inner_text()
    context.close()
