"""Background work that is no training."""

from __future__ import annotations

from sqlalchemy import BigInteger, CheckConstraint, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.db import db


class Task(db.Model):  # type: ignore[name-defined,misc]
    """One piece of background work that is no training. Written by ``app.tasks`` alone."""

    __tablename__ = "task"
    __table_args__ = (
        CheckConstraint(
            "state IN ('waiting', 'running', 'done', 'failed', 'cancelled')",
            name="task_state_is_known",
        ),
        Index("task_by_state", "state", "id"),
        Index("task_by_subject", "subject", "id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    """A key of ``app.tasks.KINDS``."""
    lane: Mapped[str]
    subject: Mapped[str]
    """What it is about, such as ``dataset:3``."""
    arguments: Mapped[str] = mapped_column(Text, default="{}")
    """JSON; never a secret."""
    state: Mapped[str] = mapped_column(default="waiting")
    wish: Mapped[str] = mapped_column(default="")
    done: Mapped[int] = mapped_column(BigInteger, default=0)
    total: Mapped[int | None] = mapped_column(BigInteger)
    unit: Mapped[str] = mapped_column(default="")
    """Of ``done`` and ``total``: bytes, or what is counted."""
    message: Mapped[str] = mapped_column(Text, default="")
    error: Mapped[str] = mapped_column(Text, default="")
    result: Mapped[str] = mapped_column(Text, default="{}")
    tries: Mapped[int] = mapped_column(default=0)
    not_before: Mapped[float] = mapped_column(default=0.0)
    version: Mapped[int] = mapped_column(default=1)
    created: Mapped[float]
    started: Mapped[float | None]
    finished: Mapped[float | None]

    @property
    def is_final(self) -> bool:
        """Whether it neither waits nor runs."""
        return self.state not in ("waiting", "running")
