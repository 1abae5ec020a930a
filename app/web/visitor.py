"""Who asks: the owner, or the holder of a named token; and what they may see."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from flask import g, request
from sqlalchemy.exc import SQLAlchemyError

from app import access, tokens
from app.db import db
from app.models import AccessToken
from app.settings import Settings

COOKIE = "vast_lora"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_OWNER = "0"
_OF_ONE_JOB = frozenset({"job_id", "number", "relative", "filename", "name", "path"})
"""Parts of addresses below /jobs/<number> that are about that job alone."""
_OWNERS_ALONE = ("access.", "settings.", "settings_page.", "api.notifications_")
"""Beginnings of the endpoints that tell of tokens and of secret addresses, on pages and by the API."""


@dataclass(frozen=True)
class Visitor:
    """``key`` seals the cookies of this token; ``who`` is its number, 0 for the owner."""

    who: str
    key: str
    name: str = ""
    reads_only: bool = False
    job_id: int | None = None

    def may(self) -> bool:
        """Whether the address that is asked for is open to this visitor."""
        if request.endpoint == "auth.leave":
            return True
        if self.reads_only and request.method not in SAFE:
            return False
        if self.reads_only and (request.endpoint or "").startswith(_OWNERS_ALONE):
            return False
        if self.job_id is None or request.endpoint in ("static", "meter.banner"):
            return True
        parts = request.view_args or {}
        below = request.path.startswith((f"/jobs/{self.job_id}", f"/api/v1/jobs/{self.job_id}"))
        return below and parts.get("job_id") == self.job_id and set(parts) <= _OF_ONE_JOB

    @property
    def home(self) -> str:
        """The page they start at."""
        return f"/jobs/{self.job_id}" if self.job_id is not None else "/"


OPEN_HOUSE = Visitor(_OWNER, "")
"""On plain loopback everybody is the owner."""


def by_token(given: str, settings: Settings) -> Visitor | None:
    """Whoever this token belongs to."""
    secret = access.token(settings)
    if not secret or not given:
        return None
    if access.same(given, secret):
        return Visitor(_OWNER, secret)
    found = tokens.find(given)
    return _holder(found, secret) if found else None


def by_cookie(settings: Settings) -> Visitor | None:
    """Whoever this browser was let in as, if that login still holds."""
    parts = access.split_cookie(request.cookies.get(COOKIE, ""))
    secret = access.token(settings)
    if parts is None or not secret:
        return None
    who, nonce, seal = parts
    if who == _OWNER:
        found: Visitor | None = Visitor(_OWNER, secret)
    else:
        row = tokens.in_force(int(who)) if who.isdecimal() and len(who) < 10 else None
        found = _holder(row, secret) if row else None
    if found is None or not access.seals(who, nonce, seal, found.key) or tokens.is_ended(nonce):
        return None
    return found


def _holder(token: AccessToken, secret: str) -> Visitor:
    found = Visitor(
        str(token.id), tokens.key_of(token, secret), token.name, token.scope == "read", token.job_id
    )
    try:
        tokens.note_use(token)
    except SQLAlchemyError:
        # A full disk is no reason to shut anybody out: only the time of the last use is lost.
        db.session.rollback()
    return found


def visitor() -> Visitor:
    """Who asks; set before any address is looked at."""
    found: Visitor = g.get("visitor", OPEN_HOUSE)
    return found


def without_token() -> str:
    """The address that was asked for, less its token."""
    rest = [(k, v) for k, v in request.args.items(multi=True) if k != "token"]
    return f"{request.path}?{urlencode(rest)}" if rest else request.path
