"""How styles and scripts reach a page."""

from __future__ import annotations

import base64
import gzip
import hashlib

import pytest
from flask import render_template

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


def test_a_page_is_the_same_compressed_and_plain(client):
    for path in ("/glossary", "/login", "/nowhere"):
        plain = client.get(path)
        packed = client.get(path, headers={"Accept-Encoding": "gzip"})
        assert packed.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(packed.data) == plain.data
        assert int(plain.headers["Content-Length"]) == len(plain.data)


def test_what_pages_share_is_compressed_once(client):
    compress._well.cache_clear()
    for path in ("/datasets", "/models", "/datasets"):
        client.get(path, headers={"Accept-Encoding": "gzip"})
    info = compress._well.cache_info()
    assert (info.hits, info.misses) == (3, 3)  # what all have, and one of each page's own


def test_words_of_people_are_never_taken_for_a_place_of_styles(client):
    """A job can be named as what stands for the styles until the page is sent."""
    page = client.get("/?q=<style>app</style>").get_data(as_text=True)
    assert page.count("<style>") == len(STYLE.findall(page))
    assert "&lt;style&gt;app&lt;/style&gt;" in page


def test_a_page_that_failed_leaves_no_mark_in_the_one_that_tells_of_it(app, client):
    @app.get("/fails")
    def fails() -> str:
        render_template("pages/models.html", models=None)
        raise AssertionError("the template needs its models")

    app.config["PROPAGATE_EXCEPTIONS"] = False
    answer = client.get("/fails")
    assert answer.status_code == 500
    assert all("{" in text for text in STYLE.findall(answer.get_data(as_text=True)))


def test_a_theme_has_a_beginning_of_its_own(client):
    client.set_cookie("theme", "dark")
    packed = client.get("/models", headers={"Accept-Encoding": "gzip"})
    assert b'data-theme="dark"' in gzip.decompress(packed.data)
