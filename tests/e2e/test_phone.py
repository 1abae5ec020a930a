"""What a phone shows: rows that fit, and no page that is wider than the screen."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.e2e

PHONE = {"width": 390, "height": 844}
LONGEST = 80
WIDEST = "document.documentElement.scrollWidth"


def rows_of(page, parts):
    """How many rows the visible parts stand in: such that overlap in height share one."""
    boxes = [part.bounding_box() for part in page.locator(parts).all() if part.is_visible()]
    ends, count = 0.0, 0
    for box in sorted(boxes, key=lambda box: box["y"]):
        if box["y"] >= ends:
            count += 1
            ends = box["y"] + box["height"]
    return count


def test_the_menu_stands_beside_the_name_and_all_else_that_a_job_can_do_below_it(
    page, server, document
):
    server.post("/api/v1/jobs?hold=1", document)
    page.set_viewport_size(PHONE)
    page.goto(f"{server.url}/jobs/1")
    assert rows_of(page, "#job-status h1, #job-more > summary") == 1
    assert rows_of(page, "#job-status > .head form > button, #job-status > .head > .row > a") == 1
    page.click("#job-more > summary")
    page.wait_for_selector("#job-more[open] a:has-text('Clone')", state="visible")
    assert page.evaluate(WIDEST) <= PHONE["width"]


def test_the_tools_of_a_chart_take_two_rows_and_keep_their_names(page, server, document):
    server.post("/api/v1/jobs?hold=1", document)
    page.set_viewport_size(PHONE)
    page.goto(f"{server.url}/compare?jobs=1")
    page.wait_for_selector(".curve-tools:not([hidden])")
    assert rows_of(page, ".curve-tools > *") == 2
    for role, name in (
        ("combobox", "Series"), ("combobox", "Over"), ("checkbox", "Log"),
        ("checkbox", "Clip outliers"), ("slider", "Smooth"),
    ):  # fmt: skip
        assert page.get_by_role(role, name=name, exact=True).count() == 1, name


def test_the_longest_names_widen_no_page(page, server, document):
    server.form("/datasets", name="W" * LONGEST)
    for letter in "ab":
        server.post("/api/v1/jobs?hold=1", {**document, "name": letter * LONGEST})
    page.set_viewport_size(PHONE)
    for address in ("/", "/jobs/1", "/jobs/1/stop", "/compare?jobs=1,2", "/datasets", "/jobs/new"):
        page.goto(server.url + address)
        assert page.evaluate(WIDEST) <= PHONE["width"], address
