"""The Machines page as a screen reader, a phone and a keyboard meet it, with recorded answers of Slurm."""

from __future__ import annotations

import pytest

from app.settings import ROOT
from tests.support import vitals
from tests.support.wait import until

pytestmark = pytest.mark.e2e

REPLAY = ROOT / "tests/replay/slurm"


@pytest.fixture
def slurm(tmp_path):
    """A folder for PATH whose sinfo and squeue tell what was recorded; ``down`` in it: nobody answers."""
    folder = tmp_path / "slurm"
    folder.mkdir()
    for name in ("sinfo", "squeue"):
        script = f"""#!/bin/sh
if [ -e {folder}/down ]; then echo "{name}: error: Unable to contact slurm controller" >&2; exit 1; fi
exec cat {REPLAY}/{name}-busy.txt
"""
        (folder / name).write_text(script)
        (folder / name).chmod(0o755)
    return folder


@pytest.fixture
def server(make_server, slurm):
    return make_server(PATH=f"{slurm}:/usr/bin:/bin", SLURM_PARTITION="all")


@pytest.mark.parametrize(("theme", "width"), [("light", 390), ("dark", 1280)])
def test_the_page_is_clear_light_and_fits(browser, server, slurm, theme, width):
    context = browser.new_context(
        viewport={"width": width, "height": 844}, color_scheme=theme, reduced_motion="reduce"
    )
    try:
        page = context.new_page()
        errors = []
        page.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
        page.goto(f"{server.url}/machines", wait_until="load")
        page.get_by_text("busy, then drained").first.wait_for(timeout=20_000)
        (slurm / "down").touch()
        page.locator("#machines-now .notice.bad").wait_for(timeout=30_000)
        told, _ = vitals.axe(page, vitals.axe_source())
        assert told == []
        fits = "document.documentElement.scrollWidth <= innerWidth"
        until(lambda: page.evaluate(fits), 5, "it fits")
        assert page.locator("#machines-now tr[id^='node-']").count() == 4
        assert errors == []
    finally:
        context.close()


def test_the_keyboard_stays_where_it_is_while_the_page_follows(page, server, slurm):
    page.goto(f"{server.url}/machines")
    page.get_by_text("busy, then drained").first.wait_for(timeout=20_000)
    link = page.get_by_role("link", name="The machine of this dashboard")
    link.focus()
    (slurm / "down").touch()
    page.locator("#machines-now .notice.bad").wait_for(timeout=30_000)
    assert link.evaluate("node => node === document.activeElement")
    page.keyboard.press("Enter")
    page.wait_for_url("**/machine")
    assert page.locator('nav a[href="/machines"]').get_attribute("aria-current") == "true"
