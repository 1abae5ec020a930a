"""Nothing on a page moves while its polls bring news: from a job's start until its samples are there."""

from __future__ import annotations

import time

import pytest
from PIL import Image

from app.jobs.rundir import RunDir
from tests.support import showcase_past, vitals
from tests.support.wait import until

pytestmark = pytest.mark.e2e

MOST = 0.02
PROMPTS = ["a zxq on a beach", "a zxq in the snow"]


@pytest.fixture
def still(page):
    """The page, told to keep what moves; a function that says what did."""
    vitals.watch(page.context)

    def moved():
        seen = vitals.of(page)
        return seen.moved, [(round(s.by, 4), round(s.at), s.what) for s in seen.shifts]

    return moved


def sample(folder, step):
    folder.mkdir(parents=True, exist_ok=True)
    for prompt in range(len(PROMPTS)):
        picture = Image.new("RGB", (512, 512), (step, prompt * 200, 90))
        picture.save(folder / f"1795444136000__{step:09}_{prompt}.png")


@pytest.mark.parametrize("width", [390, 1280])
def test_a_job_page_stays_where_it_is_from_the_start_to_the_samples(
    page, make_server, document, still, width
):
    server = make_server(STANDIN_SECONDS="0.1")
    wanted = {
        **document, "engine": "ai-toolkit", "length": {"steps": 4000},
        "sampling": {"prompts": PROMPTS, "every_steps": 1000, "width": 512, "height": 512},
    }  # fmt: skip
    server.post("/api/v1/jobs?hold=1", wanted)
    page.set_viewport_size({"width": width, "height": 844})
    page.goto(f"{server.url}/jobs/1")
    # While it waits there is nothing to keep a place for.
    for part in ("#job-curves", "#job-log-panel"):
        assert page.locator(part).bounding_box()["height"] < 200
    amount, what = still()
    assert amount < MOST, what
    server.post("/api/v1/jobs/1/release")
    try:
        until(lambda: page.locator("[data-state='running']").count(), 30, "the page says running")
        showcase_past.losses(RunDir(server.data / "jobs/1"), 50, time.time(), seed=1)
        until(lambda: page.locator(".curve").count(), 30, "the chart is there")
        for step in (1, 2, 3):
            sample(server.data / "jobs/1/output/dog/samples", step)
            page.wait_for_selector(f".shot[data-step='{step}']", state="attached")
        until(lambda: page.locator(".to-come").count() == 0, 10, "each place is taken")
        amount, what = still()
        assert amount < MOST, what
    finally:
        server.post("/api/v1/jobs/1/stop")
        server.wait_for(1, "cancelled")


def test_the_jobs_table_stays_where_it_is_while_a_job_starts_and_runs(
    page, make_server, document, still
):
    server = make_server(STANDIN_SECONDS="0.1")
    for name in ("dog", "cat"):
        server.post("/api/v1/jobs?hold=1", {**document, "name": name, "length": {"steps": 4000}})
    page.goto(f"{server.url}/")
    server.post("/api/v1/jobs/1/release")
    row = page.locator("#job-1")
    try:
        until(lambda: row.locator("[data-state='running']").count(), 30, "the row says running")
        shown = row.locator("td.progress").inner_text()
        until(lambda: row.locator("td.progress").inner_text() != shown, 10, "it goes on")
        amount, what = still()
        assert amount < MOST, what
    finally:
        server.post("/api/v1/jobs/1/stop")
        server.wait_for(1, "cancelled")
