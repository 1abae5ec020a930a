"""The token that opens the dashboard: given, generated, or not needed."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from pathlib import Path

from app.settings import Settings

_FILE = "auth-token"


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
    made = secrets.token_urlsafe(24)
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    handle = os.open(_path(settings), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w") as file:
        file.write(made + "\n")
    return made


def cookie_value(secret: str) -> str:
    """What the cookie holds: derived from the token, so that a stolen cookie is not the token."""
    return hmac.new(secret.encode(), b"vast-lora cookie", hashlib.sha256).hexdigest()


def same(given: str, right: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(given.encode(), right.encode())
