"""Styles come inside the page: nothing can be drawn without them, and a request more is waited for
longer than their few kilobytes take.

A template says where they go; the text itself is put in when the page is sent (`app.web.compress`),
so that templates do not handle tens of kilobytes that are the same on each page.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from flask import Flask, g
from markupsafe import Markup

from app.settings import ROOT


@dataclass(frozen=True)
class Sheet:
    """The style sheets of one element of a page."""

    mark: str
    """What stands for them until the page is sent. Text that people typed has no ``<``."""
    data: bytes
    policy: str
    """How the page's security policy names them."""


def install(app: Flask) -> None:
    """Give templates ``styles(names…)``."""
    app.jinja_env.globals["styles"] = _place


def used() -> list[Sheet]:
    """The sheets of the page that is being answered, in their order."""
    found: list[Sheet] = g.get("sheets", [])
    return found


def parts_of(page: bytes) -> Iterator[bytes | Sheet]:
    """The page with its sheets in their places."""
    for sheet in used():
        before, found, after = page.partition(sheet.mark.encode())
        if found:  # else the page that wanted it failed, and this one tells of that
            yield before
            yield sheet
            page = after
    yield page


def _place(*names: str) -> Markup:
    """Where the style sheets of these names go, as one element that the page's policy allows."""
    sheet = _sheet(names)
    g.sheets = [*used(), sheet]
    return Markup(sheet.mark)


@cache  # names come from templates alone
def _sheet(names: tuple[str, ...]) -> Sheet:
    text = "\n".join((ROOT / "static" / f"{name}.css").read_text("utf-8") for name in names)
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    data = f"<style>{text}</style>".encode()
    return Sheet(f"<style>{' '.join(names)}</style>", data, f"'sha256-{digest}'")
