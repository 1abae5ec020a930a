"""Datasets: rows are a cache of folders on disk, for search, filter and paging.

The folder is the truth: plain files, a caption beside each by stem. A scan makes the rows again.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, ForeignKey, Index, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.db import db


class Dataset(db.Model):  # type: ignore[name-defined,misc]
    """One folder of pictures, clips or sound."""

    __tablename__ = "dataset"
    # A number is never given twice: it names the folder of thumbnails.
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    """As shown. Of a managed one also the name of its folder."""
    path: Mapped[str] = mapped_column(Text, unique=True)
    """Absolute. While it is removed, where its folder waits."""
    managed: Mapped[bool] = mapped_column(default=True)
    """Lives under DATA_DIR/datasets; the folder of any other is never renamed or deleted."""
    version: Mapped[int] = mapped_column(default=1)
    """Grows with every change that was seen."""
    trigger_word: Mapped[str] = mapped_column(Text, default="")
    caption_extension: Mapped[str] = mapped_column(default=".txt")
    created: Mapped[float]
    scanned: Mapped[float | None]
    removed: Mapped[float | None]
    """When a person deleted it; it can be had back until its folder is deleted for good."""
    files: Mapped[int] = mapped_column(default=0)
    bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    images: Mapped[int] = mapped_column(default=0)
    videos: Mapped[int] = mapped_column(default=0)
    captions: Mapped[int] = mapped_column(default=0)


class DatasetItem(db.Model):  # type: ignore[name-defined,misc]
    """One picture, clip or sound, with its caption."""

    __tablename__ = "dataset_item"
    __table_args__ = (
        UniqueConstraint("dataset_id", "name", name="dataset_item_name_is_unique"),
        Index("dataset_item_by_phash", "dataset_id", "phash"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = mapped_column(ForeignKey("dataset.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(Text)
    """Its path relative to the folder, with slashes."""
    kind: Mapped[str] = mapped_column(default="image")
    """image, video or sound."""
    size: Mapped[int] = mapped_column(BigInteger)
    mtime_ns: Mapped[int] = mapped_column(BigInteger)
    width: Mapped[int | None]
    height: Mapped[int | None]
    format: Mapped[str] = mapped_column(default="")
    """As its content says, such as JPEG; empty where nobody looked."""
    problem: Mapped[str] = mapped_column(Text, default="")
    """Why it cannot be read; empty where nothing is known to be wrong."""
    caption: Mapped[str | None] = mapped_column(Text)
    """None: there is no caption file."""
    caption_name: Mapped[str] = mapped_column(Text, default="")
    """The file that holds it."""
    caption_mtime_ns: Mapped[int] = mapped_column(BigInteger, default=0)
    phash: Mapped[str] = mapped_column(default="")
    """Perceptual hash, 16 hexadecimal digits; empty where it was not computed."""
    sha256: Mapped[str] = mapped_column(default="")
    transparent: Mapped[bool] = mapped_column(default=False)
    turned: Mapped[bool] = mapped_column(default=False)
    """Its EXIF orientation lays it on its side; width and height are those of the stored pixels."""
    traits: Mapped[str] = mapped_column(Text, default="")
    """What the health report saw in its pixels, such as "cmyk 16-bit"; valid while sha256 is set."""
    twin: Mapped[int] = mapped_column(default=0)
    """Number of the first picture that looks the same, by the last report; 0 where none does."""
    trashed: Mapped[str] = mapped_column(default="")
    """Number of the edit that removed it; empty while it is there."""


class DatasetEdit(db.Model):  # type: ignore[name-defined,misc]
    """One change that a person made, with what it takes to undo it."""

    __tablename__ = "dataset_edit"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[int] = mapped_column(primary_key=True)
    dataset_id: Mapped[int] = mapped_column(
        ForeignKey("dataset.id", ondelete="CASCADE"), index=True
    )
    at: Mapped[float]
    kind: Mapped[str]
    summary: Mapped[str] = mapped_column(Text)
    """A sentence."""
    undone: Mapped[bool] = mapped_column(default=False)
    state: Mapped[str] = mapped_column(default="done")
    """preparing, writing, undoing or done: what a restart has to bring to its end."""
    changes: Mapped[str] = mapped_column(Text, default="[]")
    """JSON: a list of steps (``app.datasets.steps``), a caption's being ``{name, before, after}``."""
