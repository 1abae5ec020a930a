"""Copies of files elsewhere. Numbers of events are never given twice: messages are told by them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "delivery",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column(
            "job_id", sa.Integer(), sa.ForeignKey("job.id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("target", sa.String(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("remote", sa.Text(), nullable=False, server_default=""),
        sa.Column("size", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("mtime_ns", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("sha256", sa.String(), nullable=False, server_default=""),
        sa.Column("state", sa.String(), nullable=False, server_default="waiting"),
        sa.Column("error", sa.Text(), nullable=False, server_default=""),
        sa.Column("created", sa.Double(), nullable=False),
        sa.Column("verified_at", sa.Double()),
        sa.UniqueConstraint("job_id", "target", "path", name="delivery_is_unique"),
        sa.CheckConstraint(
            "state IN ('waiting', 'sent', 'verified', 'failed')", name="delivery_state_is_known"
        ),
    )
    op.create_index("delivery_by_state", "delivery", ["state"])
    with op.batch_alter_table(
        "job_event", recreate="auto", table_kwargs={"sqlite_autoincrement": True}
    ) as table:
        # Any change has SQLite build the table anew, now with AUTOINCREMENT.
        table.alter_column("reason", existing_type=sa.Text(), existing_nullable=False)


def downgrade() -> None:
    op.drop_table("delivery")
