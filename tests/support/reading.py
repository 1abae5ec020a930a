"""A client that reads a page as a person does: the styles inside it are no part of its text.

Without that, a test that looks for a word of a page would find it in a rule of the styles.
"""

from __future__ import annotations

import re
from typing import Any

from flask.testing import FlaskClient

STYLE = re.compile(r"<style>(.*?)</style>", re.DOTALL)


class _Read:
    """Before a response's own class: ``text`` without styles, ``data`` as it was sent."""

    @property
    def text(self: Any) -> str:
        whole = self.get_data(as_text=True)
        return STYLE.sub("", whole) if "<style>" in whole else whole


class ReadingClient(FlaskClient):
    """Flask's own test client, whose answers are `_Read`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        sent = self.response_wrapper
        self.response_wrapper = type(sent.__name__, (_Read, sent), {})
