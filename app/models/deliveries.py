"""Copies of a job's files elsewhere."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.db import db


class Delivery(db.Model):  # type: ignore[name-defined,misc]
    """One file that goes, or went, to one target. Written by ``app.delivery`` alone."""

    __tablename__ = "delivery"
    __table_args__ = (
        UniqueConstraint("job_id", "target", "path", name="delivery_is_unique"),
        CheckConstraint(
            "state IN ('waiting', 'sent', 'verified', 'failed')", name="delivery_state_is_known"
        ),
        Index("delivery_by_state", "state"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("job.id", ondelete="CASCADE"))
    target: Mapped[str]
    source: Mapped[str] = mapped_column(Text)
    """Relative to the run directory."""
    path: Mapped[str] = mapped_column(Text)
    """Relative to the place at the target."""
    remote: Mapped[str] = mapped_column(Text, default="")
    """Where it lies, in words a person can use; never with a secret."""
    size: Mapped[int] = mapped_column(BigInteger, default=0)
    mtime_ns: Mapped[int] = mapped_column(BigInteger, default=0)
    """Of the source when it was hashed: another one means that it changed."""
    sha256: Mapped[str] = mapped_column(default="")
    state: Mapped[str] = mapped_column(default="waiting")
    error: Mapped[str] = mapped_column(Text, default="")
    created: Mapped[float]
    verified_at: Mapped[float | None]
