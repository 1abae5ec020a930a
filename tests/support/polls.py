"""The polls of a page as a browser sends them: the address, and what the region shows behind it."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import NamedTuple


class Poll(NamedTuple):
    """What one region asks; ``waits_for`` is an event's name, ``every`` in seconds, 0 for once."""

    address: str
    waits_for: str
    every: float


class _Regions(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, Poll] = {}

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        has = {name: value or "" for name, value in attrs}
        if "hx-get" not in has or "id" not in has:
            return
        address, shown = has["hx-get"], has.get("data-shown", "")
        if shown:  # static/app.js does the same
            address += ("&" if "?" in address else "?") + shown
        trigger = has.get("hx-trigger", "")
        event = re.search(r"([\w-]+) from:body", trigger)
        every = re.search(r"every ([\d.]+)s", trigger)
        self.found[has["id"]] = Poll(
            address, event[1] if event else "", float(every[1]) if every else 0.0
        )


def polls(text: str) -> dict[str, Poll]:
    """All that a page or a fragment asks by itself, by the region's id."""
    regions = _Regions()
    regions.feed(text)
    return regions.found


def poll_of(text: str, region: str) -> str:
    """What one region asks for next."""
    found = polls(text)
    assert region in found, f"{region} asks nothing; those that do: {', '.join(found) or 'none'}"
    return found[region].address
