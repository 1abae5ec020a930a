"""The token of the owner: given, generated, or not needed. Others are in ``app.tokens``."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import time
from pathlib import Path

from app.settings import Settings

_FILE = "auth-token"
SESSION_SECONDS = 30 * 24 * 3600
STRONG = 16
"""A token of so many characters cannot be guessed at any rate that this program answers."""


def _path(settings: Settings) -> Path:
    return settings.data_dir / _FILE


def token(settings: Settings) -> str | None:
    """The token in force; None where none was set or made."""
    if settings.auth_token:
        return settings.auth_token
    try:
        return _path(settings).read_text("utf-8").strip() or None
    except OSError:
        return None


def ensure_token(settings: Settings) -> str | None:
    """The token in force, made now (mode 0600) where one is needed and there is none."""
    found = token(settings)
    if found or not settings.needs_token:
        return settings.auth_token or (found if settings.needs_token else None)
    return make_token(settings)


def make_token(settings: Settings) -> str:
    """A new token of the owner, in a file that nobody else reads."""
    made = secrets.token_urlsafe(24)
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    handle = os.open(_path(settings), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(made + "\n")
    return made


def new_cookie(who: str, key: str) -> str:
    """A login of ``who``: each has a number of its own, so that it can be ended by itself.

    It is derived from the key, so that a stolen cookie is not the token.
    """
    nonce = f"{int(time.time()):x}-{secrets.token_urlsafe(12)}"
    return f"{who}.{nonce}.{_seal(who, nonce, key)}"


def split_cookie(cookie: str) -> tuple[str, str, str] | None:
    """Who, nonce and seal of a cookie; None for anything else, or one that is too old."""
    parts = cookie.split(".")
    if len(parts) != 3 or not cookie.isascii() or len(cookie) > 200:
        return None
    who, nonce, seal = parts
    try:
        made = int(nonce.split("-")[0], 16)
    except ValueError:
        return None
    return (who, nonce, seal) if 0 <= time.time() + 60 - made < SESSION_SECONDS else None


def seals(who: str, nonce: str, seal: str, key: str) -> bool:
    """Whether this program made the cookie, for this very token."""
    return same(seal, _seal(who, nonce, key))


def _seal(who: str, nonce: str, key: str) -> str:
    text = f"vast-lora cookie {who} {nonce}"
    return hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()


def same(given: str, right: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), right.encode())
