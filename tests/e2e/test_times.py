"""Times on pages are those of the reader's own zone, also after a poll; without a script they are in UTC."""

from __future__ import annotations

import re
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from tests.support.wait import until

pytestmark = pytest.mark.e2e

TOKYO = "Asia/Tokyo"


@pytest.fixture
def reader(browser, make_server):
    context = browser.new_context(timezone_id=TOKYO)
    yield context.new_page()
    context.close()


def test_times_are_told_in_the_zone_of_the_reader(reader, make_server, document):
    server = make_server()
    server.post("/api/v1/jobs?hold=1", document)
    reader.goto(f"{server.url}/jobs/1")
    events = reader.locator("#job-papers .events time")
    # The first is there as the page comes, the others with polls.
    for count, event in enumerate(("queued", "succeeded"), 1):
        until(lambda event=event: event in reader.locator(".events").inner_text(), 60, event)
        if count == 1:
            server.post("/api/v1/jobs/1/release")
    for time in events.all():
        there = datetime.fromisoformat(time.get_attribute("datetime")).astimezone(ZoneInfo(TOKYO))
        assert time.inner_text() == f"{there:%Y-%m-%d %H:%M:%S}"


def test_without_a_script_times_are_in_utc_and_say_so(browser, server, document):
    server.post("/api/v1/jobs?hold=1", document)
    context = browser.new_context(timezone_id=TOKYO, java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{server.url}/jobs/1")
    time = page.locator("#job-papers .events time").first
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", time.text_content())
    context.close()
