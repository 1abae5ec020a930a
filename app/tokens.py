"""Named tokens: made, found, used, revoked. All functions need an application context.

Only a hash is kept. 256 random bits need no slow one; finding a row by the hash of what was given
says nothing about any other token.
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Sequence
from typing import Literal

from sqlalchemy import delete, select, update

from app import access
from app.db import db
from app.errors import NotFoundError
from app.models import AccessToken, EndedSession

_PREFIX = "lora_"
_NOTE_SECONDS = 60.0
"""The last use is written down this often at most."""
Scope = Literal["full", "read"]


def make(name: str, scope: Scope, job_id: int | None = None) -> tuple[AccessToken, str]:
    """A new token: its row, and the text that is shown this once."""
    text = _PREFIX + secrets.token_urlsafe(32)
    row = AccessToken(
        name=name, hash=_hash(text), scope=scope, job_id=job_id, created=time.time()
    )  # fmt: skip
    db.session.add(row)
    db.session.commit()
    return row, text


def every() -> Sequence[AccessToken]:
    """All of them, those in force first, newest first."""
    order = (AccessToken.revoked.is_not(None), AccessToken.id.desc())
    return db.session.scalars(select(AccessToken).order_by(*order)).all()


def looks_named(text: str) -> bool:
    """Whether this has the form of a named token, which nobody guesses."""
    return text.startswith(_PREFIX) and 40 < len(text) < 100


def find(text: str) -> AccessToken | None:
    """The token in force that this text is."""
    if not looks_named(text):
        return None
    wanted = select(AccessToken).where(
        AccessToken.hash == _hash(text), AccessToken.revoked.is_(None)
    )
    return db.session.scalars(wanted.execution_options(populate_existing=True)).one_or_none()


def in_force(token_id: int) -> AccessToken | None:
    """The token of this number, unless it was revoked."""
    found = db.session.get(AccessToken, token_id, populate_existing=True)
    return found if found is not None and found.revoked is None else None


def note_use(token: AccessToken) -> None:
    """Write down that it was used just now."""
    now = time.time()
    if token.last_used is None or now - token.last_used > _NOTE_SECONDS:
        change = update(AccessToken).where(AccessToken.id == token.id).values(last_used=now)
        db.session.execute(change)
        db.session.commit()


def revoke(token_id: int) -> None:
    """From now on it opens nothing, nor does any login made with it. Raises NotFoundError."""
    found = in_force(token_id)
    if found is None:
        raise NotFoundError("There is no such token in force; it may have been revoked already.")
    found.revoked = time.time()
    db.session.commit()


def end_session(nonce: str) -> None:
    """A login is over; those that are too old anyway are forgotten."""
    now = time.time()
    db.session.execute(delete(EndedSession).where(EndedSession.at < now - access.SESSION_SECONDS))
    db.session.merge(EndedSession(nonce=nonce[:200], at=now))
    db.session.commit()


def is_ended(nonce: str) -> bool:
    """Whether the login was ended."""
    return db.session.get(EndedSession, nonce) is not None


def key_of(token: AccessToken, secret: str) -> str:
    """What seals its cookies: needs the owner's token too, so the database alone makes none."""
    return f"{secret}:{token.hash}"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
