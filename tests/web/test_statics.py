"""How styles and scripts reach a page."""

from __future__ import annotations

import base64
import gzip
import hashlib

import pytest

from app.settings import ROOT
from app.web import compress
from tests.support.reading import STYLE

SHEETS = sorted(path.name for path in (ROOT / "static").glob("*.css"))


@pytest.mark.parametrize("path", ["/", "/jobs/new", "/datasets", "/settings", "/login", "/nowhere"])
def test_the_policy_of_a_page_allows_just_the_styles_that_are_in_it(client, path):
    answer = client.get(path)
    policy = answer.headers["Content-Security-Policy"].split("style-src ")[1].split(";")[0]
    found = [
        hashlib.sha256(text.encode()).digest()
        for text in STYLE.findall(answer.get_data(as_text=True))
    ]
    assert found
    assert policy.split() == [
        "'self'",
        *(f"'sha256-{base64.b64encode(x).decode()}'" for x in found),
    ]


def test_a_fragment_brings_no_styles_and_allows_none(client):
    answer = client.get("/jobs/table", headers={"HX-Request": "true"})
    assert answer.status_code == 200
    assert b"<style" not in answer.data
    assert "style-src" not in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize("name", SHEETS)
def test_a_sheet_can_stand_inside_a_page(name):
    """It ends no element, and asks for nothing beside itself, which an address would be wrong for."""
    text = (ROOT / "static" / name).read_text("utf-8")
    assert "</" not in text
    assert "url(" not in text
    assert "@import" not in text


def test_pages_that_begin_alike_are_compressed_to_themselves_each(client):
    pages = [client.get(path).data for path in ("/datasets", "/models")]
    compress._begun.cache_clear()
    for page in pages * 2:
        assert gzip.decompress(compress._packed(page)) == page
    assert compress._begun.cache_info()[:2] == (3, 1)  # what they share is compressed once


def test_a_theme_has_a_beginning_of_its_own(client):
    client.set_cookie("theme", "dark")
    packed = client.get("/models", headers={"Accept-Encoding": "gzip"})
    assert b'data-theme="dark"' in gzip.decompress(packed.data)
