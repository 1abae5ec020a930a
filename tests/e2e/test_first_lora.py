"""The first thing a user does: one form, watch it train, download the LoRA."""

from __future__ import annotations

import json
import struct

import pytest

from tests.support.wait import until

pytestmark = pytest.mark.e2e


def fill(page, server, document, engine):
    page.goto(f"{server.url}/jobs/new?family=sd15")
    page.fill("#name", document["name"])
    page.fill("#base_model", document["base_model"])
    page.fill("[name='datasets.0.path']", document["datasets"][0]["path"])
    page.fill("#trigger_word", "zxq")
    page.select_option("#engine", engine)
    page.fill("[name='length.steps']", "40")
    page.evaluate("for (const d of document.querySelectorAll('details')) d.open = true")
    page.fill("[name='datasets.0.resolution']", "64")
    page.fill("[name='network.rank']", "4")
    page.select_option("[name='memory.mixed_precision']", "no")


@pytest.mark.parametrize("engine", ["kohya_ss", "ai-toolkit"])
def test_a_lora_from_the_form_to_the_download(page, make_server, document, engine):
    server = make_server(STANDIN_SECONDS="0.1")
    fill(page, server, document, engine)
    page.wait_for_selector("#job-preview h3:has-text('Command')")
    page.click("button.main:has-text('Start')")
    page.wait_for_url(f"{server.url}/jobs/1")
    page.wait_for_selector("#job-status [data-state=running]")
    page.wait_for_selector("#job-status [data-state=succeeded]", timeout=60_000)
    page.wait_for_selector("#job-outputs summary:has-text('dog.safetensors')")
    page.click("#job-outputs summary:has-text('dog.safetensors')")
    with page.expect_download() as download:
        page.click("#job-outputs details[open] a:has-text('Download')")
    data = download.value.path().read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    shapes = [t["shape"] for n, t in json.loads(data[8 : 8 + length]).items() if "lora_down" in n]
    assert shapes == [[4, 8]]
    assert "40 / 40" in page.inner_text("#job-status")
    assert page.locator("#job-status[hx-get]").count() == 0
    # The events ask every 4 s, by themselves.
    page.wait_for_selector("#job-papers strong:has-text('succeeded')")


def test_the_log_grows_while_it_is_watched_and_keeps_a_selection(page, make_server, document):
    server = make_server(STANDIN_SECONDS="0.1")
    server.post("/api/v1/jobs", document)
    page.goto(f"{server.url}/jobs/1")
    page.wait_for_selector("#job-status [data-state=running]")
    before = until(lambda: "/40" in (text := page.inner_text("#log")) and text, 10, "the bar")
    until(lambda: page.inner_text("#log") != before, 10, "the log grows")


def test_an_empty_log_says_that_trainers_load_first_until_there_is_a_line(
    page, make_server, document
):
    server = make_server(STANDIN_SECONDS="0.1", STANDIN_ARGUMENTS="--load-seconds 4")
    server.post("/api/v1/jobs", {**document, "engine": "ai-toolkit"})
    server.wait_for(1, "running", timeout=30)
    page.goto(f"{server.url}/jobs/1")
    told = "getComputedStyle(document.querySelector('#log'), '::before').content"
    assert "trainers load their libraries first" in page.evaluate(told)
    until(lambda: page.inner_text("#log").strip(), 30, "the first line")
    assert page.evaluate(told) == "none"


def test_stop_says_what_is_lost_shows_stopping_and_leaves_no_process(page, make_server, document):
    from app.jobs import processes
    from app.jobs.rundir import read_json

    server = make_server(
        STANDIN_SECONDS="0.1", STANDIN_ARGUMENTS="--children 2 --ignore SIGINT --hang"
    )
    server.post("/api/v1/jobs", {**document, "length": {"steps": 4000}})
    page.goto(f"{server.url}/jobs/1")
    page.wait_for_selector("#job-status [data-state=running]")
    marker = read_json(server.data / "jobs/1/attempts/1/launch.json")["marker"]
    assert len(processes.marked(marker)) >= 3
    page.click("a:has-text('Stop')")
    page.wait_for_selector("dialog[open]")
    box = page.locator("dialog[open]").bounding_box()
    below = page.viewport_size["height"] - box["y"] - box["height"]
    assert abs(box["y"] - below) < 4, "the dialog is in the middle of the window"
    assert "It saves nothing when it stops" in page.inner_text("dialog")
    page.click("dialog button:has-text('Stop now')")
    page.wait_for_selector("#job-status [data-state=stopping]")
    page.wait_for_selector("#job-status [data-state=cancelled]", timeout=60_000)
    assert processes.marked(marker) == []


def test_everything_works_with_javascript_switched_off(browser, server, document):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    fill_without_script(page, server, document)
    page.click("button:has-text('Show the preview')")
    page.wait_for_selector("#job-preview:has-text('diffusion_trainer')")
    page.click("button.main:has-text('Start')")
    page.wait_for_url(f"{server.url}/jobs/1")
    server.wait_for(1, "succeeded")
    page.reload()
    assert page.locator("#job-status [data-state=succeeded]").count() == 1
    page.click("#job-more > summary")
    page.click("a:has-text('Delete')")
    page.click("button:has-text('Delete it')")
    page.wait_for_selector("main:has-text('No jobs yet')")
    context.close()


def fill_without_script(page, server, document):
    page.goto(f"{server.url}/jobs/new?family=sd15&memory.mixed_precision=no")
    page.fill("#name", "dog")
    page.fill("#base_model", document["base_model"])
    page.fill("[name='datasets.0.path']", document["datasets"][0]["path"])
    page.select_option("#engine", "ai-toolkit")
    page.fill("[name='length.steps']", "8")


def test_a_form_with_a_mistake_comes_back_with_everything_that_was_typed(page, server, document):
    fill(page, server, document, "kohya_ss")
    page.fill("[name='optimizer.learning_rate']", "abc")
    page.click("button.main:has-text('Start')")
    page.wait_for_selector("[role=alert] a[href='#optimizer.learning_rate']")
    assert page.input_value("[name='optimizer.learning_rate']") == "abc"
    assert page.input_value("#trigger_word") == "zxq"
    page.fill("[name='optimizer.learning_rate']", "1e-4")
    page.click("button.main:has-text('Start')")
    page.wait_for_url(f"{server.url}/jobs/1")


def test_the_form_can_be_filled_and_sent_from_the_keyboard_alone(page, server, document):
    page.goto(f"{server.url}/jobs/new?family=sd15&datasets%5B%5D.x=1")
    page.focus("#name")
    page.keyboard.type("dog")
    seen = []
    for _ in range(40):
        page.keyboard.press("Tab")
        focused = page.evaluate("document.activeElement.name || document.activeElement.textContent")
        seen.append(focused.strip())
        if focused.strip() == "Start":
            break
    assert {
        "family",
        "base_model",
        "datasets.0.path",
        "trigger_word",
        "engine",
        "length.steps",
    } <= set(seen)
    assert seen[-1] == "Start"


def test_a_page_opened_before_the_start_shows_the_log_once_it_begins(page, make_server, document):
    server = make_server(STANDIN_SECONDS="0.1")
    server.post("/api/v1/jobs?hold=1", document)
    page.goto(f"{server.url}/jobs/1")
    assert "The log begins when the job starts" in page.inner_text("#log")
    page.click("button.main:has-text('Start')")
    until(lambda: "/40" in page.inner_text("#log"), 20, "the log of the first attempt")
    page.wait_for_selector("#job-status [data-state=succeeded]", timeout=30_000)
    page.fill("#extend-steps", "4")
    page.click("button:has-text('more steps')")
    page.wait_for_selector("#job-status :text('Attempt') + dd:text('2')", timeout=30_000)
    job = server.wait_for(1, "succeeded")
    assert (job["attempt"], job["total_steps"]) == (2, 44)
