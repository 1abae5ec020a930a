"""A page that stays open for the whole of a real run shows all of it, without an error."""

from __future__ import annotations

import json
import os
import re
from types import SimpleNamespace

import pytest

from tests.support.server import Server
from tests.support.wait import until

pytestmark = pytest.mark.engine

ASKED = ("AI_TOOLKIT_DIR", "AI_TOOLKIT_PYTHON", "KOHYA_SS_DIR", "KOHYA_SS_PYTHON")


@pytest.fixture
def server(desk):
    server = Server(desk.folder, {name: os.environ[name] for name in ASKED if name in os.environ})
    server.start()
    yield server
    server.kill()


@pytest.fixture
def page(browser):
    page = browser.new_page()
    errors = []
    page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield SimpleNamespace(page=page, errors=errors)
    page.close()


def test_every_phase_all_samples_and_the_final_files_are_shown(desk, server, page):
    server.post("/api/v1/jobs", desk.document())
    watched = page.page
    # Kept across a page that draws itself again, as it does when the first attempt begins.
    watched.add_init_script(
        """setInterval(() => {
             const row = document.querySelector('#job-status p.row');
             const seen = new Set(JSON.parse(sessionStorage.seen || '[]'));
             if (row) row.innerText.split(/\\s+/).forEach(w => seen.add(w));
             sessionStorage.seen = JSON.stringify([...seen]);
           }, 50)"""
    )
    watched.goto(f"{server.url}/jobs/1")
    until(lambda: server.job(1)["state"] in ("succeeded", "failed"), 900, "the run ends")
    job = server.job(1)
    assert job["state"] == "succeeded", job["reason"]
    watched.wait_for_selector("#job-status [data-state=succeeded]", timeout=20_000)
    seen = set(json.loads(watched.evaluate("sessionStorage.seen")))
    assert {"running", "training", "succeeded"} <= seen, seen
    # A tiny model may be loaded, or its pictures cached, between two looks.
    assert seen & {"loading", "caching"}, seen
    watched.wait_for_selector("#job-outputs a:has-text('Report')", timeout=30_000)
    watched.wait_for_selector("#job-outputs summary:has-text('tiny.safetensors')")
    output = server.data / "jobs/1/output"
    drawn = [p for p in output.rglob("*") if p.suffix in (".png", ".jpg") and "." not in p.stem]
    told = json.loads(watched.evaluate("fetch('/jobs/1/samples.json').then(r => r.text())"))
    assert sum(bool(cell) for row in told["steps"] for cell in row["cells"]) == len(drawn) >= 4
    text = (output / "report.html").read_text("utf-8")
    assert re.search(r'<path d="M[\d.]+ [\d.]+L', text), "the report has no curve"
    assert text.count("data:image/jpeg") == len(drawn)
    assert str(desk.folder) not in text
    print("phases seen:", sorted(seen), "samples:", len(drawn), "report:", len(text))
    assert page.errors == []
