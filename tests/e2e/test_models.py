"""A base model is downloaded from the New job form: watched, cancelled, gone on with, and chosen."""

from __future__ import annotations

import os
import signal

import pytest

from tests.support.hub_files import serve
from tests.support.models import SHAPES, content
from tests.support.wait import until

pytestmark = pytest.mark.e2e

SDXL = content({**SHAPES["sdxl"], "model.diffusion_model.out.weight": [3_000_000]})


def test_a_model_is_fetched_while_the_form_is_filled_in(page, make_server, tmp_path):
    with serve({"anna/dreams": {"dreams.safetensors": SDXL}}) as hub:
        hub.slow.clear()
        server = make_server(HF_ENDPOINT=hub.url, HF_HOME=str(tmp_path / "hf"), HF_HUB_OFFLINE="0")
        page.goto(f"{server.url}/jobs/new?family=sdxl")
        page.fill("#name", "dog")
        page.fill("#base_model", "anna/dreams")
        page.click("#base-model-state button:has-text('Download now')")
        page.wait_for_selector("#base-model-state progress[value]")
        page.fill("#trigger_word", "ohwx dog")
        until(
            lambda: "of 6.0\u00a0MB" in page.inner_text("#base-model-state"),
            20,
            "progress in bytes",
        )
        # What was typed meanwhile stays, and what the form chose itself stays chosen.
        assert page.input_value("#trigger_word") == "ohwx dog"
        assert page.input_value("#engine") == "auto"
        page.click("#base-model-state button:has-text('Cancel')")
        page.wait_for_selector("#base-model-state button:has-text('Go on')", timeout=20_000)
        hub.slow.set()
        page.click("#base-model-state button:has-text('Go on')")
        page.wait_for_selector("#base-model-state:has-text('On this machine')", timeout=30_000)
        assert hub.bytes_asked()[0] == "bytes from 0"
        assert hub.bytes_asked()[-1] != "bytes from 0"
        assert page.input_value("#name") == "dog"
        page.goto(f"{server.url}/models")
        row = page.locator("tr", has_text="anna/dreams/dreams.safetensors")
        assert "SDXL" in row.inner_text()
        row.locator("a:has-text('Train')").click()
        page.wait_for_selector("#base-model-state:has-text('On this machine')")
        assert page.input_value("#base_model") == "anna/dreams/dreams.safetensors"
        assert page.input_value("#family") == "sdxl"


@pytest.mark.parametrize("killed", ["the whole program", "its process alone"])
def test_a_download_goes_on_after_a_kill(page, make_server, tmp_path, killed):
    with serve({"anna/dreams": {"dreams.safetensors": SDXL}}) as hub:
        hub.slow.clear()
        server = make_server(HF_ENDPOINT=hub.url, HF_HOME=str(tmp_path / "hf"), HF_HUB_OFFLINE="0")
        page.goto(f"{server.url}/models")
        page.fill("#what", "anna/dreams")
        page.click("button:has-text('Download')")
        blobs = tmp_path / "hf" / "hub" / "models--anna--dreams" / "blobs"
        until(
            lambda: any(p.stat().st_size > 1e6 for p in blobs.glob("*")), 30, "half of it is here"
        )
        page.locator(".load", has_text="anna/dreams").wait_for()  # the answer to the click
        page.goto("about:blank")
        if killed == "the whole program":
            server.kill()
            until(lambda: not server.task_children(), 20, "its children end with it")
            hub.slow.set()
            server.start()
        else:
            # The page had the disk looked at as well; that is over in a moment.
            until(lambda: len(server.task_children()) == 1, 30, "the download is alone")
            os.kill(server.task_children()[0], signal.SIGKILL)
            hub.slow.set()
        until(lambda: not list(blobs.glob("*.incomplete")), 60, "the next process goes on with it")
        until(lambda: len(list(blobs.iterdir())) == 1, 60, "all of it is there")
        assert [p.stat().st_size for p in blobs.iterdir()] == [len(SDXL)]
        assert hub.bytes_asked()[-1] != "bytes from 0"
