"""What a page costs in Chromium: requests, bytes, first byte, first paint, when it can be used."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import Any

_TIMES = """() => {
  const page = performance.getEntriesByType("navigation")[0];
  const paint = performance.getEntriesByName("first-contentful-paint")[0];
  const begun = Number(document.documentElement.dataset.started ?? page.domContentLoadedEventEnd);
  return [page.responseStart - page.requestStart, paint ? paint.startTime : 0, begun];
}"""
WINDOW = 1000
"""Milliseconds after which a new window of Chromium's is made: the process of its own that draws the frame
around pages takes 70 ms of CPU, which the page in it would else be said to take (two cores)."""
_PAINTED = "() => performance.getEntriesByName('first-contentful-paint').length > 0"


@dataclass(frozen=True)
class Load:
    """Medians of several loads with an empty cache, each in a window of its own that is ready.

    Times in ms since the navigation began, but for ``first_byte``, which counts from the request;
    ``sent`` in KB on the wire with headers.

    ``usable``: the page is parsed and its scripts, those that start after the first frame too, have run.
    """

    requests: float
    sent: float
    first_byte: float
    first_paint: float
    usable: float


def load(browser: Any, address: str, times: int) -> Load:
    """The middle of so many loads, after one that does not count."""
    seen = [_once(browser, address) for _ in range(times + 1)][1:]
    return Load(*(statistics.median(column) for column in zip(*seen, strict=True)))


def _once(browser: Any, address: str) -> tuple[float, ...]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    try:
        page = context.new_page()
        session = context.new_cdp_session(page)
        session.send("Network.enable")
        sizes: list[float] = []
        session.on(
            "Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"])
        )
        page.wait_for_timeout(WINDOW)
        page.goto(address, wait_until="load")
        page.wait_for_function(_PAINTED)
        return (len(sizes), sum(sizes) / 1000, *page.evaluate(_TIMES))
    finally:
        context.close()
