"""What a person typed outlives a look elsewhere, a reload, and work that ends meanwhile; it is sent once."""

from __future__ import annotations

import pytest

from tests.support.wait import until

pytestmark = pytest.mark.e2e

RANK = "[name='network.rank']"


def fill(page, server):
    page.goto(f"{server.url}/jobs/new")
    page.fill("#name", "my-dog")
    page.click("#section-network > summary")
    page.fill(RANK, "77")
    page.select_option("#family", "flux")
    page.wait_for_selector("#base_model[value*='FLUX']")


def is_as_typed(page):
    page.wait_for_selector(f"{RANK}[value='77']", state="attached")
    page.wait_for_selector("#base_model[value*='FLUX']")
    found = [page.input_value(field) for field in ("#name", "#family", RANK)]
    return found == ["my-dog", "flux", "77"]


def test_who_leaves_the_new_job_form_and_comes_back_finds_what_they_typed(page, server):
    fill(page, server)
    page.click("nav a[href='/engines']")
    page.wait_for_url(f"{server.url}/engines")
    page.go_back()
    assert is_as_typed(page)
    page.reload()
    assert is_as_typed(page)
    assert page.evaluate("document.getElementById('section-network').open")
    page.click("nav a[href='/jobs/new']")
    page.wait_for_function("document.querySelector('#name')?.value === ''")


def test_a_refused_form_has_the_address_of_its_page_and_a_reload_sends_nothing_again(page, server):
    fill(page, server)
    page.click("#section-optimizer > summary")
    page.fill("[name='optimizer.learning_rate']", "abc")
    page.click("button.main:has-text('Start')")
    page.wait_for_selector("[role=alert] a[href='#optimizer.learning_rate']")
    assert page.url == f"{server.url}/jobs/new"
    sent = []
    page.on(
        "request",
        lambda r: sent.append(r.url) if r.is_navigation_request() and r.method == "POST" else None,
    )
    page.reload()
    assert is_as_typed(page)
    assert page.input_value("[name='optimizer.learning_rate']") == "abc"
    assert sent == []


def test_a_button_that_is_pressed_three_times_makes_one_job(page, server, document):
    server.post("/api/v1/jobs?hold=1", document)
    page.goto(f"{server.url}/jobs/new?clone=1")
    page.wait_for_selector("#job-preview h3")
    page.locator("button[name=hold]").scroll_into_view_if_needed()
    box = page.locator("button[name=hold]").bounding_box()
    for _ in range(3):
        page.mouse.click(box["x"] + 20, box["y"] + 10)
    page.wait_for_url(f"{server.url}/jobs/2")
    assert len(server.get("/api/v1/jobs")["jobs"]) == 2
    # Who comes back may send it again.
    page.go_back()
    page.wait_for_selector("#job-preview h3")
    page.click("button[name=hold]")
    page.wait_for_url(f"{server.url}/jobs/3")


def test_work_that_ends_takes_nothing_away_that_is_being_typed(page, server):
    page.goto(f"{server.url}/models")
    page.wait_for_selector(".task")
    page.fill("#what", "owner/name")
    page.wait_for_selector("#news", timeout=30_000)
    assert page.input_value("#what") == "owner/name"
    page.click("#news button")
    page.wait_for_function("document.querySelector('#what')?.value === ''")
    assert not page.locator("#news").count()


def test_a_job_that_is_deleted_in_another_tab_is_told_once_and_asked_for_no_more(
    browser, server, document
):
    server.post("/api/v1/jobs?hold=1", document)
    context = browser.new_context()  # refused polls are errors in its console
    page = context.new_page()
    page.goto(f"{server.url}/jobs/1")
    asked = []
    page.on("response", lambda r: asked.append(r.url) if r.status == 404 else None)
    server.form("/jobs/1/delete")
    page.wait_for_selector("#flash:has-text('There is no job 1')")
    page.evaluate("window.told = document.querySelector('#flash p')")
    until(lambda: page.title() and any("/machine" in url for url in asked), 20, "all have asked")
    # A sentence that is put there again is read out again.
    assert page.evaluate("window.told.isConnected")
    context.close()
    assert len(asked) == len({url.partition("?")[0] for url in asked}), asked
