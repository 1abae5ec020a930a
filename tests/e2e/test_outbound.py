"""A job that finishes is delivered and told by itself: real server, real children, stand-ins outside."""

from __future__ import annotations

import json

import pytest

from tests.support.receiver import receiver
from tests.support.repos import TOKEN, repos
from tests.support.wait import until

pytestmark = pytest.mark.e2e


@pytest.fixture
def outside():
    with repos() as hub, receiver() as hook:
        yield hub, hook


def test_a_finished_job_is_backed_up_and_told_without_a_hand_and_the_page_shows_it(
    outside, make_server, page, document
):
    hub, hook = outside
    server = make_server(
        HF_ENDPOINT=hub.address, HF_TOKEN=TOKEN, HF_HUB_DISABLE_XET="1", HF_HUB_OFFLINE="0",
        # The page is drawn again when the attempt begins; a job that ended before that makes no sound.
        STANDIN_SECONDS="0.2",
    )  # fmt: skip
    page.goto(f"{server.url}/settings")
    page.fill("#f-address", f"json://127.0.0.1:{hook.port}/secret-of-the-hook")
    page.click("#add-notification button.main")
    page.get_by_text("6 of 8 events").click()
    page.click("text=Send a test")
    page.get_by_text("Message: done").wait_for()
    assert hook.messages[0]["title"] == "Vast LoRA: a test"
    page.click("#add-hub summary")
    page.select_option("#automatic-hub", "success")
    page.click("#add-hub button.main")
    page.get_by_text("Hugging Face · after success").wait_for()
    page.check("[data-sound]")
    job = server.post("/api/v1/jobs", document)
    page.goto(f"{server.url}/jobs/{job['id']}")
    page.locator("#job-delivery .head .state.succeeded").wait_for(timeout=40_000)
    # Beside the file itself, too, though the job is over: no reload.
    page.locator("#job-outputs summary .state.succeeded").wait_for(timeout=40_000)
    played = "document.documentElement.dataset.played === 'succeeded'"
    until(lambda: page.evaluate(played), 20, "the sound of a success")
    told = until(lambda: hook.messages[1:], 20, "the message that it finished")
    assert told[0]["title"] == "dog finished"
    assert f"/jobs/{job['id']}" in told[0]["message"]
    copies = server.get(f"/api/v1/jobs/{job['id']}/deliveries")
    assert {row["state"] for row in copies["deliveries"]} == {"verified"}
    assert copies["pending"] == []
    assert set(hub.files["me/dog-1"]) == {row["path"] for row in copies["deliveries"]}
    written = json.dumps(copies) + page.content()
    assert "secret-of-the-hook" not in written
    assert TOKEN not in written
