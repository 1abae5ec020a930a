"""Single facts by key: about the queue, and what people prefer."""

from __future__ import annotations

from sqlalchemy import Text
from sqlalchemy.orm import Mapped, mapped_column

from app.db import db


class Fact(db.Model):  # type: ignore[name-defined,misc]
    """One remembered fact about the whole queue, such as whether it is paused."""

    __tablename__ = "fact"

    key: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str] = mapped_column(Text, default="")
