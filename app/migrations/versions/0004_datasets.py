"""Datasets, their pictures and captions, and the edits that people made."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _dataset()
    _item()
    _edit()


def _dataset() -> None:
    op.create_table(
        "dataset",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("name", sa.String(), nullable=False, unique=True),
        sa.Column("path", sa.Text(), nullable=False, unique=True),
        sa.Column("managed", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False, server_default="1"),
        sa.Column("trigger_word", sa.Text(), nullable=False, server_default=""),
        sa.Column("caption_extension", sa.String(), nullable=False, server_default=".txt"),
        sa.Column("created", sa.Double(), nullable=False),
        sa.Column("scanned", sa.Double()),
        sa.Column("removed", sa.Double()),
        sa.Column("files", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("bytes", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("images", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("videos", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("captions", sa.Integer(), nullable=False, server_default="0"),
        sqlite_autoincrement=True,
    )


def _item() -> None:
    op.create_table(
        "dataset_item",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("dataset_id", sa.Integer(), sa.ForeignKey("dataset.id", ondelete="CASCADE"),
                  nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False, server_default="image"),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("mtime_ns", sa.BigInteger(), nullable=False),
        sa.Column("width", sa.Integer()),
        sa.Column("height", sa.Integer()),
        sa.Column("format", sa.String(), nullable=False, server_default=""),
        sa.Column("problem", sa.Text(), nullable=False, server_default=""),
        sa.Column("caption", sa.Text()),
        sa.Column("caption_name", sa.Text(), nullable=False, server_default=""),
        sa.Column("caption_mtime_ns", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("phash", sa.String(), nullable=False, server_default=""),
        sa.Column("sha256", sa.String(), nullable=False, server_default=""),
        sa.Column("transparent", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("turned", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("trashed", sa.String(), nullable=False, server_default=""),
        sa.UniqueConstraint("dataset_id", "name", name="dataset_item_name_is_unique"),
    )  # fmt: skip
    op.create_index("dataset_item_by_phash", "dataset_item", ["dataset_id", "phash"])


def _edit() -> None:
    op.create_table(
        "dataset_edit",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("dataset_id", sa.Integer(), sa.ForeignKey("dataset.id", ondelete="CASCADE"),
                  nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("undone", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("changes", sa.Text(), nullable=False, server_default="[]"),
        sqlite_autoincrement=True,
    )  # fmt: skip
    op.create_index("ix_dataset_edit_dataset_id", "dataset_edit", ["dataset_id"])


def downgrade() -> None:
    op.drop_table("dataset_edit")
    op.drop_table("dataset_item")
    op.drop_table("dataset")
