"""Chromium, found and started in one way for tests, benches and the pictures of the pages.

A page starts htmx after its first frame. So every page that is opened here is a patient one: its ``goto``,
``reload``, ``go_back`` and ``go_forward`` come back when its scripts have begun, and nothing is clicked or
typed before, also where a click led to another page. ``wait_until="commit"`` is for who wants it raw.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

NAMES = ("chromium", "chromium-browser", "google-chrome")


_OURS = ":has(script[src*='/static/app.js'])"
BEGUN = f":root[data-started], :root:not({_OURS})"
"""The root of a page whose scripts have begun, or that has none of ours."""
_NOT_YET = f"html:not([data-started]){_OURS}"


def find() -> str | None:
    """Its program: what CHROMIUM names, else the first on the path."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def started() -> Iterator[Browser | None]:
    """A browser without a window; None where the machine has none."""
    path = find()
    if path is None:
        yield None
        return
    # Imported here: most of who names this module needs no browser.
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        flags = ["--no-sandbox", "--disable-dev-shm-usage"]
        browser = playwright.chromium.launch(executable_path=path, args=flags)
        _after_each(browser, "new_page", _patient)
        _after_each(browser, "new_context", _makes_patient_pages)
        yield browser
        browser.close()


def begun(page: Page) -> None:
    """Come back when the page's scripts have begun."""
    page.wait_for_selector(BEGUN, state="attached")


def _patient(page: Page) -> None:
    page.add_locator_handler(page.locator(_NOT_YET), lambda: None)
    for name in ("goto", "reload", "go_back", "go_forward"):
        _waits(page, name)


def _waits(page: Page, name: str) -> None:
    usual = getattr(page, name)

    def patiently(*given: Any, **named: Any) -> Any:
        answer = usual(*given, **named)
        if named.get("wait_until") != "commit":
            begun(page)
        return answer

    setattr(page, name, patiently)


def _makes_patient_pages(context: Any) -> None:
    _after_each(context, "new_page", _patient)


def _after_each(maker: Any, name: str, then: Callable[[Any], None]) -> None:
    """What this method of a maker makes is given to ``then`` before anybody has it; not what runs no scripts."""
    usual = getattr(maker, name)

    def made(*given: Any, **named: Any) -> Any:
        thing = usual(*given, **named)
        if named.get("java_script_enabled", True):
            then(thing)
        return thing

    setattr(maker, name, made)
