"""An address is taken as people paste it, or refused before anything starts."""

from __future__ import annotations

import pytest

from app import addresses
from app.errors import UserError


@pytest.mark.parametrize(
    ("pasted", "asked"),
    [
        (" https://host/my model.safetensors\n", "https://host/my%20model.safetensors"),
        ("http://host/\u00e9.zip?key=a+b&x=%20#top", "http://host/%C3%A9.zip?key=a+b&x=%20"),
        ("http://[::1]:8080/~me/(1).zip", "http://[::1]:8080/~me/(1).zip"),
    ],
)
def test_what_a_browser_would_escape_is_escaped_and_the_rest_stays(pasted, asked):
    assert addresses.read(pasted).geturl() == asked


@pytest.mark.parametrize(
    "pasted",
    ["", "host/x.zip", "ftp://host/x.zip", "file:///etc/passwd", "http://", "http://[::1/x.zip",
     "http://host:abc/x.zip", "http://host:0/x.zip", "http://host:99999/x.zip"],
)  # fmt: skip
def test_what_is_no_address_of_the_web_is_refused_in_words(pasted):
    with pytest.raises(UserError, match=r"^(This is no web address|Only http and https addresses)"):
        addresses.read(pasted)
