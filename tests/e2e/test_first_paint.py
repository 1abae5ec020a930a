"""The first frame comes before htmx, htmx comes once and always, and nobody has to wait for it."""

from __future__ import annotations

import pytest

from tests.support import chromium, vitals
from tests.support.wait import until

pytestmark = pytest.mark.e2e
HTMX = "**/vendor/htmx-*.js*"
TAGS = "() => document.querySelectorAll('script[src*=\"vendor/htmx\"]').length"
ASKED_FOR = """() => performance.getEntriesByType('resource').find((e) => e.name.includes('vendor/htmx')).startTime"""
ALL_TIME = """
  const later = window.setTimeout;
  window.setTimeout = (what, after, ...rest) => after === 400 ? 0 : later(what, after, ...rest);
"""  # however late the first frame is on a machine that is busy, it is waited for
NO_FRAMES = """
  window.PerformanceObserver = class { observe() {} };
  Object.defineProperty(document, 'hidden', { get: () => window.hides !== false });
"""


def test_the_first_frame_is_drawn_before_htmx_is_even_asked_for(page, server):
    page.add_init_script(ALL_TIME)
    page.goto(f"{server.url}/")
    painted = page.evaluate(vitals.FIRST_PAINT)
    assert 0 < painted <= page.evaluate(ASKED_FOR)
    assert page.evaluate("() => typeof htmx.process") == "function"
    assert page.evaluate(TAGS) == 1


def test_a_tab_that_draws_no_frame_has_htmx_too_and_once(page, server):
    page.add_init_script(NO_FRAMES)
    page.goto(f"{server.url}/")
    assert page.evaluate("() => document.hidden")
    page.evaluate("""() => {
      window.hides = false;
      document.dispatchEvent(new Event('visibilitychange'));
      window.hides = true;
      document.dispatchEvent(new Event('visibilitychange'));
    }""")
    # Its poll goes through the whole life of a request: it is alive, and still there once.
    page.evaluate("() => htmx.ajax('GET', location.pathname, { target: '#flash', swap: 'none' })")
    assert page.evaluate(TAGS) == 1


def test_a_page_in_sight_whose_browser_tells_of_no_frame_gets_htmx_after_a_while(page, server):
    page.add_init_script(f"window.hides = false; {NO_FRAMES}")
    page.goto(f"{server.url}/")
    assert page.evaluate("() => typeof htmx.process") == "function"


def test_what_is_clicked_before_htmx_came_is_done_as_a_plain_form(page, server):
    page.route(HTMX, lambda route: None)  # it is on its way for ever
    page.add_init_script(ALL_TIME)
    with page.expect_request(HTMX):
        page.goto(f"{server.url}/", wait_until="commit")
    assert page.evaluate(vitals.FIRST_PAINT) > 0
    assert page.evaluate("() => window.htmx === undefined")
    with page.expect_navigation(wait_until="commit"):
        # Not by Playwright's click, which waits until the page has begun.
        page.locator("form[action='/queue/pause'] button").dispatch_event("click")
    until(lambda: server.get("/api/v1/queue")["paused"], what="the queue is paused")
    page.unroute(HTMX)
    page.goto(f"{server.url}/")
    assert page.locator("form[action='/queue/resume'] button").is_visible()


def test_without_htmx_the_rest_of_a_page_begins_all_the_same(page, server, browser):
    context = browser.new_context()
    alone = context.new_page()
    alone.route(HTMX, lambda route: route.abort())
    alone.goto(f"{server.url}/settings")
    chromium.begun(alone)
    assert alone.evaluate("() => window.htmx === undefined")
    assert alone.locator("[data-sound]").is_enabled()
    context.close()


def test_a_chosen_theme_comes_with_the_next_page_and_waits_for_no_script(page, server):
    page.goto(f"{server.url}/")
    page.locator("[data-theme-switch]").click()
    chosen = page.evaluate("() => document.documentElement.dataset.theme")
    assert chosen in ("light", "dark")
    page.route("**/static/app.js*", lambda route: None)  # it is on its way for ever
    page.goto(f"{server.url}/meter", wait_until="commit")
    until(lambda: page.evaluate(vitals.FIRST_PAINT), what="the first frame is drawn without app.js")
    assert page.evaluate("() => document.documentElement.dataset.theme") == chosen


def test_a_theme_that_an_older_version_kept_is_taken_over(page, server):
    page.goto(f"{server.url}/")
    page.evaluate("() => localStorage.setItem('theme', 'dark')")
    page.reload()
    assert page.evaluate("() => document.documentElement.dataset.theme") == "dark"
    assert (
        page.request.get(f"{server.url}/")
        .text()
        .startswith('<!doctype html>\n<html lang="en" data-theme="dark">')
    )
