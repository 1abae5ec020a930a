"""Web addresses as people paste them."""

from __future__ import annotations

from urllib.parse import SplitResult, quote, urlsplit

from app.errors import UserError


def web_address(text: str) -> tuple[str, SplitResult]:
    """The address as a server can be asked for it, and its parts.

    Blanks and letters such as é are escaped, as a browser does. Raises UserError for what is no address
    of the web.
    """
    address = quote(text.strip(), safe="%:/?#[]@!$&'()*+,;=~")
    try:
        parts = urlsplit(address)
        wrong = parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0
    except ValueError:  # brackets without an end, a port that is no number
        wrong = True
    if wrong:
        raise UserError(
            f"{text.strip()[:200]!r} is no web address. Give one that begins with http:// or https://."
        )
    return address, parts
