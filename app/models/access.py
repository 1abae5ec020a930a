"""Further tokens that open the dashboard, beside the one of the owner."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from app.db import db


class AccessToken(db.Model):  # type: ignore[name-defined,misc]
    """One named token. The token itself is kept nowhere: it is shown once, when it is made."""

    __tablename__ = "access_token"
    __table_args__ = (
        CheckConstraint("scope IN ('full', 'read')", name="access_scope_is_known"),
        # A number is never given twice: cookies name it.
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    hash: Mapped[str] = mapped_column(unique=True)
    """SHA-256 of the token, which has 256 random bits."""
    scope: Mapped[str]
    job_id: Mapped[int | None] = mapped_column(ForeignKey("job.id", ondelete="CASCADE"), index=True)
    """The one job that a read-only token shows; None for all."""
    created: Mapped[float]
    last_used: Mapped[float | None]
    revoked: Mapped[float | None]


class EndedSession(db.Model):  # type: ignore[name-defined,misc]
    """A login that was ended by its owner; its cookie opens nothing any more."""

    __tablename__ = "ended_session"

    nonce: Mapped[str] = mapped_column(primary_key=True)
    at: Mapped[float]
