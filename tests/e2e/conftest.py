"""Real gunicorn, real runners, stand-in engines, real Chromium."""

from __future__ import annotations

import os
import shutil

import pytest
from PIL import Image

from tests.support import engines
from tests.support.platform import schema_file
from tests.support.server import Server


@pytest.fixture(scope="session")
def browser():
    """One Chromium for all tests; a skip (a failure with REQUIRE_E2E=1) where there is none."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if not path:
        pytest.skip("no Chromium on this machine")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser, make_server):
    """A page whose console must stay free of errors (a broken policy is one of them).

    It asks for ``make_server`` only to be closed before the servers are: a page that still
    polls would report the refused connection.
    """
    context = browser.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    page = context.new_page()
    errors = []
    page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    # The browser itself reports the 422 of a refused form and the 409 of a caption that was changed
    # in another tab; every other error is ours.
    told = ("status of 422", "status of 409")
    assert [error for error in errors if not any(status in error for status in told)] == []


@pytest.fixture
def document(tmp_path):
    """A spec that the stand-in engines train, with a real folder of pictures."""
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for index in range(4):
        Image.new("RGB", (64, 64), (index * 50, 0, 0)).save(pictures / f"{index}.png")
        (pictures / f"{index}.txt").write_text("a shape")
    model = tmp_path / "model"
    model.mkdir()
    (model / "model_index.json").write_text("{}")
    return {
        "name": "dog", "family": "sd15", "engine": "kohya_ss", "base_model": str(model),
        "datasets": [{"path": str(pictures), "resolution": [64]}], "length": {"steps": 40},
        "memory": {"mixed_precision": "no"}, "network": {"rank": 4},
    }  # fmt: skip


@pytest.fixture
def make_server(tmp_path):
    """A function that starts a server; all are ended with what they left running."""
    servers = []

    def make(**env):
        settings = engines.make(tmp_path / f"engines-{len(servers)}")
        server = Server(tmp_path, {**settings, **env})
        servers.append(server)
        if not (server.data / "lora.db").exists():
            # Migrating takes half a second; tests of the start do without.
            server.data.mkdir(exist_ok=True)
            shutil.copy(schema_file(), server.data / "lora.db")
        server.start()
        return server

    yield make
    from app.jobs import processes
    from app.jobs.rundir import read_json

    for server in servers:
        server.kill()
        for launch in server.data.glob("jobs/*/attempts/*/launch.json"):
            marker = (read_json(launch) or {}).get("marker", "")
            processes.end(processes.marked(marker))


@pytest.fixture
def server(make_server):
    return make_server()
