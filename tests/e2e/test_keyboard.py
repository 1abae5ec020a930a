"""Create, queue, watch, stop and download without a pointer; the focus is seen and stays where it is."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

from tests.support.wait import until

pytestmark = pytest.mark.e2e

FOCUSED = """() => {
  const node = document.activeElement, box = node.getBoundingClientRect(), style = getComputedStyle(node);
  const over = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
  return {
    seen: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
    clear: !over || node.contains(over) || over.contains(node),
    text: node.outerHTML.slice(0, 120),
  };
}"""


def tab_to(page, selector, most=90):
    """Press Tab until the focus is there; each stop on the way is seen and not covered."""
    for _ in range(most):
        page.keyboard.press("Tab")
        found = page.evaluate(FOCUSED)
        if found["text"].startswith("<body"):
            continue  # the browser's own part of the round
        assert found["seen"], found
        assert found["clear"], found
        if page.evaluate("(wanted) => document.activeElement.matches(wanted)", selector):
            return
    raise AssertionError(f"{selector} was not reached by {most} presses of Tab")


def test_the_first_stop_of_each_page_skips_to_its_content(page, server):
    page.goto(f"{server.url}/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("!!document.activeElement.closest('main')")


def test_a_lora_is_made_stopped_and_downloaded_by_keyboard_alone(page, make_server, document):
    server = make_server(STANDIN_SECONDS="0.1")
    create(page, server, document)
    watch_and_stop(page)
    tab_to(page, "#job-outputs summary")
    page.keyboard.press("Enter")
    tab_to(page, "#job-outputs details[open] a.main")
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    assert download.value.suggested_filename.endswith(".safetensors")


def create(page, server, document):
    """The form, filled in and sent."""
    given = {
        "family": "sd15", "engine": "ai-toolkit", "datasets.0.resolution": "64", "network.rank": "4",
        "memory.mixed_precision": "no", "saving.every_steps": "5", "length.steps": "4000",
    }  # fmt: skip
    page.goto(f"{server.url}/jobs/new?{urlencode(given)}")
    for field, text in (
        ("#name", "dog"), ("#base_model", document["base_model"]),
        ("[name='datasets.0.path']", document["datasets"][0]["path"]), ("#trigger_word", "zxq"),
    ):  # fmt: skip
        tab_to(page, field)
        page.keyboard.type(text)
    tab_to(page, "button.main")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{server.url}/jobs/1")


def watch_and_stop(page):
    """The focus is kept at Stop over polls and comes back to it from the dialog; then it is pressed."""
    until(lambda: page.locator("#job-status [data-state=running]").count(), 60, "it runs")
    # The page draws itself anew when the run begins; from then on polls alone change it.
    page.wait_for_selector("#job-log-panel h2:has-text('attempt 1')", timeout=60_000)
    until(lambda: page.locator("#job-outputs summary").count(), 60, "something was saved")

    tab_to(page, "a.danger")
    step = page.locator("#job-status .facts dd").first
    before = step.inner_text()
    until(lambda: step.inner_text() != before, 30, "a poll brought news")
    assert page.evaluate("document.activeElement.matches('a.danger')")
    page.keyboard.press("Enter")
    page.wait_for_selector("#stop-dialog[open]")
    assert page.evaluate("!!document.activeElement.closest('#stop-dialog')")
    page.keyboard.press("Escape")
    until(lambda: page.evaluate("document.activeElement.matches('a.danger')"), 10, "back at Stop")
    page.keyboard.press("Enter")
    page.wait_for_selector("#stop-dialog[open]")
    if not page.evaluate("document.activeElement.matches('#stop-dialog button.danger')"):
        tab_to(page, "#stop-dialog button.danger")
    page.keyboard.press("Enter")
    page.wait_for_selector("#job-status [data-state=cancelled]", timeout=60_000)


def test_a_menu_closes_when_the_keyboard_leaves_it(page, server, document):
    server.post("/api/v1/jobs?hold=1", document)
    page.goto(f"{server.url}/jobs/1")
    tab_to(page, "#job-more > summary")
    page.keyboard.press("Enter")
    page.wait_for_selector("#job-more[open]")
    tab_to(page, "#job-more a.danger")
    page.keyboard.press("Tab")
    until(lambda: not page.locator("#job-more[open]").count(), 5, "it is closed")
