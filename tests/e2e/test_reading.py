"""Who may only look sees all there is to look at and to take, and nothing that would be refused."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.e2e


@pytest.fixture
def shared(make_server, page, document):
    """A server with a finished job, and a function that enters it by a new read-only link."""
    server = make_server(AUTH_TOKEN="the-owners-token")
    server.post("/api/v1/jobs", {**document, "length": {"steps": 4}})
    server.wait_for(1, "succeeded")

    def enter(job=""):
        page.set_extra_http_headers(server.headers)
        page.goto(f"{server.url}/access")
        page.fill("#name", "Ann")
        page.select_option("#job", job)
        page.click("text=Make the token")
        link = page.locator("#made-link").inner_text()
        page.set_extra_http_headers({})
        page.goto(link)

    return server, enter


def hidden(page, wanted):
    """Whether there is such a thing on the page, and nobody sees it."""
    found = page.locator(wanted)
    return found.count() > 0 and not any(one.is_visible() for one in found.all())


def test_a_reader_may_take_a_lora_and_meets_no_way_to_change_anything(page, shared):
    server, enter = shared
    enter()
    page.goto(f"{server.url}/jobs/1")
    page.locator("#job-outputs summary").first.click()
    assert page.get_by_role("link", name="Download", exact=True).is_visible()
    assert hidden(page, "#job-outputs a.danger")
    page.get_by_text("More", exact=True).first.click()
    assert page.get_by_role("link", name="Export").is_visible()
    assert hidden(page, "main a[href^='/jobs/new']")
    page.goto(f"{server.url}/models")
    assert hidden(page, "[aria-label=Download]")
    page.goto(f"{server.url}/meter")
    assert hidden(page, "#autostop-title")


def test_a_reader_of_one_job_is_not_sent_to_what_is_none_of_it(page, shared):
    _, enter = shared
    enter(job="1")
    page.wait_for_url("**/jobs/1")
    assert page.locator("h1").inner_text().startswith("dog")
    page.locator("#job-dataset-change").wait_for(state="attached")
    assert hidden(page, "#job-dataset-change")
